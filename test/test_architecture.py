"""The house: imports run one way, and only the nodes know ROS."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pilotnet_brain

PACKAGE = Path(pilotnet_brain.__file__).parent
FLOORS = (
    {"__init__", "errors"},
    {"atomic_file", "end_with_parent", "message_table", "package_share", "machine", "user_path"},
    {"startup"},
    {"bags"},
    {"circuits"},
    {"simulation", "driving", "metrics"},
    {"learning", "teleop"},
    {"runs"},
    {"benchmark"},
    {"report"},
    {"nodes", "commands"},
    {"cli", "executables"},
)
"""From the ground up: a package imports only itself and packages on lower floors."""
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ASIDE = {("commands", "nodes")}
"""`pilotnet swap` speaks to a brain over ROS."""
ROS = ("rclpy", "std_srvs", "rcl_interfaces", "builtin_interfaces", "lifecycle_msgs", "cv_bridge")
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, lazily too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_imports_run_one_way() -> None:
    upward = []
    for path in MODULES:
        room = room_of(path)
        for module in imported(path):
            parts = module.split(".")
            if parts[0] != "pilotnet_brain" or len(parts) < 2:
                continue
            other = parts[1] if parts[1] in FLOOR_OF else "__init__"
            lower = other == room or FLOOR_OF[other] < FLOOR_OF[room]
            if not lower and (room, other) not in ASIDE:
                upward.append(f"{path.relative_to(PACKAGE)} imports {module}")
    assert upward == []


def test_only_the_nodes_know_ros_and_nothing_else_lies_there() -> None:
    astray = []
    for path in MODULES:
        modules = set(imported(path))
        packages = {module.split(".")[0] for module in modules}
        # A node may be a kind of another node, which has all that speaks to ROS.
        knows = any(module.startswith("pilotnet_brain.nodes.ros.bridge") for module in modules)
        knows |= any(package in ROS or package.endswith("_msgs") for package in packages)
        if path.name != "__init__.py" and knows != (room_of(path) == "nodes"):
            astray.append(str(path.relative_to(PACKAGE)))
    assert astray == []


def test_every_room_has_its_floor() -> None:
    assert {room_of(path) for path in MODULES} == set(FLOOR_OF)


def test_driving_needs_no_training() -> None:
    """A model file with its own record is all that the brain needs."""
    code = "import sys, pilotnet_brain.nodes.brain_node; print(*sys.modules)"
    pytest.importorskip("rclpy")

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    rooms = {name.split(".")[1] for name in loaded.stdout.split() if "pilotnet_brain." in name}
    assert not rooms & {"learning", "benchmark", "report", "commands"}


def test_paths_of_users_are_expanded_in_one_place() -> None:
    using = [str(p.relative_to(PACKAGE)) for p in MODULES if ".expanduser(" in p.read_text()]
    assert using == ["user_path.py"]
