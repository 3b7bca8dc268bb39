"""What a benchmark shows while it drives."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pilotnet_brain.benchmark.plan import PlannedRun
from pilotnet_brain.commands.progress import (
    BenchmarkProgress,
    duration_text,
    result_text,
)
from pilotnet_brain.runs.spec import RunSpec

RUNS = [PlannedRun(RunSpec(model="qat", circuit="montreal"), n) for n in range(2)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89.0, "89 s"), (95.0, "2 min"), (5000.0, "83 min"), (9000.0, "2.5 h")],
)
def test_durations_are_said_as_a_person_does(seconds, text):
    assert duration_text(seconds) == text


def test_into_a_file_each_run_is_a_line_that_counts_those_of_an_earlier_start():
    file = io.StringIO()
    console = Console(file=file, width=40)
    with BenchmarkProgress(console, 3, {run.name: 1.0 for run in RUNS}) as progress:
        for run in RUNS:
            progress.add(run, "lap completed [red]")
    first, second = file.getvalue().splitlines()
    assert first.startswith("[4/5] qat on montreal, repetition 0: lap completed [red]; ")
    assert second == "[5/5] qat on montreal, repetition 1: lap completed [red]; 0 s left"


def test_a_result_is_said_in_a_phrase():
    figures = {"lap_completed": True, "lap_times_s": [30.0], "average_speed": 12.0,
               "position_deviation_mae": 0.0123}  # fmt: skip
    assert result_text(figures) == "lap completed in 30.00 s, 12.00 m/s, 0.012 m off the line"
    assert result_text({"ending": "no such file"}) == "nothing driven: no such file"
