"""Data sets of others are read; broken ones, and those for testing, are refused by name."""

import json
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotnet_brain.driving.preprocess import network_input
from pilotnet_brain.learning.dataset import DataSetError, join, load_dataset
from pilotnet_brain.learning.recipe import check_trainable


@pytest.fixture
def pictures(tmp_path):
    """Three frames in JdeRobot's layout, with their two columns alone."""
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (3, 480, 640, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame[..., ::-1])
    (tmp_path / "data.csv").write_text("v,w\n10.0,0.5\n6.5,-7.1\n24.0,7.1\n")
    return tmp_path, frames


def test_jderobots_pictures_are_preprocessed_as_the_brain_does(pictures):
    folder, frames = pictures
    data = load_dataset(folder)
    for frame, read in zip(frames, data.frames, strict=True):
        assert np.array_equal(network_input(frame), read)
    assert data.targets() == pytest.approx(
        np.array([[0.2, 0.535211], [0.0, 0.0], [1.0, 1.0]]), abs=1e-5
    )


def test_joined_sets_keep_their_order(pictures):
    data = load_dataset(pictures[0])
    both = join([data, data])
    assert len(both) == 6
    assert np.array_equal(both.frames[3:], data.frames)
    assert both.table["v"].tolist() == [10.0, 6.5, 24.0] * 2


def test_a_missing_picture_is_named(pictures):
    (pictures[0] / "1.png").unlink()
    with pytest.raises(DataSetError, match=r"data\.csv: line 3: its picture .*1\.png is missing"):
        load_dataset(pictures[0])


def test_a_picture_of_another_size_is_named(pictures):
    cv2.imwrite(str(pictures[0] / "2.png"), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(DataSetError, match=r"2\.png \(data\.csv, line 4\): .*\(10, 10, 3\)"):
        load_dataset(pictures[0])


def png_of_any_size(side):
    """A PNG's head that promises a square picture."""
    head = b"IHDR" + side.to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    checksum = zlib.crc32(head).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0d" + head + checksum


@pytest.mark.parametrize("content", [b"", b"hello", png_of_any_size(480), png_of_any_size(100_000)])
def test_what_is_no_picture_is_named(pictures, content):
    (pictures[0] / "1.png").write_bytes(content)
    with pytest.raises(DataSetError, match=r"1\.png \(data\.csv, line 3\): ") as refused:
        load_dataset(pictures[0])
    assert "\n" not in str(refused.value)


def test_a_picture_without_a_row_is_told(pictures):
    (pictures[0] / "data.csv").write_text("v,w\n10.0,0.5\n6.5,-7.1\n")
    with pytest.raises(DataSetError, match=r"3 numbered pictures but 2 rows in data\.csv"):
        load_dataset(pictures[0])


def test_a_table_of_a_spreadsheet_is_read(pictures):
    text = '\ufeff"number", "w" ,"v"\n1,"0.5",10\n2,-7.1,6.5\n3,7.1,24.0\n'
    (pictures[0] / "data.csv").write_text(text)
    table = load_dataset(pictures[0]).table
    assert table["v"].tolist() == [10.0, 6.5, 24.0]
    assert table["w"].tolist() == [0.5, -7.1, 7.1]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300)
    | st.text(alphabet='vw,\n\r "#0123456789.-+einf\ufeff', max_size=80).map(
        lambda text: f"v,w\n{text}".encode()
    )
)
def test_any_bytes_as_a_table_are_read_or_refused_in_words(tmp_path, content):
    (tmp_path / "data.csv").write_bytes(content)
    try:
        load_dataset(tmp_path)
    except DataSetError as refused:
        assert str(refused).startswith(str(tmp_path))
        assert "\n" not in str(refused)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("", "not a table"),
        ("speed,w\n1,2\n", "no column v"),
        ("v,w\n1,nan\n", "line 2: w must be a finite number"),
        ("v,w\n1,-inf\n", "line 2: w must be a finite number"),
        ("v,w\n7,0.1\n\nv,w\n8,0.3\n", "line 4: repeats the header"),
        ("v,w\n7,0.1\n7,0.1,3\n", "line 3: 3 cells, but 2 columns"),
        ("v,w\n1,7,0.1\n2,7,0.1\n", "line 2: 3 cells, but 2 columns"),
        ("v,w,world\n7,0.1,far\n", "line 2: world must be a finite number"),
        ("v,w\n", "holds no frames"),
        ("v," + "w" * 200_000, "no column v or w"),
        ("\nv,w\n8,0\n\n  \n8,0\n8,\n", "line 7: w must be a finite number: '8,'"),
        ("v,w\n8,0\n8,left\n", "line 3: w must be a finite number: '8,left'"),
    ],
)
def test_a_broken_table_is_refused(tmp_path, table, complaint):
    (tmp_path / "data.csv").write_text(table)
    with pytest.raises(DataSetError, match=complaint):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        (np.zeros((2, 66, 200, 3), np.float32), "float32"),
        (np.zeros((2, 200, 66, 3), np.uint8), "200, 66"),
        (np.zeros((3, 66, 200, 3), np.uint8), "3 frames but 2 rows"),
    ],
)
def test_frames_that_do_not_fit_are_refused(tmp_path, frames, complaint):
    np.save(tmp_path / "frames.npy", frames)
    (tmp_path / "data.csv").write_text("v,w\n7,0\n7,0\n")
    with pytest.raises(DataSetError, match=complaint):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x02\x00{(", b"hello", bytes(200)]
)
def test_what_is_no_array_is_refused(tmp_path, content):
    (tmp_path / "frames.npy").write_bytes(content)
    (tmp_path / "data.csv").write_text("v,w\n7,0\n7,0\n")
    with pytest.raises(DataSetError, match=r"frames\.npy: not a frame array"):
        load_dataset(tmp_path)


def test_an_empty_folder_tells_what_makes_a_data_set(tmp_path):
    with pytest.raises(DataSetError, match="pilotnet data collect"):
        load_dataset(tmp_path)


def recipe(folder, circuits):
    (folder / "dataset.json").write_text(json.dumps({"seed": 1, "circuits": circuits}))
    return folder


@pytest.mark.parametrize("name", ["simple_circuit", "montreal", "montmelo", "random-99999"])
def test_a_circuit_for_testing_is_never_trained_on(tmp_path, name):
    with pytest.raises(DataSetError, match=rf"{tmp_path}.*{name} .*testing"):
        check_trainable(recipe(tmp_path, ["nurburgring", name]))


def test_other_circuits_are_trained_on(tmp_path):
    check_trainable(recipe(tmp_path, ["many_curves", "nurburgring", "random-100000", "my/lap.csv"]))


def test_a_data_set_of_others_has_no_recipe(tmp_path):
    check_trainable(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"circuits": "montreal"}', "{" * 9, "[" * 20_000])
def test_a_broken_recipe_is_refused(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DataSetError, match=r"dataset\.json"):
        check_trainable(tmp_path)
