"""The rules that end a run: laps done, off the road, standing still, out of time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pilotnet_brain.metrics.pose_filter import LONGEST_GAP_S, Pose

LAPS_DONE = "laps done"
LEFT_THE_ROAD = "left the road"
SCRAPED_THE_WALL = "scraped along the wall"
STOOD_STILL = "stood still"
DROVE_IN_CIRCLES = "drove in circles"
TIME_LIMIT = "time limit"

WALL_REACH_M = 0.3
"""Half the car's width and a hand: nearer to the asphalt's edge than this, its side is at the wall.

Where walls stand at the asphalt's edge, a car cannot leave the road; it slides along it instead,
and would in the end have driven a lap.
"""
CIRCLE_RADIUS_M = 2.5
"""A car that drives on leaves this within seconds; one that circles as tightly as it can, never."""


@dataclass(frozen=True)
class Rules:
    """When a run is over.

    Raises:
        ValueError: laps below 0.
    """

    laps: int = 1  #: to be driven; 0: until something else ends the run
    off_road_s: float = 1.0  #: simulated seconds that the car may be off the road
    scraping_s: float = 3.0  #: simulated seconds that its side may be at the wall
    standing_s: float = 10.0  #: simulated seconds that it may stand still once it drove
    waiting_s: float = 10.0  #: simulated seconds that it may stand before it sets off
    time_limit_s: float | None = None  #: simulated seconds of driving, or None

    def __post_init__(self) -> None:
        if self.laps < 0:
            raise ValueError(f"laps is {self.laps}; it must be 0 (no limit) or more")


class OffRoadRule:
    """Off the road: farther from the line than the asphalt's half width, for a time on end."""

    def __init__(self, half_width: float, patience_s: float) -> None:
        self._half_width = half_width
        self._patience_s = patience_s
        self._since_s: float | None = None

    def check(self, time_s: float, lateral_deviation: float) -> bool:
        """Take one sample; return whether the car has been off the road for too long."""
        if abs(lateral_deviation) <= self._half_width:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = time_s
        return time_s - self._since_s >= self._patience_s


class StandingRule:
    """Staying: within a radius of one place for a time on end.

    Within a few centimetres that is standing, turning on the spot included. Within CIRCLE_RADIUS_M
    it is going round in circles: a network that always turns as hard as it can drives circles of
    0.9 m radius. What happened while no pose came for long (the clock jumped, the recording has a
    gap) nobody saw: such time is not counted.
    """

    def __init__(self, radius: float = 0.05) -> None:
        self._radius = radius
        self._anchor: Pose | None = None
        self._latest_s = -math.inf

    def standing_s(self, pose: Pose) -> float:
        """Take one sample; return for how long the car has been standing, s."""
        anchor = self._anchor
        if pose.time_s - self._latest_s > LONGEST_GAP_S:
            anchor = None
        self._latest_s = pose.time_s
        if anchor is None or math.hypot(pose.x - anchor.x, pose.y - anchor.y) > self._radius:
            self._anchor = pose
            return 0.0
        return pose.time_s - anchor.time_s
