"""Every shipped model drives a stretch of a circuit that it never saw."""

import pytest

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.model.catalogue import read_manifest, resolve_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.runs.lockstep import Conditions, drive_lockstep
from pilotnet_brain.simulation.looks import random_looks


@pytest.mark.parametrize("name", read_manifest())
def test_it_drives_through_the_bends_of_montmelo(name: str) -> None:
    pilot = Pilot(load_model(resolve_model(name), "cpu"))
    metrics = RunMetrics(load_circuit("montmelo"), Rules(time_limit_s=9.0))
    conditions = Conditions(random_looks(11))
    stretch = drive_lockstep(metrics, lambda frame, *_: pilot.drive(frame).command, conditions)
    assert stretch["ending"].startswith("time limit")
    assert stretch["distance_m"] >= 100.0
    assert stretch["average_speed"] >= 9.0
    assert stretch["position_deviation_mae"] <= 0.08
