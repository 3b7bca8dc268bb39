"""Closed loops: the shipped baseline drives a lap, and only because it sees and reacts in time."""

from collections import deque

import numpy as np
import pytest
import torch

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.file import load_model
from pilotnet_brain.driving.pilot import Pilot, use_threads
from pilotnet_brain.runs.lockstep import LockstepPlan, drive_lockstep, without_timings
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.learning.export import export_torchscript
from pilotnet_brain.learning.pilotnet import PilotNet
from pilotnet_brain.simulation.looks import random_looks

SIMPLE = load_circuit("simple_circuit")


def pilot_driver(pilot):
    return lambda frame, state: pilot.drive(frame)


@pytest.fixture(scope="module")
def baseline():
    use_threads(1)
    return Pilot(load_model(resolve_model("baseline"), device="cpu"))


def test_the_shipped_baseline_drives_a_lap_of_a_circuit_it_never_saw(baseline):
    lap = drive_lockstep(LockstepPlan(SIMPLE), pilot_driver(baseline))
    assert lap["lap_completed"], lap["ending"]
    assert lap["average_speed"] >= 11.0
    assert lap["position_deviation_mae"] <= 0.04


def test_it_drives_in_another_light(baseline):
    plan = LockstepPlan(SIMPLE, looks=random_looks(77), stretch_m=120.0)
    stretch = drive_lockstep(plan, pilot_driver(baseline))
    assert stretch["ending"] == "drove the asked 120 m"
    assert stretch["position_deviation_mae"] <= 0.1


def test_the_same_stretch_twice_is_the_same_to_the_bit(baseline):
    plan = LockstepPlan(SIMPLE, stretch_m=40.0)
    first, again = (drive_lockstep(plan, pilot_driver(baseline)) for _ in range(2))
    assert without_timings(first) == without_timings(again)


def test_latency_costs_deviation(baseline):
    prompt, late = (
        drive_lockstep(LockstepPlan(SIMPLE, latency_s=latency, stretch_m=100.0), driver)
        for latency, driver in ((0.02, pilot_driver(baseline)), (0.2, pilot_driver(baseline)))
    )
    assert late["position_deviation_mae"] > 3.0 * prompt["position_deviation_mae"]


def test_an_untrained_network_does_not_finish(tmp_path):
    torch.manual_seed(0)
    frames = np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3), dtype=np.uint8)
    path = tmp_path / "untrained.pt"
    export_torchscript(PilotNet(), path, ModelRecord(name="untrained", method="none"), frames)
    pilot = Pilot(load_model(path, device="cpu"))
    run = drive_lockstep(LockstepPlan(SIMPLE, time_limit_s=40.0), pilot_driver(pilot))
    assert not run["lap_completed"]
    assert run["position_deviation_mae"] > 0.3


def test_frames_in_the_wrong_order_do_not_finish(baseline):
    """What is seen must be what is driven on: frames of a second ago, shuffled, lead astray."""
    rng = np.random.default_rng(0)
    seen = deque(maxlen=20)

    def driver(frame, state):
        seen.append(frame.copy())
        return baseline.drive(seen[rng.integers(len(seen))]).command

    run = drive_lockstep(LockstepPlan(SIMPLE, time_limit_s=40.0), driver)
    assert not run["lap_completed"]
    assert run["position_deviation_mae"] > 0.1


def test_the_expert_keeps_the_line_in_the_simulator():
    expert = Expert(SIMPLE)
    plan = LockstepPlan(SIMPLE, stretch_m=100.0)
    lap = drive_lockstep(plan, lambda frame, state: expert.command(state.x, state.y, state.yaw))
    assert lap["position_deviation_mae"] < 0.02
    assert lap["average_speed"] > 11.0
