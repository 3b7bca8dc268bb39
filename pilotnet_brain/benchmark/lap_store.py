"""The file that keeps laps' figures, so that a proof that was cut off goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.benchmark.closed_loop import Lap
from pilotnet_brain.errors import UserError

LAPS_FILE = "laps.json"


class LapStore:
    """Laps by model; those of a file that has changed since are forgotten.

    Args:
        path: of the file; it need not exist.

    Raises:
        UserError: the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._models = json.loads(path.read_bytes())["models"]
            sound = all(
                {"sha256", "laps"} <= set(entry) and isinstance(entry["laps"], dict)
                for entry in self._models.values()
            )
        except FileNotFoundError:
            self._models, sound = {}, True
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            sound = False
        if not sound:
            raise UserError(f"{path}: does not hold laps: remove it, and drive them anew")

    def laps(self, model: str, sha256: str) -> dict[Lap, dict[str, Any]]:
        """Return what a model file of this checksum has driven."""
        entry = self._models.get(model)
        if entry is None or entry["sha256"] != sha256:
            return {}
        return {
            Lap(circuit, int(seed)): figures
            for circuit, by_seed in entry["laps"].items()
            for seed, figures in by_seed.items()
        }

    def add(self, model: str, sha256: str, lap: Lap, figures: Mapping[str, Any]) -> None:
        """Keep one lap's figures, and write the file.

        Raises:
            UserError: the file cannot be written.
        """
        entry = self._models.get(model)
        if entry is None or entry["sha256"] != sha256:
            entry = self._models[model] = {"sha256": sha256, "laps": {}}
        entry["laps"].setdefault(lap.circuit, {})[str(lap.looks_seed)] = dict(figures)
        text = json.dumps({"models": self._models}, indent=1, sort_keys=True, allow_nan=False)
        try:
            write_atomically(self._path, (text + "\n").encode())
        except OSError as problem:
            raise UserError(f"{self._path}: cannot be written: {problem}") from problem
