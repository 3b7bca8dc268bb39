"""A circuit: a centerline and the road around it; how a file keeps one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.points_file import CircuitFileError, read_points_file
from pilotnet_brain.errors import UserError

_ORIGIN_STEP_M = 1000.0


@dataclass(frozen=True)
class Circuit:
    """A closed road along a centerline. All lengths in metres."""

    name: str  #: how the commands and results call it
    #: the line painted on the road, in driving direction from the start line
    centerline: Centerline
    #: from the line to the asphalt's edge; farther out is off the road
    asphalt_half_width: float = 1.5
    line_width: float = 0.12  #: of the painted line
    wall_height: float = 0.6  #: of the walls at the asphalt's edge
    role: str = "custom"  #: "training", "test" (never trained on), "random" or "custom"

    def start_pose(self, arc_length: float = 0.0) -> tuple[float, float, float]:
        """Return x (m), y (m) and yaw (rad) of a car on the line, facing along it.

        Args:
            arc_length: where on it, m from the start line.
        """
        x, y = self.centerline.position(arc_length)
        return float(x), float(y), float(self.centerline.heading(arc_length))

    @property
    def local_origin(self) -> tuple[float, float]:
        """A place near the circuit, x and y in whole kilometres (m); (0, 0) for a near one.

        Simulators compute in single precision: at a UTM northing of 4474 km that is steps of half
        a metre. They build such a circuit's world about this place instead.
        """
        points = self.centerline.points
        centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
        x, y = (_ORIGIN_STEP_M * np.round(centre / _ORIGIN_STEP_M) + 0.0).tolist()
        return x, y

    def about(self, origin: tuple[float, float]) -> Circuit:
        """Return the circuit in coordinates that count from `origin` (x, y in m)."""
        if origin == (0.0, 0.0):
            return self
        return replace(self, centerline=Centerline(self.centerline.points - origin))

    def reversed(self) -> Circuit:
        """Return the circuit driven the other way round, from the same start line."""
        return replace(
            self, centerline=Centerline(np.roll(self.centerline.points[::-1], 1, axis=0))
        )


def circuit_fields(circuit: Circuit) -> dict[str, str | float]:
    """Return everything about a circuit but its centerline, as YAML and JSON can keep it."""
    return {name: value for name, value in vars(circuit).items() if name != "centerline"}


def write_centerline(path: Path, circuit: Circuit) -> None:
    """Write a circuit's centerline as a CSV of x,y (m) from which it can be restored exactly.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    # repr of a float is the shortest text that reads back as the same number.
    rows = [f"{x!r},{y!r}" for x, y in circuit.centerline.points.tolist()]
    write_atomically(path, "\n".join(["x,y", *rows]) + "\n")


def write_lap(path: Path, circuit: Circuit) -> None:
    """Write a circuit as a CSV that `load_circuit` reads: x, y and the road's half widths, m.

    Raises:
        UserError: the file cannot be written.
    """
    half = circuit.asphalt_half_width
    rows = [f"{x:.4f},{y:.4f},{half:g},{half:g}" for x, y in circuit.centerline.points.tolist()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "\n".join(["x,y,w_tr_right_m,w_tr_left_m", *rows]) + "\n")
    except OSError as problem:
        raise UserError(f"{path}: cannot be written: {problem.strerror}") from problem


def circuit_of(centerline: Path | ArrayLike, fields: Mapping[str, Any]) -> Circuit:
    """Return the circuit that `write_centerline` and `circuit_fields` kept, the same to the bit.

    Args:
        centerline: the CSV's path, or its points (N, 2), m.
        fields: as from `circuit_fields`; others than a circuit's are ignored.

    Raises:
        CircuitFileError: the file is no centerline, or a field is missing.
    """
    where = centerline if isinstance(centerline, Path) else "the circuit"
    try:
        points: ArrayLike = (
            read_points_file(centerline).points if isinstance(centerline, Path) else centerline
        )
        return Circuit(
            name=str(fields["name"]),
            centerline=Centerline(points),
            asphalt_half_width=float(fields["asphalt_half_width"]),
            line_width=float(fields["line_width"]),
            wall_height=float(fields["wall_height"]),
            role=str(fields["role"]),
        )
    except KeyError as missing:
        raise CircuitFileError(f"{where}: its record lacks {missing}") from missing
    except (TypeError, ValueError) as problem:
        raise CircuitFileError(f"{where}: {problem}") from problem
