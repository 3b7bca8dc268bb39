"""The published score by its definition, on the reference laps that BehaviorMetrics recorded.

They are its data and not in this repository: PILOTNET_REFERENCE_LAPS names a folder with
simple_circuit.csv, montreal.csv, montmelo.csv and nurburgring.csv (columns x and y).
"""

import os
from pathlib import Path

import numpy as np
import pytest
from driven_lines import drive
from scipy.spatial import cKDTree

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.metrics.reference_lap import read_reference_lap
from pilotnet_brain.metrics.run_metrics import RunMetrics

FOLDER = os.environ.get("PILOTNET_REFERENCE_LAPS")

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="NOT CHECKED: PILOTNET_REFERENCE_LAPS names no folder of reference laps"
)


@pytest.mark.parametrize(
    ("name", "of_the_line"),
    [("simple_circuit", 4.1), ("montreal", 3.9), ("montmelo", 1.9), ("nurburgring", 1.45)],
)
def test_a_car_exactly_on_the_line(name, of_the_line):
    circuit, lap = load_circuit(name), read_reference_lap(Path(str(FOLDER)) / f"{name}.csv")
    length = circuit.centerline.length
    metrics = drive(
        RunMetrics(circuit, reference_lap=lap), lambda t: 10.0 * t,
        np.arange(0.0, length / 10.0 + 1.0, 0.05),
    )  # fmt: skip
    score = metrics.figures()["position_deviation_score_published"]
    # By its definition, from points a centimetre apart: mean over the reference of 1000^d.
    line = circuit.centerline.position(np.arange(0.0, length, 0.01))
    by_definition = np.mean(1000.0 ** cKDTree(line).query(lap)[0])
    assert score == pytest.approx(by_definition, rel=0.01)
    # The figures are known to two places.
    assert score == pytest.approx(of_the_line, abs=0.05)
