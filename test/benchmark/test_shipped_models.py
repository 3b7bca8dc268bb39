"""Every shipped model drives a stretch of a circuit that it never saw."""

import pytest

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.model.catalogue import read_manifest, resolve_model
from pilotnet_brain.driving.model.file import load_model
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.runs.lockstep import LockstepPlan, drive_lockstep
from pilotnet_brain.simulation.looks import random_looks


@pytest.mark.parametrize("name", read_manifest())
def test_it_drives_through_the_bends_of_montmelo(name: str) -> None:
    pilot = Pilot(load_model(resolve_model(name), "cpu"))
    plan = LockstepPlan(load_circuit("montmelo"), random_looks(11), stretch_m=120.0)
    stretch = drive_lockstep(plan, lambda frame, state: pilot.drive(frame).command)
    assert stretch["ending"] == "drove the asked 120 m"
    assert stretch["average_speed"] >= 9.0
    assert stretch["position_deviation_mae"] <= 0.08
