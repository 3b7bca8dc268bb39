"""JdeRobot's newer layout: a table names its pictures, which lie in folders next to it.

So are the data sets of RoboticsAcademy's exercise "End to End Visual Control": ``train.csv`` (or
``label.csv``) for all of ``images_part_01, images_part_02, ...``, and tables of the same form for
the other pictures: ``test.csv``, ``adjustment_data.csv``. A table has the columns image (a path
from the table's folder), v (m/s) and w (rad/s); a picture is a whole frame of 640x480.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.learning.label_table import DataSetError, read_label_table
from pilotnet_brain.learning.numbered_pictures import read_pictures

_TABLES = ("train.csv", "label.csv")


def find_table(folder: Path) -> Path | None:
    """Return the table that a folder stands for, to learn from; None: there is none."""
    return next((folder / name for name in _TABLES if (folder / name).is_file()), None)


def read_image_table(path: Path) -> tuple[NDArray[np.uint8], pd.DataFrame]:
    """Return a table's pictures, preprocessed as the brain does it, and its labels.

    Returns:
        uint8 (N, 66, 200, 3), RGB; and N rows with at least the columns v (m/s) and w (rad/s).

    Raises:
        DataSetError: it is no such table, or a picture is missing, broken or of another size.
    """
    table, lines, images = read_label_table(path)
    if images is None:
        raise DataSetError(
            f"{path}: no column image, which names the pictures; of numbered pictures name the "
            "folder instead"
        )
    if not lines:
        raise DataSetError(f"{path}: the data set holds no frames; name another table")
    # Written on Windows, too.
    paths = [path.parent / name.replace("\\", "/") for name in images]
    for picture, line in zip(paths, lines, strict=True):
        if not picture.is_file():
            raise DataSetError(
                f"{path}: line {line}: its picture {picture} is missing; download its folder next "
                "to the table, or remove the row"
            )
    return read_pictures(paths, lines, path.name), table
