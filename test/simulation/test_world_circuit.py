"""A world's circuit is found in it again, and the embedded simulator shows the world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.trace import TraceError
from pilotnet_brain.cli import main
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.classic_world import write_bare_world
from pilotnet_brain.simulation.looks import PLAIN, Looks, looks_of_seed
from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator
from pilotnet_brain.simulation.scenery import read_scenery
from pilotnet_brain.simulation.world_circuit import trace_world

CIRCUIT = load_circuit("random-3")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bare_world(CIRCUIT, PLAIN, tmp_path_factory.mktemp("world")).world


@pytest.mark.parametrize(
    "looks",
    [
        PLAIN,
        replace(PLAIN, line=None),
        replace(PLAIN, line=(0.95, 0.95, 0.95), crossings=12.0),
        replace(PLAIN, edge_lines=(0.9, 0.9, 0.9), walls=False),
        looks_of_seed(5),
    ],
    ids=["plain", "no line", "white, crossings", "edge lines", "drawn"],
)
def test_a_worlds_line_is_found_to_five_centimetres(tmp_path: Path, looks: Looks) -> None:
    written = write_bare_world(CIRCUIT, looks, tmp_path).world
    traced = trace_world(written).circuit
    line = CIRCUIT.centerline
    away = [abs(line.project(x, y).lateral_deviation) for x, y in traced.centerline.points]
    assert np.mean(away) <= 0.05
    assert traced.centerline.length == pytest.approx(line.length, rel=0.005)
    half = CIRCUIT.asphalt_half_width * looks.asphalt_width_scale
    assert traced.asphalt_half_width == pytest.approx(half, abs=0.15)
    start, began = np.array(CIRCUIT.start_pose()), np.array(traced.start_pose())
    assert np.linalg.norm(start[:2] - began[:2]) < 0.6
    assert np.cos(start[2] - began[2]) > 0.99


def test_the_embedded_simulator_shows_a_world_as_it_shows_the_circuit(world: Path) -> None:
    scenery = read_scenery(world, CIRCUIT)
    assert scenery.road_height == pytest.approx(0.0, abs=0.02)
    with MujocoSimulator(CIRCUIT) as own, MujocoSimulator(CIRCUIT, PLAIN, scenery) as theirs:
        for arc_length in (0.0, 50.0, 120.0):
            own.reset(arc_length, 0.1, 0.05)
            theirs.reset(arc_length, 0.1, 0.05)
            differences = np.abs(own.render().astype(int) - theirs.render())
            # The road's layers lie a few millimetres apart, so that edges are a few pixels off.
            assert np.median(differences) <= 2
            assert (differences.max(axis=2) > 60).mean() < 0.05


def test_a_model_drives_in_a_world_of_others(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lap, runs = tmp_path / "lap.csv", tmp_path / "runs"
    asked = ["circuits", "trace", str(world), "--out", str(lap), "--against", "random-3"]
    assert main(asked) == 0
    assert " m from random-3 on average" in capsys.readouterr().out
    assert lap.with_suffix(".png").is_file()
    arguments = ["--circuit", str(lap), "--world", str(world), "--model", "tiny_quant"]
    status = main(["drive", *arguments, "--lockstep", "--time-limit", "6", "--output", str(runs)])
    assert status == 1  # the time limit
    rows = np.genfromtxt(runs / "latest" / "trajectory.csv", delimiter=",", names=True)
    assert rows["arc_length"][-1] > 40.0
    assert np.abs(rows["lateral_deviation"]).mean() < 0.05


def test_a_world_of_another_circuit_is_refused(world: Path) -> None:
    with pytest.raises(UserError, match="it is another circuit's world, or the circuit lies else"):
        read_scenery(world, load_circuit("montreal"))


def test_an_unknown_car_is_named_with_those_there_are(world: Path) -> None:
    with pytest.raises(UserError, match=r"no model 'truck' that can move; there are: f1_renault"):
        trace_world(world, car="truck")


def test_a_world_without_a_road_says_so(tmp_path: Path) -> None:
    path = tmp_path / "flat.world"
    path.write_text(
        "<sdf version='1.6'><world name='w'><model name='g'><static>1</static><link name='l'>"
        "<visual name='v'><geometry><plane><size>30 30</size></plane></geometry></visual></link>"
        "</model></world></sdf>"
    )
    with pytest.raises(TraceError, match=r"flat.world: no closed line, and no closed road"):
        trace_world(path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere.world"], "cannot be read as a world file"),
        (["nowhere.csv"], "nowhere.csv"),
        (["x.world", "--out", "lap.txt"], "a circuit is written as a .csv"),
    ],
)
def test_the_command_refuses_in_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["circuits", "trace", *arguments]) == 2
    assert reason in capsys.readouterr().err
