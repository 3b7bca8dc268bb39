"""The whole graph over DDS in the real Gazebo Classic 11, and every way that can go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gazebo_server import GZSERVER, PATIENCE_S, GazeboServer, free_port

pytest.importorskip("rclpy", exc_type=ImportError)
from fake_world import FakeWorld  # noqa: E402
from live_process import DOMAIN_ID, Run, refusal, still_alive, wait_for  # noqa: E402

from pilotnet_brain.circuits.catalogue import load_circuit  # noqa: E402
from pilotnet_brain.errors import UserError  # noqa: E402
from pilotnet_brain.learning.dataset import load_dataset  # noqa: E402
from pilotnet_brain.metrics.trajectory import read_trajectory  # noqa: E402
from pilotnet_brain.runs.check import check_run  # noqa: E402
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment  # noqa: E402
from pilotnet_brain.runs.spec import RunSpec  # noqa: E402
from pilotnet_brain.runs.topics import remappings  # noqa: E402
from pilotnet_brain.simulation.gazebo.classic_world import (  # noqa: E402
    WorldFiles,
    write_bare_world,
    write_ros_world,
)
from pilotnet_brain.simulation.looks import PLAIN  # noqa: E402

pytestmark = [pytest.mark.gazebo, pytest.mark.timeout(600)]

CIRCUIT = "nurburgring"
SLOW = {"circuit": CIRCUIT, "rtf": 0.3, "lockstep": True}
"""Slower than real time, so that a busy machine drops no frame."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port for a Gazebo of the test's own, and the tests' gzserver on PATH."""
    number = free_port()
    monkeypatch.setenv("GAZEBO_MASTER_URI", f"http://127.0.0.1:{number}")
    monkeypatch.setenv("PATH", str(GZSERVER.parent), prepend=os.pathsep)
    return number


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Callable[..., Run]]:
    """Start runs that do not outlive the test."""
    runs: list[Run] = []

    def start_run(**arguments: object) -> Run:
        runs.append(Run(tmp_path / f"runs{len(runs)}", **{"simulator": "gazebo", **arguments}))
        return runs[-1]

    yield start_run
    for run in runs:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            run.process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldFiles:
    return write_bare_world(load_circuit(CIRCUIT), PLAIN, tmp_path_factory.mktemp("world"))


@pytest.fixture
def bridge(tmp_path: Path, port: int) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a bridge by hand, as next to a Gazebo that runs already."""
    started: list[subprocess.Popen[bytes]] = []

    def start_bridge(*parameters: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pilotnet_brain.nodes.gazebo_bridge_node", "--ros-args"]
        for name, topic in remappings(RunSpec()):
            command += ["-r", f"{name}:={topic}"]
        for parameter in parameters:
            command += ["-p", parameter]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN_ID)}
        started.append(
            subprocess.Popen(
                command,
                env={**environment, **dds_environment(IMAGE_PUBLISHER)},
                stdout=(tmp_path / "bridge.log").open("ab"),
                stderr=subprocess.STDOUT,
            )
        )
        return started[-1]

    yield start_bridge
    for process in started:
        process.terminate()
        process.wait(PATIENCE_S)


def test_the_expert_collects_a_data_set(tmp_path: Path, port: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pilotnet_brain.cli", "data", "collect", "set",
         "--simulator", "gazebo", "--circuit", CIRCUIT, "--frames", "60"],
        cwd=tmp_path, env={**os.environ, "ROS_DOMAIN_ID": str(DOMAIN_ID)},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    data = load_dataset(tmp_path / "set")
    assert len(data) == 60
    assert data.table["lateral_deviation"].abs().max() < 1.0
    assert data.table["v"].min() >= 6.0
    # The road is seen: the line is red, the asphalt grey.
    red, green = data.frames[-1, ..., 0].astype(int), data.frames[-1, ..., 1].astype(int)
    assert np.count_nonzero(red - green > 60) > 20


def test_the_baseline_drives_a_stretch(start: Callable[..., Run]) -> None:
    run = start(model="baseline", time_limit=4.0, **SLOW)
    status, _ = run.end(patience_s=PATIENCE_S)
    assert status == 1, run.log.read_text()
    figures = run.metrics
    assert figures["ending"].startswith("time limit")
    assert figures["simulator"] == "gazebo"
    assert figures["simulated_time_s"] == pytest.approx(4.0, abs=0.1)
    assert figures["distance_m"] > 30.0
    assert figures["position_deviation_mae"] < 0.08
    assert figures["frames_received"] >= 10 * 4
    assert figures["frames_dropped"] <= 2
    # The run begins once, at time 0; odometry comes by the contract.
    assert figures["epoch"] == 0
    track = read_trajectory(run.folder / "trajectory.csv")
    assert track[0, 0] < 0.1
    assert np.median(np.diff(track[:, 0])) <= 0.0201
    assert not still_alive(run)


def test_a_reset_puts_the_car_back_and_starts_the_run_over(start: Callable[..., Run]) -> None:
    run = start(model="baseline", time_limit=3.0, **SLOW)
    run.wait_until_driving()
    caller = FakeWorld(DOMAIN_ID)
    try:
        assert caller.call("/gazebo_bridge/reset").success
    finally:
        caller.close()
    run.end(patience_s=PATIENCE_S)
    figures = run.metrics
    assert figures["epoch"] == 1
    assert figures["ending"].startswith("time limit")
    track = read_trajectory(run.folder / "trajectory.csv")
    assert track[0, 0] < 0.1
    first = int(np.flatnonzero(np.diff(track[:, 0]) < 0.0)[0]) + 1
    x, y, _ = load_circuit(CIRCUIT).start_pose()
    assert np.hypot(track[first, 1] - x, track[first, 2] - y) < 1.0


def test_a_gazebo_killed_in_mid_lap_ends_the_run_and_the_results_stay(
    start: Callable[..., Run],
) -> None:
    run = start(model="baseline", **SLOW)
    run.wait_until_driving()
    wrapper = run.node("gazebo_server")
    server = Path(f"/proc/{wrapper}/task/{wrapper}/children").read_text().split()
    os.kill(int(server[0]), signal.SIGKILL)
    status, _ = run.end(patience_s=PATIENCE_S)
    assert status == 1
    assert run.metrics["ending"].startswith("the gazebo node ended")
    assert len(read_trajectory(run.folder / "trajectory.csv")) >= 20
    assert (run.folder / "lap.png").exists()
    assert not still_alive(run)


def test_models_are_swapped_on_a_gazebo_that_goes_on(
    start: Callable[..., Run],
    bridge: Callable[..., subprocess.Popen[bytes]],
    world: WorldFiles,
    port: int,
) -> None:
    with GazeboServer(world.world, world.models, "--lockstep", port=port):
        bridge("rtf:=0.6")
        folders = set()
        for model in ("baseline", "static_quant", "dynamic_quant"):
            run = start(simulator="none", model=model, circuit=CIRCUIT, time_limit=6.0)
            status, _ = run.end(patience_s=PATIENCE_S)
            assert status == 1, run.log.read_text()
            figures = run.metrics
            assert figures["model"] == model
            assert figures["distance_m"] > 10.0
            # Each begins where the circuit does.
            track = read_trajectory(run.folder / "trajectory.csv")
            x, y, _ = load_circuit(CIRCUIT).start_pose()
            assert np.hypot(track[:, 1] - x, track[:, 2] - y).min() < 0.5
            folders.add(run.folder.resolve())
        assert len(folders) == 3


def test_the_bridge_connects_to_a_gazebo_that_was_started_again(
    bridge: Callable[..., subprocess.Popen[bytes]], world: WorldFiles, port: int, tmp_path: Path
) -> None:
    log = tmp_path / "bridge.log"
    process = bridge("patience:=120.0")
    for round_ in (1, 2):
        with GazeboServer(world.world, world.models, port=port):
            wait_for(
                lambda want=round_: log.read_text().count("world default") == want,
                f"the bridge to find Gazebo: {log}",
                PATIENCE_S,
            )
        wait_for(
            lambda want=round_: log.read_text().count("is gone") == want, "it to notice", PATIENCE_S
        )
    assert process.poll() is None


def test_where_no_gazebo_answers_the_bridge_says_where(
    bridge: Callable[..., subprocess.Popen[bytes]], port: int, tmp_path: Path
) -> None:
    assert bridge("patience:=1.0").wait(PATIENCE_S) == 2
    text = (tmp_path / "bridge.log").read_text()
    assert f"error: no Gazebo answers at 127.0.0.1:{port}" in text
    assert "GAZEBO_MASTER_URI" in text


def test_a_second_gazebo_on_the_port_is_refused(world: WorldFiles, port: int) -> None:
    with (
        GazeboServer(world.world, world.models, port=port),
        pytest.raises(UserError, match=f"already runs at 127.0.0.1:{port}.*attach"),
    ):
        check_run(RunSpec(simulator="gazebo"))


def test_a_car_that_is_not_in_the_world_is_named_with_those_that_are(
    start: Callable[..., Run],
) -> None:
    line = refusal(start(model="baseline", circuit=CIRCUIT, car="f2_renault"))
    assert "no car 'f2_renault'" in line
    assert "there are f1_renault" in line


def test_a_world_with_an_unknown_model_is_refused(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    world = tmp_path / "own.world"
    world.write_text(
        '<sdf version="1.6"><world name="default">'
        "<include><uri>model://no_such_kerb</uri></include></world></sdf>"
    )
    line = refusal(start(model="baseline", world=str(world)))
    assert "model://no_such_kerb" in line
    assert "GAZEBO_MODEL_PATH" in line


@pytest.mark.parametrize(
    ("variable", "value", "lacks"),
    [
        ("PILOTNET_GAZEBO11_DISPLAY", ":987", "no display"),
        ("PILOTNET_GAZEBO11_XVFB", "-extension GLX", "no OpenGL"),
        ("LIBGL_DRIVERS_PATH", "/nowhere", "no OpenGL"),
    ],
)
def test_a_gazebo_that_cannot_draw_is_refused_with_the_fix(
    variable: str,
    value: str,
    lacks: str,
    start: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    line = refusal(start(model="baseline", circuit=CIRCUIT))
    assert f"gzserver has {lacks} to draw the camera's frames" in line


def test_a_car_that_needs_gazebo_ros_is_refused_where_there_is_none(
    start: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_ros_world(load_circuit(CIRCUIT), PLAIN, tmp_path)
    monkeypatch.setenv("GAZEBO_MODEL_PATH", str(files.models))
    line = refusal(start(model="baseline", circuit=CIRCUIT, world=str(files.world)))
    assert "gzserver cannot load libgazebo_ros_" in line
    assert "pilotnet world CIRCUIT --scenery" in line
