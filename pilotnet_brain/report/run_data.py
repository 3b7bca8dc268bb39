"""What the reports read of a run's folder: its circuit, topics, looks and driven line, and the
figures of its bag."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.reference_lap import read_reference_lap_of
from pilotnet_brain.metrics.trajectory import finite_rows, last_epoch, read_trajectory
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.from_bag import BagRun, BagTopics, run_from_bag
from pilotnet_brain.runs.topic_names import absolute


def is_run(path: Path) -> bool:
    """Whether a folder is a run's; a missing one counts as one, and opening it reports that."""
    return not path.exists() or any(
        (path / name).is_file() for name in ("run.yaml", "metrics.json", "trajectory.csv")
    )


def circuit_of(folder: RunFolder) -> Circuit:
    """Return the circuit that a run was measured by.

    Raises:
        UserError: the folder does not name it, or it is no longer there.
    """
    return load_circuit(folder.circuit_name())


def topics_of(folder: RunFolder) -> BagTopics:
    """Return the names of a run's topics."""
    return BagTopics.of_run(folder.parameters())


def camera_topic_of(folder: RunFolder) -> str | None:
    """Return the topic of a run's camera frames; None where unknown."""
    topic = folder.parameters().get("camera_topic")
    return absolute(topic) if isinstance(topic, str) and topic else None


def looks_seed_of(folder: RunFolder) -> int:
    """Return the seed of the looks that a run was driven in; 0: the plain ones."""
    seed = folder.parameters().get("looks_seed")
    return seed if isinstance(seed, int) and seed > 0 else 0


def driven_rows(folder: RunFolder) -> NDArray[np.float64]:
    """Return the rows (N, 10) of trajectory.csv after the last reset, with finite poses.

    Raises:
        TrajectoryFileError: no trajectory.csv, or one that cannot be read.
    """
    return finite_rows(last_epoch(read_trajectory(folder.trajectory_csv)))


def measure_bag(
    bag: Path,
    *,
    circuit: str | None = None,
    laps: int | None = None,
    reference_lap: Path | None = None,
    odom_topic: str | None = None,
) -> BagRun:
    """Return a run's figures from its bag, measured as the live metrics node measures.

    Of a bag in a run's folder the circuit, the laps, the time limit, the reference lap and the
    topics are known; what is given here comes before.

    Args:
        bag: ROS 1 or ROS 2.
        circuit: name, random-SEED or path.
        laps: of the run; 0: all in the bag; None: the run's, or 1.
        reference_lap: CSV or bag, for the published deviation score.
        odom_topic: of the odometry; None: the run's, /F1ROS/odom, or the only one.

    Raises:
        UserError: no bag or no odometry in it, no circuit known, or a reference lap of another.
    """
    folder = _folder_around(bag)
    if circuit is not None:
        driven_on = load_circuit(circuit)
    elif folder is not None:
        driven_on = circuit_of(folder)
    else:
        raise UserError(f"{bag}: name the circuit that it was driven on with --circuit")
    parameters = {} if folder is None else folder.parameters()
    topics = BagTopics() if folder is None else topics_of(folder)
    reference = reference_lap or parameters.get("reference_lap")
    return run_from_bag(
        bag,
        driven_on,
        parameters.get("laps", 1) if laps is None else laps,
        topics=replace(topics, odometry=odom_topic) if odom_topic else topics,
        reference_lap=read_reference_lap_of(driven_on, reference) if reference else None,
        time_limit_s=parameters.get("time_limit") or None,
        simulator=parameters.get("simulator"),
    )


def _folder_around(bag: Path) -> RunFolder | None:
    """Return the run's folder that a bag, or one of its files, lies in; None elsewhere."""
    path = bag.expanduser().resolve()
    found = (place for place in path.parents[:2] if (place / "run.yaml").is_file())
    return next(map(RunFolder, found), None)
