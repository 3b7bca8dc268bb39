"""A data set from a live run: the expert drives over the run's topics, in anybody's world."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.bag_drive import BagLabels
from pilotnet_brain.learning.from_bag import BagCounts, dataset_from_bags
from pilotnet_brain.runs.drive import RunInterrupted, drive
from pilotnet_brain.runs.spec import GAZEBOS, RunSpec
from pilotnet_brain.simulation.car import CAMERA_HZ

_MORE = 1.2
"""Some frames are left out: before the first pose, of the standing car."""
_STARTS_S = 5.0


def collecting_arguments(frames: int, simulator: str) -> dict[str, Any]:
    """Return the arguments with which a run's expert drives for this many frames."""
    return {
        # A Gazebo that draws slowly gives every frame.
        "lockstep": simulator in GAZEBOS,
        "teleop": "expert",
        "teleop_release": "stop",
        "record_camera": True,
        "laps": 10_000,
        "time_limit": _STARTS_S + _MORE * frames / CAMERA_HZ,
    }


def collect_live(folder: Path, spec: RunSpec, frames: int) -> Iterator[BagCounts]:
    """Drive with the expert and make a data set of it; yields the counts so far.

    Args:
        folder: of the data set; new or empty.
        spec: of the run, with `collecting_arguments`.
        frames: at most so many are kept.

    The run's folder is kept, its bag (18 MB a second) is not once the data set is written. Ctrl-C
    ends the drive; what was driven until then becomes the data set.

    Raises:
        DataSetError: the folder holds something else, or no frame is left.
        UserError: as `drive`.
        RunInterrupted: after Ctrl-C, once the data set is written.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder}: is not empty; name another folder or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)  # refused here, not after the drive
    except OSError as problem:
        raise UserError(f"{folder}: cannot be written: {problem.strerror}") from problem
    interrupted: RunInterrupted | None = None
    try:
        run = drive(spec)
    except RunInterrupted as stop:
        run, interrupted = stop.folder, stop
    topics = run.topics()
    labels = BagLabels(
        circuit=run.spec().circuit,
        most=frames,
        image_topic=topics["camera/image_raw"],
        odometry_topic=topics["odom"],
    )
    yield from dataset_from_bags(folder, [run.path / "bag"], labels)
    with suppress(OSError):
        shutil.rmtree(run.path / "bag")
    if interrupted is not None:
        raise interrupted
