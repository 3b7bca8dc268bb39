"""Closed loops: the shipped baseline drives a lap, and only because it sees and reacts in time."""

from collections import deque

import cv2
import numpy as np
import pytest
import torch

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.delay import DelayCompensation
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.learning.export import export_torchscript
from pilotnet_brain.learning.pilotnet import PilotNet
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.runs.lockstep import Conditions, drive_lockstep, without_timings
from pilotnet_brain.simulation.looks import looks_of_seed

SIMPLE = load_circuit("simple_circuit")


def measured(seconds=None):
    """Metrics of a lap of simple_circuit, or of its first seconds."""
    return RunMetrics(SIMPLE, Rules(time_limit_s=seconds))


def pilot_driver(pilot):
    return lambda frame, state, motion: pilot.drive(frame)


@pytest.fixture(scope="module")
def baseline():
    cv2.setNumThreads(1)
    return Pilot(load_model(resolve_model("baseline"), device="cpu"))


def test_the_shipped_baseline_drives_a_lap_of_a_circuit_it_never_saw(baseline):
    lap = drive_lockstep(measured(), pilot_driver(baseline))
    assert lap["lap_completed"], lap["ending"]
    assert lap["average_speed"] >= 11.0
    assert lap["position_deviation_mae"] <= 0.04


def test_it_drives_in_another_light(baseline):
    stretch = drive_lockstep(measured(9.0), pilot_driver(baseline), Conditions(looks_of_seed(77)))
    assert stretch["ending"].startswith("time limit")
    assert stretch["distance_m"] > 100.0
    assert stretch["position_deviation_mae"] <= 0.1


def test_the_same_stretch_twice_is_the_same_to_the_bit(baseline):
    first, again = (drive_lockstep(measured(3.0), pilot_driver(baseline)) for _ in range(2))
    assert without_timings(first) == without_timings(again)


def test_latency_costs_deviation(baseline):
    prompt, late = (
        drive_lockstep(measured(8.0), pilot_driver(baseline), Conditions(latency_s=latency))
        for latency in (0.02, 0.2)
    )
    assert late["position_deviation_mae"] > 3.0 * prompt["position_deviation_mae"]


@pytest.mark.parametrize("latency_s", [0.1, 0.3])
def test_a_delay_that_is_known_costs_little(baseline, latency_s):
    """Without compensation the car leaves the line by 0.3 m at 100 ms, and the road at 200."""
    compensation = DelayCompensation(baseline.model.record.anticipation_s)
    stretch = drive_lockstep(
        measured(8.0),
        lambda frame, state, motion: baseline.drive(frame, motion),
        Conditions(latency_s=latency_s),
        compensation=compensation,
    )
    assert stretch["ending"].startswith("time limit")
    assert stretch["distance_m"] > 90.0
    assert stretch["position_deviation_mae"] <= (0.03 if latency_s < 0.2 else 0.08)
    expected = latency_s - compensation.anticipation_s
    assert stretch["delay_compensated_p50"] == pytest.approx(expected, abs=1e-6)


def test_an_untrained_network_does_not_finish(tmp_path):
    torch.manual_seed(0)
    frames = np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3), dtype=np.uint8)
    path = tmp_path / "untrained.pt"
    export_torchscript(PilotNet(), path, ModelRecord(name="untrained", method="none"), frames)
    pilot = Pilot(load_model(path, device="cpu"))
    run = drive_lockstep(measured(40.0), pilot_driver(pilot))
    assert not run["lap_completed"]
    assert run["position_deviation_mae"] > 0.3


def test_frames_in_the_wrong_order_do_not_finish(baseline):
    """What is seen must be what is driven on: frames of a second ago, shuffled, lead astray."""
    rng = np.random.default_rng(0)
    seen = deque(maxlen=20)

    def driver(frame, state, motion):
        seen.append(frame.copy())
        return baseline.drive(seen[rng.integers(len(seen))]).command

    run = drive_lockstep(measured(40.0), driver)
    assert not run["lap_completed"]
    assert run["position_deviation_mae"] > 0.1


def test_the_expert_keeps_the_line_in_the_simulator():
    expert = Expert(SIMPLE)
    lap = drive_lockstep(
        measured(8.0), lambda frame, state, motion: expert.command(state.x, state.y, state.yaw)
    )
    assert lap["position_deviation_mae"] < 0.02
    assert lap["average_speed"] > 11.0
