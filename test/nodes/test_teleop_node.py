"""The teleop node as a process: a pseudo-terminal's keys, a joystick's events, commands out."""

from __future__ import annotations

import os
import pty
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from fake_world import PATIENCE_S, FakeWorld  # noqa: E402
from geometry_msgs.msg import Twist  # noqa: E402

from pilotnet_brain.runs.fast_dds import NO_IMAGES, dds_environment  # noqa: E402

pytestmark = pytest.mark.live

DOMAIN_ID = 40 + os.getpid() % 30
NODE = [sys.executable, "-m", "pilotnet_brain.nodes.teleop_node", "--ros-args"]


class Listener:
    """Hears what the person asks for; says how fast the car goes."""

    def __init__(self, world: FakeWorld, topic: str) -> None:
        self.world = world
        self.asked: list[tuple[float, float]] = []
        self._car = world.node.create_publisher(Twist, "cmd_vel", 1)
        world.node.create_subscription(Twist, topic, self._on_twist, 10)

    def _on_twist(self, message: Twist) -> None:
        self.asked.append((message.linear.x, message.angular.z))

    def wait_for_node(self) -> None:
        self.world.until(lambda: self._car.get_subscription_count() > 1, "the teleop node")
        message = Twist()
        message.linear.x = 7.0
        for _ in range(3):
            self._car.publish(message)
        self.world.until(lambda: (7.0, 0.0) in self.world.commands, "the car's command")


@pytest.fixture
def world() -> Iterator[FakeWorld]:
    world = FakeWorld(DOMAIN_ID)
    yield world
    world.close()


def test_keys_become_commands_from_the_cars_speed_on(world: FakeWorld) -> None:
    listener = Listener(world, "key_vel")
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(dds_environment(NO_IMAGES), ROS_DOMAIN_ID=str(DOMAIN_ID))
        os.execv(NODE[0], NODE)
    try:
        listener.wait_for_node()
        assert listener.asked == []
        os.write(terminal, b"w")
        # The car's speed may arrive after the key; then it began at rest.
        world.until(lambda: listener.asked, "a command")
        assert listener.asked[0] in ((8.0, 0.0), (1.0, 0.0))
        os.write(terminal, b"\x1b[D")
        world.until(lambda: listener.asked[-1][1] > 0.0, "the turn")
        os.write(terminal, b" ")
        world.until(lambda: listener.asked[-1] == (0.0, 0.0), "the stop")
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        os.close(terminal)


def test_a_joysticks_held_button_drives(world: FakeWorld, tmp_path: Path) -> None:
    device = tmp_path / "js0"
    os.mkfifo(device)
    sender = os.open(device, os.O_RDWR)
    listener = Listener(world, "joy_vel")
    node = subprocess.Popen(
        [*NODE, "-p", "device:=joy", "-p", f"joystick:={device}"],
        env={**os.environ, **dds_environment(NO_IMAGES), "ROS_DOMAIN_ID": str(DOMAIN_ID)},
    )
    try:
        listener.wait_for_node()
        os.write(sender, struct.pack("=IhBB", 0, -32767, 2, 1) + struct.pack("=IhBB", 0, 1, 1, 5))
        world.until(lambda: listener.asked and listener.asked[-1][0] == 14.0, "the top speed")
        os.close(sender)
        world.until(
            lambda: any(d[0] == "teleop: joy" and "is gone" in d[2] for d in world.diagnostics),
            "the pulled plug",
        )
        assert node.poll() is None
    finally:
        node.terminate()
        assert node.wait(PATIENCE_S) == 0


def test_a_joystick_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*NODE, "-p", "device:=joy", "-p", f"joystick:={tmp_path / 'js9'}"],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert f"teleop joy: {tmp_path / 'js9'} cannot be opened" in ended.stderr
    assert "Traceback" not in ended.stderr
