"""The brain's figures the plain way: every record is kept, and all are looked at at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import numpy as np

from pilotnet_brain.metrics.frame_record import FrameRecord
from pilotnet_brain.metrics.pose_filter import RESET_S

EDGE_FRAMES = 10
"""The mean inference time leaves out this many frames at each end, as BehaviorMetrics does."""
IN_FLIGHT_S = 0.25
"""A frame published this shortly before the end may still be on its way: it is not dropped yet."""
_BEGIN_TOLERANCE_S = 0.5
_RATE_SPAN_S = 2.0

ModelFigures = dict[str, float | int | str | None]
"""What one model did in one stretch of a run; see `model_figures`."""
FrameFigures = dict[str, float | int | str | list[ModelFigures] | None]


@dataclass
class FrameLog:
    """The frame records and published frame stamps of one epoch of the clock.

    A record of a later epoch, or a driven frame's stamp that jumps backward, clears it.
    """

    _records: list[FrameRecord] = field(default_factory=list)
    _published: dict[int, float] = field(default_factory=dict)
    _newest_published_s: float | None = None
    _newest_driven_s: float | None = None
    unreadable: int = 0

    def add(self, record: FrameRecord) -> None:
        """Note the record of one frame."""
        newest = self._newest_driven_s
        jumped = record.driven and newest is not None and record.stamp_s < newest - RESET_S
        if self._records and (jumped or record.epoch > self._records[-1].epoch):
            self._records.clear()
        if record.driven:
            self._newest_driven_s = record.stamp_s
        self._records.append(record)

    def add_published(self, stamp_s: float) -> None:
        """Note the stamp of a frame that the camera published."""
        newest = self._newest_published_s
        if newest is not None and stamp_s < newest - RESET_S:
            self._published.clear()
        self._newest_published_s = stamp_s
        self._published[_stamp_key(stamp_s)] = stamp_s

    def all(self) -> list[FrameRecord]:
        """Return all records, in order of their arrival."""
        return list(self._records)

    def between(self, begin_s: float, end_s: float) -> list[FrameRecord]:
        """Return the records of the frames stamped in [begin_s, end_s], in order of stamps.

        The frame that set the car in motion is a little older than its first movement: the newest
        driven frame up to `begin_s` counts too.
        """
        records = sorted(self._records, key=lambda record: record.stamp_s)
        before = [r.stamp_s for r in records if r.driven and r.stamp_s <= begin_s]
        if before and begin_s - before[-1] <= _BEGIN_TOLERANCE_S:
            begin_s = before[-1]
        return [record for record in records if begin_s <= record.stamp_s <= end_s]

    def published_between(self, begin_s: float, end_s: float) -> set[int] | None:
        """Return keys of the stamps published in [begin_s, end_s]; None if none was ever seen."""
        if not self._published:
            return None
        return {key for key, stamp in self._published.items() if begin_s <= stamp <= end_s}

    def rate_hz(self) -> float | None:
        """Return the driven frames per simulated second over the last two seconds."""
        recent: list[float] = []
        for record in reversed(self._records):
            if recent and recent[0] - record.stamp_s > _RATE_SPAN_S:
                break
            if record.driven:
                recent.append(record.stamp_s)
        if len(recent) < 2 or recent[0] <= recent[-1]:
            return None
        return (len(recent) - 1) / (recent[0] - recent[-1])

    def pending(self, end_s: float) -> int:
        """Return how many published frames up to `end_s` are newer than every record."""
        newest = max((r.stamp_s for r in self._records), default=None)
        if newest is None:
            return 0
        return sum(1 for stamp in self._published.values() if newest < stamp <= end_s)


def frame_figures(
    log: FrameLog, begin_s: float | None, end_s: float | None, real_time_s: float | None
) -> FrameFigures:
    """Return the brain's figures over the frames of a run; what was not measured is None.

    Args:
        begin_s: simulated time at which the run started; None: nothing was measured.
        end_s: simulated time of its end.
        real_time_s: real seconds between the two, None if unknown.

    Where no record lies in that time (the frames are stamped by another clock than the poses, or no
    pose came), what the brain did is counted all the same, and none is said to be dropped.
    """
    records = [] if begin_s is None or end_s is None else log.between(begin_s, end_s)
    if not records and (others := log.all()):
        records, begin_s = others, None
    driven = [record for record in records if record.driven]
    inference = [r.inference_s for r in records if r.inference_s is not None]
    callback = _mean([r.callback_s for r in driven])
    return {
        "brain_iteration_frequency": 1.0 / callback if callback else None,
        "brain_rate_hz": len(driven) / real_time_s if driven and real_time_s else None,
        "mean_inference_time": _mean(inference[EDGE_FRAMES:-EDGE_FRAMES]),
        "inference_time_p50": _percentile(inference, 50),
        "inference_time_p99": _percentile(inference, 99),
        "mean_preprocess_time": _mean(r.preprocess_s for r in records),
        "mean_callback_time": callback,
        "frame_age_p50": _percentile((r.age_s for r in driven), 50),
        "frame_age_p99": _percentile((r.age_s for r in driven), 99),
        "stamp_to_command_p50": _percentile((r.stamp_to_command_s for r in driven), 50),
        "stamp_to_command_p99": _percentile((r.stamp_to_command_s for r in driven), 99),
        "delay_compensated_p50": _percentile((r.compensated_s for r in driven), 50),
        "suddenness": suddenness(r.outputs for r in driven),
        "takeovers": takeovers(driven) if records else None,
        "taken_over_s": taken_over_s(driven) if records else None,
        "model": next((r.model for r in reversed(records) if r.model), None),
        "device": next((r.device for r in reversed(records) if r.device), None),
        "models": model_figures(records) or None,
        "frames_driven": len(driven) if records else None,
        "frames_received": _received(records) if records else None,
        "frames_late": _counted(records, "late"),
        "frames_broken": _counted(records, "broken"),
        "frames_failed": _counted(records, "failed"),
        **_published_and_dropped(log, records, begin_s, end_s),
    }


def takeovers(driven: list[FrameRecord]) -> int:
    """Return how many stretches of frames a person had taken over."""
    return sum(1 for taken_over, _ in groupby(record.taken_over for record in driven) if taken_over)


def taken_over_s(driven: list[FrameRecord]) -> float:
    """Return how long a person had taken over: from each such frame to the next one."""
    return sum(
        max(0.0, min(b.stamp_s - a.stamp_s, 1.0)) for a, b in pairwise(driven) if a.taken_over
    )


def model_figures(records: Iterable[FrameRecord]) -> list[ModelFigures]:
    """Return what each model did, an entry for every stretch that one model drove, in order.

    Where the model was swapped while driving, each swap starts an entry; the mean times are those
    of `frame_figures`, over the stretch.

    Args:
        records: in order of stamps. A late frame's stamp says nothing about who was driving, and a
            broken one's may be anything: those do not count, nor do frames of an unnamed model.
    """
    seen = [r for r in records if r.model and (r.driven or r.problem.startswith("failed"))]
    figures: list[ModelFigures] = []
    for (name, device), frames in groupby(seen, key=lambda record: (record.model, record.device)):
        stretch = list(frames)
        driven = [record for record in stretch if record.driven]
        inference = [r.inference_s for r in driven if r.inference_s is not None]
        figures.append(
            {
                "name": name,
                "device": device,
                "since_s": stretch[0].stamp_s,
                "frames_driven": len(driven),
                "mean_inference_time": _mean(inference[EDGE_FRAMES:-EDGE_FRAMES]),
                "mean_callback_time": _mean(record.callback_s for record in driven),
            }
        )
    return figures


def suddenness(outputs: Iterable[tuple[float, float] | None]) -> float | None:
    """Return the mean Euclidean distance between successive normalized outputs (0..1 each).

    As BehaviorMetrics defines it (suddenness_distance: its brains take the distances, its pilot
    their mean). A frame without outputs is left out; fewer than two outputs give None, where
    BehaviorMetrics says 0.
    """
    known = np.array([pair for pair in outputs if pair is not None], dtype=np.float64)
    if len(known) < 2:
        return None
    return float(np.mean(np.linalg.norm(np.diff(known, axis=0), axis=1)))


def _published_and_dropped(
    log: FrameLog, records: list[FrameRecord], begin_s: float | None, end_s: float | None
) -> FrameFigures:
    """Dropped: published, and no record came of it; frames of the last moment are not judged."""
    published = None
    if begin_s is not None and end_s is not None:
        first_s = min(records[0].stamp_s, begin_s) if records else begin_s
        published = log.published_between(first_s, end_s)
    if published is None or end_s is None:
        return {"frames_published": None, "frames_dropped": None}
    handled = {_stamp_key(record.stamp_s) for record in records}
    newest = max(handled, default=0)
    missing = [
        key for key in published - handled if key < newest or key <= _stamp_key(end_s - IN_FLIGHT_S)
    ]
    # A record that was lost on its way here is no lost frame: the brain's own counter knows.
    lost_records = max(0, _received(records) - len(handled)) if records else 0
    return {
        "frames_published": len(published | handled),
        "frames_dropped": max(0, len(missing) - lost_records),
    }


def _received(records: list[FrameRecord]) -> int:
    by_counter = records[-1].frames_received - records[0].frames_received + 1
    return max(len(records), by_counter)


def _counted(records: list[FrameRecord], problem: str) -> int | None:
    """Return how many frames had a problem, by the brain's counter and by the records themselves.

    The counter also knows of frames whose record was lost; old bags have none of failed frames.
    """
    if not records:
        return None
    noted = [record.problem.startswith(problem) for record in records]
    first, last = (getattr(record, f"frames_{problem}") for record in (records[0], records[-1]))
    # The first record's own frame is counted in its counter already.
    return max(sum(noted), last - first + noted[0])


def _stamp_key(stamp_s: float) -> int:
    """A stamp in whole microseconds: equal for the same stamp read from two messages."""
    return round(stamp_s * 1e6)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return float(np.mean(known)) if known else None


def _percentile(values: Iterable[float | None], percent: float) -> float | None:
    known = _known(values)
    return float(np.percentile(known, percent)) if known else None
