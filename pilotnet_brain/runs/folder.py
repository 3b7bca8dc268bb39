"""The folder that keeps one run's results, and what is needed to measure the run again."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import Circuit, circuit_fields, circuit_of, write_centerline
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.reference_lap import read_reference_lap, read_reference_lap_of
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRow, row_text
from pilotnet_brain.runs.spec import RunSpec
from pilotnet_brain.runs.topics import topics_of
from pilotnet_brain.user_path import user_path

ROOM_NEEDED_BYTES = 200 * 2**20
"""A lap with its bag but without camera frames takes a few MB; with them some hundreds."""
_FLUSH_EVERY_S = 1.0
REFERENCE_LAP = "reference_lap.csv"
_RUN_NAME = re.compile(r"\d{8}-\d{6}-")


class RunFolderError(UserError):
    """A place where results cannot be kept; the text names the path and the fix."""


class RunFolder:
    """Paths and files of one run: ``<root>/<YYYYmmdd-HHMMSS>-<circuit>-<model>/``.

    Attributes:
        path: the folder; it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._trajectory: TrajectoryWriter | None = None

    @classmethod
    def create(
        cls, root: str | Path, circuit_name: str, model_name: str, now: datetime | None = None
    ) -> RunFolder:
        """Make a new folder under `root` and point ``<root>/latest`` at it.

        Two runs that start in the same second get folders of their own (``...-2``).

        Args:
            root: usually ``runs``; made if missing.
            circuit_name: name or path; what is unfit for a file name becomes ``_``.
            model_name: the same.
            now: local time of the start, else the present.

        Raises:
            RunFolderError: the place cannot be written, or has less than 200 MB of room.
        """
        root = user_path(root)
        _make_root(root)
        check_room(root)
        stamp = (now or datetime.now()).strftime("%Y%m%d-%H%M%S")
        name = f"{stamp}-{_file_name(circuit_name)}-{_file_name(model_name)}"
        path = _make_unique(root, name)
        _check_writable(path)
        _point_latest(root, path.name)
        return cls(path)

    @classmethod
    def make(cls, path: Path) -> RunFolder:
        """Make the folder `path` itself, for a run that its benchmark names.

        What a run that was cut off left there is removed first.

        Raises:
            RunFolderError: the place cannot be written, or has less than 200 MB of room.
        """
        shutil.rmtree(path, ignore_errors=True)
        _make_root(path)
        check_room(path)
        _check_writable(path)
        return cls(path.resolve())

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Return an existing run's folder. Raises RunFolderError where there is none."""
        folder = user_path(path)
        if not folder.is_dir():
            raise RunFolderError(f"{folder}: no such run folder; runs/latest is the newest run")
        return cls(folder.resolve())

    def discard(self) -> None:
        """Remove the folder of a run that never began; ``latest`` becomes the newest other run."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)
        root = self.path.parent
        latest = root / "latest"
        if not latest.is_symlink() or os.readlink(latest) != self.path.name:
            return
        others = sorted(path.name for path in root.iterdir() if _RUN_NAME.match(path.name))
        if others:
            _point_latest(root, others[-1])
        else:
            latest.unlink(missing_ok=True)

    @property
    def metrics_json(self) -> Path:
        """The run's figures."""
        return self.path / "metrics.json"

    @property
    def trajectory_csv(self) -> Path:
        """The driven line."""
        return self.path / "trajectory.csv"

    @property
    def run_yaml(self) -> Path:
        """Parameters, versions and hardware."""
        return self.path / "run.yaml"

    @property
    def circuit_csv(self) -> Path:
        """The centerline that the run is measured by."""
        return self.path / "circuit.csv"

    @property
    def lap_png(self) -> Path:
        """The picture of the lap."""
        return self.path / "lap.png"

    @property
    def report_html(self) -> Path:
        """The page of the run."""
        return self.path / "report.html"

    @property
    def bag(self) -> Path:
        """The rosbag2 folder (made by who records)."""
        return self.path / "bag"

    def write_metrics(self, figures: Mapping[str, object]) -> None:
        """Write metrics.json whole or not at all: a reader never sees half a file."""
        text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
        write_atomically(self.metrics_json, text.encode())

    def read_metrics(self) -> dict[str, object] | None:
        """Return the figures of metrics.json; None where there is no (readable) file yet."""
        try:
            figures = json.loads(self.metrics_json.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return figures if isinstance(figures, dict) else None

    def add_to_record(self, **entries: object) -> None:
        """Write entries into run.yaml, which keeps its others."""
        import yaml

        text = yaml.safe_dump(self.read_record() | entries, sort_keys=False, allow_unicode=True)
        write_atomically(self.run_yaml, text.encode())

    def read_record(self) -> dict[str, Any]:
        """Return what run.yaml holds; nothing where there is no (readable) file."""
        import yaml

        try:
            record = yaml.safe_load(self.run_yaml.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return {}
        return record if isinstance(record, dict) else {}

    def spec(self) -> RunSpec:
        """Return the run's spec.

        Raises:
            RunFolderError: run.yaml does not say it.
        """
        record = self.read_record()
        # "parameters" is how earlier versions called it.
        values = record.get("spec") or record.get("parameters")
        if not isinstance(values, dict):
            raise RunFolderError(f"{self.run_yaml}: has no spec of a run")
        try:
            return RunSpec.from_dict(values)
        except (UserError, TypeError) as problem:
            raise RunFolderError(f"{self.run_yaml}: not a run's spec: {problem}") from problem

    def keep_line(self) -> None:
        """Keep the circuit and the reference lap of the run's spec, by which it is measured.

        Raises:
            UserError: one of them cannot be had.
        """
        spec = self.spec()
        circuit = load_circuit(spec.circuit)
        self.keep_circuit(circuit)
        if spec.reference_lap:
            self.keep_reference_lap(read_reference_lap_of(circuit, spec.reference_lap))

    def keep_circuit(self, circuit: Circuit) -> None:
        """Keep the circuit that the run is measured by: its line in circuit.csv."""
        write_centerline(self.circuit_csv, circuit)
        self.add_to_record(circuit=circuit_fields(circuit))

    def circuit(self) -> Circuit:
        """Return the circuit that the run was measured by.

        A run of an earlier version kept only its name: it is looked up.

        Raises:
            UserError: the folder does not say, or its circuit is not there any more.
        """
        kept = self.read_record().get("circuit")
        if self.circuit_csv.exists() and isinstance(kept, dict):
            return circuit_of(self.circuit_csv, kept)
        try:
            return load_circuit(self.spec().circuit)
        except RunFolderError:
            named = (self.read_metrics() or {}).get("circuit")
        if not isinstance(named, str):
            raise RunFolderError(
                f"{self.path}: neither run.yaml nor metrics.json names the circuit"
            )
        return load_circuit(named)

    def keep_reference_lap(self, points: NDArray[np.float64]) -> None:
        """Keep the points (N, 2), m, of the reference lap that the published score refers to."""
        lines = "".join(f"{x!r},{y!r}\n" for x, y in points.tolist())
        write_atomically(self.path / REFERENCE_LAP, f"x,y\n{lines}".encode())

    def reference_lap(self) -> NDArray[np.float64] | None:
        """Return the points (N, 2), m, of the run's reference lap; None where it has none."""
        path = self.path / REFERENCE_LAP
        return read_reference_lap(path) if path.exists() else None

    def topics(self) -> dict[str, str]:
        """Return the run's topics as its nodes resolved them, by relative name.

        Where the metrics node did not get to writing them, they follow from the spec.
        """
        kept = self.read_record().get("topics")
        if isinstance(kept, dict):
            return dict(kept)
        try:
            return topics_of(self.spec())
        except RunFolderError:
            return topics_of(RunSpec())

    def measured_since_s(self) -> float:
        """Return the time of the live run's first pose, s; without one any pose counts."""
        since = self.read_record().get("measured_since_s")
        return float(since) if isinstance(since, int | float) else -math.inf

    def new_metrics(self) -> RunMetrics:
        """Return metrics that measure this run, live or again, by its own circuit and rules."""
        return RunMetrics(self.circuit(), self.spec().rules(), reference_lap=self.reference_lap())

    def append_trajectory(self, row: TrajectoryRow) -> None:
        """Append a row to trajectory.csv; once a second the rows are flushed."""
        if self._trajectory is None:
            self._trajectory = TrajectoryWriter(self.trajectory_csv)
        self._trajectory.append((row,))

    def restart_trajectory(self) -> None:
        """Empty trajectory.csv: what was driven so far is not of this run."""
        self.close()
        self.trajectory_csv.unlink(missing_ok=True)

    def flush(self) -> None:
        """Hand the rows so far to the system: from here on a kill does not lose them."""
        if self._trajectory is not None:
            self._trajectory.flush()

    def close(self) -> None:
        """Close trajectory.csv; a row that comes later opens it again."""
        if self._trajectory is not None:
            self._trajectory.close()
            self._trajectory = None


class TrajectoryWriter:
    """Appends rows to trajectory.csv; once a second they are on their way to the disk.

    What a killed process loses is at most the rows of its last second, and half a row.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", newline="")
        if self._file.tell() == 0:
            self._file.write(",".join(COLUMNS) + "\n")
        self.flush()

    def append(self, rows: Iterable[TrajectoryRow]) -> None:
        """Write rows; those older than a second are flushed."""
        self._file.writelines(map(row_text, rows))
        if time.monotonic() - self._flushed_s >= _FLUSH_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Hand the rows so far to the system."""
        self._file.flush()
        self._flushed_s = time.monotonic()

    def close(self) -> None:
        """Flush and close; closing twice is fine."""
        self._file.close()


def _make_root(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise RunFolderError(
            f"{root}: the results folder cannot be made ({problem.strerror}); "
            "choose another with the output directory option"
        ) from problem


def _make_unique(root: Path, name: str) -> Path:
    for attempt in range(1, 1000):
        path = root / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        except OSError as problem:
            raise RunFolderError(
                f"{root}: no results can be written here ({problem.strerror}); "
                "fix its permissions or choose another output directory"
            ) from problem
        return path
    raise RunFolderError(f"{root / name}: a thousand runs have this name; clear the folder")


def _check_writable(path: Path) -> None:
    probe = path / ".probe"
    try:
        probe.write_bytes(b"\0" * 65536)
        probe.unlink()
    except OSError as problem:
        shutil.rmtree(path, ignore_errors=True)
        raise RunFolderError(
            f"{path}: results cannot be written ({problem.strerror}); "
            "free some room, or choose another output directory"
        ) from problem


def check_room(root: Path) -> None:
    """Raise RunFolderError where a run would have less than `ROOM_NEEDED_BYTES` of room."""
    free = shutil.disk_usage(root).free
    if free < ROOM_NEEDED_BYTES:
        raise RunFolderError(
            f"{root}: {free / 2**20:.0f} MB of room left on this disk, a run needs "
            f"{ROOM_NEEDED_BYTES / 2**20:.0f} MB; free some, or choose another output directory"
        )


def _point_latest(root: Path, name: str) -> None:
    """Make ``latest`` a link to the newest run, replaced in one step; a real file is left alone."""
    latest = root / "latest"
    if latest.exists() and not latest.is_symlink():
        return
    link = root / f".latest-{os.getpid()}-{time.monotonic_ns()}"
    try:
        link.symlink_to(name, target_is_directory=True)
        os.replace(link, latest)
    except OSError:
        # A file system without links keeps its results all the same; only the short way is missing.
        link.unlink(missing_ok=True)


def _file_name(name: str) -> str:
    """Return a name or path as one word that any file system takes."""
    word = Path(name).stem if ("/" in name or name.endswith((".pt", ".csv", ".bag"))) else name
    return re.sub(r"[^A-Za-z0-9._-]+", "_", word).strip("._-")[:60] or "unnamed"
