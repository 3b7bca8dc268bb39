"""The real node graph over DDS: a stretch of circuit, and every way a run can be cut short."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from brightness_model import write_brightness_model  # noqa: E402
from fake_world import FakeWorld  # noqa: E402
from live_process import (  # noqa: E402
    DOMAIN_ID,
    PATIENCE_S,
    Run,
    still_alive,
    wait_for,
)
from mcap.reader import make_reader  # noqa: E402
from rosbags.highlevel import AnyReader  # noqa: E402

from pilotnet_brain.cli import main  # noqa: E402
from pilotnet_brain.metrics.frame_record import frame_record  # noqa: E402
from pilotnet_brain.metrics.trajectory import read_trajectory  # noqa: E402
from pilotnet_brain.runs.events import STOPPING, read_events  # noqa: E402
from pilotnet_brain.runs.fast_dds import PROFILE_VARIABLES  # noqa: E402

pytestmark = pytest.mark.whole_run

TOPICS = {
    "/F1ROS/odom", "/F1ROS/cmd_vel", "/F1ROS/cameraL/camera_info", "/brain/frames", "/brain/status",
    "/clock", "/diagnostics",
}  # fmt: skip


def read_bag(bag: Path) -> dict[str, list[tuple[int, Any]]]:
    """Return the messages of a bag by topic, read with rosbags."""
    messages: dict[str, list[tuple[int, Any]]] = {}
    with AnyReader([bag]) as reader:
        for connection, time_ns, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            messages.setdefault(connection.topic, []).append((time_ns, message))
    return messages


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_brightness_model(tmp_path_factory.mktemp("models") / "brightness.pt"))


@pytest.fixture
def start(tmp_path: Path, model: str) -> Iterator[Callable[..., Run]]:
    """Start runs that do not outlive the test."""
    runs: list[Run] = []

    def start_run(output: Path | None = None, **arguments: object) -> Run:
        output = output or tmp_path / f"runs{len(runs)}"
        runs.append(Run(output, **{"model": model, **arguments}))
        return runs[-1]

    yield start_run
    for run in runs:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            run.process.wait(PATIENCE_S)


def test_a_stretch_of_circuit_leaves_every_result(start: Callable[..., Run]) -> None:
    run = start(time_limit=2.0, record_camera=True, record_video=True)
    status, _ = run.end()
    log = run.log.read_text()
    assert status == 1, log
    figures = run.metrics
    assert figures["ending"].startswith("time limit")
    assert not figures["lap_completed"]
    assert figures["circuit"] == "simple_circuit"
    assert figures["model"] == "brightness"
    assert figures["simulator"] == "mujoco"
    assert figures["simulated_time_s"] == pytest.approx(2.0, abs=0.1)
    assert figures["frames_received"] >= 20
    assert figures["frame_age_p50"] > 0.0
    for name in ("run.yaml", "trajectory.csv", "lap.png", "run.mp4"):
        assert (run.folder / name).stat().st_size > 0
    check_figures_of_the_bag(run.folder, figures)
    assert "lap completed" not in log

    messages = read_bag(run.folder / "bag")
    assert {*TOPICS, "/F1ROS/cameraL/image_raw"} <= set(messages)
    check_commands(messages)
    check_metadata(run.folder / "bag", messages)
    assert not still_alive(run)


def check_figures_of_the_bag(folder: Path, figures: dict[str, Any]) -> None:
    """The bag gives the run's own figures; the real clock is the recorder's, in another process."""
    again = folder / "again.json"
    assert main(["report", str(folder / "bag"), "--json", str(again)]) == 0
    measured = json.loads(again.read_text())
    for key in ("real_time_s", "real_time_factor", "brain_rate_hz"):
        assert measured.pop(key) > 0.0
        figures.pop(key)
    assert measured == figures


def check_commands(messages: dict[str, list[tuple[int, Any]]]) -> None:
    """Every driven frame's command was published, and the last command is to stand still."""
    commands = [(m.linear.x, m.angular.z) for _, m in messages["/F1ROS/cmd_vel"]]
    records = [frame_record(m) for _, m in messages["/brain/frames"]]
    driven = [(r.speed, r.yaw_rate) for r in records if r.driven]
    assert len(driven) >= 20
    assert set(driven) <= set(commands)
    assert all(6.5 <= speed <= 24.0 for speed, _ in driven if speed is not None)
    assert commands[-1] == (0.0, 0.0)
    images = {m.header.stamp.sec * 10**9 + m.header.stamp.nanosec
              for _, m in messages["/F1ROS/cameraL/camera_info"]}  # fmt: skip
    assert {round(r.stamp_s * 1e9) for r in records} <= images
    clocks = [m.clock.sec + m.clock.nanosec * 1e-9 for _, m in messages["/clock"]]
    assert sorted(clocks) == clocks
    image = messages["/F1ROS/cameraL/image_raw"][0][1]
    assert (image.width, image.height, image.encoding) == (640, 480, "rgb8")
    assert image.header.frame_id == "camera_optical_frame"
    # Sky, road and walls: what was published is what was rendered.
    assert np.asarray(image.data).std() > 20.0


def check_metadata(bag: Path, messages: dict[str, list[tuple[int, Any]]]) -> None:
    """metadata.yaml and the MCAP file agree with what was read, and name the offered QoS."""
    with AnyReader([bag]) as reader:
        for connection in reader.connections:
            assert connection.msgcount == len(messages[connection.topic])
            assert connection.ext.offered_qos_profiles  # type: ignore[union-attr]
    with next(bag.glob("*.mcap")).open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    assert summary.statistics is not None
    assert summary.statistics.message_count == sum(map(len, messages.values()))
    assert {schema.encoding for schema in summary.schemas.values()} == {"ros2msg"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_a_run_stops_the_car_and_keeps_its_results(
    start: Callable[..., Run], number: signal.Signals
) -> None:
    run = start()
    run.wait_until_driving()
    children = run.children()
    status, took_s = run.end(number)
    assert status == 128 + number
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert run.metrics["ending"] == f"stopped by {number.name}"
    assert not run.metrics["lap_completed"]
    assert (run.folder / "lap.png").exists()
    commands = read_bag(run.folder / "bag")["/F1ROS/cmd_vel"]
    assert commands[-1][1].linear.x == 0.0
    assert took_s < PATIENCE_S / 2


@pytest.mark.parametrize("victim", ["brain", "simulator", "metrics", "recorder"])
def test_a_killed_node_ends_the_run_by_name_and_the_results_stay(
    start: Callable[..., Run], victim: str
) -> None:
    run = start()
    run.wait_until_driving()
    os.kill(run.node(victim), signal.SIGKILL)
    killed_at = time.time_ns()
    status, _ = run.end()
    reason = f"the {victim} node ended (SIGKILL)"
    assert status == 1
    assert f"error: {reason}" in run.log.read_text()
    assert run.metrics["ending"] == reason
    assert not run.metrics["lap_completed"]
    assert len(read_trajectory(run.folder / "trajectory.csv")) >= 20
    assert (run.folder / "lap.png").exists()
    told = [event["reason"] for event in read_events(run.folder, STOPPING)]
    assert told == [reason]
    messages = read_bag(run.folder / "bag")
    assert TOPICS - {"/diagnostics"} <= set(messages)
    assert killed_at - messages["/clock"][-1][0] < 1.5e9
    assert not still_alive(run)


def test_a_brain_held_up_drops_frames(start: Callable[..., Run]) -> None:
    run = start(time_limit=4.0)
    run.wait_until_driving()
    brain = run.node("brain")
    while run.process.poll() is None:
        # Four frames go by while it is held, one is driven, and so on: it is really live.
        with contextlib.suppress(ProcessLookupError):
            os.kill(brain, signal.SIGSTOP)
            time.sleep(0.2)
            os.kill(brain, signal.SIGCONT)
        time.sleep(0.05)
        if "time limit" in run.log.read_text():
            break
    run.end()
    figures = run.metrics
    assert figures["frames_dropped"] > 0.2 * figures["frames_published"]


def test_a_reset_puts_the_car_back_and_starts_the_run_over(start: Callable[..., Run]) -> None:
    run = start(time_limit=4.0)
    run.wait_until_driving()
    world = FakeWorld(DOMAIN_ID)
    try:
        assert world.call("/simulator/reset").success
        assert world.call("/metrics/save").success
        assert run.metrics["ending"] is None
    finally:
        world.close()
    run.end()
    figures = run.metrics
    assert figures["epoch"] == 1
    assert figures["ending"].startswith("time limit")
    times = read_trajectory(run.folder / "trajectory.csv")[:, 0]
    assert np.count_nonzero(np.diff(times) < 0.0) == 1
    records = read_bag(run.folder / "bag")["/brain/frames"]
    assert {frame_record(m).epoch for _, m in records} == {0, 1}


def test_a_killed_run_takes_its_nodes_along(start: Callable[..., Run]) -> None:
    run = start()
    run.wait_until_driving()
    run.process.kill()
    run.process.wait()
    wait_for(lambda: not still_alive(run), "the nodes to end", patience_s=15.0)
    assert run.metrics["ending"].startswith("stopped by")


def test_a_second_run_in_the_domain_is_refused(start: Callable[..., Run]) -> None:
    first = start()
    first.wait_until_driving()
    second = start()
    status, _ = second.end()
    assert status == 2, second.log.read_text()
    assert first.process.poll() is None
    text = second.log.read_text()
    assert "ROS_DOMAIN_ID" in text
    assert not list(second.output.iterdir())


def test_names_and_output_of_any_kind_keep_the_results(
    start: Callable[..., Run], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / '🏎 it\'s a "car"\nof mine'
    place.mkdir()
    shutil.copy(model, place / "💨.pt")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    run = start(model=place / "💨.pt", output=place / "runs", time_limit=0.5)
    status, _ = run.end()
    assert status == 1, run.log.read_text()
    assert "Traceback" not in run.log.read_text()
    assert run.metrics["frames_received"] > 0


def test_a_runs_nodes_are_reached_from_this_machine_only(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the ports that others can know: TCP's that listen, and those of the ROS domain."""
    for name in (*PROFILE_VARIABLES, "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"):
        monkeypatch.delenv(name, raising=False)
    run = start()
    run.wait_until_driving()
    first = 7400 + 250 * DOMAIN_ID
    for name in ("simulator", "brain", "metrics", "recorder"):
        node = run.node(name)
        of_domain = {host for host, port in sockets(node, "udp") if 0 <= port - first < 250}
        assert of_domain == {"127.0.0.1"}, name
        assert {host for host, _ in sockets(node, "tcp")} <= {"127.0.0.1"}, name


def sockets(pid: int, protocol: str) -> set[tuple[str, int]]:
    """Return the IPv4 addresses and ports that a process's sockets are bound to."""
    own = {os.readlink(handle) for handle in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
        fields = line.split()
        if f"socket:[{fields[9]}]" in own:
            host, _, port = fields[1].partition(":")
            address = int(host, 16).to_bytes(4, sys.byteorder)
            found.add((socket.inet_ntoa(address), int(port, 16)))
    return found


def test_a_run_that_never_drove_ends_without_a_word_on_what_it_cannot_have(
    start: Callable[..., Run],
) -> None:
    # Nobody simulates: the metrics node waits for a pose that never comes.
    run = start(simulator="none")
    wait_for(lambda: "waiting for the car's pose" in run.log.read_text(), "the metrics node")
    status, _ = run.end(signal.SIGINT)
    text = run.log.read_text()
    assert status == 128 + signal.SIGINT, text
    # The brain may have waited long enough for its first frame to say why none came.
    ending, _, reason = run.metrics["ending"].partition("; ")
    assert ending == "stopped by SIGINT"
    assert not reason or reason.startswith("no frame arrived: nobody publishes /")
    assert "trajectory.csv" not in text
    assert "error" not in text


def test_a_run_that_stalls_ends_where_a_limit_was_given(start: Callable[..., Run]) -> None:
    # Nobody simulates: no pose ever comes.
    run = start(simulator="none", stall_limit=2.0)
    status, _ = run.end()
    assert status == 1, run.log.read_text()
    ending = run.metrics["ending"]
    assert ending.startswith("no new pose of the car for 2 s of real time: nobody publishes")
