"""Runs in a world of somebody else's, with odd habits: driven, or ended with the reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from brightness_model import speed_of, write_brightness_model  # noqa: E402
from live_process import DOMAIN_ID, PATIENCE_S, Run, wait_for  # noqa: E402

from pilotnet_brain.bags.messages import seconds  # noqa: E402
from pilotnet_brain.bags.reader import read_bag  # noqa: E402
from pilotnet_brain.metrics.trajectory import (  # noqa: E402
    COLUMNS,
    TrajectoryFileError,
    read_trajectory,
)
from pilotnet_brain.report.run_data import measure_bag  # noqa: E402
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment  # noqa: E402

pytestmark = pytest.mark.whole_run

SCRIPT = Path(__file__).parents[1] / "nodes" / "their_simulator.py"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_brightness_model(tmp_path_factory.mktemp("models") / "brightness.pt"))


class Theirs:
    """Their simulator's process."""

    def __init__(self, **habits: object) -> None:
        environment = {**os.environ, **dds_environment(IMAGE_PUBLISHER)}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps(habits)],
            env=environment | {"ROS_DOMAIN_ID": str(DOMAIN_ID)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def end(self) -> dict[str, float]:
        """End it; return the cars' last commanded speeds, m/s."""
        self.process.send_signal(signal.SIGINT)
        speeds: dict[str, float] = json.loads(self.process.communicate(timeout=PATIENCE_S)[0])
        return speeds


@pytest.fixture
def start(tmp_path: Path, model: str) -> Iterator[Callable[..., Any]]:
    """Start their simulator or a run in it; nothing outlives the test."""
    started: list[subprocess.Popen[Any]] = []

    def start_one(kind: type, **arguments: object) -> Any:
        if kind is Run:
            where = tmp_path / f"runs{len(started)}"
            arguments = {"simulator": "none", "model": model, "output": where, **arguments}
        one = kind(**arguments)
        started.append(one.process)
        return one

    yield start_one
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


def same_figures(run: Run, *keys: str) -> None:
    """Check that the run's bag gives the figures that the run has."""
    again, live = measure_bag(run.folder / "bag").figures, run.metrics
    for key in keys:
        assert again[key] == pytest.approx(live[key], rel=0.05), key


def driven_m(run: Run) -> float:
    """Return how far the car has come since the run measures it."""
    try:
        rows = read_trajectory(run.folder / "trajectory.csv")
    except TrajectoryFileError:
        return 0.0
    if not len(rows):
        return 0.0
    return float(rows[-1, COLUMNS.index("arc_length")] - rows[0, COLUMNS.index("arc_length")])


def unanswered_m(run: Run) -> float:
    """Return how far the car went, at the run's end, between the last frame's record and its stop.

    By the bag: the recorder goes on until the run ends.
    """
    messages = read_bag(run.folder / "bag", lambda *_: True).messages
    last_s = max(seconds(m.message.header.stamp) for m in messages if m.topic == "/brain/frames")
    odometry = [m.message for m in messages if m.topic == "/F1ROS/odom"]
    after = [o.pose.pose.position for o in odometry if seconds(o.header.stamp) >= last_s]
    path = np.array([(place.x, place.y) for place in after])
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def test_frames_that_cannot_be_used_are_named_and_counted(start: Callable[..., Any]) -> None:
    theirs = start(Theirs, width=48, height=36, odom="zero_stamps", parked=True)
    # Long enough for the brain to load on a slow machine: the time runs from the first pose on.
    run = start(Run, time_limit=12.0)
    status, _ = run.end()
    log, figures = run.log.read_text(), run.metrics
    assert status == 1, log
    reason = "broken: the frame is 48x36: 64x48 is the least"
    assert f"not driven: {reason}" in log
    assert figures["ending"].endswith(f"; frames arrive but none was driven: {reason}")
    assert figures["frames_broken"] == figures["frames_received"] > 0
    assert figures["simulated_time_s"] == pytest.approx(12.0, abs=0.2)
    (warning,) = figures["warnings"]
    assert warning.startswith("/F1ROS/odom has stamps that are no time of /clock")
    assert f"warning: {warning}" in log
    same_figures(run, "frames_broken", "simulated_time_s")
    assert measure_bag(run.folder / "bag").figures["ending"].endswith(reason)
    assert theirs.end() == {"F1ROS": 0.0}


def test_a_car_that_nobody_sees_is_stopped_and_the_run_ends(start: Callable[..., Any]) -> None:
    theirs = start(Theirs, odom="none", second_clock=True)
    run = start(Run, time_limit=60.0)
    status, _ = run.end()
    log, figures = run.log.read_text(), run.metrics
    assert status == 1, log
    assert figures["ending"].startswith("the brain drives, and no pose of the car came for 5 s")
    assert f"nobody publishes /F1ROS/odom (ROS_DOMAIN_ID={DOMAIN_ID}" in figures["ending"]
    assert figures["frames_received"] > 20
    assert figures["frames_dropped"] is None
    clocks = "multiple publishers on /clock: /their_other_clock, /their_simulator"
    assert figures["warnings"] == [clocks]
    assert theirs.end() == {"F1ROS": 0.0}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_car_of_a_brain_that_is_gone_is_stopped(
    start: Callable[..., Any], number: signal.Signals
) -> None:
    theirs = start(Theirs)
    run = start(Run)
    wait_for(lambda: driven_m(run) > 10.0, "the car to drive")
    os.kill(run.node("brain"), number)
    status, _ = run.end()
    log, figures = run.log.read_text(), run.metrics
    assert status == 1, log
    told = {signal.SIGKILL: "the brain node ended (SIGKILL)",
            signal.SIGSTOP: "the brain node does not answer"}[number]  # fmt: skip
    assert figures["ending"] == told, log
    assert theirs.end() == {"F1ROS": 0.0}
    # By the guard, which takes half a second (timed by `make faults`), not when the run ends: it
    # waits 10 s for a node that does not answer.
    assert unanswered_m(run) < 3.0 * speed_of(51)


def test_a_brain_held_up_for_a_moment_drives_on(start: Callable[..., Any]) -> None:
    start(Theirs)
    run = start(Run)
    wait_for(lambda: driven_m(run) > 10.0, "the car to drive")
    brain = run.node("brain")
    os.kill(brain, signal.SIGSTOP)
    wait_for(lambda: "the brain fell silent: car stopped" in run.log.read_text(), "the guard")
    os.kill(brain, signal.SIGCONT)
    before = driven_m(run)
    wait_for(lambda: driven_m(run) > before + 10.0, "the car to drive on")
    run.end(signal.SIGINT)
    assert run.metrics["ending"] == "stopped by SIGINT"


def test_a_clock_that_never_moves_ends_a_run_with_a_time_limit(start: Callable[..., Any]) -> None:
    start(Theirs, clock=False, odom="zero_stamps")
    run = start(Run, time_limit=1.0)
    status, _ = run.end()
    assert status == 1, run.log.read_text()
    ending = run.metrics["ending"]
    assert ending.startswith("time limit of 1 s reached in real time, while /clock stood still")
    assert "none was driven: late: /clock says nothing yet" in ending


def test_two_cars_in_one_world_are_driven_and_measured_apart(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    theirs = start(Theirs, cars=["car1", "car2"], odom="best_effort")
    other = write_brightness_model(tmp_path / "faster.pt", offset=0.2)
    runs = [
        start(Run, namespace="car1"),
        start(Run, namespace="car2", model=other),
    ]
    speeds = [speed_of(51), speed_of(51) + 0.2 * 17.5]
    for run, name, speed in zip(runs, ("car1", "car2"), speeds, strict=True):
        wait_for(lambda run=run: driven_m(run) > 20.0, f"{name} to drive")  # type: ignore[misc]
        run.end(signal.SIGINT)
        figures = run.metrics
        # The other car is 3.5 m/s faster or slower.
        assert figures["average_speed"] == pytest.approx(speed, abs=1.5)
        assert figures["frames_received"] > 20
        topics = json.dumps(run.record["topics"])
        assert f"/{name}/brain/frames" in topics
        assert "F1ROS" not in topics
        # The recorder goes on for a moment: the car's last metre, and its standing.
        assert measure_bag(run.folder / "bag").figures["distance_m"] == pytest.approx(
            figures["distance_m"], rel=0.15
        )
    assert theirs.end() == {"car1": 0.0, "car2": 0.0}
