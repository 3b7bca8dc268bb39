"""JdeRobot's older layout: numbered pictures ``0.png, 1.png, ...`` of 640x480 and ``data.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.driving.preprocess import JDEROBOT, InputFormat, network_input
from pilotnet_brain.learning.dataset_writer import Sample
from pilotnet_brain.learning.label_table import TABLE_FILE, DataSetError

WHOLE_FRAME = InputFormat(crop_top=0, crop_bottom=480, width=640, height=480)
"""What a picture shows: all of a frame."""


def write_picture(folder: Path, number: int, frame: NDArray[np.uint8]) -> None:
    """Write a frame, uint8 (480, 640, 3), RGB, as the picture of a row.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / f"{number}.png"
    if not cv2.imwrite(str(path), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path.name} cannot be written")


def read_numbered(folder: Path, lines: Sequence[int]) -> NDArray[np.uint8]:
    """Return the numbered pictures, preprocessed as the brain does it: uint8 (N, 66, 200, 3), RGB.

    Args:
        lines: of data.csv, that of every picture's row.

    Raises:
        DataSetError: a picture is missing or is none, or there are more than rows.
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
    paths = [folder / f"{number}.png" for number in range(len(lines))]
    return read_pictures(paths, lines, TABLE_FILE)


def read_pictures(paths: Sequence[Path], lines: Sequence[int], table: str) -> NDArray[np.uint8]:
    """Return pictures of 640x480, preprocessed as the brain does it: uint8 (N, 66, 200, 3), RGB.

    Args:
        paths: of the N pictures, of any form that OpenCV reads.
        lines: of the table, that of every picture's row.
        table: its file's name.

    Raises:
        DataSetError: a file is no picture, or one of another size.
    """
    frames = np.empty((len(paths), *JDEROBOT.input_shape), np.uint8)
    for path, line, out in zip(paths, lines, frames, strict=True):
        try:
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is None:
                raise ValueError("is not a picture")
            rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            network_input(rgb, out=out)
        except (ValueError, cv2.error) as problem:
            reason = " ".join(str(problem).split())
            raise DataSetError(f"{path} ({table}, line {line}): {reason}") from problem
    return frames


class NumberedPicturesWriter:
    """Writes the layout (a `dataset_writer.DatasetWriter`), picture by picture."""

    pixels = WHOLE_FRAME

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def add(self, sample: Sample) -> None:
        """Write a frame. Raises OSError."""
        write_picture(self._folder, self._count, sample.frame)
        self._count += 1

    def end_drive(self, bag: Path) -> None:
        """Do nothing: the table tells the drives apart."""

    def finish(self, table: pd.DataFrame) -> None:
        """Write the labels. Raises OSError."""
        table.to_csv(self._folder / TABLE_FILE, index=False)
