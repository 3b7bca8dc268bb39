"""A node's command line, and how an end is told."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from pilotnet_brain.runs.graph import NodeSpec, RunPlan
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.runs.live import reason_of, show_results, was_refused
from pilotnet_brain.runs.processes import RunProcesses, command_line, how_it_ended
from pilotnet_brain.runs.standstill import Standstill
from pilotnet_brain.runs.stop_reason import take_stop_reason, write_stop_reason
from pilotnet_brain.runs.folder import RunFolder


def spec(**changes: object) -> NodeSpec:
    values = {
        "executable": "brain", "name": "brain", "parameters": {}, "remappings": [],
        "environment": {},
    }  # fmt: skip
    return NodeSpec(**{**values, **changes})  # type: ignore[arg-type]


def test_a_node_is_started_with_its_parameters_and_remappings() -> None:
    parameters = {"model": "a b", "laps": 2, "rtf": 1.0, "record": True, "peers": ["x"], "none": ""}
    command = command_line(spec(parameters=parameters, remappings=[("odom", "/car/odom")]))
    assert command[:3] == [sys.executable, "-m", "pilotnet_brain.nodes.brain_node"]
    assert "odom:=/car/odom" in command
    assert {
        'model:="a b"', "laps:=2", "rtf:=1.0", "record:=true", 'peers:=["x"]', 'none:=""'
    } <= set(command)  # fmt: skip


def test_an_executable_of_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(UserError, match="no_such_program"):
        command_line(spec(executable="no_such_program", package="some_package"))


def test_an_end_is_told_in_words() -> None:
    assert how_it_ended(-9) == "SIGKILL"
    assert how_it_ended(3) == "exit status 3"
    assert reason_of(("metrics", 0), None) == ""
    assert reason_of(("brain", -9), None) == "the brain node ended (SIGKILL)"
    assert reason_of(None, 2) == "stopped by SIGINT"


def test_a_stop_reason_is_taken_once(tmp_path: Path) -> None:
    assert take_stop_reason(tmp_path) is None
    write_stop_reason(tmp_path, "the brain node ended (SIGKILL)")
    assert take_stop_reason(tmp_path) == "the brain node ended (SIGKILL)"
    assert take_stop_reason(tmp_path) is None


def test_a_run_stands_still_once_its_line_has_not_grown_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("pilotnet_brain.runs.standstill.time.monotonic", lambda: now[0])
    line = tmp_path / "trajectory.csv"
    still = Standstill(line, 60.0)
    answers = []
    for later_s, text in [(50, None), (20, "a"), (50, "b"), (50, "bc"), (59, None), (2, None)]:
        now[0] += later_s
        if text is not None:
            line.write_text(line.read_text() + text if line.exists() else text)
        answers.append(still())
    # Grown at 170, 220 and 270 s; the last questions come 59 and 61 s after that.
    assert answers == [False, False, False, False, False, True]


def test_a_run_that_never_begins_stands_still(tmp_path: Path) -> None:
    assert not Standstill(tmp_path / "none.csv", 60.0)()
    still = Standstill(tmp_path / "none.csv", -1.0)
    assert still()


def test_what_hangs_is_waited_for_no_longer_than_patience_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "hang"
    program.write_text("#!/bin/sh\necho waiting\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with (tmp_path / "nodes.log").open("wb") as log:
        processes = RunProcesses([spec(package="other", executable="hang", name="hang")], log)
        assert processes.run(Standstill(tmp_path / "trajectory.csv", 0.5)) is None
        assert processes.received_signal is None
        assert processes.stop() == []
    assert processes.exit_status("hang") is not None
    assert (tmp_path / "nodes.log").read_text() == "waiting\n"


@pytest.mark.parametrize(
    ("name", "driven", "refused"),
    [
        # Another run in the domain may have driven: what this one's node wrote is of that drive.
        ("brain", True, True),
        ("simulator", False, True),
        ("gazebo", False, True),
        # It drove, and then Gazebo could not go on: the results are kept.
        ("gazebo", True, False),
    ],
)
def test_a_run_is_refused_by_a_node_before_it_begins(
    tmp_path: Path, name: str, driven: bool, refused: bool
) -> None:
    folder = RunFolder.create(tmp_path, "montreal", "baseline")
    if driven:
        folder.append_trajectory(TrajectoryRow(*[0.0] * 8, None, None))
        folder.flush()
    assert was_refused((name, 2), folder) is refused
    assert not was_refused((name, 1), folder)
    assert not was_refused(None, folder)


def test_a_reason_that_cannot_be_left_holds_nothing_up(tmp_path: Path) -> None:
    write_stop_reason(tmp_path / "removed", "the brain node ended")
    assert not (tmp_path / "removed").exists()


def test_results_that_cannot_be_completed_fail_the_run_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder.create(tmp_path, "montreal", "baseline")
    shutil.rmtree(folder.path)
    assert show_results(folder, RunPlan(circuit="montreal"), "the metrics node ended") is False
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 1
    assert shown[0].startswith("error: the results are not complete: ")
