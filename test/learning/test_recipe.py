"""Counts of a data set: from its table and recipe, or what JdeRobot's folder tells."""

import json
from dataclasses import asdict

import cv2
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from pilotnet_brain.cli import main
from pilotnet_brain.learning.dataset import DataSet, DataSetError
from pilotnet_brain.learning.recipe import (
    FRAMES_PER_WORLD,
    Recipe,
    read_recipe,
    summarize,
    worlds_of,
)


def table(worlds=2):
    """Worlds of 160 frames: a quarter each left, right, straight, straight off the line."""
    count = worlds * FRAMES_PER_WORLD
    part = np.arange(count) % 4
    return pd.DataFrame(
        {
            "v": np.full(count, 10.0),
            "w": np.select([part == 0, part == 1], [1.0, -1.0], 0.0),
            "lateral_deviation": np.where(part == 3, 0.2, 0.0),
            "heading_error": np.zeros(count),
            "curvature": np.select([part == 0, part == 1], [0.1, -0.1], 0.0),
            "world": np.arange(count) // FRAMES_PER_WORLD,
        }
    )


def dataset(frame_table):
    return DataSet(np.zeros((len(frame_table), 66, 200, 3), np.uint8), frame_table)


def test_the_table_tells_bends_and_recoveries():
    summary = summarize(dataset(table()), None)
    assert (summary.frames, summary.worlds) == (320, 2)
    assert (summary.left_bends, summary.right_bends, summary.recoveries) == (0.25, 0.25, 0.25)
    assert (summary.circuits, summary.plain_looks) == (None, None)


def test_the_recipe_tells_circuits_directions_and_looks():
    recipe = Recipe(30 * FRAMES_PER_WORLD, seed=4, random_share=0.3, plain_share=0.5)
    summary = summarize(dataset(table(30)), recipe)
    worlds = worlds_of(recipe)
    assert sum(summary.circuits.values()) == 30 * FRAMES_PER_WORLD
    for backwards, name in ((False, "nurburgring"), (True, "nurburgring-reversed")):
        driven = [w for w in worlds if w.circuit == "nurburgring" and w.reversed == backwards]
        assert summary.circuits[name] == len(driven) * FRAMES_PER_WORLD > 0
    plain = sum(world.looks_seed is None for world in worlds)
    assert summary.plain_looks == pytest.approx(plain / 30)
    assert summary.circuits["random"] > 0


def test_a_recipe_comes_back(tmp_path):
    assert read_recipe(tmp_path) is None
    recipe = Recipe(seed=9, circuits=("nurburgring",))
    (tmp_path / "dataset.json").write_text(json.dumps(asdict(recipe)))
    assert read_recipe(tmp_path) == recipe


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"circuits": [], "style": {"x": 1}}'])
def test_a_broken_recipe_is_refused(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DataSetError, match=r"dataset\.json"):
        read_recipe(tmp_path)


def test_the_command_shows_a_collected_set(tmp_path, capsys):
    recipe = Recipe(2 * FRAMES_PER_WORLD, random_share=1.0)
    (tmp_path / "dataset.json").write_text(json.dumps(asdict(recipe)))
    np.save(tmp_path / "frames.npy", np.zeros((320, 66, 200, 3), np.uint8))
    table().to_csv(tmp_path / "data.csv", index=False)
    out = tmp_path / "balance.png"
    assert main(["data", "show", str(tmp_path), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for words in ("320 frames from 2 worlds", "25% in left bends", "random", str(out)):
        assert words in said
    assert imread(out).shape[1] == 1320


def test_the_command_shows_jderobots_pictures(tmp_path, capsys):
    rng = np.random.default_rng(1)
    for number in range(3):
        picture = rng.integers(0, 256, (480, 640, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    (tmp_path / "data.csv").write_text("v,w\n10.0,0.5\n6.5,-7.1\n24.0,7.1\n")
    out = tmp_path / "balance.png"
    assert main(["data", "show", str(tmp_path), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == ["3 frames", str(out)]
    assert imread(out)[..., :3].std() > 0.1


@pytest.fixture
def two_frames(tmp_path, monkeypatch):
    """A small data set in a folder of its name, next to which the command runs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    np.save(folder / "frames.npy", np.zeros((2, 66, 200, 3), np.uint8))
    (folder / "data.csv").write_text("v,w\n8,0\n9,1\n")
    return folder


def test_the_default_picture_is_in_the_folder_and_a_replaced_one_is_named(two_frames, capsys):
    other = two_frames.parent / "mine.png"
    other.write_text("of another command")
    assert main(["data", "show", "mine"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "mine/dataset.png"
    assert imread(two_frames / "dataset.png").shape[1] == 1320
    assert main(["data", "show", "mine"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "mine/dataset.png (replaced)"
    assert other.read_text() == "of another command"


@pytest.mark.parametrize(("name", "start"), [("x.svg", b"<?xml"), ("x.PDF", b"%PDF")])
def test_a_picture_can_be_a_drawing(two_frames, name, start):
    assert main(["data", "show", "mine", "--out", name]) == 0
    assert (two_frames.parent / name).read_bytes().startswith(start)


def test_another_picture_format_is_refused_before_anything_is_read(two_frames, capsys):
    assert main(["data", "show", "no/such/set", "--out", "x.xyz"]) == 2
    said = capsys.readouterr().err
    assert said == "error: x.xyz: a picture's name ends with one of .png, .svg, .pdf\n"


def test_where_the_folder_cannot_be_written_another_picture_is_asked_for(two_frames, capsys):
    (two_frames / "dataset.png").mkdir()
    assert main(["data", "show", "mine"]) == 2
    error = capsys.readouterr().err
    assert "mine/dataset.png: cannot be written: Is a directory" in error
    assert error.endswith("; --out names another picture\n")


@pytest.mark.parametrize("what", ["nothing", "no frames"])
def test_what_is_no_data_set_is_refused(tmp_path, capsys, what):
    if what == "no frames":
        np.save(tmp_path / "frames.npy", np.zeros((0, 66, 200, 3), np.uint8))
        (tmp_path / "data.csv").write_text("v,w\n")
    assert main(["data", "show", str(tmp_path), "--out", str(tmp_path / "x.png")]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
