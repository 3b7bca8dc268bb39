"""A circuit: a centerline and the road around it."""

from __future__ import annotations

from dataclasses import dataclass

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
