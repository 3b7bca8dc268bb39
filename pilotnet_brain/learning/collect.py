"""Collecting a data set: the expert drives, and each frame is labelled with its command.

As the brain does, half of the frames are warped to where the car was some frames later
(`driving.delay`), with the expert's command there; and in some worlds the camera is another one,
whose frames are warped to the model's (`driving.camera`).

A data set is a list of worlds. Each world (a circuit, a direction, a look) gives the same number of
frames, driven in short stints that start anywhere on the circuit, on the line or off it, so that
the network learns to come back. Everything follows from the seed and the world's number: the same
command makes the same data set, whatever the number of processes, and resumes where it stopped.
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.camera import JDEROBOT_CAMERA, Camera, Motion, Pose, VirtualCamera
from pilotnet_brain.driving.command import JDEROBOT_RANGE, Command
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.driving.preprocess import JDEROBOT, network_input
from pilotnet_brain.end_with_parent import end_with_parent
from pilotnet_brain.errors import input_warnings_told_before
from pilotnet_brain.learning.compact_format import FRAMES_FILE
from pilotnet_brain.learning.dataset import RECIPE_FILE
from pilotnet_brain.learning.label_table import COLUMNS, TABLE_FILE, DataSetError
from pilotnet_brain.learning.numbered_pictures import WHOLE_FRAME, write_picture
from pilotnet_brain.learning.recipe import FRAMES_PER_WORLD, Recipe, draw_world
from pilotnet_brain.simulation.car import CAMERA_HZ, CAMERA_POSITION, CAR_WIDTH_M, CarState
from pilotnet_brain.simulation.looks import PLAIN, Looks, random_looks
from pilotnet_brain.simulation.mujoco.simulator import TIME_STEP_S, MujocoSimulator
from pilotnet_brain.simulation.scene import Scenery
from pilotnet_brain.simulation.scenery import read_scenery

LABELS_FILE, DONE_FILE = "labels.npy", "done.npy"
_STEPS_PER_FRAME = round(1.0 / (CAMERA_HZ * TIME_STEP_S))
_MAX_DELAY_S = 0.1
_LONGEST_DELAY_FRAMES = 8
"""0.4 s."""
_OTHER_CAMERA_SHARE = 0.25
_MAX_YAW_RATE = -JDEROBOT_RANGE.yaw_rate_min


def collect(folder: Path, recipe: Recipe, jobs: int = -1) -> Iterator[tuple[int, int]]:
    """Make a data set in a folder, world by world; yields (worlds finished, worlds in all).

    The folder is made if missing; one that holds part of the same data set is completed. It gets
    exactly the recipe's number of frames. ``jobs``: processes; -1 for one a core.

    Raises:
        DataSetError: the folder holds another data set.
        UnknownCircuitError: a circuit that does not exist.
        UserError: the world file cannot be read, or a circuit lies elsewhere.
    """
    for name in recipe.circuits:
        circuit = load_circuit(name)
        if recipe.world:
            read_scenery(recipe.world, circuit)
    frames, labels, done = _open_arrays(folder, recipe)
    waiting = np.flatnonzero(done == 0).tolist()
    finished = recipe.worlds - len(waiting)
    yield finished, recipe.worlds
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", initializer=end_with_parent)
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
            f"{folder} holds another data set ({path} differs from what was asked for): "
            "choose another folder or remove it"
        )

    def array(name: str, dtype: type, shape: tuple[int, ...]) -> np.memmap:
        if fresh:
            return open_memmap(folder / name, "w+", dtype, shape)
        return np.load(folder / name, mmap_mode="r+")

    frames = None
    if not recipe.full_frames:
        frames = array(FRAMES_FILE, np.uint8, (recipe.frames, *JDEROBOT.input_shape))
    labels = array(LABELS_FILE, np.float32, (recipe.frames, len(COLUMNS)))
    done = array(DONE_FILE, np.uint8, (recipe.worlds,))
    path.write_text(wanted)
    return frames, labels, done


def _drive_world(folder: Path, recipe: Recipe, world: int) -> int:
    """Fill one world's share of the data set's files; returns its number."""
    # One rendering thread a process: the processes share the cores already.
    os.environ["LP_NUM_THREADS"] = "1"
    drawn, rng = draw_world(recipe, world)
    with input_warnings_told_before():
        circuit = load_circuit(drawn.circuit)
    if drawn.reversed:
        circuit = replace(circuit.reversed(), name=f"{circuit.name}-reversed")
    looks = random_looks(drawn.looks_seed) if drawn.looks_seed else PLAIN
    scenery = None
    if recipe.world and not drawn.circuit.startswith("random-"):
        scenery = read_scenery(recipe.world, circuit)
        looks = _in_scenery(scenery, looks)
    first = world * FRAMES_PER_WORLD
    count = min(FRAMES_PER_WORLD, recipe.frames - first)
    labels = np.load(folder / LABELS_FILE, mmap_mode="r+")
    frames = None if recipe.full_frames else np.load(folder / FRAMES_FILE, mmap_mode="r+")
    camera, looks = _draw_camera(looks, rng)
    fmt = WHOLE_FRAME if frames is None else JDEROBOT
    view = VirtualCamera(JDEROBOT_CAMERA, fmt, camera)
    with MujocoSimulator(circuit, looks, scenery) as simulator:
        expert = Expert(circuit, recipe.style)
        driven = _drive(simulator, expert, rng, count)
        for number, (frame, motion, label) in enumerate(driven, start=first):
            labels[number] = (*label, world)
            out = None if frames is None else frames[number]
            seen = network_input(frame, fmt, out, view.homography(motion))
            if frames is None:
                write_picture(folder, number, seen)
    labels.flush()
    if frames is not None:
        frames.flush()
    return world


Label = tuple[float, float, float, float, float]
Sample = tuple[NDArray[np.uint8], Motion, Label]
"""A frame (480, 640, 3), the car's motion since, and the label of the pose that it led to."""


def _in_scenery(scenery: Scenery, looks: Looks) -> Looks:
    """Return looks in a scenery's light, brighter or darker as theirs differs from the plain one.

    The camera's noise, blur and mounting are those of the looks.
    """
    own = scenery.lit(looks)
    return replace(
        own,
        ambient=min(1.0, own.ambient * looks.ambient / PLAIN.ambient),
        sun=min(1.0, own.sun * (0.5 + 0.5 * looks.sun / PLAIN.sun)),
    )


def _draw_camera(looks: Looks, rng: np.random.Generator) -> tuple[Camera, Looks]:
    """Return the camera that the frames are warped from, and the looks with it.

    In most worlds it is the model's. What the looks have drawn of its mounting stays unknown.
    """
    if rng.random() >= _OTHER_CAMERA_SHARE:
        return JDEROBOT_CAMERA, looks
    fov = float(rng.uniform(1.2, 1.8))
    offset = rng.uniform([-0.1, -0.1, -0.03], [0.1, 0.1, 0.12])
    roll, pitch, yaw = rng.uniform(-1.0, 1.0, 3) * [0.12, 0.12, 0.12]
    x, y, z = np.add(CAMERA_POSITION, offset).tolist()
    pose = Pose(x, y, z, float(roll), float(pitch), float(yaw))
    seen = replace(
        looks,
        camera_fov=fov,
        camera_offset=tuple(np.add(looks.camera_offset, offset).tolist()),
        camera_roll=looks.camera_roll + pose.roll,
        camera_pitch=looks.camera_pitch + pose.pitch,
        camera_yaw=looks.camera_yaw + pose.yaw,
    )
    return JDEROBOT_CAMERA.with_fov(fov).at(pose), seen


def _drive(
    simulator: MujocoSimulator, expert: Expert, rng: np.random.Generator, count: int
) -> Iterator[Sample]:
    """Drive stints in one world; yields `count` samples."""
    left = count
    while left:
        length = min(left, int(rng.integers(30, 50) if rng.random() < 0.15 else 8))
        yield from _with_delays(_stint(simulator, expert, rng, length), rng)
        left -= length


def _with_delays(
    stint: Iterator[tuple[NDArray[np.uint8], CarState, Label]], rng: np.random.Generator
) -> Iterator[Sample]:
    """Yield each label of a stint with the frame of that pose, or of one some frames before."""
    before: deque[tuple[NDArray[np.uint8], CarState]] = deque(maxlen=_LONGEST_DELAY_FRAMES + 1)
    for frame, state, label in stint:
        before.append((frame, state))
        back = int(rng.integers(1, len(before) + 1)) if rng.random() < 0.5 else 1
        earlier, there = before[-back]
        yield earlier, _motion(there, state), label


def _motion(there: CarState, here: CarState) -> Motion:
    """Return the later of two poses in the frame of the earlier one."""
    dx, dy = here.x - there.x, here.y - there.y
    cos, sin = math.cos(there.yaw), math.sin(there.yaw)
    turned = math.remainder(here.yaw - there.yaw, math.tau)
    return Motion(cos * dx + sin * dy, cos * dy - sin * dx, turned)


def _stint(
    simulator: MujocoSimulator, expert: Expert, rng: np.random.Generator, length: int
) -> Iterator[tuple[NDArray[np.uint8], CarState, Label]]:
    """Drive `length` frames from a drawn start; commands take effect after a drawn delay."""
    circuit = simulator.circuit
    lateral, heading_error = _draw_offset(circuit, rng)
    near = _draw_station(circuit.centerline, rng)
    state = simulator.reset(near, lateral, heading_error)
    delay_steps = round(rng.uniform(0.0, _MAX_DELAY_S) / TIME_STEP_S)
    in_flight: deque[tuple[int, Command]] = deque()
    for step in range(length * _STEPS_PER_FRAME):
        if step % _STEPS_PER_FRAME == 0:
            here = circuit.centerline.project(state.x, state.y, near)
            near = here.arc_length
            speed, yaw_rate = expert.command(state.x, state.y, state.yaw, near)
            # The network's output range has no more.
            command = Command(speed, min(max(yaw_rate, -_MAX_YAW_RATE), _MAX_YAW_RATE))
            deviation, error = here.lateral_deviation, here.heading_error(state.yaw)
            yield simulator.render(), state, (*command, deviation, error, here.curvature)
            in_flight.append((step + delay_steps, command))
            if step == 0:
                simulator.command(*command)
        while in_flight and in_flight[0][0] <= step:
            simulator.command(*in_flight.popleft()[1])
        state = simulator.step()


def _draw_station(line: Centerline, rng: np.random.Generator) -> float:
    """Return an arc length, m: a bend in half of the draws, anywhere in the others."""
    station = float(rng.uniform(0.0, line.length))
    if rng.random() < 0.5:
        return station
    candidates = rng.uniform(0.0, line.length, 12)
    bend = float(candidates[np.argmax(np.abs(line.curvature(candidates)))])
    return bend - float(rng.uniform(0.0, 6.0))


def _draw_offset(circuit: Circuit, rng: np.random.Generator) -> tuple[float, float]:
    """Return a lateral deviation (m) and a heading error (rad) to start with."""
    kind = rng.random()
    if kind < 0.2:
        return float(rng.normal(0.0, 0.02)), float(rng.normal(0.0, 0.02))
    if kind < 0.75:
        return float(rng.normal(0.0, 0.15)), float(rng.normal(0.0, 0.12))
    room = circuit.asphalt_half_width - 0.5 * CAR_WIDTH_M - 0.15
    return float(rng.uniform(-room, room)), float(rng.uniform(-0.85, 0.85))
