"""The launch file, wherever ROS' launch is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("launch.actions")
pytest.importorskip("launch_ros.actions")

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch_ros.actions import Node

from pilotnet_brain.runs.spec import ARGUMENTS

FILE = Path(__file__).parent.parent.parent / "launch" / "drive.launch.py"


@pytest.fixture(scope="module")
def launch_file() -> ModuleType:
    spec = importlib.util.spec_from_file_location("drive_launch", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(launch_file: ModuleType, argv: list[str] | None = None, **given: str) -> list[Any]:
    """Visit the launch description as launch does; return what it would start."""
    context = LaunchContext(argv=argv or [])
    context.launch_configurations.update(given)
    description: LaunchDescription = launch_file.generate_launch_description()
    started: list[Any] = []
    for entity in description.entities:
        result = entity.visit(context)
        if isinstance(entity, OpaqueFunction):
            started = list(result or [])
    return started


def test_every_argument_of_a_run_is_declared_with_its_description(launch_file: ModuleType) -> None:
    declared = {
        entity.name: entity
        for entity in launch_file.generate_launch_description().entities
        if isinstance(entity, DeclareLaunchArgument)
    }
    assert list(declared) == [argument.name for argument in ARGUMENTS]
    for argument in ARGUMENTS:
        assert declared[argument.name].description == argument.description
        assert declared[argument.name].default_value is not None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("circuit", "nowhere", "simple_circuit"),
        ("model", "nothing", "unknown model 'nothing'"),
        ("device", "tpu", "auto, cpu, cuda"),
        ("simulator", "gazebo9", "mujoco, gazebo, gz, none"),
        ("laps", "many", "laps is 'many'"),
        ("rtf", "fast", "rtf is 'fast'"),
        ("record", "maybe", "true or false"),
        ("rviz", "true", "rviz2 is not installed"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_starts(
    launch_file: ModuleType, tmp_path: Path, name: str, value: str, said: str
) -> None:
    if name == "rviz" and shutil.which("rviz2"):
        pytest.skip("RViz is installed")
    with pytest.raises(RuntimeError, match=said) as refused:
        start(launch_file, **{"output": str(tmp_path / "runs"), name: value})
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_mistyped_argument_is_refused_when_this_file_is_launched(
    launch_file: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "pilotnet_brain", "drive.launch.py"])
    with pytest.raises(RuntimeError, match="unknown argument 'circiut': did you mean circuit"):
        start(launch_file, argv=["circiut:=montreal"])
    with pytest.raises(RuntimeError, match="unknown argument 'wheels': there are circuit"):
        start(launch_file, argv=["wheels:=4"])


def test_other_files_may_include_it_with_arguments_of_their_own(
    launch_file: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "fleet", "all.launch.py"])
    with pytest.raises(RuntimeError, match="unknown circuit"):
        start(launch_file, argv=["cars:=3"], cars="3", circuit="nowhere")


def test_an_including_file_that_mistypes_an_argument_is_warned(
    launch_file: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "fleet", "all.launch.py"])
    started = start(launch_file, circiut="montreal", fleet_size="2", output=str(tmp_path))
    said = "".join(part.text for e in started if isinstance(e, LogInfo) for part in e.msg)
    assert "'circiut' is not one of drive.launch.py: did you mean circuit?" in said
    assert "fleet_size" not in said


INCLUDING = """
from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource

def generate_launch_description():
    included = PythonLaunchDescriptionSource({file!r})
    given = {{"output": {output!r}, "simulator": "none", "stall_limit": "1.0"}}
    return LaunchDescription([
        # Goes on after the run has ended, and ends the launch.
        ExecuteProcess(cmd=["sh", "-c", "while ! grep -q ending {output}/latest/metrics.json; do "
                            "sleep 0.2; done; sleep 3; echo outlived the run"],
                       output="screen", on_exit=Shutdown(reason="the other process is done")),
        IncludeLaunchDescription(included, launch_arguments=given.items()),
    ])
"""


@pytest.mark.skipif(
    importlib.util.find_spec("ros2launch") is None,
    reason="needs an installed package and ros2launch",
)
def test_an_including_launch_outlives_the_run_and_raises_nothing(tmp_path: Path) -> None:
    outer = tmp_path / "outer.launch.py"
    outer.write_text(INCLUDING.format(file=str(FILE), output=str(tmp_path / "runs")))
    code = "import sys; from ros2cli.cli import main; sys.exit(main())"
    launched = subprocess.run(
        [sys.executable, "-c", code, "launch", str(outer)],
        env={**os.environ, "ROS_DOMAIN_ID": str(40 + os.getpid() % 30)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = launched.stdout + launched.stderr
    assert launched.returncode == 0, said
    assert "no new pose of the car for 1 s" in said
    assert "outlived the run" in said
    assert "exception" not in said.lower()


@pytest.mark.parametrize(
    ("given", "nodes"),
    [
        ({}, {"simulator", "brain", "metrics", "recorder", "guard"}),
        ({"simulator": "none"}, {"brain", "metrics", "recorder", "guard"}),
        ({"record": "false", "guard": "false"}, {"simulator", "brain", "metrics"}),
    ],
)
def test_it_starts_the_nodes_of_the_run(
    launch_file: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    nodes: set[str],
) -> None:
    # Which model is driven with is checked elsewhere; none need be there for this.
    monkeypatch.setattr("pilotnet_brain.runs.drive.check_run", lambda spec: None)
    started = [
        entity
        for entity in start(launch_file, output=str(tmp_path), **given)
        if isinstance(entity, Node)
    ]
    assert {node.node_executable for node in started} == nodes
    assert {node.node_package for node in started} == {"pilotnet_brain"}
