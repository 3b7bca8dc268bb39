"""Our own layout: preprocessed frames in one array, ``frames.npy``, next to ``data.csv``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.driving.preprocess import JDEROBOT
from pilotnet_brain.learning.dataset_writer import Sample
from pilotnet_brain.learning.label_table import TABLE_FILE, DataSetError

FRAMES_FILE = "frames.npy"


def read_frames(path: Path) -> NDArray[np.uint8]:
    """Return the frames of a compact data set, uint8 (N, 66, 200, 3), RGB, mapped from disk.

    Raises:
        DataSetError: the file is no such array.
    """
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


class CompactWriter:
    """Writes the layout (a `dataset_writer.DatasetWriter`); its small frames wait in memory."""

    pixels = JDEROBOT

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._frames: list[NDArray[np.uint8]] = []

    def add(self, sample: Sample) -> None:
        """Add a frame."""
        self._frames.append(sample.frame)

    def end_drive(self, bag: Path) -> None:
        """Do nothing: the table tells the drives apart."""

    def finish(self, table: pd.DataFrame) -> None:
        """Write the frames and the labels. Raises OSError."""
        np.save(self._folder / FRAMES_FILE, np.stack(self._frames))
        table.to_csv(self._folder / TABLE_FILE, index=False)
