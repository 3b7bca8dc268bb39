"""In the real Gazebo Classic 11: the worlds load, the camera sees the road, the car obeys."""

from __future__ import annotations

import dataclasses
import math
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from driven_car import DrivenCar
from gazebo_server import PATIENCE_S, GazeboServer

from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.car import TIME_STEP_S, CarState
from pilotnet_brain.simulation.gazebo.classic_world import (
    WorldFiles,
    write_bare_world,
    write_ros_world,
)
from pilotnet_brain.simulation.gazebo.sim import write_gz_world
from pilotnet_brain.simulation.gazebo.transport.client import GazeboClient
from pilotnet_brain.simulation.gazebo.transport.messages import parse
from pilotnet_brain.simulation.gazebo.transport.world import aim_world_at, ask, await_running
from pilotnet_brain.simulation.looks import PLAIN

pytestmark = pytest.mark.gazebo


@pytest.fixture
def plain_world(tmp_path: Path) -> WorldFiles:
    return write_bare_world(load_circuit("simple_circuit"), PLAIN, tmp_path)


@pytest.fixture(scope="module")
def open_field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenCar]:
    """The car where no wall is."""
    looks = dataclasses.replace(PLAIN, walls=False)
    folder = tmp_path_factory.mktemp("open_field")
    files = write_bare_world(load_circuit("simple_circuit"), looks, folder)
    with GazeboServer(files.world, files.models) as server:
        driven = DrivenCar(server)
        yield driven
        driven.close()


def red_middle(frame: np.ndarray, row: int) -> float:
    """Return the middle column of the painted line in a row of an RGB frame."""
    red, green = frame[row, :, 0].astype(int), frame[row, :, 1].astype(int)
    columns = np.flatnonzero((red > 100) & (green < 70))
    return float(columns.mean())


@pytest.mark.parametrize("name", circuit_names())
def test_a_circuit_loads_without_an_error_and_the_camera_sees_its_line(
    name: str, tmp_path: Path
) -> None:
    files = write_bare_world(load_circuit(name), PLAIN, tmp_path)
    with GazeboServer(files.world, files.models, "--lockstep") as server:
        driven = DrivenCar(server)
        driven.await_frames(6)
        driven.close()
        assert server.errors() == []
    frames = driven.frames
    assert frames[-1].pixels.shape == (480, 640, 3)
    gaps = np.diff([frame.time_s for frame in frames])
    assert gaps == pytest.approx(1.0 / car.CAMERA_HZ)
    for row in (470, 420):
        expected = line_column(load_circuit(name), row)
        assert red_middle(frames[-1].pixels, row) == pytest.approx(expected, abs=6.0)


def line_column(circuit: Circuit, row: int) -> float:
    """Return where a pinhole camera on the start line sees the painted line's middle in a row."""
    below = row + 0.5 - 0.5 * car.CAMERA_HEIGHT
    ahead, left, height = car.CAMERA_POSITION
    depth = car.camera_focal_length() * (height - 0.004) / below
    x, y, yaw = circuit.start_pose()
    from_car = circuit.centerline.position(np.linspace(0.0, 3.0, 300)) - (x, y)
    along = from_car @ (math.cos(yaw), math.sin(yaw))
    across = from_car @ (-math.sin(yaw), math.cos(yaw))
    to_right = left - float(np.interp(ahead + depth, along, across))
    return 0.5 * car.CAMERA_WIDTH - 0.5 + car.camera_focal_length() * to_right / depth


@pytest.mark.parametrize(
    ("speed", "yaw_rate"), [(5.0, 0.0), (10.0, 3.0), (13.0, -2.0), (17.5, 7.0)]
)
def test_the_car_follows_a_command_on_its_exact_arc(
    open_field: DrivenCar, speed: float, yaw_rate: float
) -> None:
    poses = open_field.drive(speed, yaw_rate, 2.0)
    begin = next(p for p in poses if obeys(p, speed, yaw_rate))
    driven = [p for p in poses if p.time_s > begin.time_s]
    # A step goes where the car pointed at the step's beginning: half a step late on the arc, which
    # is never more than one step's way off it.
    bound = speed * TIME_STEP_S + 0.005
    for pose in driven:
        x, y, yaw = on_arc(begin, speed, yaw_rate, pose.time_s - begin.time_s)
        assert math.hypot(pose.x - x, pose.y - y) < bound
        assert abs(math.remainder(pose.yaw - yaw, 2.0 * math.pi)) < 0.003


def obeys(state: CarState, speed: float, yaw_rate: float) -> bool:
    return abs(state.speed - speed) < 0.01 and abs(state.yaw_rate - yaw_rate) < 0.01


def on_arc(
    begin: CarState, speed: float, yaw_rate: float, seconds: float
) -> tuple[float, float, float]:
    """Return x, y and yaw of a car after driving an arc at constant speed."""
    turn = yaw_rate * seconds
    # The chord of an arc: sin(u)/u of its length, in the middle of its directions.
    chord = speed * seconds * float(np.sinc(0.5 * turn / math.pi))
    middle = begin.yaw + 0.5 * turn
    x, y = begin.x + chord * math.cos(middle), begin.y + chord * math.sin(middle)
    return x, y, begin.yaw + turn


def test_a_command_is_followed_within_one_step(open_field: DrivenCar) -> None:
    open_field.drive(0.0, 0.0, 0.2)
    poses = open_field.drive(10.0, 0.0, 0.5)
    one_step_apart = [
        after
        for before, after in zip(poses, poses[1:], strict=False)
        if after.time_s - before.time_s == pytest.approx(TIME_STEP_S)
    ]
    # Nothing in between.
    assert {round(pose.speed, 6) for pose in one_step_apart} <= {0.0, 10.0}
    assert poses[-1].speed == pytest.approx(10.0)


def test_a_wall_stops_the_car_and_lets_it_back_away(plain_world: WorldFiles) -> None:
    circuit = load_circuit("simple_circuit")
    with GazeboServer(plain_world.world, plain_world.models) as server:
        driven = DrivenCar(server)
        driven.drive(0.0, 1.57, 1.0)
        against = driven.drive(8.0, 0.0, 2.0)[-1]
        away = driven.drive(-2.0, 0.0, 0.5)[-1]
        driven.close()
    project = circuit.centerline.project
    stopped = abs(project(against.x, against.y).lateral_deviation)
    # Its nose, half a car's length ahead, is at the asphalt's edge.
    assert stopped == pytest.approx(circuit.asphalt_half_width - 0.5 * car.CAR_LENGTH_M, abs=0.1)
    assert abs(project(away.x, away.y).lateral_deviation) < stopped - 0.5


def test_a_world_aims_at_the_speed_that_is_asked_for_whatever_its_steps(tmp_path: Path) -> None:
    files = write_bare_world(load_circuit("simple_circuit"), PLAIN, tmp_path)
    text = files.world.read_text()
    files.world.write_text(text.replace("<max_step_size>0.005<", "<max_step_size>0.002<"))
    with GazeboServer(files.world, files.models) as server:
        client = GazeboClient("127.0.0.1", server.port)

        def rate() -> float:
            physics = parse("Physics", ask(client, "physics_info", "").serialized_data)
            assert physics.max_step_size == 0.002
            return float(physics.real_time_update_rate)

        assert client.poll_until(lambda: client.world is not None, PATIENCE_S)
        assert await_running(client, PATIENCE_S)
        assert rate() == 200.0  # as written
        aim_world_at(client, 0.5)
        assert client.poll_until(lambda: rate() == 250.0, PATIENCE_S)
        client.close()


def test_nothing_is_left_of_a_stopped_gazebo(plain_world: WorldFiles, gazebo11: Path) -> None:
    before = processes_in(gazebo11)
    with GazeboServer(plain_world.world, plain_world.models) as server:
        DrivenCar(server).close()
        # gzserver and its X server.
        started = processes_in(gazebo11) - before
        assert server.process.pid in started
        handles = [os.pidfd_open(process) for process in started - {server.process.pid}]
    assert handles
    for handle in handles:
        # Readable once the process has ended.
        assert select.select([handle], [], [], PATIENCE_S)[0]
        os.close(handle)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1.0)


def processes_in(folder: Path) -> set[int]:
    """Return the process ids of what runs with this root directory."""
    found = set()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdecimal() and (process / "root").readlink() == folder:
                found.add(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("write", [write_bare_world, write_ros_world, write_gz_world])
def test_libsdformat_finds_nothing_wrong(write, gazebo11: Path) -> None:
    with tempfile.TemporaryDirectory(dir=gazebo11 / "tmp") as folder:
        files = write(load_circuit("montmelo"), PLAIN, Path(folder))
        world, models = (Path("/") / p.relative_to(gazebo11) for p in (files.world, files.models))
        checked = subprocess.run(
            ["chroot", gazebo11, "env", f"GAZEBO_MODEL_PATH={models}", "gz", "sdf", "-k", world],
            capture_output=True,
            text=True,
        )
    assert (checked.stdout.strip(), checked.stderr) == ("Check complete", "")
