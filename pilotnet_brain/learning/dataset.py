"""Data sets: camera frames, each labelled with the command that the expert gave.

`load_dataset` reads these layouts:

* compact, our own: ``frames.npy``, uint8 (N, 66, 200, 3), already preprocessed, and ``data.csv``;
* JdeRobot's older one: numbered pictures ``0.png, 1.png, ...`` and ``data.csv``;
* JdeRobot's newer one: folders of pictures, named in ``train.csv`` (`jderobot_csv`);
* a LeRobotDataset v3 (`lerobot_format`).

``data.csv`` has a row a frame, with the columns v (m/s) and w (rad/s); ours has more (see
`COLUMNS`), and ``dataset.json``, the recipe that it was collected by.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.driving.command import JDEROBOT_RANGE, OutputRange
from pilotnet_brain.learning.compact_format import FRAMES_FILE, read_frames
from pilotnet_brain.learning.jderobot_csv import find_table, read_image_table
from pilotnet_brain.learning.label_table import TABLE_FILE, DataSetError, read_label_table
from pilotnet_brain.learning.lerobot_format import INFO_FILE, read_lerobot
from pilotnet_brain.learning.numbered_pictures import read_numbered

RECIPE_FILE = "dataset.json"


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


def load_dataset(path: Path) -> DataSet:
    """Return the data set in a folder, of any layout, or that of one of JdeRobot's tables.

    Args:
        path: the folder; or a table in it that names its pictures, such as ``test.csv``.

    Raises:
        DataSetError: it is none of them, or frames and table do not match.
        UserError: a LeRobotDataset, and pyarrow is not installed.
    """
    if (path / INFO_FILE).is_file():
        return DataSet(*read_lerobot(path))
    if path.is_file():
        return DataSet(*read_image_table(path))
    if not (path / TABLE_FILE).exists() and (newer := find_table(path)) is not None:
        return DataSet(*read_image_table(newer))
    return _compact_or_numbered(path)


def _compact_or_numbered(folder: Path) -> DataSet:
    table, lines, _ = read_label_table(folder / TABLE_FILE)
    if not lines:
        raise DataSetError(f"{folder}: the data set holds no frames; collect it again")
    compact = folder / FRAMES_FILE
    frames = read_frames(compact) if compact.is_file() else read_numbered(folder, lines)
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
