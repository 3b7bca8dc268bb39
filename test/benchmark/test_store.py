"""A benchmark's folder: what is kept, what is driven again, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_rows import row

from pilotnet_brain.benchmark.plan_file import plan_of, read_values
from pilotnet_brain.benchmark.store import BenchmarkStore
from pilotnet_brain.errors import UserError

PLAN = plan_of({"models": ["a", "b"], "circuits": {"c": 2}})


def unchanged(model: str) -> str:
    return "s"


def store(folder: Path, **options: bool) -> BenchmarkStore:
    return BenchmarkStore(folder, PLAN, unchanged, **options)


def done(folder: Path) -> None:
    """Leave the rows of two runs of four, out of order; one of them failed."""
    with store(folder) as kept:
        kept.add(row("b", repetition=0))
        kept.add(row("a", repetition=0, finished=False, failure="the brain node ended"))


def test_a_row_is_there_again_and_the_others_are_to_do(tmp_path: Path):
    done(tmp_path)
    with store(tmp_path) as again:
        assert [(r["model"], r["repetition"]) for r in again.rows] == [("a", 0), ("b", 0)]
        assert [(run.spec.model, run.repetition) for run in again.to_do] == [("a", 1), ("b", 1)]
        assert again.total == 4


def test_failed_runs_are_driven_again_if_asked(tmp_path: Path):
    done(tmp_path)
    with store(tmp_path, retry=True) as again:
        assert [r["model"] for r in again.rows] == ["b"]


def test_a_line_that_was_cut_off_is_driven_again(tmp_path: Path):
    done(tmp_path)
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-20] + b"\xff\xfe")
    with store(tmp_path) as again:
        assert [r["model"] for r in again.rows] == ["b"]
        again.add(row("a", repetition=0))
    with store(tmp_path) as again:
        assert [r["model"] for r in again.rows] == ["a", "b"]
    assert all(json.loads(line) for line in rows.read_text().splitlines())


def test_rows_of_a_model_file_that_changed_since_are_driven_again(tmp_path: Path):
    done(tmp_path)
    with BenchmarkStore(tmp_path, PLAN, {"a": "s", "b": "other"}.get) as again:
        assert [r["model"] for r in again.rows] == ["a"]


def test_another_plan_in_the_same_folder_is_refused(tmp_path: Path):
    done(tmp_path)
    before = (tmp_path / "rows.jsonl").read_bytes()
    other = plan_of({"models": ["a"], "circuits": {"c": 2}, "laps": 2})
    with pytest.raises(UserError, match=r"holds another benchmark \(models, laps differ\)"):
        BenchmarkStore(tmp_path, other, unchanged)
    assert (tmp_path / "rows.jsonl").read_bytes() == before


def test_a_plan_of_which_nothing_was_driven_may_be_replaced(tmp_path: Path):
    with store(tmp_path):
        pass
    other = plan_of({"models": ["a"], "circuits": {"c": 2}, "laps": 2})
    with BenchmarkStore(tmp_path, other, unchanged) as kept:
        kept.add(row("a"))
    assert plan_of(read_values(tmp_path / "plan.yaml")) == other


def test_two_at_work_in_one_folder_are_one_too_many(tmp_path: Path):
    with store(tmp_path), pytest.raises(UserError, match="another benchmark is running"):
        store(tmp_path)
    with store(tmp_path) as after:
        assert after.rows == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/results: cannot be written"):
        store(tmp_path / "file" / "results")
