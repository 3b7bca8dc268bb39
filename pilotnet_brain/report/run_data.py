"""What the reports read of a run's folder: its circuit, topics, looks and driven line, and the
figures of its bag."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.reference_lap import read_reference_lap_of
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.metrics.trajectory import finite_rows, last_epoch, read_trajectory
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.from_bag import BagRun, run_from_bag
from pilotnet_brain.user_path import user_path


def is_run(path: Path) -> bool:
    """Whether a folder is a run's; a missing one counts as one, and opening it reports that."""
    return not path.exists() or any(
        (path / name).is_file() for name in ("run.yaml", "metrics.json", "trajectory.csv")
    )


def look_of(folder: RunFolder) -> tuple[int, str]:
    """Return the seed of the looks that a run was driven in, and its world file.

    0 are the plain looks, the empty text is the circuit's own world; both where it is not known.
    """
    try:
        spec = folder.spec()
        return spec.looks_seed, spec.world
    except UserError:
        return 0, ""


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
        driven_on = folder.circuit()
    else:
        raise UserError(f"{bag}: name the circuit that it was driven on with --circuit")
    # How long the car stood before it set off decides nothing of a recording without a spec.
    rules = Rules(waiting_s=math.inf) if folder is None else folder.spec().rules()
    if laps is not None:
        rules = replace(rules, laps=laps)
    reference = None if folder is None else folder.reference_lap()
    if reference_lap is not None:
        reference = read_reference_lap_of(driven_on, reference_lap)
    return run_from_bag(
        bag,
        RunMetrics(driven_on, rules, reference_lap=reference),
        ({} if folder is None else folder.topics()) | ({"odom": odom_topic} if odom_topic else {}),
        since_s=-math.inf if folder is None else folder.measured_since_s(),
        simulator=None if folder is None else folder.spec().simulator,
    )


def _folder_around(bag: Path) -> RunFolder | None:
    """Return the run's folder that a bag, or one of its files, lies in; None elsewhere."""
    path = user_path(bag).resolve()
    found = (place for place in path.parents[:2] if (place / "run.yaml").is_file())
    return next(map(RunFolder, found), None)
