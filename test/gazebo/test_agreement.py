"""The same drives in the embedded simulator and in the real Gazebo stay within stated bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from agreement import CONSTANT, compare, open_classic
from agreement_picture import draw_agreement

from pilotnet_brain.circuits.catalogue import load_circuit

pytestmark = [pytest.mark.gazebo, pytest.mark.timeout(600)]


def test_both_worlds_move_the_car_alike(tmp_path: Path) -> None:
    circuit = load_circuit("nurburgring")
    done = compare(circuit, 8.0, open_classic)
    assert len(done) == len(CONSTANT) + 1
    for comparison in done:
        assert comparison.apart_m <= comparison.bound_m, comparison.name
        # Both drove: a car that stood would agree too.
        for track in (comparison.embedded, comparison.gazebo):
            assert track[-1, 0] >= 1.9
    assert draw_agreement(tmp_path / "agreement.png", circuit, done).stat().st_size > 10_000
