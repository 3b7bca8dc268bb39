"""Data sets: camera frames, each labelled with the command that the expert gave.

Two layouts are read and written:

* compact: ``frames.npy``, uint8 (N, 66, 200, 3), already preprocessed, and ``data.csv``;
* JdeRobot's: numbered pictures ``0.png, 1.png, ...`` and ``data.csv``.

``data.csv`` has a row a frame, with the columns v (m/s) and w (rad/s); ours has more (see
`COLUMNS`), and ``dataset.json``, the recipe that it was collected by.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.driving.command import JDEROBOT_RANGE, OutputRange
from pilotnet_brain.driving.preprocess import JDEROBOT, network_input
from pilotnet_brain.errors import UserError

COLUMNS = ("v", "w", "lateral_deviation", "heading_error", "curvature", "world")
"""Expert's speed (m/s) and yaw rate (rad/s); the car's lateral deviation (m) and heading error
(rad); the line's curvature (1/m); the number of the world (circuit and looks) it was seen in."""
FRAMES_FILE, TABLE_FILE, RECIPE_FILE = "frames.npy", "data.csv", "dataset.json"


class DataSetError(UserError):
    """A data set that cannot be read or written."""


@dataclass(frozen=True)
class DataSet:
    """Preprocessed frames and their labels."""

    frames: NDArray[np.uint8]  #: uint8 (N, 66, 200, 3), RGB; may be mapped from disk
    table: pd.DataFrame  #: N rows with at least the columns v and w

    def __len__(self) -> int:
        return len(self.frames)

    def targets(self) -> NDArray[np.float32]:
        """Return the normalized labels, float32 (N, 2): speed and yaw rate, 0..1 in range."""
        speed, yaw_rate = JDEROBOT_RANGE.from_command(
            self.table["v"].to_numpy(np.float64), self.table["w"].to_numpy(np.float64)
        )
        return np.stack([speed, yaw_rate], axis=1).astype(np.float32)

    def command_errors(
        self, outputs: NDArray[np.floating], output_range: OutputRange, first: int = 0
    ) -> NDArray[np.float64]:
        """Return the errors (M, 2), m/s and rad/s, of a network's outputs against the labels.

        The outputs (M, 2) are those of the frames ``first`` to ``first + M``.
        """
        commands = output_range.to_command(*outputs.astype(np.float64).T)
        labels = self.table[["v", "w"]].to_numpy(np.float64)[first : first + len(outputs)]
        return np.stack(commands, axis=1) - labels


def load_dataset(folder: Path) -> DataSet:
    """Return the data set in a folder, compact or JdeRobot's.

    Raises:
        DataSetError: the folder holds neither, or frames and table do not match.
    """
    table = _read_table(folder / TABLE_FILE)
    compact = folder / FRAMES_FILE
    if compact.is_file():
        try:
            frames = np.load(compact, mmap_mode="r")
        except (ValueError, OSError) as problem:
            raise DataSetError(f"{compact}: not a frame array: {problem}") from problem
        if frames.dtype != np.uint8 or frames.shape[1:] != JDEROBOT.input_shape:
            raise DataSetError(
                f"{compact}: frames are {frames.dtype} {frames.shape}, "
                f"they must be uint8 (N, {', '.join(map(str, JDEROBOT.input_shape))})"
            )
    else:
        frames = _read_pictures(folder, len(table))
    if len(frames) != len(table):
        raise DataSetError(
            f"{folder}: {len(frames)} frames but {len(table)} rows in {TABLE_FILE}; "
            "collect it again, or remove what does not belong there"
        )
    return DataSet(frames, table)


def join(datasets: list[DataSet]) -> DataSet:
    """Return data sets as one, their frames read into memory (the labels' common columns)."""
    if len(datasets) == 1:
        return DataSet(np.ascontiguousarray(datasets[0].frames), datasets[0].table)
    frames = np.concatenate([data.frames for data in datasets])
    table = pd.concat([data.table for data in datasets], join="inner", ignore_index=True)
    return DataSet(frames, table)


def _read_table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise DataSetError(
            f"{path} is missing: not a data set. 'pilotnet data collect' makes one"
        ) from None
    except (ValueError, OSError) as problem:
        raise DataSetError(f"{path}: not a table: {problem}") from problem
    table.columns = [str(column).strip() for column in table.columns]
    missing = {"v", "w"} - set(table.columns)
    if missing:
        raise DataSetError(
            f"{path}: no column {' or '.join(sorted(missing))}; it has {', '.join(table.columns)}"
        )
    labels = table[["v", "w"]].apply(pd.to_numeric, errors="coerce")
    bad = np.flatnonzero(~np.isfinite(labels.to_numpy(np.float64)).all(axis=1))
    if len(bad):
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        number, line = [(number, line) for number, line in lines if line.strip()][1 + bad[0]]
        raise DataSetError(f"{path}: line {number}: v and w must be finite numbers: {line!r}")
    return table


def _read_pictures(folder: Path, count: int) -> NDArray[np.uint8]:
    """Return JdeRobot's numbered pictures, preprocessed as the brain does it."""
    frames = np.empty((count, *JDEROBOT.input_shape), np.uint8)
    for number in range(count):
        path = folder / f"{number}.png"
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise DataSetError(f"{path} is missing or not a picture")
        try:
            rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            network_input(rgb, out=frames[number])
        except ValueError as problem:
            raise DataSetError(f"{path}: {problem}") from problem
    return frames
