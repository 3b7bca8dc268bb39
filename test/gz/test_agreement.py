"""The same drives in the embedded simulator and the real Gazebo Sim stay within stated bounds."""

from __future__ import annotations

import pytest
from agreement import CONSTANT, compare
from gz_drives import open_gz

from pilotnet_brain.circuits.catalogue import load_circuit

pytestmark = [pytest.mark.gz, pytest.mark.timeout(600)]


def test_both_worlds_move_the_car_alike() -> None:
    done = compare(load_circuit("nurburgring"), 8.0, open_gz)
    assert len(done) == len(CONSTANT) + 1
    for comparison in done:
        assert comparison.apart_m <= comparison.bound_m, comparison.name
        # Both drove: a car that stood would agree too.
        for track in (comparison.embedded, comparison.gazebo):
            assert track[-1, 0] >= 1.9
