"""A data set is what its recipe says: the same from any number of processes, or after a stop."""

import itertools
import json

import numpy as np
import pytest

from pilotnet_brain.circuits.catalogue import UnknownCircuitError, load_circuit
from pilotnet_brain.cli import main
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.learning.collect import collect
from pilotnet_brain.learning.dataset import RECIPE_FILE, DataSetError, load_dataset
from pilotnet_brain.learning.recipe import (
    FRAMES_PER_WORLD,
    TRAINING_CIRCUITS,
    Recipe,
    recovery_share,
    worlds_of,
)

RECIPE = Recipe(frames=2 * FRAMES_PER_WORLD, seed=11)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    assert list(collect(folder, RECIPE, jobs=1)) == [(0, 2), (1, 2), (2, 2)]
    return folder


def test_every_frame_has_its_label(folder):
    data = load_dataset(folder)
    assert data.frames.shape == (2 * FRAMES_PER_WORLD, 66, 200, 3)
    assert data.table["v"].between(6.5, 16.0).all()
    assert data.table["w"].between(-7.1, 7.1).all()
    # A frame is a picture: never one colour, and no two worlds look alike.
    assert data.frames.std(axis=(1, 2, 3)).min() > 1.0
    first, second = data.frames[:FRAMES_PER_WORLD], data.frames[FRAMES_PER_WORLD:]
    assert abs(first.mean() - second.mean()) > 0.5


def test_targets_are_normalized_to_jderobots_range(folder):
    data = load_dataset(folder)
    targets = data.targets()
    assert targets.dtype == np.float32
    assert 6.5 + 17.5 * targets[:, 0] == pytest.approx(data.table["v"].to_numpy(), abs=1e-5)
    assert -7.1 + 14.2 * targets[:, 1] == pytest.approx(data.table["w"].to_numpy(), abs=1e-5)


def alike(frames, others):
    """The same frames, some of them warped to 640x480 first and resized then: in grey levels."""
    return np.abs(frames.astype(np.int16) - others).mean(axis=(1, 2, 3)).max() < 2.0


def test_exactly_the_frames_asked_for_are_made(folder, tmp_path):
    """The first frames are those of a larger set by the same seed, in either layout."""
    for name, pictures in (("compact", False), ("pictures", True)):
        recipe = Recipe(frames=FRAMES_PER_WORLD + 7, seed=11, full_frames=pictures)
        for _ in collect(tmp_path / name, recipe, jobs=1):
            pass
        data = load_dataset(tmp_path / name)
        assert len(data) == len(data.table) == FRAMES_PER_WORLD + 7
        first = load_dataset(folder).frames[: len(data)]
        assert alike(data.frames, first) if pictures else np.array_equal(data.frames, first)
    assert not (tmp_path / "pictures" / f"{FRAMES_PER_WORLD + 7}.png").exists()


def test_half_of_it_is_recovery(folder):
    assert 0.4 <= recovery_share(load_dataset(folder).table) <= 0.75


def test_two_processes_make_the_same_data_set(folder, tmp_path):
    for _ in collect(tmp_path / "again", RECIPE, jobs=2):
        pass
    assert np.array_equal(load_dataset(folder).frames, load_dataset(tmp_path / "again").frames)
    assert load_dataset(folder).table.equals(load_dataset(tmp_path / "again").table)


def test_a_cut_off_data_set_is_completed(folder, tmp_path):
    stopped = collect(tmp_path, RECIPE, jobs=1)
    assert next(stopped) == (0, 2)
    assert next(stopped) == (1, 2)
    stopped.close()
    with pytest.raises(DataSetError, match=r"data\.csv"):
        load_dataset(tmp_path)
    assert list(collect(tmp_path, RECIPE, jobs=1)) == [(1, 2), (2, 2)]
    assert np.array_equal(load_dataset(folder).frames, load_dataset(tmp_path).frames)


def test_another_recipe_does_not_overwrite(folder):
    with pytest.raises(DataSetError, match="another data set"):
        next(collect(folder, Recipe(frames=160, seed=12)))
    assert json.loads((folder / "dataset.json").read_text())["seed"] == 11


def test_an_unknown_circuit_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UnknownCircuitError, match="monaco"):
        next(collect(tmp_path / "none", Recipe(circuits=("monaco",))))
    assert not (tmp_path / "none").exists()


def test_jderobots_layout_reads_as_the_same_frames(tmp_path):
    recipe = Recipe(frames=FRAMES_PER_WORLD, seed=3)
    pictures = Recipe(frames=FRAMES_PER_WORLD, seed=3, full_frames=True)
    for name, what in (("compact", recipe), ("pictures", pictures)):
        for _ in collect(tmp_path / name, what, jobs=1):
            pass
    assert (tmp_path / "pictures" / "159.png").is_file()
    compact, read = load_dataset(tmp_path / "compact"), load_dataset(tmp_path / "pictures")
    assert alike(compact.frames, read.frames)
    assert compact.table.equals(read.table)


def test_the_reversed_circuit_is_driven_the_other_way():
    circuit = load_circuit("nurburgring")
    back = circuit.reversed()
    assert back.centerline.length == pytest.approx(circuit.centerline.length, rel=1e-6)
    x, y, yaw = back.start_pose()
    here = circuit.centerline.project(x, y)
    assert abs(abs(here.heading_error(yaw)) - np.pi) < 1e-3
    assert Expert(back).command(x, y, yaw).speed > 6.0


def test_the_recipe_tells_its_worlds(folder):
    data = load_dataset(folder)
    for number, world in enumerate(worlds_of(RECIPE)):
        line = load_circuit(world.circuit).centerline
        stations = np.arange(0.0, line.length, 0.1)
        tightest = np.abs(line.curvature(stations)).max()
        seen = data.table.loc[data.table["world"] == number, "curvature"].abs().max()
        assert 0.3 * tightest < seen <= 1.001 * tightest


def test_both_directions_are_driven():
    worlds = worlds_of(Recipe(frames=400 * FRAMES_PER_WORLD, random_share=0.0))
    for name in ("many_curves", "nurburgring"):
        backwards = [world.reversed for world in worlds if world.circuit == name]
        assert 150 < len(backwards) < 250
        assert 0.35 < np.mean(backwards) < 0.65


def test_no_two_data_sets_share_a_look_or_a_random_circuit():
    """The recipes of make data: training, validation, test; of make race: training, validation."""
    test_circuits = ("simple_circuit", "montreal", "montmelo")
    recipes = [
        Recipe(40_000, 1),
        Recipe(4_000, 2, random_share=1.0),
        Recipe(5_120, 3, test_circuits, random_share=0.0),
        Recipe(40_000, 4),
        Recipe(4_000, 5, random_share=1.0),
    ]
    looks = [
        {world.looks_seed for world in worlds_of(recipe) if world.looks_seed is not None}
        for recipe in recipes
    ]
    circuits = [
        {world.circuit for world in worlds_of(recipe)} - set(TRAINING_CIRCUITS)
        for recipe in recipes
    ]
    for first, second in itertools.combinations(range(len(recipes)), 2):
        assert not looks[first] & looks[second]
        assert not circuits[first] & circuits[second]
    assert circuits[2] == set(test_circuits)


def test_the_experts_style_can_be_asked_for(tmp_path):
    fast = ["--max-speed", "19", "--lateral-acceleration", "20", "--jobs", "1"]
    assert main(["data", "collect", str(tmp_path), "--frames", "160", "--seed", "4", *fast]) == 0
    style = json.loads((tmp_path / RECIPE_FILE).read_text())["style"]
    assert (style["max_speed"], style["lateral_acceleration"]) == (19.0, 20.0)
    table = load_dataset(tmp_path).table
    # v = sqrt(a / k) and at the most 19 m/s; 16 m/s is what the standard style never exceeds.
    assert 16.0 < table["v"].max() <= 19.0
