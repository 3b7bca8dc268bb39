"""A spec driven in lock-step: its model loaded, its disturbance applied."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path

import cv2

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.camera import Camera
from pilotnet_brain.driving.camera_pose import pose_of_text
from pilotnet_brain.driving.car_camera import CarCamera
from pilotnet_brain.driving.delay import DelayCompensation, Plant
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.metrics.run_metrics import Figures, RunMetrics
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.runs.disturbances import disturb
from pilotnet_brain.runs.lockstep import Conditions, drive_lockstep
from pilotnet_brain.runs.spec import RunSpec, parse_disturbance
from pilotnet_brain.simulation.looks import Looks
from pilotnet_brain.simulation.scene import Scenery
from pilotnet_brain.simulation.scenery import looks_and_scenery


def drive_spec(
    spec: RunSpec, metrics: RunMetrics, on_row: Callable[[TrajectoryRow], object]
) -> Figures:
    """Drive a spec in this process, with one thread; return the run's figures.

    Args:
        spec: of the run.
        metrics: new ones, with the spec's circuit and rules.
        on_row: takes every row of the run's trajectory; it may end the run by ``metrics.end``.

    Raises:
        UserError: no such model, or one unfit to drive with; no such disturbance.
    """
    # The simulator renders in one thread, too: a benchmark's processes share the cores already.
    os.environ["LP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    path = resolve_model(spec.model, trust=spec.trust_model)
    pilot = _pilot(path, spec.runtime, path.stat().st_mtime_ns)
    conditions = conditions_of(spec, metrics.circuit)
    camera = _camera(spec, conditions, pilot.model.record.frame_camera)
    pilot.look_through(camera)
    pilot.max_speed = spec.max_speed or math.inf
    compensation = None
    if spec.delay_compensation:
        plant = Plant(spec.command_hold, spec.command_lag)
        anticipation_s = pilot.model.record.anticipation_s
        compensation = DelayCompensation(anticipation_s, spec.actuation_delay, plant)

    return drive_lockstep(
        metrics,
        lambda frame, state, motion: pilot.drive(frame, motion),
        conditions,
        spec.start_arc_length,
        on_row,
        compensation,
        model=pilot.model.name,
        device=pilot.model.device,
    )


def _camera(spec: RunSpec, conditions: Conditions, trained: Camera) -> Camera:
    """Return the simulator's camera, as the driver is told that it is."""
    pose = pose_of_text(spec.camera_pose) if spec.camera_pose else conditions.known_camera
    # A simulator's node tells its intrinsics by camera_info.
    car_camera = CarCamera(pose, spec.camera_fov or conditions.looks.camera_fov)
    return car_camera.on_frames_of(*conditions.frame_size, trained)


def conditions_of(spec: RunSpec, circuit: Circuit) -> Conditions:
    """Return what a spec is driven under: its looks or its world, and its disturbance.

    Raises:
        UserError: the world cannot be read, or has no road under the circuit.
    """
    conditions = Conditions(*_seen(circuit, spec.looks_seed, spec.world))
    if not spec.disturbance:
        return conditions
    name, amount = parse_disturbance(spec.disturbance)
    return disturb(conditions, name, amount, spec.seed)


@functools.lru_cache(maxsize=4)
def _seen(circuit: Circuit, looks_seed: int, world: str) -> tuple[Looks, Scenery | None]:
    return looks_and_scenery(circuit, looks_seed, world)


@functools.lru_cache(maxsize=16)
def _pilot(path: Path, runtime: str, changed_ns: int) -> Pilot:
    """Return the pilot of a model file as it is since it was changed."""
    del changed_ns
    return Pilot(load_model(path, "cpu", runtime=runtime))
