"""Collecting: the expert drives, the camera watches, and what he would do is written down.

A data set is a row of worlds. Each world (a circuit, a direction, a look) gives the same number of
frames, driven in short stints that begin anywhere on the circuit, on the line or thrown off it, so
that the network learns to come back. Everything follows from the seed and the world's number:
the same command makes the same data set, whatever the number of processes, and takes up again
where it was cut off.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.circuits.random_circuit import FIRST_TRAINING_SEED
from pilotnet_brain.driving.command import Command
from pilotnet_brain.driving.expert import STANDARD, DrivingStyle, Expert
from pilotnet_brain.driving.model.output_range import JDEROBOT_RANGE
from pilotnet_brain.driving.preprocess import JDEROBOT, network_input
from pilotnet_brain.learning.dataset import (
    COLUMNS,
    FRAMES_FILE,
    RECIPE_FILE,
    TABLE_FILE,
    DataSetError,
)
from pilotnet_brain.simulation.car import CAMERA_HZ, CAR_WIDTH_M
from pilotnet_brain.simulation.looks import looks_of_seed
from pilotnet_brain.simulation.mujoco.simulator import TIME_STEP_S, MujocoSimulator

FRAMES_PER_WORLD = 160
TRAINING_CIRCUITS = ("many_curves", "nurburgring")
LABELS_FILE, DONE_FILE = "labels.npy", "done.npy"
_STEPS_PER_FRAME = round(1.0 / (CAMERA_HZ * TIME_STEP_S))
_MAX_DELAY_S = 0.1
_OFF_LINE_M, _OFF_LINE_RAD = 0.05, 0.05


@dataclass(frozen=True)
class Recipe:
    """What a data set is made from; it is written beside the frames.

    Attributes:
        frames: how many, rounded up to whole worlds.
        seed: of everything drawn.
        circuits: names to drive on, each in both directions; "random" stands for a new random
            circuit in every world.
        random_share: share of the worlds that are random circuits, 0..1.
        plain_share: share of the worlds with the plain look, 0..1.
        style: how hard the expert drives.
        full_frames: keep 640x480 pictures (JdeRobot's layout) instead of the compact array.
    """

    frames: int = 40_000
    seed: int = 1
    circuits: tuple[str, ...] = TRAINING_CIRCUITS
    random_share: float = 0.7
    plain_share: float = 0.15
    style: DrivingStyle = STANDARD
    full_frames: bool = False

    @property
    def worlds(self) -> int:
        """How many worlds the frames come from."""
        return -(-self.frames // FRAMES_PER_WORLD)


def collect(folder: Path, recipe: Recipe, jobs: int = -1) -> Iterator[tuple[int, int]]:
    """Make a data set in a folder, world by world; yields (worlds finished, worlds in all).

    Args:
        folder: made if missing; one that holds part of the same data set is completed.
        recipe: what to collect.
        jobs: processes; -1 for one a core.

    Raises:
        DataSetError: the folder holds another data set.
        UnknownCircuitError: a circuit that there is not.
    """
    for name in recipe.circuits:
        load_circuit(name)
    frames, labels, done = _open_arrays(folder, recipe)
    waiting = np.flatnonzero(done == 0).tolist()
    finished = recipe.worlds - len(waiting)
    yield finished, recipe.worlds
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    for world in parallel(delayed(_drive_world)(folder, recipe, number) for number in waiting):
        done[world] = 1
        done.flush()
        finished += 1
        yield finished, recipe.worlds
    table = pd.DataFrame(np.asarray(labels), columns=list(COLUMNS)).round(6)
    table.to_csv(folder / TABLE_FILE, index=False)
    del frames


def _open_arrays(
    folder: Path, recipe: Recipe
) -> tuple[NDArray[np.uint8] | None, NDArray[np.float32], np.memmap]:
    """Open or make the files of a data set, refusing those of another recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RECIPE_FILE
    wanted = json.dumps(asdict(recipe), indent=2)
    fresh = not path.exists()
    if not fresh and path.read_text() != wanted:
        raise DataSetError(
            f"{folder} holds another data set ({path} differs from what was asked): "
            "choose another folder or remove it"
        )
    count = recipe.worlds * FRAMES_PER_WORLD

    def array(name: str, dtype: type, shape: tuple[int, ...]) -> np.memmap:
        if fresh:
            return open_memmap(folder / name, "w+", dtype, shape)
        return np.load(folder / name, mmap_mode="r+")

    frames = None
    if not recipe.full_frames:
        frames = array(FRAMES_FILE, np.uint8, (count, *JDEROBOT.input_shape))
    labels = array(LABELS_FILE, np.float32, (count, len(COLUMNS)))
    done = array(DONE_FILE, np.uint8, (recipe.worlds,))
    path.write_text(wanted)
    return frames, labels, done


def _drive_world(folder: Path, recipe: Recipe, world: int) -> int:
    """Fill one world's share of the data set's files; returns its number."""
    # One rendering thread a process: the processes share the cores already.
    os.environ["LP_NUM_THREADS"] = "1"
    rng = _generator(recipe, world)
    drawn = _draw_world(recipe, world, rng)
    circuit = load_circuit(drawn.circuit)
    if drawn.reversed:
        circuit = reversed_circuit(circuit)
    looks = looks_of_seed(drawn.looks_seed or 0)
    begin = world * FRAMES_PER_WORLD
    labels = np.load(folder / LABELS_FILE, mmap_mode="r+")
    frames = None if recipe.full_frames else np.load(folder / FRAMES_FILE, mmap_mode="r+")
    with MujocoSimulator(circuit, looks) as simulator:
        expert = Expert(circuit, recipe.style)
        for number, (frame, label) in enumerate(_drive(simulator, expert, rng), start=begin):
            labels[number] = (*label, world)
            if frames is not None:
                network_input(frame, out=frames[number])
            else:
                picture = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(folder / f"{number}.png"), picture)
    labels.flush()
    if frames is not None:
        frames.flush()
    return world


class World(NamedTuple):
    """Where one world's frames are taken.

    Attributes:
        circuit: its name, as ``load_circuit`` takes it.
        reversed: it is driven the other way round.
        looks_seed: of ``random_looks``; None for the plain look.
    """

    circuit: str
    reversed: bool
    looks_seed: int | None


def worlds_of(recipe: Recipe) -> list[World]:
    """Return the worlds that a recipe's frames come from, in their order; drives nothing."""
    return [
        _draw_world(recipe, number, _generator(recipe, number)) for number in range(recipe.worlds)
    ]


def _generator(recipe: Recipe, world: int) -> np.random.Generator:
    """Return the only source of randomness of one world."""
    return np.random.default_rng([recipe.seed, world, 0xDA7A])


def _draw_world(recipe: Recipe, world: int, rng: np.random.Generator) -> World:
    if rng.random() < recipe.random_share or not recipe.circuits:
        circuit = f"random-{FIRST_TRAINING_SEED + 10_000 * recipe.seed + world}"
        backwards = False
    else:
        circuit = str(rng.choice(recipe.circuits))
        backwards = bool(rng.random() < 0.5)
    plain = rng.random() < recipe.plain_share
    return World(circuit, backwards, None if plain else int(rng.integers(1 << 31)))


def reversed_circuit(circuit: Circuit) -> Circuit:
    """Return the circuit driven the other way round, from the same start line."""
    points = np.roll(circuit.centerline.points[::-1], 1, axis=0)
    return Circuit(
        name=f"{circuit.name}-reversed",
        centerline=Centerline(points),
        asphalt_half_width=circuit.asphalt_half_width,
        line_width=circuit.line_width,
        wall_height=circuit.wall_height,
        role=circuit.role,
    )


Label = tuple[float, float, float, float, float]


def _drive(
    simulator: MujocoSimulator, expert: Expert, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], Label]]:
    """Drive stints through one world; yields each frame (480, 640, 3) with its label."""
    left = FRAMES_PER_WORLD
    while left:
        length = min(left, int(rng.integers(30, 50) if rng.random() < 0.15 else 8))
        yield from _stint(simulator, expert, rng, length)
        left -= length


def _stint(
    simulator: MujocoSimulator, expert: Expert, rng: np.random.Generator, length: int
) -> Iterator[tuple[NDArray[np.uint8], Label]]:
    """Drive `length` frames from a drawn start; commands take effect after a drawn delay."""
    circuit = simulator.circuit
    lateral, heading_error = _draw_offset(circuit, rng)
    near = _draw_station(circuit.centerline, rng)
    state = simulator.reset(near, lateral, heading_error)
    delay_steps = round(rng.uniform(0.0, _MAX_DELAY_S) / TIME_STEP_S)
    on_their_way: deque[tuple[int, Command]] = deque()
    for step in range(length * _STEPS_PER_FRAME):
        if step % _STEPS_PER_FRAME == 0:
            here = circuit.centerline.project(state.x, state.y, near)
            near = here.arc_length
            command = _within_range(expert.command(state.x, state.y, state.yaw, near))
            yield (
                simulator.render(),
                (
                    *command,
                    here.lateral_deviation,
                    here.heading_error(state.yaw),
                    here.curvature,
                ),
            )
            on_their_way.append((step + delay_steps, command))
            if step == 0:
                simulator.command(*command)
        while on_their_way and on_their_way[0][0] <= step:
            simulator.command(*on_their_way.popleft()[1])
        state = simulator.step()


def _within_range(command: Command) -> Command:
    """Return the command with its yaw rate brought into what the network can say."""
    limit = -JDEROBOT_RANGE.yaw_rate_min
    return Command(command.speed, min(max(command.yaw_rate, -limit), limit))


def _draw_station(line: Centerline, rng: np.random.Generator) -> float:
    """Return an arc length, m: a bend in half of the draws, anywhere in the others."""
    station = float(rng.uniform(0.0, line.length))
    if rng.random() < 0.5:
        return station
    candidates = rng.uniform(0.0, line.length, 12)
    bend = float(candidates[np.argmax(np.abs(line.curvature(candidates)))])
    return bend - float(rng.uniform(0.0, 6.0))


def _draw_offset(circuit: Circuit, rng: np.random.Generator) -> tuple[float, float]:
    """Return a lateral deviation (m) and a heading error (rad) to begin with."""
    kind = rng.random()
    if kind < 0.2:
        return float(rng.normal(0.0, 0.02)), float(rng.normal(0.0, 0.02))
    if kind < 0.75:
        return float(rng.normal(0.0, 0.15)), float(rng.normal(0.0, 0.12))
    room = circuit.asphalt_half_width - 0.5 * CAR_WIDTH_M - 0.15
    return float(rng.uniform(-room, room)), float(rng.uniform(-0.6, 0.6))


def recovery_share(table: pd.DataFrame) -> float:
    """Return the share of frames (0..1) taken off the line: by 5 cm or 0.05 rad and more."""
    lateral = table["lateral_deviation"].abs() > _OFF_LINE_M
    heading = table["heading_error"].abs() > _OFF_LINE_RAD
    return float((lateral | heading).mean())
