"""One stint, from its start to its end: distance, laps and deviation, pose by pose."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pilotnet_brain.circuits.centerline import Projection
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.deviation_score import DrivenScore
from pilotnet_brain.metrics.pose_filter import Pose
from pilotnet_brain.metrics.rules import (
    CIRCLE_RADIUS_M,
    DROVE_IN_CIRCLES,
    LAPS_DONE,
    LEFT_THE_ROAD,
    SCRAPED_THE_WALL,
    STOOD_STILL,
    TIME_LIMIT,
    WALL_REACH_M,
    OffRoadRule,
    Rules,
    StandingRule,
)

SET_OFF_M = 0.02
"""The car has set off once it is farther than this from where it first was seen."""
_ON_START_LINE_M = 1.0
_CIRCLING_S = 15.0
"""Longer than the patience with a car that stands, so that standing is called standing."""


class Stint:
    """What one car did on one circuit, without interruption.

    The stint starts at the last pose before the car set off: waiting for a brain that still loads
    is not driving. It ends at a rule of `Rules`; after the last lap, at the interpolated moment in
    which the lap was full, so that the figures do not depend on how often poses come.

    Args:
        scores: new ones, which are told each point of the driven line.
    """

    def __init__(
        self, circuit: Circuit, rules: Rules, first: Pose, scores: Sequence[DrivenScore] = ()
    ) -> None:
        self._line = circuit.centerline
        self._rules = rules
        self._off_road = OffRoadRule(circuit.asphalt_half_width, rules.off_road_s)
        self._scraping = OffRoadRule(circuit.asphalt_half_width - WALL_REACH_M, rules.scraping_s)
        self._standing = StandingRule()
        self._circling = StandingRule(CIRCLE_RADIUS_M)
        self.first = first
        self.begin = first
        self.latest = first
        self.projection = self._first_projection(first)
        self.begin_arc_length = self.projection.arc_length
        self.set_off = False
        self.distance = 0.0
        self.progress = 0.0
        self.farthest = 0.0
        self.rearmost = 0.0
        self.laps = LapCounter(self._line.length, first.time_s)
        self.deviation = LineDeviation()
        self.deviation.sample(self.projection.lateral_deviation)
        self.scores = scores
        self.ending: str | None = None
        self._standing.standing_s(first)

    def add(self, pose: Pose) -> Projection:
        """Take the next pose (later than the last); return its place on the line."""
        projection = self._project(pose)
        if not self.set_off and self._still_waits(pose):
            self._begin_at(pose, projection)
        else:
            if not self.set_off:
                self.set_off = True
                self._add_to_scores(self.begin)
            self._advance(pose, projection)
        if self.ending is None:
            self.ending = self._broken_rule(pose, projection)
        return projection

    @property
    def start(self) -> Pose:
        """The last pose before the car set off; of a car that never did, the first."""
        return self.begin if self.set_off else self.first

    @property
    def elapsed_s(self) -> float:
        """Simulated seconds since the start."""
        return self.latest.time_s - self.start.time_s

    @property
    def real_time_s(self) -> float | None:
        """Real seconds of the same span; None where the poses carry no real time."""
        begin, end = self.start, self.latest
        if begin.real_time_s is None or end.real_time_s is None:
            return None
        return end.real_time_s - begin.real_time_s

    @property
    def waited_s(self) -> float:
        """Simulated seconds from the first pose until the car set off (or until now)."""
        return (self.begin if self.set_off else self.latest).time_s - self.first.time_s

    @property
    def completion(self) -> float:
        """Share of the asked laps that was driven, 0..1; without asked laps, of one lap."""
        return min(1.0, max(0.0, self.farthest / (max(1, self._rules.laps) * self._line.length)))

    @property
    def completed(self) -> bool:
        """Whether the asked laps (at least one) are done."""
        return self.laps.count >= max(1, self._rules.laps)

    def _first_projection(self, pose: Pose) -> Projection:
        """The start line's stretch where the car stands on it, else the nearest of all."""
        start = self._line.project(pose.x, pose.y, near=0.0)
        # Within a metre of the start line, along the road and across it.
        along = min(start.arc_length, self._line.length - start.arc_length)
        if along <= _ON_START_LINE_M and abs(start.lateral_deviation) <= _ON_START_LINE_M:
            return start
        return self._line.project(pose.x, pose.y)

    def _project(self, pose: Pose) -> Projection:
        """Search on from where the car must be about now, so that rare poses find it as well."""
        dx, dy = pose.x - self.latest.x, pose.y - self.latest.y
        heading = self.projection.heading
        ahead = dx * math.cos(heading) + dy * math.sin(heading)
        moved = math.copysign(math.hypot(dx, dy), ahead)
        return self._line.project(pose.x, pose.y, near=self.projection.arc_length + moved)

    def _still_waits(self, pose: Pose) -> bool:
        return math.hypot(pose.x - self.first.x, pose.y - self.first.y) <= SET_OFF_M

    def _begin_at(self, pose: Pose, projection: Projection) -> None:
        self.begin = self.latest = pose
        self.projection = projection
        self.begin_arc_length = projection.arc_length
        self.laps = LapCounter(self._line.length, pose.time_s)

    def _advance(self, pose: Pose, projection: Projection) -> None:
        length = self._line.length
        step = projection.arc_length - self.projection.arc_length
        step -= length * round(step / length)
        crossing = self.laps.advance(
            self.latest.time_s, self.progress, pose.time_s, self.progress + step
        )
        lateral = projection.lateral_deviation
        if crossing is not None and 0 < self._rules.laps <= self.laps.count:
            self.ending = LAPS_DONE
            share = (crossing - self.latest.time_s) / (pose.time_s - self.latest.time_s)
            pose = _between(self.latest, pose, share)
            before = self.projection.lateral_deviation
            lateral = before + share * (lateral - before)
            step *= share
        self.distance += math.hypot(pose.x - self.latest.x, pose.y - self.latest.y)
        self.deviation.cover(self.projection.lateral_deviation, lateral, step)
        self.progress += step
        self.farthest = max(self.farthest, self.progress)
        self.rearmost = min(self.rearmost, self.progress)
        if self.ending is not None:
            self.farthest = max(self.farthest, self._rules.laps * length)
        self._add_to_scores(pose)
        self.latest, self.projection = pose, projection

    def _add_to_scores(self, pose: Pose) -> None:
        for score in self.scores:
            score.add(pose.x, pose.y, self.progress)

    def _broken_rule(self, pose: Pose, projection: Projection) -> str | None:
        rules = self._rules
        where = f"{projection.arc_length:.1f} m from the start line, t = {pose.time_s:.2f} s"
        if self._off_road.check(pose.time_s, projection.lateral_deviation):
            off = f"{abs(projection.lateral_deviation):.2f} m off the line"
            return f"{LEFT_THE_ROAD}: {off}, {where}"
        if self._scraping.check(pose.time_s, projection.lateral_deviation):
            return f"{SCRAPED_THE_WALL} for {self._rules.scraping_s:g} s: {where}"
        patience = rules.standing_s if self.set_off else rules.waiting_s
        if self._standing.standing_s(pose) >= patience:
            began = "" if self.set_off else ", it never set off"
            return f"{STOOD_STILL} for {patience:g} s: {where}{began}"
        if self.set_off and self._circling.standing_s(pose) >= _CIRCLING_S:
            return f"{DROVE_IN_CIRCLES} for {_CIRCLING_S:g} s: {where}"
        if rules.time_limit_s is not None and self.elapsed_s >= rules.time_limit_s:
            return f"{TIME_LIMIT} of {rules.time_limit_s:g} s reached: {where}"
        return None


def _between(first: Pose, second: Pose, share: float) -> Pose:
    """Return the pose at `share` (0..1) of the way; angles and rates are the second's."""
    real = second.real_time_s
    if real is not None and first.real_time_s is not None:
        real = first.real_time_s + share * (real - first.real_time_s)
    return Pose(
        first.time_s + share * (second.time_s - first.time_s),
        first.x + share * (second.x - first.x),
        first.y + share * (second.y - first.y),
        second.yaw,
        second.speed,
        second.yaw_rate,
        real,
    )


class LapCounter:
    """Counts full turns of the circuit from where the stint started.

    Progress is the arc length gained along the line since the start, m: it falls when the car
    drives backward. A lap is done when progress reaches the next multiple of the length for the
    first time, so neither backing over the line nor crossing it again counts.

    Args:
        length: of the circuit, m.
        start_s: the time at which the stint starts.
    """

    def __init__(self, length: float, start_s: float) -> None:
        self._length = length
        self._last_crossing_s = start_s
        self.times_s: list[float] = []

    @property
    def count(self) -> int:
        """How many laps were done."""
        return len(self.times_s)

    def advance(self, from_s: float, start: float, to_s: float, end: float) -> float | None:
        """Take one step of progress, from `start` to `end` (m) between two times (s).

        Returns:
            The interpolated time at which a lap was finished in this step, else None. (A step
            longer than the circuit finishes one lap here and the next at the following step.)
        """
        goal = (self.count + 1) * self._length
        if end < goal:
            return None
        share = (goal - start) / (end - start) if end > start else 1.0
        crossing_s = from_s + min(max(share, 0.0), 1.0) * (to_s - from_s)
        self.times_s.append(crossing_s - self._last_crossing_s)
        self._last_crossing_s = crossing_s
        return crossing_s


def absolute_integral(first: float, second: float, length: float) -> float:
    """Return the integral of \\|d\\| over `length` for d linear from `first` to `second`.

    Exact where the sign changes on the way: two triangles instead of one trapezoid.
    """
    if first * second >= 0.0:
        return 0.5 * (abs(first) + abs(second)) * length
    return 0.5 * (first * first + second * second) / (abs(first) + abs(second)) * length


class LineDeviation:
    """Position deviation (MAE): the integral of \\|lateral deviation\\| over arc length / length.

    Independent of how often samples come, as stretches are weighted by the arc length of the
    line that was covered (forward or backward), and a car that stands weighs nothing.
    """

    def __init__(self) -> None:
        self._integral = 0.0
        self._length = 0.0
        self.largest: float | None = None
        """Largest absolute deviation, m; None without a sample."""

    def sample(self, deviation: float) -> None:
        """Note one deviation, m, for the largest one."""
        self.largest = max(self.largest or 0.0, abs(deviation))

    def cover(self, first: float, second: float, arc_length: float) -> None:
        """Take a stretch of `arc_length` (m) between two deviations (m)."""
        self._integral += absolute_integral(first, second, abs(arc_length))
        self._length += abs(arc_length)
        self.sample(second)

    @property
    def mean(self) -> float | None:
        """Mean absolute deviation, m; None before anything was driven."""
        return self._integral / self._length if self._length > 0.0 else None
