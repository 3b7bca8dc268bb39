"""Label tables: a CSV row a frame, with the columns v (m/s) and w (rad/s) and perhaps more."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pilotnet_brain.errors import UserError

COLUMNS = ("v", "w", "lateral_deviation", "heading_error", "curvature", "world")
"""Expert's speed (m/s) and yaw rate (rad/s); the car's lateral deviation (m) and heading error
(rad); the line's curvature (1/m); the number of the world (circuit and looks) it was seen in."""
SOURCE_FILE = "bags.json"
"""What a data set of bags was made of."""
TABLE_FILE = "data.csv"


class DataSetError(UserError):
    """A data set that cannot be read or written."""


class LabelTable(NamedTuple):
    """A label table that was read; all have a row or an element a frame."""

    labels: pd.DataFrame  #: its columns of `COLUMNS`, finite numbers
    lines: list[int]  #: of the file, from 1
    images: list[str] | None  #: the cells of the column image; None: there is no such column


def read_label_table(path: Path) -> LabelTable:
    """Return the labels in a CSV file; columns that are not known are passed over.

    Raises:
        DataSetError: no such file, not a table, without v or w, or a cell is not a finite number.
    """
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
    rows: list[list[float]] = []
    images: list[str] | None = [] if "image" in header else None
    for number, line in written[1:]:
        try:
            cells = _row(line, header)
            rows.append(_numbers(cells, header))
        except ValueError as problem:
            raise DataSetError(f"{path}: line {number}: {problem}: {line[:80]!r}") from None
        if images is not None:
            images.append(cells[header.index("image")])
    known = [name for name in COLUMNS if name in header]
    table = pd.DataFrame(np.array(rows, np.float64).reshape(-1, len(known)), columns=known)
    return LabelTable(table, [number for number, _ in written[1:]], images)


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True), [])]
    except csv.Error:  # of a cell of more than 131,072 characters
        return [line]


def _row(line: str, header: list[str]) -> list[str]:
    """Return a row's cells, as many as the header has; raise ValueError, saying what is wrong."""
    row = _cells(line)
    if row == header:
        raise ValueError("repeats the header; of two data sets give both folders to train")
    if len(row) != len(header):
        raise ValueError(f"{len(row)} cells, but {len(header)} columns")
    return row


def _numbers(row: list[str], header: list[str]) -> list[float]:
    """Return a row's numbers in the known columns; raise ValueError, saying what is wrong."""
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
