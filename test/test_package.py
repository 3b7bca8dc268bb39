"""The ROS 2 package as colcon installs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from pilotnet_brain.circuits.catalogue import circuit_names
from pilotnet_brain.package_share import pilotnet_command

ROOT = Path(__file__).parent.parent
EXECUTABLES = ("brain", "metrics", "simulator", "guard", "recorder", "pilotnet")

pytestmark = pytest.mark.skipif(
    not (ROOT / "package.xml").is_file(), reason="needs the package's sources"
)


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build with colcon and return the package's prefix."""
    pytest.importorskip("colcon_core")
    workspace = tmp_path_factory.mktemp("workspace")
    command = [sys.executable, "-m", "colcon", "--log-base", "log", "build"]
    command += ["--base-paths", str(ROOT), "--packages-select", "pilotnet_brain"]
    built = subprocess.run(command, cwd=workspace, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return workspace / "install" / "pilotnet_brain"


def run_installed(prefix: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the installed package, and not the checkout, to be found."""
    (packages,) = prefix.glob("lib/python*/site-packages")

    def before(path: Path, variable: str) -> str:
        # A sourced ROS is in both variables; the checkout must not be.
        present = os.environ.get(variable, "").split(os.pathsep)
        others = [other for other in present if other and Path(other) != ROOT]
        return os.pathsep.join([str(path), *others])

    environment = {
        **os.environ,
        "PYTHONPATH": before(packages, "PYTHONPATH"),
        "AMENT_PREFIX_PATH": before(prefix, "AMENT_PREFIX_PATH"),
        "ROS_DOMAIN_ID": "42",
    }
    return subprocess.run(
        command, cwd=prefix, env=environment, capture_output=True, text=True, timeout=60
    )


def test_ament_finds_the_package(prefix: Path) -> None:
    marker = prefix / "share/ament_index/resource_index/packages/pilotnet_brain"
    assert marker.is_file()
    assert (prefix / "share/pilotnet_brain/package.xml").is_file()
    # colcon takes a package with a malformed manifest for plain Python and leaves this out.
    assert (prefix / "share/pilotnet_brain/hook/ament_prefix_path.sh").is_file()


def test_executables_lie_where_ros_looks(prefix: Path) -> None:
    for name in EXECUTABLES:
        program = prefix / "lib/pilotnet_brain" / name
        assert os.access(program, os.X_OK)
        # The interpreter that built the package has torch.
        assert program.read_text().splitlines()[0] == f"#!{sys.executable}"


@pytest.mark.parametrize("folder", ["launch", "config", "config/presets", "models"])
def test_shared_files_are_all_there(prefix: Path, folder: str) -> None:
    sources = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
    installed = (prefix / "share/pilotnet_brain" / folder).iterdir()
    assert {path.name for path in installed if path.is_file()} == sources


def test_benchmark_plans_are_found_by_name(prefix: Path) -> None:
    code = "from pilotnet_brain.benchmark.plan_file import find_plan; print(find_plan('live'))"
    found = run_installed(prefix, sys.executable, "-c", code)
    assert found.stdout.strip() == str(prefix / "share/pilotnet_brain/benchmarks/live.yaml")


def test_circuits_are_there_for_programs_and_users(prefix: Path) -> None:
    expected = {f"{name}.csv" for name in circuit_names()}
    (data,) = prefix.glob("lib/python*/site-packages/pilotnet_brain/circuits/data")
    for folder in (prefix / "share/pilotnet_brain/circuits", data):
        assert {path.name for path in folder.iterdir()} == expected


def test_templates_of_the_pages_are_there(prefix: Path) -> None:
    folder = "pilotnet_brain/report/page/templates"
    (installed,) = prefix.glob(f"lib/python*/site-packages/{folder}")
    expected = {path.name for path in (ROOT / folder).iterdir()}
    assert {path.name for path in installed.iterdir()} == expected


def test_installed_package_finds_its_share(prefix: Path) -> None:
    code = "from pilotnet_brain.package_share import share_dir; print(share_dir())"
    found = run_installed(prefix, sys.executable, "-c", code)
    assert found.stdout.strip() == str(prefix / "share/pilotnet_brain"), found.stderr


def test_installed_command_runs(prefix: Path) -> None:
    listed = run_installed(prefix, str(prefix / "lib/pilotnet_brain/pilotnet"), "circuits")
    assert listed.returncode == 0, listed.stderr
    assert "montreal" in listed.stdout


@pytest.mark.parametrize("name", ["metrics", "simulator"])
def test_installed_nodes_start_and_refuse_an_unknown_circuit(prefix: Path, name: str) -> None:
    pytest.importorskip("rclpy")
    program = str(prefix / "lib/pilotnet_brain" / name)
    refused = run_installed(prefix, program, "--ros-args", "-p", "circuit:=nowhere")
    assert refused.returncode == 2, refused.stderr
    assert "unknown circuit 'nowhere'" in refused.stderr


def test_a_mistyped_pose_source_is_refused(prefix: Path) -> None:
    pytest.importorskip("rclpy")
    program = str(prefix / "lib/pilotnet_brain/metrics")
    refused = run_installed(prefix, program, "--ros-args", "-p", "pose_source:=odometry")
    assert refused.returncode == 2, refused.stderr
    assert "odom, model_states" in refused.stderr


def test_manifest_names_licence_and_maintainer() -> None:
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    assert manifest.findtext("license") == "Apache-2.0"
    maintainer = manifest.find("maintainer")
    assert maintainer is not None
    assert maintainer.text == "PilotNet Brain developers"
    assert maintainer.get("email") == "maintainers@example.org"
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")


def test_manifest_says_where_the_project_is() -> None:
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    urls = {url.get("type"): url.text or "" for url in manifest.iter("url")}
    assert set(urls) == {"website", "repository", "bugtracker"}
    assert all(url.startswith("https://") for url in urls.values())


def pins(name: str) -> dict[str, list[str]]:
    """Return the versions that a constraints file holds, by package."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements" / name).read_text().splitlines():
        pin = line.partition(" ")[0]
        if "==" in pin:
            package, _, version = pin.partition("==")
            found.setdefault(package, []).append(version)
    return found


def direct(*names: str) -> set[str]:
    """Return the packages that requirements files name, and those that these include."""
    packages: set[str] = set()
    for name in names:
        for line in (ROOT / "requirements" / name).read_text().splitlines():
            if line.startswith("-r "):
                packages |= direct(line.removeprefix("-r "))
            elif line and not line.startswith("#"):
                packages.add(re.split(r"[<>=]", line)[0].lower())
    return packages


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-ros-sourced.txt"])
def test_constraints_are_compiled_from_the_requirements(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert "requirements/compile_constraints.sh" in text.splitlines()[1]
    # An index or a file of one machine must not get in: pip would go there.
    assert "://" not in text
    assert "file:" not in text
    ros = () if "sourced" in name else ("ros.txt",)
    assert direct("run.txt", "dev.txt", "docs.txt", *ros) <= set(pins(name))
    assert pins(name)["torch"] == ["2.13.0"]


def test_constraints_under_a_sourced_ros_fit_its_cv_bridge() -> None:
    def newest(package: str) -> list[int]:
        versions = pins("constraints-ros-sourced.txt")[package]
        return max([int(part) for part in version.split(".")] for version in versions)

    assert newest("numpy") < [2]
    assert newest("opencv-python-headless") < [4, 12]
    assert newest("pytest") < [9]
    assert newest("empy") < [4]


@pytest.mark.parametrize(
    ("flavour", "name"),
    [
        ("wheels", "constraints.txt"),
        ("humble", "constraints-ros-sourced.txt"),
        ("jazzy", "constraints-ros-sourced.txt"),
        ("kilted", "constraints-ros-sourced.txt"),
        ("lyrical", "constraints.txt"),
        ("rolling", "constraints.txt"),
    ],
)
def test_each_ros_gets_the_constraints_that_fit_its_numpy(flavour: str, name: str) -> None:
    script = (ROOT / "requirements" / "make_environment.sh").read_text()
    function = script[script.index("constraints_of()") :].partition("\n}\n")[0] + "\n}\n"
    program = f"{function} constraints_of {flavour}"
    said = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == name


def test_gazebo_is_asked_for_only_where_it_exists() -> None:
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    conditions = {d.text: d.get("condition") for d in manifest.iter("exec_depend")}
    assert conditions.pop("gazebo_ros") == "$ROS_DISTRO == humble"
    assert conditions.pop("gazebo_msgs") == "$ROS_DISTRO == humble or $ROS_DISTRO == jazzy"
    assert set(conditions.values()) == {None}


def test_hints_name_a_command_that_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no `pilotnet` is on the path, its path is named, not a word that the shell lacks."""
    monkeypatch.setenv("PATH", str(tmp_path))
    program = pilotnet_command().split()[0]
    assert program != "pilotnet" and os.access(program, os.X_OK)
    (tmp_path / "pilotnet").write_text("#!/bin/sh\n")
    (tmp_path / "pilotnet").chmod(0o755)
    assert pilotnet_command() == "pilotnet"
