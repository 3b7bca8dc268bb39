"""A benchmark's folder: its plan, and the rows of the runs that are done, so that it resumes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.benchmark.plan import BenchmarkPlan, PlannedRun
from pilotnet_brain.benchmark.plan_file import plan_of, read_values, write_plan
from pilotnet_brain.benchmark.row import Row
from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import pilotnet_command

PLAN_FILE = "plan.yaml"
ROWS_FILE = "rows.jsonl"
RUNS = "runs"


class BenchmarkStore:
    """The rows of one benchmark, each on the disk as soon as its run is done.

    A row that was cut off (the machine died in mid-line) and rows of a model file that has changed
    since are driven again.

    Args:
        folder: of the benchmark; made if missing.
        plan: what is asked now.
        sha256: returns the present checksum of a model's file.
        retry: whether runs that failed are driven again, too.

    Raises:
        UserError: the folder holds another benchmark, another process drives in it, or it cannot
            be written.
    """

    def __init__(
        self,
        folder: Path,
        plan: BenchmarkPlan,
        sha256: Callable[[str], str | None],
        *,
        retry: bool = False,
    ) -> None:
        self.folder = folder
        self.plan = plan
        self._runs = plan.runs()
        self._rows: dict[str, Row] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder)
            lines = self._journal_lines()
            self._take_plan(begun=bool(lines))
            self._take_rows(lines, sha256, retry)
            kept = "".join(map(_line, self._rows.values()))
            write_atomically(folder / ROWS_FILE, kept.encode())
            self._journal = (folder / ROWS_FILE).open("a", encoding="utf-8")
        except OSError as problem:
            raise UserError(f"{folder}: cannot be written: {problem}") from problem

    def __enter__(self) -> BenchmarkStore:
        return self

    def __exit__(self, *error: object) -> None:
        self._journal.close()
        os.close(self._lock)

    @property
    def rows(self) -> list[Row]:
        """The rows so far, in the plan's order."""
        return [self._rows[run.name] for run in self._runs if run.name in self._rows]

    @property
    def to_do(self) -> list[PlannedRun]:
        """The runs without a row, in the plan's order."""
        return [run for run in self._runs if run.name not in self._rows]

    @property
    def total(self) -> int:
        """How many runs the benchmark has."""
        return len(self._runs)

    def add(self, row: Row) -> None:
        """Keep a row.

        Raises:
            UserError: it cannot be written.
        """
        self._rows[row["name"]] = row
        try:
            self._journal.write(_line(row))
            self._journal.flush()
        except OSError as problem:
            raise UserError(f"{self.folder / ROWS_FILE}: cannot be written: {problem}") from problem

    def _journal_lines(self) -> list[str]:
        path = self.folder / ROWS_FILE
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return text.splitlines()

    def _take_plan(self, begun: bool) -> None:
        path = self.folder / PLAN_FILE
        if begun and path.exists():
            there, asked = plan_of(read_values(path)).as_dict(), self.plan.as_dict()
            differing = [key for key in asked if asked[key] != there[key]]
            if differing:
                raise UserError(
                    f"{self.folder} holds another benchmark ({', '.join(differing)} differ): "
                    "choose another folder, or go on with that one: "
                    f"{pilotnet_command()} benchmark {path} --out {self.folder}"
                )
        write_atomically(path, write_plan(self.plan).encode())

    def _take_rows(
        self, lines: list[str], sha256: Callable[[str], str | None], retry: bool
    ) -> None:
        present = {model: sha256(model) for model in self.plan.models}
        for line in lines:
            try:
                row = json.loads(line)
                keep = row["model_sha256"] == present.get(row["model"])
                if keep and not (retry and row["failed"]):
                    self._rows[row["name"]] = row
            except (ValueError, KeyError, TypeError, RecursionError):
                continue


def _line(row: Row) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def _locked(folder: Path) -> int:
    """Return a descriptor of the folder, locked until it is closed or the process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(f"{folder}: another benchmark is running in this folder") from None
    return descriptor
