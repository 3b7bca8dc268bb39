"""The launch file, wherever ROS' launch is installed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("launch.actions")
pytest.importorskip("launch_ros.actions")

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from pilotnet_brain.runs.graph import ARGUMENTS

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
    with pytest.raises(RuntimeError, match="unknown argument 'circiut': there are circuit"):
        start(launch_file, argv=["circiut:=montreal"])


def test_other_files_may_include_it_with_arguments_of_their_own(
    launch_file: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "fleet", "all.launch.py"])
    with pytest.raises(RuntimeError, match="unknown circuit"):
        start(launch_file, argv=["cars:=3"], circuit="nowhere")


@pytest.mark.parametrize(
    ("given", "nodes"),
    [
        ({}, {"simulator", "brain", "metrics", "recorder"}),
        ({"simulator": "none"}, {"brain", "metrics", "recorder"}),
        ({"record": "false"}, {"simulator", "brain", "metrics"}),
    ],
)
def test_it_starts_the_nodes_of_the_run(
    launch_file: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    nodes: set[str],
) -> None:
    from pilotnet_brain.runs import graph as bringup

    # Which model is driven with is checked elsewhere; none need be there for this.
    monkeypatch.setattr(launch_file, "prepare_run", _prepared(bringup, tmp_path))
    started = [
        entity
        for entity in start(launch_file, output=str(tmp_path), **given)
        if isinstance(entity, Node)
    ]
    assert {node.node_executable for node in started} == nodes
    assert {node.node_package for node in started} == {"pilotnet_brain"}


def _prepared(bringup: ModuleType, tmp_path: Path) -> Any:
    from pilotnet_brain.runs.folder import RunFolder

    def prepared(plan: Any) -> Any:
        folder = RunFolder.create(tmp_path / "runs", plan.circuit, plan.model)
        return folder, bringup.run_graph(plan, folder.path)

    return prepared
