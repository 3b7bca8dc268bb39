"""The expert keeps the line, knows its speeds, and needs no memory."""

import math

import numpy as np
import pytest

from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.expert import STANDARD, Expert, speed_profile
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics

STEP_S = 0.005
STEPS_PER_COMMAND = 10


def drive_lap(circuit, expert, delay_steps=0):
    """One lap of a car that follows its command at once, in exact arcs."""
    metrics = RunMetrics(circuit, Rules(time_limit_s=300.0))
    x, y, yaw = circuit.start_pose()
    speed = yaw_rate = 0.0
    waiting = []
    step = 0
    while metrics.ending is None:
        if step % STEPS_PER_COMMAND == 0:
            waiting.append((step + delay_steps, expert.command(x, y, yaw)))
        while waiting and waiting[0][0] <= step:
            speed, yaw_rate = waiting.pop(0)[1]
        metrics.add_pose(step * STEP_S, x, y, yaw, speed, yaw_rate)
        chord = yaw + 0.5 * yaw_rate * STEP_S
        x += speed * math.cos(chord) * STEP_S
        y += speed * math.sin(chord) * STEP_S
        yaw += yaw_rate * STEP_S
        step += 1
    return metrics.figures()


@pytest.mark.parametrize("name", circuit_names())
def test_a_lap_at_11_metres_a_second_within_2_centimetres(name):
    circuit = load_circuit(name)
    lap = drive_lap(circuit, Expert(circuit), delay_steps=4)
    assert lap["lap_completed"]
    assert lap["average_speed"] >= 11.0
    assert lap["position_deviation_mae"] < 0.02


def circle(radius):
    angles = np.linspace(0.0, 2.0 * math.pi, 200, endpoint=False)
    points = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return Circuit("circle", Centerline(points))


@pytest.mark.parametrize(
    ("radius", "speed"),
    [
        (100.0, STANDARD.max_speed),
        (12.0, math.sqrt(STANDARD.lateral_acceleration * 12.0)),
        (2.5, STANDARD.min_speed),
    ],
)
def test_speed_and_yaw_rate_on_a_circle(radius, speed):
    """On the line of a circle pure pursuit drives the circle: yaw rate = speed / radius."""
    command = Expert(circle(radius)).command(radius, 0.0, math.pi / 2)
    assert command.speed == pytest.approx(speed, rel=0.01)
    assert command.yaw_rate == pytest.approx(command.speed / radius, rel=0.02)


def test_braking_begins_early_enough():
    line = load_circuit("montmelo").centerline
    speeds = speed_profile(line, STANDARD)
    falls = speeds**2 - np.roll(speeds, -1) ** 2
    assert falls.max() <= 2.0 * STANDARD.braking * 0.25 + 1e-9
    assert speeds.min() >= STANDARD.min_speed - 1e-9
    assert speeds.max() <= STANDARD.max_speed + 1e-9


@pytest.mark.parametrize(("lateral", "turn"), [(0.5, -1.0), (-0.5, 1.0)])
def test_beside_the_line_it_turns_back_and_slows_down(lateral, turn):
    circuit = circle(200.0)
    expert = Expert(circuit)
    astray = expert.command(200.0 - lateral, 0.0, math.pi / 2)
    assert math.copysign(1.0, astray.yaw_rate) == turn
    assert astray.speed < expert.command(200.0, 0.0, math.pi / 2).speed
