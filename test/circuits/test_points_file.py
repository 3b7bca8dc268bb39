"""CSV files of points as others write them; what is none is refused by its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotnet_brain.circuits.points_file import CircuitFileError, read_points_file
from pilotnet_brain.errors import InputWarning

POINTS = np.array([(0.0, 0.5), (10.25, -3.0), (20.0, 1e-3)])
ROWS = [tuple(map(str, point)) for point in POINTS.tolist()]


def lines(separator: str, *head: str) -> str:
    return "\n".join([*head, *(separator.join(row) for row in ROWS)]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        lines(",", "x,y"),
        lines(",", "\ufeffx,y"),
        lines(",", '"x","y"'),
        lines(",", "X [m], Y [m]"),
        lines(", ", "# x_m, y_m"),
        lines("; ", "# 2022, by a tool", "# x_m; y_m"),
        lines("\t", "x\ty"),
        lines(" ", "# x y"),
        lines(" ", "# x, y"),
        lines(",", "x,y").replace("\n", "\r\n"),
        lines(",", "x,y").replace("\n", "\r"),
        lines(";", "x;y").replace(".", ","),
        lines(",", "# a comment", "", "x,y", "# another"),
        "x,y\n" + "".join(f'"{x}","{y}" # a place\n' for x, y in ROWS),
        "name;y;x\n" + "".join(f'"a;b";{y};{x}\n' for x, y in ROWS),
        lines(","),
        lines("\t"),
        lines(" "),
    ],
)
def test_points_are_read_as_others_write_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "points.csv").write_bytes(text.encode())
    read = read_points_file(tmp_path / "points.csv")
    assert np.array_equal(read.points, POINTS)
    assert read.half_widths is None


def test_excels_unicode_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_bytes(lines("\t", "x\ty").encode("utf-16"))
    assert np.array_equal(read_points_file(tmp_path / "points.csv").points, POINTS)


def test_tums_and_f1tenths_widths_are_read(tmp_path: Path) -> None:
    rows = "".join(f"{x}, {y}, {1 + i}, {2 + i}\n" for i, (x, y) in enumerate(ROWS))
    (tmp_path / "track.csv").write_text("# x_m, y_m, w_tr_right_m, w_tr_left_m\n" + rows)
    read = read_points_file(tmp_path / "track.csv")
    assert np.array_equal(read.points, POINTS)
    assert read.half_widths is not None
    assert read.half_widths.tolist() == [[1, 2], [2, 3], [3, 4]]


def test_columns_without_names_are_told(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("".join(f"{x},{y},0.0\n" for x, y in ROWS))
    with pytest.warns(InputWarning, match=r"points\.csv: no line names its 3 columns"):
        assert np.array_equal(read_points_file(tmp_path / "points.csv").points, POINTS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x,y\n1,2\n\n# a comment\n3,four\n", "line 5: y is 'four', not a number"),
        ("# x_m; y_m\n1;2\n3;1.000,5\n", "line 3: y is '1.000,5', not a number"),
        ("x,y\n1,2\nx,y\n3,4\n", "line 3: x is 'x', not a number"),
        ("x,y\n1,2\n3,inf\n", "line 3: y is inf, not a finite number"),
        ("x,y,w_tr_right,w_tr_left\n1,2,0,1\n", "line 2: w_tr_right is 0: the road has no width"),
        ("lat,lon\n40.1,3.2\n", r"must name the columns x and y \(metres\), it is \['lat', 'lon'"),
        ("x_mm,y_mm\n1,2\n", r"columns x and y \(metres\)"),
        ("1\n2\n", "need two numbers"),
        ("", "no points"),
        ("\n# x,y\n", "no points"),
        ("x," + "y" * 200_000 + "\n1,2\n", "columns x and y"),
    ],
)
def test_what_is_no_points_is_refused_by_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "points.csv").write_text(text)
    with pytest.raises(CircuitFileError, match=rf"points\.csv[:,] .*{complaint}") as refused:
        read_points_file(tmp_path / "points.csv")
    assert len(str(refused.value)) < 500


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300)
    | st.text(alphabet='xy_m,;\t \n\r"#0123456789.-+einfa\ufeff', max_size=200).map(str.encode)
)
def test_any_bytes_are_read_or_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "points.csv"
    path.write_bytes(content)
    try:
        assert np.isfinite(read_points_file(path).points).all()
    except CircuitFileError as refused:
        assert str(refused).startswith(str(path))
        assert "\n" not in str(refused)
