"""A car in a small Gazebo Sim over real sockets: driven, stepped, put, and lost."""

from __future__ import annotations

import math
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gz_peer import CMD_VEL, IMAGE, ODOM, GzPeer

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import CarState
from pilotnet_brain.simulation.gazebo.camera_frame import CameraFrame
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.gz.client import GzClient
from pilotnet_brain.simulation.gazebo.gz.live_car import GzCar, GzTopics

TOPICS = GzTopics(IMAGE, CMD_VEL, ODOM)
CAR = "f1_renault"
PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def own_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discover nobody else's Gazebo."""
    port = 20_000 + 2 * (os.getpid() % 5000)
    monkeypatch.setenv("GZ_DISCOVERY_MSG_PORT", str(port))
    monkeypatch.setenv("GZ_DISCOVERY_SRV_PORT", str(port + 1))
    monkeypatch.delenv("GZ_IP", raising=False)


@pytest.fixture
def partition() -> str:
    return f"test_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def serve(partition: str) -> Iterator[Callable[..., GzPeer]]:
    peers: list[GzPeer] = []

    def start(**arguments: object) -> GzPeer:
        peers.append(GzPeer(partition, **arguments))  # type: ignore[arg-type]
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


@pytest.fixture
def client(partition: str) -> Iterator[GzClient]:
    one = GzClient(partition)
    yield one
    one.close()


def until(client: GzClient, done: Callable[[], bool]) -> None:
    """Wait for what the peer does, which need not reach the client."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        client.poll(0.005)


class Seen:
    """What a car has told."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.states: list[CarState] = []
        self.frames: list[CameraFrame] = []

    def car(self, client: GzClient, name: str = CAR, **more: Any) -> GzCar:
        told = (self.times.append, self.states.append, self.frames.append)
        return GzCar(client, name, TOPICS, *told, **more)


def test_in_lock_step_every_command_acts_in_the_next_step(
    client: GzClient, serve: Callable[..., GzPeer]
) -> None:
    peer = serve()
    seen = Seen()
    car = seen.car(client)
    car.put(3.0, -2.0, 0.5)
    for count in range(20):
        speed, yaw_rate = 5.0 + count, 0.1 * count
        before = car.state
        car.command(speed, yaw_rate)
        until(client, lambda: peer.velocity == (speed, yaw_rate))  # noqa: B023
        seen.frames.clear()
        # The first frame is due nine steps after the one that told where the car is.
        steps = 9 if count == 0 else 10
        car.step(steps)
        until(client, lambda: bool(seen.frames))
        now = before.time_s + steps * 0.005
        until(client, lambda: car.state.time_s > now - 1e-6)  # noqa: B023
        (frame,) = seen.frames
        assert frame.time_s == pytest.approx(now)
        assert frame.pixels.shape == (480, 640, 3)
        assert (frame.pixels == count + 1).all()
        assert car.state.time_s == pytest.approx(now)
        assert car.state.speed == pytest.approx(speed)
        assert car.state.yaw_rate == pytest.approx(yaw_rate)
        if count:
            turned = math.remainder(car.state.yaw - before.yaw, math.tau)
            assert turned == pytest.approx(yaw_rate * 0.05)
    assert peer.steps == 200
    until(client, lambda: len(seen.times) >= 200)
    assert [round(time / 0.005) for time in seen.times] == list(range(1, 201))
    assert client.broken == 0


def test_in_real_time_no_frame_is_lost(client: GzClient, serve: Callable[..., GzPeer]) -> None:
    serve()
    seen = Seen()
    car = seen.car(client)
    car.aim_at(2.0)
    car.pause(False)
    until(client, lambda: len(seen.frames) >= 40)
    steps = [round(frame.time_s / 0.05) for frame in seen.frames]
    assert steps == list(range(steps[0], steps[0] + len(steps)))
    car.pause(True)
    client.poll(0.1)
    count = len(seen.times)
    client.poll_until(lambda: False, 0.2)
    assert len(seen.times) == count


@pytest.mark.parametrize("bye", [True, False])
def test_a_server_that_is_gone_is_told(
    client: GzClient, serve: Callable[..., GzPeer], bye: bool
) -> None:
    peer = serve()
    car = Seen().car(client)
    peer.close(bye)
    until(client, lambda: not client.is_there(peer.process))
    with pytest.raises(GazeboUnreachable, match="world default is gone"):
        car.command(1.0, 0.0)


def test_a_server_that_is_started_again_is_driven_again(
    client: GzClient, serve: Callable[..., GzPeer]
) -> None:
    serve().close()
    peer = serve()
    car = Seen().car(client)
    car.command(2.0, 0.0)
    until(client, lambda: peer.velocity == (2.0, 0.0))


def test_a_second_server_in_the_partition_is_refused(
    client: GzClient, serve: Callable[..., GzPeer]
) -> None:
    serve(world="one")
    serve(world="two")
    until(client, lambda: len(client.offers("srv")) == 10)
    with pytest.raises(UserError, match=r"two Gazebo Sim servers .*\(worlds one, two\)"):
        Seen().car(client)


def test_another_partition_is_not_seen(serve: Callable[..., GzPeer]) -> None:
    peer = serve()
    other = GzClient("another")
    try:
        assert other.poll_until(lambda: other.is_there(peer.process), PATIENCE_S)
        assert other.offers("srv") == {}
    finally:
        other.close()


def test_a_car_with_other_topics_is_refused_with_those_that_there_are(
    client: GzClient, serve: Callable[..., GzPeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotnet_brain.simulation.gazebo.gz.live_car._ANSWER_LIMIT_S", 0.5)
    serve()
    with pytest.raises(UserError) as refused:
        GzCar(client, CAR, GzTopics("/no/image", CMD_VEL, ODOM), print, print, print)
    assert "has no /no/image of car f1_renault" in str(refused.value)
    assert f"{IMAGE}, {ODOM}, /clock" in str(refused.value)


def test_a_car_is_put_at_its_start_and_back_to_it(
    client: GzClient, serve: Callable[..., GzPeer]
) -> None:
    start = (10.0, -3.0, 2.0)
    serve()
    car = Seen().car(client, start=start)
    assert (car.state.x, car.state.y, car.state.yaw) == pytest.approx(start)
    car.command(5.0, 0.0)
    car.step(100)
    until(client, lambda: math.dist((car.state.x, car.state.y), start[:2]) > 1.0)
    car.reset()
    car.step(1)
    until(client, lambda: math.dist((car.state.x, car.state.y), start[:2]) < 0.1)


def test_a_world_without_a_car_gets_one_of_a_file(
    client: GzClient, serve: Callable[..., GzPeer], tmp_path: Path
) -> None:
    peer = serve(models=("road",))
    start, file = (10.0, -3.0, 2.0), tmp_path / "f1.urdf"
    car = Seen().car(client, "f1", start=start, file=file)
    assert (car.state.x, car.state.y, car.state.yaw) == pytest.approx(start)
    (made,) = [request for name, request in peer.asked if name == "create"]
    assert (made.name, made.sdf_filename) == ("f1", str(file))
    # One that is there already is not put there again.
    Seen().car(client, "f1", start=start, file=file)
    assert peer.models == ["road", "f1"]


def test_a_car_that_is_not_in_the_world_is_told_with_those_that_are(
    client: GzClient, serve: Callable[..., GzPeer]
) -> None:
    serve()
    with pytest.raises(UserError, match=r"no car 'f1' in world default .* f1_renault, road; put"):
        Seen().car(client, "f1")
