"""Writing a data set frame by frame: what a writer of a layout offers, and where it writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.driving.preprocess import InputFormat
from pilotnet_brain.learning.label_table import DataSetError

_PART = ".part"


class Sample(NamedTuple):
    """A frame and what belongs to it."""

    frame: NDArray[np.uint8]  #: of the shape that the writer takes, RGB
    time_s: float  #: of its recording
    label: tuple[float, ...]  #: speed (m/s), yaw rate (rad/s), and what else the table has
    state: tuple[float, float] | None = None  #: the car's own speed (m/s) and yaw rate (rad/s)


class DatasetWriter(Protocol):
    """Writes a data set's frames as they come; made with the folder, which exists and is empty."""

    pixels: InputFormat  #: which part of a frame it takes, and of what size

    def add(self, sample: Sample) -> None:
        """Add a frame. Raises OSError if it cannot be written."""

    def end_drive(self, bag: Path) -> None:
        """Tell that the next frame is of another drive. Raises OSError as `add`."""

    def finish(self, table: pd.DataFrame) -> None:
        """Write what is left, and the labels: a row a frame. Raises OSError as `add`."""


@contextmanager
def new_dataset(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write a data set to; at the end its files move to their place.

    If anything is raised meanwhile, all that was written goes, and the folder with it unless it
    was there before.

    Args:
        folder: of the data set; missing or empty.

    Raises:
        DataSetError: the folder holds something or is a file, or it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise DataSetError(f"{folder}: is a file; name a folder")
    there_before = folder.exists()
    if there_before and any(folder.iterdir()):
        raise DataSetError(f"{folder}: is not empty; name another folder or remove it")
    part = folder / _PART
    written = False
    try:
        part.mkdir(parents=True)
        yield part
        for path in sorted(part.iterdir()):
            os.replace(path, folder / path.name)
        part.rmdir()
        written = True
    except OSError as problem:
        # numpy gives a full disk's no error number.
        reason = problem.strerror or problem
        raise DataSetError(f"{folder}: cannot be written: {reason}") from problem
    finally:
        if not written:
            shutil.rmtree(part, ignore_errors=True)
            if not there_before and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
