"""The brain's times of a run, frame by frame, as the histograms of its page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pilotnet_brain.bags.reader import read_bag
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.frame_figures import FrameLog
from pilotnet_brain.metrics.frame_record import FrameRecordError, frame_record
from pilotnet_brain.runs.folder import RunFolder

_BINS = 40


@dataclass(frozen=True)
class Histogram:
    """How often durations fell between two edges; all in ms.

    Attributes:
        edges: of the bins, one more than `counts`.
        counts: of the durations in each bin.
        beyond: how many were longer than the last edge.
        longest: the longest of all.
        median: of all.
        p99: of all.
    """

    edges: list[float]
    counts: list[int]
    beyond: int
    longest: float
    median: float
    p99: float


@dataclass(frozen=True)
class BrainTimes:
    """The times of a run's frames; `missing` says why there are none."""

    inference: Histogram | None = None
    age: Histogram | None = None
    missing: str = ""


def brain_times(folder: RunFolder, begin_s: float, end_s: float) -> BrainTimes:
    """Return the times of the frames stamped between two simulated times.

    Args:
        folder: of the run.
        begin_s: of the drive.
        end_s: of the drive.
    """
    if not folder.bag.is_dir():
        return BrainTimes(missing="this run has no bag, where the brain's times are kept")
    try:
        log = _frame_log(folder)
    except UserError as problem:
        return BrainTimes(missing=str(problem))
    records = log.between(begin_s, end_s)
    if not records:
        return BrainTimes(missing="the bag holds no frame records of this drive")
    return BrainTimes(
        inference=histogram(record.inference_s for record in records),
        age=histogram(record.age_s for record in records if record.driven),
    )


def histogram(durations_s: Iterable[float | None]) -> Histogram | None:
    """Return the histogram of durations; None where there are none.

    The last edge lies a little beyond the 99th percentile: one slow frame would else press all
    others into one bin.
    """
    known = np.array([1e3 * d for d in durations_s if d is not None and np.isfinite(d)])
    if not len(known):
        return None
    median, p99 = (float(p) for p in np.percentile(known, (50, 99)))
    top = min(float(known.max()), 1.25 * p99) or 1.0
    counts, edges = np.histogram(known, _BINS, (0.0, top))
    return Histogram(
        edges=np.round(edges, 5).tolist(),
        counts=counts.tolist(),
        beyond=int((known > top).sum()),
        longest=float(known.max()),
        median=median,
        p99=p99,
    )


def _frame_log(folder: RunFolder) -> FrameLog:
    topic = folder.topics()["brain/frames"]
    log = FrameLog()
    for message in read_bag(folder.bag, lambda name, _: name == topic).messages:
        try:
            log.add(frame_record(message.message))
        except FrameRecordError:
            log.unreadable += 1
    return log
