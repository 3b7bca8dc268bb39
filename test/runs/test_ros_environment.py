"""Variables that ROS 2 cannot start with are named before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pilotnet_brain.cli import main
from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.fast_dds import NO_IMAGES, profile_path
from pilotnet_brain.runs.ros_environment import check_ros_environment, check_text

REFUSED = [
    ("ROS_DOMAIN_ID", "abc"),
    ("ROS_DOMAIN_ID", "233"),
    ("ROS_DOMAIN_ID", "-1"),
    ("ROS_DOMAIN_ID", "1.5"),
    ("ROS_DOMAIN_ID", "9" * 40),
    ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF"),
    ("ROS_AUTOMATIC_DISCOVERY_RANGE", "localhost"),
    ("ROS_LOCALHOST_ONLY", "true"),
    ("ROS_STATIC_PEERS", "127.0.0.1;no such host"),
    ("ROS_STATIC_PEERS", "a" * 300),
    ("FASTDDS_DEFAULT_PROFILES_FILE", "/no/such.xml"),
    ("FASTRTPS_DEFAULT_PROFILES_FILE", __file__),
    ("FASTRTPS_DEFAULT_PROFILES_FILE", os.path.dirname(__file__)),
]
TAKEN = [
    {},
    {"ROS_DOMAIN_ID": ""},
    {"ROS_DOMAIN_ID": " 232 "},
    {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"},
    {"ROS_AUTOMATIC_DISCOVERY_RANGE": "", "ROS_LOCALHOST_ONLY": "1"},
    {"ROS_STATIC_PEERS": "127.0.0.1;localhost"},
    {"FASTDDS_DEFAULT_PROFILES_FILE": str(profile_path(NO_IMAGES))},
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_value_that_ends_a_run_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UserError) as refused:
        check_ros_environment({name: value})
    assert name in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("environment", TAKEN)
def test_a_value_that_ros_takes_is_taken(environment: dict[str, str]) -> None:
    check_ros_environment(environment)


def test_a_middleware_that_is_not_installed_is_refused() -> None:
    pytest.importorskip("rclpy", exc_type=ImportError)
    with pytest.raises(UserError, match="RMW_IMPLEMENTATION is 'rmw_none'"):
        check_ros_environment({**os.environ, "RMW_IMPLEMENTATION": "rmw_none"})
    check_ros_environment({**os.environ, "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"})


def test_another_middlewares_profile_is_not_looked_at() -> None:
    with pytest.raises(UserError, match="RMW_IMPLEMENTATION"):
        pytest.importorskip("rclpy", exc_type=ImportError)
        check_ros_environment({**os.environ, "RMW_IMPLEMENTATION": "rmw_none",
                               "FASTDDS_DEFAULT_PROFILES_FILE": "/no/such.xml"})  # fmt: skip


@pytest.mark.parametrize("command", [["drive", "--output", "runs"], ["swap", "baseline"]])
@pytest.mark.parametrize(("name", "value"), [REFUSED[0], REFUSED[5], ("RMW_IMPLEMENTATION", "x")])
def test_a_command_says_so_in_one_line_and_leaves_nothing(
    command: list[str],
    name: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("rclpy", exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {name} ")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_step_run_needs_no_ros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "abc")
    lockstep = ["drive", "--lockstep", "--time-limit", "0.1", "--output", str(tmp_path)]
    assert main(lockstep) == 1  # the laps were not driven
    assert (tmp_path / "latest" / "metrics.json").is_file()


@pytest.mark.parametrize("option", ["model", "circuit", "output"])
def test_a_name_that_is_not_utf8_is_refused_before_a_live_run(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"caf\xe9.csv")
    Path(name).touch()
    assert main(["drive", f"--{option}", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {option} is 'caf") or line.startswith(f"error: {option} is '/")
    assert "not UTF-8" in line
    assert os.listdir() == [name]


def test_any_other_name_is_taken() -> None:
    check_text("model", "🏎 car\n'\".pt")
