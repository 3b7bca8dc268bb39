"""JdeRobot's newer layout: a table names pictures that lie in folders next to it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pilotnet_brain.cli import main
from pilotnet_brain.driving.preprocess import network_input
from pilotnet_brain.learning.dataset import load_dataset
from pilotnet_brain.learning.label_table import DataSetError
from pilotnet_brain.learning.recipe import check_trainable, read_recipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures 1 to 3 of shades 10, 20, 30 in two parts; train.csv of the first two, test.csv."""
    for number, part in ((1, "part_01"), (2, "part_02"), (3, "test")):
        (tmp_path / f"images_{part}").mkdir()
        picture = np.full((480, 640, 3), 10 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"images_{part}" / f"{number}.png"), picture)
    (tmp_path / "train.csv").write_text(
        "image,v,w\nimages_part_02/2.png,4.0,-0.74\nimages_part_01/1.png,6.8,0.002\n"
    )
    (tmp_path / "test.csv").write_text("w,v,image\n0.5,5,images_test\\3.png\n")
    return tmp_path


def test_a_folder_stands_for_what_is_to_be_learned_from(folder: Path) -> None:
    data = load_dataset(folder)
    assert data.table.to_dict("list") == {"v": [4.0, 6.8], "w": [-0.74, 0.002]}
    expected = [network_input(np.full((480, 640, 3), shade, np.uint8)) for shade in (20, 10)]
    assert np.array_equal(data.frames, np.stack(expected))


def test_a_table_stands_for_itself(folder: Path) -> None:
    data = load_dataset(folder / "test.csv")
    assert data.table.to_dict("list") == {"v": [5.0], "w": [0.5]}
    assert data.frames[0, 33, 100].tolist() == [30, 30, 30]


def test_the_later_name_of_the_table_is_known(folder: Path) -> None:
    (folder / "train.csv").rename(folder / "label.csv")
    assert len(load_dataset(folder)) == 2


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("v,w\n1,2\n", r"train\.csv: no column image"),
        ("image,v\na.png,2\n", r"train\.csv: no column w; it has image, v"),
        ("image,v,w\n", r"train\.csv: the data set holds no frames"),
        ("image,v,w\na/9.png,1,2\n", r"train\.csv: line 2: its picture .*9\.png is missing"),
        ("image,v,w\n,1,2\n", r"train\.csv: line 2: its picture .* is missing"),
        ("image,v,w\ntest.csv,1,2\n", r"test\.csv \(train\.csv, line 2\): is not a picture"),
        ("image,v,w\na.png,fast,2\n", r"train\.csv: line 2: v must be a finite number"),
    ],
)
def test_a_broken_table_is_refused(folder: Path, table: str, complaint: str) -> None:
    (folder / "train.csv").write_text(table)
    with pytest.raises(DataSetError, match=complaint) as refused:
        load_dataset(folder)
    assert "\n" not in str(refused.value)


def test_a_picture_of_another_size_is_named(folder: Path) -> None:
    cv2.imwrite(str(folder / "images_part_01" / "1.png"), np.zeros((66, 200, 3), np.uint8))
    with pytest.raises(DataSetError, match=r"1\.png \(train\.csv, line 3\): .*\(66, 200, 3\)"):
        load_dataset(folder)


def test_a_table_in_a_folder_for_testing_is_not_trained_on(folder: Path) -> None:
    check_trainable(folder / "train.csv")
    assert read_recipe(folder / "train.csv") is None
    (folder / "dataset.json").write_text(json.dumps({"circuits": ["montreal"]}))
    with pytest.raises(DataSetError, match="its frames were taken on montreal"):
        check_trainable(folder / "train.csv")


def test_a_table_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", str(folder / "test.csv")]) == 0
    assert "1 frames" in capsys.readouterr().out
    assert (folder / "test.png").is_file()
