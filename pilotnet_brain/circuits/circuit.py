"""A circuit: a centerline and the road around it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.centerline import Centerline


@dataclass(frozen=True)
class Circuit:
    """A closed road along a centerline. All lengths in metres.

    Attributes:
        name: how the commands and results call it.
        centerline: the line painted on the road, in driving direction from the start line.
        asphalt_half_width: from the line to the asphalt's edge; farther out is off the road.
        line_width: of the painted line.
        wall_height: of the walls at the asphalt's edge.
        role: "training", "test" (never trained on), "random" or "custom".
    """

    name: str
    centerline: Centerline
    asphalt_half_width: float = 1.5
    line_width: float = 0.12
    wall_height: float = 0.6
    role: str = "custom"

    def start_pose(self) -> tuple[float, float, float]:
        """Return x (m), y (m) and yaw (rad) of a car on the start line, facing along it."""
        x, y = self.centerline.position(0.0)
        return float(x), float(y), float(self.centerline.heading(0.0))


def circuit_fields(circuit: Circuit) -> dict[str, float | str]:
    """Return what a circuit is besides its line, for a YAML or JSON file."""
    return {f.name: getattr(circuit, f.name) for f in fields(circuit) if f.name != "centerline"}


def write_centerline(path: Path, circuit: Circuit) -> None:
    """Write the line's points as a CSV of x,y with all their digits."""
    points = circuit.centerline.points.tolist()
    text = "x,y\n" + "".join(f"{x!r},{y!r}\n" for x, y in points)
    write_atomically(path, text.encode())
