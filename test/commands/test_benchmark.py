"""``pilotnet benchmark`` as a user starts it, stops it and starts it again."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brightness_model import write_brightness_model

from pilotnet_brain.cli import main
from pilotnet_brain.metrics.trajectory import read_trajectory
from pilotnet_brain.package_share import pilotnet_command
from pilotnet_brain.runs import folder as run_folder
from pilotnet_brain.runs.lockstep import TIMED

PATIENCE_S = 90.0
DOMAIN_ID = 101 + os.getpid() % 30
START = "import sys; from pilotnet_brain.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_brightness_model(tmp_path / "brightness.pt"))


class Started:
    """A benchmark as a separate process."""

    def __init__(self, out: Path, *arguments: str) -> None:
        self.out = out
        self.log = out.with_suffix(".log")
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, "benchmark", *arguments, "--out", str(out)],
            env={**os.environ, "ROS_DOMAIN_ID": str(DOMAIN_ID)},
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )

    def wait_for(self, path: str, lines: int) -> None:
        """Wait until a file of the benchmark's folder has so many lines."""
        deadline = time.monotonic() + PATIENCE_S
        file = self.out / path
        while not (file.exists() and file.read_text().count("\n") >= lines):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"waited in vain for {file}"
            time.sleep(0.02)

    def end(self, number: signal.Signals | None = None) -> int:
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def started() -> Iterator[list[Started]]:
    """Processes that do not outlive the test."""
    processes: list[Started] = []
    yield processes
    for one in processes:
        if one.process.poll() is None:
            one.end(signal.SIGINT)


def results(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def repeatable(found: dict[str, Any]) -> dict[str, Any]:
    """Return results without what the clock of the real world has in them."""
    rows = [{key: v for key, v in row.items() if key not in TIMED} for row in found["rows"]]
    summary = [{key: v for key, v in e.items() if key not in TIMED} for e in found["summary"]]
    return {"plan": found["plan"], "rows": rows, "summary": summary}


def in_lockstep(model: str) -> list[str]:
    circuits = ["--circuit", "simple_circuit=2", "--circuit", "random-5=2"]
    return ["--mode", "lockstep", "--model", model, *circuits, "--time-limit", "1", "--jobs", "1"]


def test_killed_and_started_again_it_ends_with_the_same_results(
    model: str, tmp_path: Path, started: list[Started], capsys: pytest.CaptureFixture[str]
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    started.append(Started(killed, *in_lockstep(model)))
    started[0].wait_for("rows.jsonl", lines=1)
    started[0].end(signal.SIGKILL)
    assert main(["benchmark", str(killed / "plan.yaml"), "--out", str(killed), "--jobs", "1"]) == 0
    assert "of 4 runs are there already" in capsys.readouterr().out
    assert main(["benchmark", *in_lockstep(model), "--out", str(whole)]) == 0
    assert len(results(whole)["rows"]) == 4
    assert repeatable(results(killed)) == repeatable(results(whole))
    for row in results(killed)["rows"]:
        assert row["average_speed"] > 5.0
        assert row["reason"].startswith("time limit of 1 s")
        assert len(read_trajectory(killed / row["run"] / "trajectory.csv")) > 50
        assert json.loads((killed / row["run"] / "metrics.json").read_text())["distance_m"] > 5.0


def test_stopped_by_hand_it_keeps_the_rows_and_says_how_to_go_on(
    model: str, tmp_path: Path, started: list[Started]
) -> None:
    started.append(Started(tmp_path / "out", *in_lockstep(model)))
    started[0].wait_for("rows.jsonl", lines=1)
    assert started[0].end(signal.SIGINT) == 130
    said = started[0].log.read_text()
    count = len(results(tmp_path / "out")["rows"])
    assert 1 <= count < 4
    assert f"stopped after {count} of 4 runs; go on with: {pilotnet_command()} benchmark" in said
    assert "Traceback" not in said


def test_a_damaged_model_is_a_row_with_its_reason_and_the_others_go_on(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(b"no model")
    arguments = ["--mode", "lockstep", "--model", str(damaged), "--model", model]
    arguments += ["--circuit", "simple_circuit", "--time-limit", "1", "--jobs", "1"]
    assert main(["benchmark", *arguments, "--out", str(tmp_path / "out")]) == 1
    bad, good = results(tmp_path / "out")["rows"]
    assert bad["failed"] and not bad["finished"] and "damaged.pt" in bad["reason"]
    assert bad["run"] is None
    assert not good["failed"] and good["average_speed"] > 5.0
    assert "damaged.pt" in (tmp_path / "out" / "results.md").read_text().split("Not finished")[1]
    with (tmp_path / "out" / "results.csv").open() as file:
        assert [row["failed"] for row in csv.DictReader(file)] == ["True", "False"]
    # Mended, it is driven when asked; what is there is not driven again.
    write_brightness_model(damaged)
    capsys.readouterr()
    assert main(["benchmark", *arguments, "--out", str(tmp_path / "out"), "--retry"]) == 0
    assert "1 of 2 runs are there already" in capsys.readouterr().out
    assert not any(row["failed"] for row in results(tmp_path / "out")["rows"])


def test_disturbed_runs_have_rows_a_table_and_a_picture(model: str, tmp_path: Path) -> None:
    arguments = ["--mode", "lockstep", "--model", model, "--circuit", "simple_circuit"]
    arguments += ["--disturbance", "brightness=0.5", "--time-limit", "1", "--jobs", "1"]
    assert main(["benchmark", *arguments, "--out", str(tmp_path)]) == 0
    plain, dark = results(tmp_path)["rows"]
    assert (plain["disturbance"], dark["disturbance"], dark["amount"]) == (
        "none", "brightness", 0.5,
    )  # fmt: skip
    # This network is slower, the darker its frames are.
    assert dark["average_speed"] < plain["average_speed"] - 1.0
    assert "brightness 0.5 times" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "disturbances.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.whole_run
def test_live_runs_leave_every_result_and_a_model_that_goes_missing_is_a_row(
    model: str, tmp_path: Path, started: list[Started]
) -> None:
    pytest.importorskip("rclpy", exc_type=ImportError)
    missing = write_brightness_model(tmp_path / "missing.pt")
    started.append(
        Started(
            tmp_path / "out", "--model", model, "--model", str(missing),
            "--circuit", "simple_circuit", "--start-points", "100", "--time-limit", "2",
        )
    )  # fmt: skip
    run = "runs/brightness-simple_circuit-0"
    started[0].wait_for(f"{run}/trajectory.csv", lines=5)
    missing.unlink()
    assert started[0].end() == 1, started[0].log.read_text()
    driven, failed = results(tmp_path / "out")["rows"]
    assert driven["mode"] == "live" and driven["run"] == run
    assert driven["reason"].startswith("time limit of 2 s")
    assert driven["frames_received"] > 10 and driven["frame_age_p50"] > 0.0
    assert failed["failed"] and failed["run"] is None and "missing.pt" in failed["reason"]
    folder = tmp_path / "out" / run
    files = ("run.yaml", "metrics.json", "lap.png", "report.html", "nodes.log", "bag/metadata.yaml")
    for name in files:
        assert (folder / name).stat().st_size > 0
    assert f"{run}/report.html" in (tmp_path / "out" / "report.html").read_text()
    assert read_trajectory(folder / "trajectory.csv")[0, 6] == pytest.approx(100.0, abs=1.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mode", "fast"], "mode is 'fast': it must be 'live' or 'lockstep'"),
        (["--model", "nothing"], "unknown model 'nothing'"),
        (["--circuit", "nowhere=3"], "unknown circuit 'nowhere'"),
        (["--circuit", "montreal=many"], "circuits: montreal is 'many'"),
        (["--circuit", "montreal", "--circuit", "montreal=2"], "--circuit montreal is given twice"),
        (["--looks", "plain"], "looks is 'plain'"),
        (["--mode", "lockstep", "--disturbance", "rain=3"], "unknown disturbance 'rain'"),
        (["--mode", "lockstep", "--disturbance", "latency=-5"], "latency of -5"),
        (["no_such_plan.yaml"], "no plan 'no_such_plan.yaml'"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_made(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", *arguments, "--out", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and said in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_simulator_that_is_not_there_is_refused_before_any_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    arguments = ["--simulator", "gazebo", "--model", "qat", "--out", str(tmp_path / "out")]
    assert main(["benchmark", *arguments]) == 2
    assert "gzserver is not installed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_disk_without_room_is_told_before_the_first_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_folder, "ROOM_NEEDED_BYTES", 2**62)
    out = tmp_path / "out"
    asked = ["--mode", "lockstep", "--model", "tiny_quant", "--circuit", "random-1"]
    assert main(["benchmark", *asked, "--out", str(out)]) == 2
    assert f"{out}: " in (told := capsys.readouterr().err)
    assert "of room left" in told
    assert not (out / "runs").exists()
