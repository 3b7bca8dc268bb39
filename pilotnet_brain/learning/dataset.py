"""Data sets: camera frames, each labelled with the command that the expert gave.

Two layouts are read and written:

* compact: ``frames.npy``, uint8 (N, 66, 200, 3), already preprocessed, and ``data.csv``;
* JdeRobot's: numbered pictures ``0.png, 1.png, ...`` and ``data.csv``.

``data.csv`` has a row a frame, with the columns v (m/s) and w (rad/s); ours has more (see
`COLUMNS`), and ``dataset.json``, the recipe that it was collected by.
"""

from __future__ import annotations

import csv
import math
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
    table, lines = _read_table(folder / TABLE_FILE)
    if not lines:
        raise DataSetError(f"{folder}: the data set holds no frames; collect it again")
    compact = folder / FRAMES_FILE
    frames = _read_array(compact) if compact.is_file() else _read_pictures(folder, lines)
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


def _read_table(path: Path) -> tuple[pd.DataFrame, list[int]]:
    """Return the known columns of a data.csv, finite numbers, and each row's line in the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataSetError(
            f"{path} is missing: not a data set. 'pilotnet data collect' makes one"
        ) from None
    except (ValueError, OSError) as problem:
        raise DataSetError(f"{path}: not a table: {problem}") from problem
    written = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not written:
        raise DataSetError(f"{path}: not a table: it is empty")
    header = _cells(written[0][1])
    if missing := {"v", "w"} - set(header):
        raise DataSetError(
            f"{path}: no column {' or '.join(sorted(missing))}; it has {', '.join(header)}"[:300]
        )
    rows = []
    for number, line in written[1:]:
        try:
            rows.append(_numbers(line, header))
        except ValueError as problem:
            raise DataSetError(f"{path}: line {number}: {problem}: {line[:80]!r}") from None
    known = [name for name in COLUMNS if name in header]
    table = pd.DataFrame(np.array(rows, np.float64).reshape(-1, len(known)), columns=known)
    return table, [number for number, _ in written[1:]]


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True), [])]
    except csv.Error:  # of a cell of more than 131,072 characters
        return [line]


def _numbers(line: str, header: list[str]) -> list[float]:
    """Return a row's numbers in the known columns; raise ValueError, saying what is wrong."""
    row = _cells(line)
    if row == header:
        raise ValueError("repeats the header; of two data sets give both folders to train")
    if len(row) != len(header):
        raise ValueError(f"{len(row)} cells, but {len(header)} columns")
    numbers = []
    for name in COLUMNS:
        if name in header:
            cell = row[header.index(name)]
            try:
                numbers.append(float(cell))
            except ValueError:
                raise ValueError(f"{name} must be a finite number") from None
            if not math.isfinite(numbers[-1]):
                raise ValueError(f"{name} must be a finite number")
    return numbers


def _read_array(path: Path) -> NDArray[np.uint8]:
    """Return the frames of a compact data set, mapped from disk."""
    try:
        frames = np.lib.format.open_memmap(path, mode="r")
    except Exception as problem:  # a damaged file raises anything
        raise DataSetError(f"{path}: not a frame array: {problem}") from problem
    if frames.dtype != np.uint8 or frames.shape[1:] != JDEROBOT.input_shape:
        raise DataSetError(
            f"{path}: frames are {frames.dtype} {frames.shape}, "
            f"they must be uint8 (N, {', '.join(map(str, JDEROBOT.input_shape))})"
        )
    return frames


def _read_pictures(folder: Path, lines: list[int]) -> NDArray[np.uint8]:
    """Return JdeRobot's numbered pictures, preprocessed as the brain does it.

    Args:
        lines: of data.csv, that of every picture's row.
    """
    names = {file.name for file in folder.glob("*.png")}
    for number, line in enumerate(lines):
        if f"{number}.png" not in names:
            raise DataSetError(
                f"{folder / TABLE_FILE}: line {line}: its picture {folder / f'{number}.png'} "
                "is missing"
            )
    numbered = sum(name.removesuffix(".png").isdecimal() for name in names)
    if numbered > len(lines):
        raise DataSetError(
            f"{folder}: {numbered} numbered pictures but {len(lines)} rows in {TABLE_FILE}; "
            "remove what does not belong there"
        )
    frames = np.empty((len(lines), *JDEROBOT.input_shape), np.uint8)
    for number, line in enumerate(lines):
        path = folder / f"{number}.png"
        try:
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is None:
                raise ValueError("is not a picture")
            rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            network_input(rgb, out=frames[number])
        except (ValueError, cv2.error) as problem:
            reason = " ".join(str(problem).split())
            raise DataSetError(f"{path} ({TABLE_FILE}, line {line}): {reason}") from problem
    return frames
