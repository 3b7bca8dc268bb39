"""CSV files of points, as spreadsheets, numpy, and TUM's and F1TENTH's tools write them."""

from __future__ import annotations

import codecs
import csv
import math
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.errors import InputWarning, UserError

_X_AND_Y = ("x", "y")
_WIDTHS = ("w_tr_right", "w_tr_left")
_IN_METRES = re.compile(r"(_m|\s*[\[(]m[\])])$")
_SEPARATORS = (";", "\t", ",", " ")


class CircuitFileError(UserError):
    """A file that is no circuit's centerline; the text names it, and the line."""


class PointsFile(NamedTuple):
    """What a file of points holds."""

    points: NDArray[np.float64]  #: (N, 2): x, y, m
    #: (N, 2): from the point to the road's right and left edge, m; None where the file has none
    half_widths: NDArray[np.float64] | None


class _Table(NamedTuple):
    """How to read the lines of a file."""

    separator: str
    names: tuple[str, ...]  #: of the columns to read
    columns: tuple[int, ...]


def read_points_file(path: Path) -> PointsFile:
    """Return the points of a CSV file, and the road's widths where it has them.

    A header names the columns: x and y, w_tr_right and w_tr_left for the widths, with ``_m`` or
    not. It may stand in a comment. Without one the first two columns are x and y. The separator is
    a comma, a semicolon, a tab or blanks. Empty lines, and what follows a ``#``, are skipped.

    Raises:
        CircuitFileError: it cannot be read, lacks a column, or has a cell that is no number.
    """
    table: _Table | None = None
    rows: list[list[float]] = []
    for number, line in enumerate(_lines(path), start=1):
        data, _, comment = line.partition("#")
        if not rows and (header := _header(data if data.strip() else comment)) is not None:
            table = header
        elif data.strip(" \t,;\r\n"):
            if table is None:
                table = _without_header(path, data)
            elif not rows and table.separator not in data.strip():
                table = table._replace(separator=_separator(data))
            rows.append(_numbers(data, table, f"{path}, line {number}"))
    if table is None or not rows:
        raise CircuitFileError(f"{path}: no points in it; it needs lines of x,y in metres")
    numbers = np.array(rows, dtype=np.float64)
    return PointsFile(numbers[:, :2], numbers[:, 2:] if len(table.names) > 2 else None)


def _lines(path: Path) -> list[str]:
    """Return a text file's lines; UTF-8 or, as Excel's "Unicode text", UTF-16."""
    try:
        content = path.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return re.split(r"\r\n|\r|\n", content.decode("utf-16" if wide else "utf-8-sig"))
    except (OSError, UnicodeDecodeError) as problem:
        raise CircuitFileError(f"{path}: cannot be read: {problem}") from problem


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    try:
        row = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # of a cell of more than 131,072 characters
        return [line]
    return [cell.strip() for cell in row]


def _separator(line: str) -> str:
    return next((mark for mark in _SEPARATORS if mark in line.strip()), ",")


def _header(line: str) -> _Table | None:
    """Return what a line that names the columns says; None of any other."""
    separator = _separator(line)
    names = [_IN_METRES.sub("", cell.lower()) for cell in _cells(line, separator)]
    if not set(_X_AND_Y) <= set(names):
        return None
    wanted = _X_AND_Y + (_WIDTHS if set(_WIDTHS) <= set(names) else ())
    return _Table(separator, wanted, tuple(map(names.index, wanted)))


def _without_header(path: Path, line: str) -> _Table:
    separator = _separator(line)
    cells = _cells(line, separator)
    try:
        numbers = [_number(cell, separator) for cell in cells]
    except ValueError:
        raise CircuitFileError(
            f"{path}: its first line must name the columns x and y (metres), it is {cells}"[:300]
        ) from None
    if len(numbers) < 2:
        raise CircuitFileError(f"{path}: its lines need two numbers, x and y (metres): {cells}")
    if len(numbers) > 2:
        text = f"{path}: no line names its {len(numbers)} columns: the first two are taken as x, y"
        warnings.warn(text, InputWarning, stacklevel=3)
    return _Table(separator, _X_AND_Y, (0, 1))


def _number(cell: str, separator: str) -> float:
    """Return a cell's number; with another separator a comma is a decimal one."""
    return float(cell if separator == "," else cell.replace(",", "."))


def _numbers(line: str, table: _Table, where: str) -> list[float]:
    """Return the numbers in a line, in the order of the table's names."""
    numbers = []
    cells = _cells(line, table.separator)
    for name, column in zip(table.names, table.columns, strict=True):
        cell = cells[column][:40] if column < len(cells) else ""
        try:
            number = _number(cell, table.separator)
        except ValueError:
            raise CircuitFileError(f"{where}: {name} is {cell!r}, not a number") from None
        if not math.isfinite(number):
            raise CircuitFileError(f"{where}: {name} is {cell}, not a finite number")
        if name in _WIDTHS and number <= 0.0:
            raise CircuitFileError(f"{where}: {name} is {cell}: the road has no width there")
        numbers.append(number)
    return numbers
