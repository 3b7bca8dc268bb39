"""The bridge to a Gazebo Sim, over real DDS on one side and real ZeroMQ on the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from brightness_model import speed_of, write_brightness_model  # noqa: E402
from gz_peer import GzPeer, multicast_reaches_itself  # noqa: E402
from live_process import DOMAIN_ID, PATIENCE_S, Run, wait_for  # noqa: E402

from pilotnet_brain.bags.messages import seconds  # noqa: E402
from pilotnet_brain.bags.reader import read_bag  # noqa: E402
from pilotnet_brain.circuits.catalogue import load_circuit  # noqa: E402
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment  # noqa: E402

pytestmark = [
    pytest.mark.whole_run,
    pytest.mark.skipif(
        not multicast_reaches_itself(), reason="no multicast on the loopback interface"
    ),
]

START = load_circuit("simple_circuit").start_pose()
PORT = 40_000 + 2 * (os.getpid() % 5000)
TOPICS = {
    "camera/image_raw": "/F1ROS/cameraL/image_raw",
    "camera/camera_info": "/F1ROS/cameraL/camera_info",
    "cmd_vel": "/F1ROS/cmd_vel",
    "odom": "/F1ROS/odom",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_brightness_model(tmp_path_factory.mktemp("models") / "brightness.pt"))


@pytest.fixture
def partition(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GZ_DISCOVERY_MSG_PORT", str(PORT))
    monkeypatch.setenv("GZ_DISCOVERY_SRV_PORT", str(PORT + 1))
    monkeypatch.delenv("GZ_IP", raising=False)
    return f"test_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def start(partition: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a bridge with parameters; it does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def bridge(**parameters: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pilotnet_brain.nodes.gz_bridge_node", "--ros-args"]
        for ours, theirs in TOPICS.items():
            command += ["-r", f"{ours}:={theirs}"]
        for name, value in {"partition": partition, **parameters}.items():
            command += ["-p", f"{name}:={value}"]
        environment = {**os.environ, **dds_environment(IMAGE_PUBLISHER)}
        environment["ROS_DOMAIN_ID"] = str(DOMAIN_ID)
        started.append(
            subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        )
        return started[-1]

    yield bridge
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_S)


def test_in_lock_step_each_command_acts_in_the_step_after_its_frame(
    start: Callable[..., subprocess.Popen[str]], partition: str, model: str, tmp_path: Path
) -> None:
    levels = (51, 102)
    peer = GzPeer(partition, brightness=lambda frame: levels[frame % 2], start=START, draws=2)
    try:
        bridge = start(lockstep="true", wait_for="[brain, metrics, recorder]", rtf=4.0)
        run = Run(tmp_path / "runs", simulator="none", model=model, time_limit=3.0)
        status, _ = run.end()
        assert status == 1, run.log.read_text()
        figures = run.metrics
        assert figures["ending"].startswith("time limit of 3 s reached"), run.log.read_text()
        assert figures["frames_dropped"] == figures["frames_late"] == 0
        assert figures["frames_received"] == pytest.approx(60, abs=2)
        messages = read_bag(run.folder / "bag", lambda *_: True).messages
        frames = [m.message for m in messages if m.topic == "/brain/frames"]
        number = {round(seconds(frame.header.stamp) / 0.05) for frame in frames}
        checked = 0
        for message in messages:
            if message.topic != TOPICS["odom"]:
                continue
            time_s = seconds(message.message.header.stamp)
            # The newest frame before this pose's step began.
            frame = int((time_s - 0.0051) / 0.05 + 1e-6)
            inside = abs(time_s / 0.05 - round(time_s / 0.05)) > 1e-6
            if frame in number and frame - 1 in number and inside:
                checked += 1
                asked = speed_of(levels[frame % 2])
                assert message.message.twist.twist.linear.x == pytest.approx(asked, abs=0.3)
        assert checked > 60
        bridge.send_signal(signal.SIGINT)
        assert bridge.wait(PATIENCE_S) == 0
        assert peer.velocity == (0.0, 0.0)
    finally:
        peer.close()


def test_a_clock_that_comes_in_bundles_is_no_longer_step(
    start: Callable[..., subprocess.Popen[str]], partition: str, model: str, tmp_path: Path
) -> None:
    """As for a bridge that a busy machine holds up: it must not wait for steps nobody makes."""
    peer = GzPeer(partition, brightness=lambda frame: 51, start=START, clock_every_s=0.06)
    try:
        start(lockstep="true", wait_for="[brain, metrics, recorder]")
        run = Run(tmp_path / "runs", simulator="none", model=model, time_limit=1.0)
        status, _ = run.end()
        assert run.metrics["ending"].startswith("time limit of 1 s reached"), run.log.read_text()
        assert status == 1
        assert run.metrics["frames_received"] == pytest.approx(20, abs=2)
    finally:
        peer.close()


def test_in_real_time_a_server_that_is_gone_is_waited_for_and_driven_again(
    start: Callable[..., subprocess.Popen[str]], partition: str, model: str, tmp_path: Path
) -> None:
    peer = GzPeer(partition, paused=False, brightness=lambda frame: 51, start=START)
    try:
        start()
        run = Run(tmp_path / "runs", simulator="none", model=model)
        run.wait_until_driving()
        peer.close(bye=False)
        peer = GzPeer(partition, paused=False, brightness=lambda frame: 51, start=START)
        wait_for(lambda: peer.velocity[0] == pytest.approx(speed_of(51)), "the car to drive")
        run.end(signal.SIGINT)
        wait_for(lambda: peer.velocity == (0.0, 0.0), "the car to be stopped")
    finally:
        peer.close()


def test_without_a_server_it_says_what_to_do(
    start: Callable[..., subprocess.Popen[str]], partition: str
) -> None:
    bridge = start(patience=0.5)
    _, errors = bridge.communicate(timeout=PATIENCE_S + 60.0)
    assert bridge.returncode == 2
    assert f"no Gazebo Sim answers in partition {partition}; start gz sim" in errors
