"""The expert in a person's place, in closed loop with an ideal car."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.command import Command
from pilotnet_brain.teleop.expert_driver import ExpertDriver

STEP_S = 0.02
"""Poses come at 50 Hz."""


@pytest.fixture
def circuit() -> Circuit:
    return load_circuit("simple_circuit")


def drive(
    circuit: Circuit, driver: ExpertDriver, seconds: float, brain: Callable[[float], Command]
) -> tuple[np.ndarray, list[bool]]:
    """Return the lateral deviations, m, and where the expert drove; else the brain does."""
    line = circuit.centerline
    x, y = line.position(0.0).tolist()
    yaw = float(np.asarray(line.heading(np.array([0.0])))[0])
    deviations, expert = [], []
    for step in range(round(seconds / STEP_S)):
        command = driver.command(step * STEP_S, x, y, yaw)
        expert.append(command is not None)
        deviations.append(line.project(x, y).lateral_deviation)
        given = brain(step * STEP_S) if command is None else command
        x += given.speed * math.cos(yaw) * STEP_S
        y += given.speed * math.sin(yaw) * STEP_S
        yaw += given.yaw_rate * STEP_S
    return np.array(deviations), expert


def nobody(time_s: float) -> Command:
    raise AssertionError("the brain drove")


@pytest.mark.parametrize("name", ["simple_circuit", "montmelo", "many_curves"])
def test_pushed_off_the_line_the_car_shows_the_way_back(name: str) -> None:
    """A fifth of the time well off the line, never off the road."""
    circuit = load_circuit(name)
    deviations, expert = drive(circuit, ExpertDriver(circuit, 0.0, seed=3), 60.0, nobody)
    assert all(expert)
    assert np.mean(np.abs(deviations) > 0.1) > 0.2
    assert np.max(np.abs(deviations)) < circuit.asphalt_half_width - 0.2
    assert deviations.min() < -0.3
    assert deviations.max() > 0.3


def test_the_same_seed_pushes_alike(circuit: Circuit) -> None:
    runs = [drive(circuit, ExpertDriver(circuit, 0.0, seed), 10.0, nobody)[0] for seed in (1, 1, 2)]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_it_takes_over_from_a_brain_that_leaves_the_line_and_hands_back(circuit: Circuit) -> None:
    def straight_on(time_s: float) -> Command:
        return Command(8.0, 0.15)

    deviations, expert = drive(circuit, ExpertDriver(circuit, 0.5, seed=0), 30.0, straight_on)
    takeovers = sum(now and not before for before, now in zip(expert, expert[1:], strict=False))
    assert takeovers > 3
    assert not expert[0]
    assert np.max(np.abs(deviations)) < 1.0
    # Handed back close to the line.
    ends = [
        abs(deviations[step + 1])
        for step, (now, then) in enumerate(zip(expert, expert[1:], strict=False))
        if now and not then
    ]
    assert max(ends) < 0.2


def test_a_car_that_is_put_elsewhere_is_found_again(circuit: Circuit) -> None:
    driver = ExpertDriver(circuit, 0.5, seed=0)
    for arc_length in (0.0, 200.0, 10.0):
        x, y = circuit.centerline.position(arc_length).tolist()
        yaw = float(np.asarray(circuit.centerline.heading(np.array([arc_length])))[0])
        assert driver.command(arc_length, x, y, yaw) is None
