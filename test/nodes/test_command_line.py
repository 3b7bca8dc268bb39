"""Every node's executable explains itself, and refuses what it does not know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from recorded_bags import write_split  # noqa: E402

from pilotnet_brain.cli import main  # noqa: E402
from pilotnet_brain.errors import UserError  # noqa: E402
from pilotnet_brain.nodes.ros.parameters import declare  # noqa: E402

NODES = {
    "brain": ("model (default baseline; may be set at any time)", "one of auto, cpu, cuda"),
    "simulator": ("rtf (default 1.0; 0.01 to 100)", "/clock"),
    "gazebo_bridge": ("master (default", "patience (default 30.0; 0 to 1e+06)", "~/reset"),
    "gz_bridge": ("partition (default", "car_file (default", "~/reset"),
    "recorder": ("camera (default false)", "brain/status"),
}


def run_node(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"pilotnet_brain.nodes.{name}_node", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60.0)


@pytest.mark.parametrize("name", NODES)
def test_help_names_parameters_topics_and_an_example(name: str) -> None:
    shown = run_node(name, "--help")
    assert shown.returncode == 0, shown.stderr
    for text in (f"ros2 run pilotnet_brain {name} --ros-args", "Publishes", *NODES[name]):
        assert text in shown.stdout
    assert all(len(line) <= 100 for line in shown.stdout.splitlines())


def test_an_argument_that_is_not_ros_s_is_refused() -> None:
    shown = run_node("brain", "model:=baseline")
    assert shown.returncode == 2
    assert "unrecognized arguments: model:=baseline" in shown.stderr


def test_a_damaged_bag_is_told_in_the_log(tmp_path: Path) -> None:
    bag = write_split(tmp_path / "lap", 2)
    (bag / "metadata.yaml").unlink()
    folder = tmp_path / "no folder"
    folder.touch()
    shown = run_node("metrics", "--ros-args", "-p", f"circuit:={bag}", "-p", f"output:={folder}")
    assert shown.returncode == 2
    (told,) = (line for line in shown.stderr.splitlines() if "metadata.yaml is missing" in line)
    assert "[WARN]" in told


def test_a_value_that_is_none_of_the_choices_is_refused() -> None:
    shown = run_node("brain", "--ros-args", "-p", "device:=gpu")
    assert shown.returncode == 2
    assert "error: parameter device is 'gpu': use one of auto, cpu, cuda" in shown.stderr


def start_brain(**environment: str) -> subprocess.CompletedProcess[str]:
    """Start the brain as ``ros2 run`` does, with a model that there is not."""
    return subprocess.run(
        [sys.executable, "-m", "pilotnet_brain.executables", "brain",
         "--ros-args", "-p", "model:=no_such_model"],
        env={**os.environ, "ROS_DOMAIN_ID": str(40 + os.getpid() % 30), **environment},
        capture_output=True,
        text=True,
        timeout=60.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("ROS_DOMAIN_ID", "233"), ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF"),
     ("RMW_IMPLEMENTATION", "rmw_none"), ("FASTRTPS_DEFAULT_PROFILES_FILE", "/no/such.xml")],
)  # fmt: skip
def test_an_environment_that_ros_cannot_start_in_is_one_line(name: str, value: str) -> None:
    shown = start_brain(**{name: value})
    assert shown.returncode == 2
    (line,) = shown.stderr.splitlines()
    assert line.startswith(f"error: {name} ")


@pytest.mark.parametrize("home", ["", "/proc"])
def test_a_node_needs_no_home(home: str) -> None:
    shown = start_brain(HOME=home, ROS_LOG_DIR="", ROS_HOME="")
    assert shown.returncode == 2
    (line,) = shown.stderr.splitlines()
    assert line.startswith("error: unknown model 'no_such_model'")


def test_arguments_that_ros_does_not_take_are_one_line() -> None:
    shown = run_node("brain", "--ros-args", "-p", "model:={[")
    assert shown.returncode == 2
    (line,) = (line for line in shown.stderr.splitlines() if line.startswith("error:"))
    assert line.startswith("error: ROS 2 cannot start: ")
    assert "Traceback" not in shown.stderr


def test_a_command_line_that_is_not_utf8_is_one_line() -> None:
    shown = run_node("brain", "--ros-args", "-p", os.fsdecode(b"model:=/caf\xe9.pt"))
    assert shown.returncode == 2
    assert shown.stderr.startswith("error: ROS 2 cannot start: ") and "caf" in shown.stderr
    assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize("name", [b"caf\xe9", b"caf\xe9.pt"])
def test_swapping_to_a_name_that_is_not_utf8_is_one_line(
    name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pilotnet", "swap", os.fsdecode(name)])
    assert main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: model is 'caf") and "not UTF-8" in line


def test_a_choice_is_described_and_taken() -> None:
    context = Context()
    context.init(domain_id=40 + os.getpid() % 30)
    node = Node("chooser", context=context)
    try:
        assert declare(node, "fruit", "apple", "A fruit", choices=("apple", "pear")) == "apple"
        assert "apple, pear" in node.describe_parameter("fruit").additional_constraints
        with pytest.raises(UserError, match="parameter tree is 'ash': use one of oak"):
            declare(node, "tree", "ash", "A tree", choices=("oak",))
    finally:
        node.destroy_node()
        context.try_shutdown()
