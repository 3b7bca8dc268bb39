"""trajectory.csv: its rows, and what is left of it after a kill."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.metrics.trajectory import (
    COLUMNS,
    TrajectoryFileError,
    TrajectoryRow,
    last_epoch,
    read_trajectory,
    row_text,
)

HEAD = ",".join(COLUMNS) + "\n"
VALUES = st.floats(-1e6, 1e6)


def test_the_columns_are_those_of_the_contract():
    assert HEAD == (
        "time_s,x,y,yaw,speed,yaw_rate,arc_length,lateral_deviation,command_speed,command_yaw_rate\n"
    )


@given(rows=st.lists(st.builds(TrajectoryRow, *[VALUES] * 8, *[st.none() | VALUES] * 2)))
def test_rows_come_back_to_the_micrometre(rows, tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "trajectory.csv"
    file.write_text(HEAD + "".join(map(row_text, rows)))
    read = read_trajectory(file)
    expected = [[math.nan if v is None else v for v in row] for row in rows]
    assert read == pytest.approx(np.array(expected).reshape(-1, 10), abs=1e-6, nan_ok=True)


def test_half_a_last_line_is_left_out(tmp_path):
    file = tmp_path / "trajectory.csv"
    file.write_text(HEAD + "1,2,3,4,5,6,7,8,,\n" + "2,3,4,5,6,7,8,9,10,1")
    assert len(read_trajectory(file)) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "first line"), ("a,b\n1,2\n", "first line"), (HEAD + "1,2,x,4,5,6,7,8,9,10\n", "line 2"),
     (HEAD + "1,2,3\n", "line 2")],
)  # fmt: skip
def test_other_files_are_refused(tmp_path, text, why):
    file = tmp_path / "trajectory.csv"
    file.write_text(text)
    with pytest.raises(TrajectoryFileError, match=why):
        read_trajectory(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TrajectoryFileError, match=r"gone\.csv"):
        read_trajectory(tmp_path / "gone.csv")


def test_the_last_epoch_begins_after_the_last_jump_back():
    rows = np.zeros((6, len(COLUMNS)))
    rows[:, 0] = [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]
    assert last_epoch(rows)[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert len(last_epoch(rows[:3])) == 3
    assert len(last_epoch(rows[:0])) == 0
