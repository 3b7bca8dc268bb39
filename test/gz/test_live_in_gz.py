"""The whole graph over DDS in the real Gazebo Sim, and every way that can go wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gz_server import PATIENCE_S, gz_server

pytest.importorskip("rclpy", exc_type=ImportError)
from fake_world import FakeWorld  # noqa: E402
from live_process import DOMAIN_ID, Run, refusal, still_alive  # noqa: E402

from pilotnet_brain.bags.messages import seconds  # noqa: E402
from pilotnet_brain.bags.reader import read_bag  # noqa: E402
from pilotnet_brain.circuits.catalogue import load_circuit  # noqa: E402
from pilotnet_brain.metrics.trajectory import read_trajectory  # noqa: E402
from pilotnet_brain.simulation.gazebo.car import RosTopics  # noqa: E402
from pilotnet_brain.simulation.gazebo.sim import GzPlan, write_gz_world  # noqa: E402
from pilotnet_brain.simulation.looks import PLAIN  # noqa: E402

pytestmark = [pytest.mark.gz, pytest.mark.timeout(600)]

CIRCUIT = "nurburgring"
HELD = {"circuit": CIRCUIT, "lockstep": True, "model": "baseline"}


@pytest.fixture
def start(tmp_path: Path, partition: str) -> Iterator[Callable[..., Run]]:
    """Start runs that do not outlive the test."""
    runs: list[Run] = []

    def start_run(**arguments: object) -> Run:
        runs.append(Run(tmp_path / f"runs{len(runs)}", **{"simulator": "gz", **arguments}))
        return runs[-1]

    yield start_run
    for run in runs:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            run.process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GzPlan:
    return write_gz_world(load_circuit(CIRCUIT), PLAIN, tmp_path_factory.mktemp("world"))


def test_in_lock_step_no_frame_is_lost(
    start: Callable[..., Run],
) -> None:
    run = start(time_limit=4.0, **HELD)
    status, _ = run.end(patience_s=PATIENCE_S)
    assert status == 1, run.log.read_text()
    figures = run.metrics
    assert figures["ending"].startswith("time limit")
    assert figures["simulator"] == "gz"
    assert figures["distance_m"] > 30.0
    assert figures["position_deviation_mae"] < 0.08
    assert figures["frames_dropped"] == figures["frames_late"] == 0
    assert figures["frames_received"] == pytest.approx(80, abs=2)
    messages = read_bag(run.folder / "bag", lambda *_: True).messages
    frames = [
        seconds(m.message.header.stamp) for m in messages if m.topic == RosTopics().camera_info
    ]
    # The first is the view that the brain is shown before the clock starts.
    assert np.diff(frames[1:]) == pytest.approx(0.05, abs=1e-6)
    assert not still_alive(run)


def test_a_reset_puts_the_car_back_and_the_run_goes_on(start: Callable[..., Run]) -> None:
    run = start(time_limit=6.0, **HELD)
    run.wait_until_driving()
    caller = FakeWorld(DOMAIN_ID)
    try:
        assert caller.call("/gz_bridge/reset").success
    finally:
        caller.close()
    run.end(patience_s=PATIENCE_S)
    track = read_trajectory(run.folder / "trajectory.csv")
    x, y, _ = load_circuit(CIRCUIT).start_pose()
    assert np.hypot(track[20:, 1] - x, track[20:, 2] - y).min() < 1.0


def test_the_car_starts_where_on_the_line_it_is_told(start: Callable[..., Run]) -> None:
    run = start(time_limit=1.0, start_arc_length=60.0, **HELD)
    run.end(patience_s=PATIENCE_S)
    track = read_trajectory(run.folder / "trajectory.csv")
    x, y, _ = load_circuit(CIRCUIT).start_pose(60.0)
    assert np.hypot(track[0, 1] - x, track[0, 2] - y) < 0.1


def test_a_server_killed_in_mid_lap_ends_the_run_and_the_results_stay(
    start: Callable[..., Run],
) -> None:
    run = start(**HELD)
    run.wait_until_driving()
    wrapper = run.node("gz_server")
    (server,) = Path(f"/proc/{wrapper}/task/{wrapper}/children").read_text().split()
    os.killpg(int(server), signal.SIGKILL)
    status, _ = run.end(patience_s=PATIENCE_S)
    assert status == 1
    assert run.metrics["ending"].startswith("the gz node ended")
    assert len(read_trajectory(run.folder / "trajectory.csv")) >= 20
    assert (run.folder / "lap.png").exists()
    assert not still_alive(run)


def test_models_are_swapped_on_a_server_that_goes_on(
    start: Callable[..., Run], world: GzPlan, partition: str, tmp_path: Path
) -> None:
    with gz_server(world.world, world.models, partition, tmp_path / "gz.log"):
        for model in ("baseline", "static_quant", "dynamic_quant"):
            held = {**HELD, "model": model}
            run = start(attach=True, start_arc_length=30.0, time_limit=3.0, **held)
            status, _ = run.end(patience_s=PATIENCE_S)
            assert status == 1, run.log.read_text()
            assert run.metrics["model"] == model
            assert run.metrics["distance_m"] > 10.0
            track = read_trajectory(run.folder / "trajectory.csv")
            x, y, _ = load_circuit(CIRCUIT).start_pose(30.0)
            assert np.hypot(track[0, 1] - x, track[0, 2] - y) < 0.5


def test_two_servers_in_the_partition_are_refused(
    start: Callable[..., Run], world: GzPlan, partition: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.sdf"
    other.write_text('<sdf version="1.7"><world name="other"/></sdf>')
    with (
        gz_server(world.world, world.models, partition, tmp_path / "gz.log"),
        gz_server(other, tmp_path, partition, tmp_path / "other.log"),
    ):
        line = refusal(start(attach=True, **HELD))
    assert f"two Gazebo Sim servers in partition {partition} (worlds default, other)" in line


def test_without_a_server_to_attach_to_it_says_what_to_do(
    start: Callable[..., Run], partition: str
) -> None:
    assert f"no Gazebo Sim answers in partition {partition}" in refusal(start(attach=True, **HELD))


def test_a_car_that_is_not_in_the_world_is_named_with_those_that_are(
    start: Callable[..., Run], world: GzPlan, partition: str, tmp_path: Path
) -> None:
    with gz_server(world.world, world.models, partition, tmp_path / "gz.log"):
        line = refusal(start(attach=True, car="f2", **HELD))
    assert "no car 'f2' in world default" in line
    assert "there are f1_renault" in line


def test_a_world_that_does_not_load_is_refused_with_the_fix(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    world = tmp_path / "own.sdf"
    world.write_text(
        '<sdf version="1.7"><world name="default">'
        "<include><uri>model://no_such_kerb</uri></include></world></sdf>"
    )
    line = refusal(start(world=str(world), **HELD))
    assert "the world needs model://no_such_kerb" in line
    assert "GZ_SIM_RESOURCE_PATH" in line
    world.write_text("<sdf")
    assert "gz sim cannot load the world file" in refusal(start(world=str(world), **HELD))


def test_a_server_that_cannot_draw_is_refused_with_the_fix(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBGL_DRIVERS_PATH", "/nowhere")
    line = refusal(start(**HELD))
    assert "gz sim has no OpenGL to draw the camera's frames with" in line
