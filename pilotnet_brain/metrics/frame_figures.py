"""The figures of the brain: how fast it was, and which frames it saw."""

from __future__ import annotations

from pilotnet_brain.metrics.frame_log import FrameLog
from pilotnet_brain.metrics.frame_sums import FrameFigures


def frame_figures(
    log: FrameLog, begin_s: float | None, end_s: float | None, real_time_s: float | None
) -> FrameFigures:
    """Return the brain's figures over the frames of a run; what was not measured is None.

    Args:
        begin_s: simulated time at which the run started; None: nothing was measured.
        end_s: simulated time of its end.
        real_time_s: real seconds between the two, None if unknown.

    Where no camera_info came, frames are missing where the stamps of those received have a gap.
    Where no record lies in that time (the frames are stamped by another clock than the poses, or no
    pose came), what the brain did is counted all the same, and none is said to be dropped.
    """
    timed = False
    sums, counts = log.all, None
    if begin_s is not None and end_s is not None:
        sums, counts = log.sums_between(begin_s, end_s), log.counts_between(begin_s, end_s)
        timed = bool(sums.count) or not log.all.count
        if not timed:
            sums, counts = log.all, None
    figures = sums.figures(real_time_s)
    if counts is None:
        missing = sums.missing if timed else None
        published = None if missing is None else sums.received + missing
        return figures | {"frames_published": published, "frames_dropped": missing}
    # A record that was lost on its way here is no lost frame: the brain's own counter knows.
    lost_records = max(0, sums.received - counts.recorded) if sums.count else 0
    dropped = max(0, counts.missing - lost_records)
    return figures | {"frames_published": counts.seen, "frames_dropped": dropped}
