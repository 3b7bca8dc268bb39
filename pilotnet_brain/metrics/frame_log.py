"""Frame records and published frame stamps as they come, in any order, in constant memory."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

from pilotnet_brain.metrics.frame_record import FrameRecord
from pilotnet_brain.metrics.frame_sums import FrameSums
from pilotnet_brain.metrics.pose_filter import RESET_S

IN_FLIGHT_S = 0.25
"""A frame published this shortly before the end may still be on its way: it is not dropped yet."""
_BEGIN_TOLERANCE_S = 0.5
_RATE_SPAN_S = 2.0
_LATEST_S = 5.0
"""A record may come this late, by the poses' time, and still take its place in the order."""
_MOST_KEPT = 2000
"""So many of the frames that are too new to be added up are kept: a stamp may be anything."""
_PUBLISHED, _RECORDED = 1, 2


class StampCounts(NamedTuple):
    """How many frames there were, by their stamps."""

    seen: int = 0  #: published or recorded
    recorded: int = 0
    missing: int = 0  #: published, and no record came

    def plus(self, stamps: dict[int, int]) -> StampCounts:
        """Return the counts with further stamps (key -> flags)."""
        recorded = sum(1 for flags in stamps.values() if flags & _RECORDED)
        missing = len(stamps) - recorded
        return StampCounts(
            self.seen + len(stamps), self.recorded + recorded, self.missing + missing
        )


class FrameLog:
    """The frame records and published frame stamps of one epoch of the clock.

    A record of a later epoch, or a driven frame's stamp that jumps backward, clears it. `settle`
    adds up and forgets what was there at its last call; until then the order does not matter.
    """

    def __init__(self) -> None:
        self.unreadable = 0
        self._newest_driven_s: float | None = None
        self._newest_published_s: float | None = None
        self._newest_s: float | None = None
        self._epoch: int | None = None
        # Before and since the last call of settle; stamps in microseconds, with flags.
        self._records: tuple[list[FrameRecord], list[FrameRecord]] = ([], [])
        self._stamps: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._forget_records()

    def start_over(self) -> None:
        """Forget what is settled: the run begins later, with frames that are not settled yet."""
        self._begin_s: float | None = None
        self._until_s = 0.0
        self._sums = FrameSums()
        self._counts = StampCounts()

    def add(self, record: FrameRecord) -> None:
        """Note the record of one frame."""
        newest = self._newest_driven_s
        jumped = record.driven and newest is not None and record.stamp_s < newest - RESET_S
        if self._epoch is not None and (jumped or record.epoch > self._epoch):
            self._forget_records()
        if record.driven:
            self._newest_driven_s = record.stamp_s
        self._epoch = record.epoch
        self._newest_s = max(record.stamp_s, self._newest_s or record.stamp_s)
        self.all.add(record)
        self._records[1].append(record)
        self._mark(record.stamp_s, _RECORDED)

    def add_published(self, stamp_s: float) -> None:
        """Note the stamp of a frame that the camera published."""
        newest = self._newest_published_s
        if newest is not None and stamp_s < newest - RESET_S:
            self._forget_stamps(_PUBLISHED)
        self._newest_published_s = stamp_s
        self._mark(stamp_s, _PUBLISHED)

    def settle(self, begin_s: float, end_s: float) -> None:
        """Add up what was there at the last call already, for a run from `begin_s` to `end_s`.

        Frames stamped up to 5 s before the last call's `end_s` or later are kept: others may come
        in between. Those stamped before the run are left out from now on.
        """
        self._begin_s = begin_s = self._first_frame_s(begin_s)
        (older, newer), (old_stamps, new_stamps) = self._records, self._stamps
        for record in _in_time(older, begin_s, self._until_s):
            self._sums.add(record)
        self._counts = self._counts.plus(_keys_in_time(old_stamps, begin_s, self._until_s))
        later = sorted((r for r in older if r.stamp_s > self._until_s), key=_stamp_of)
        stamps_later = sorted(k for k in old_stamps if k > _stamp_key(self._until_s))
        self._records = (later[:_MOST_KEPT] + newer, [])
        self._stamps = ({k: old_stamps[k] for k in stamps_later[:_MOST_KEPT]} | new_stamps, {})
        self._until_s = end_s - _LATEST_S

    def between(self, begin_s: float, end_s: float) -> list[FrameRecord]:
        """Return the records of the frames stamped in [begin_s, end_s], in order of stamps.

        The frame that set the car in motion is a little older than its first movement: the newest
        driven frame up to `begin_s` counts too. What is settled is left out.
        """
        return _in_time(self._recent(), self._first_frame_s(begin_s), end_s)

    def sums_between(self, begin_s: float, end_s: float) -> FrameSums:
        """Return the sums of all frames stamped in [begin_s, end_s], those settled too."""
        sums = deepcopy(self._sums)
        for record in self.between(begin_s, end_s):
            sums.add(record)
        return sums

    def counts_between(self, begin_s: float, end_s: float) -> StampCounts | None:
        """Return the counts of all frames stamped in [begin_s, end_s], those settled too.

        Frames of the last moment are not said to be missing. None if none was ever published.
        """
        if self._newest_published_s is None:
            return None
        stamps = self._stamps[0] | self._stamps[1]
        stamps = _keys_in_time(stamps, self._first_frame_s(begin_s), end_s)
        newest = max((key for key, flags in stamps.items() if flags & _RECORDED), default=0)
        judged = max(newest, _stamp_key(end_s - IN_FLIGHT_S))
        counts = self._counts.plus(stamps)
        in_flight = sum(1 for key in stamps if key > judged)
        return counts._replace(missing=counts.missing - in_flight)

    def rate_hz(self) -> float | None:
        """Return the driven frames per simulated second over the last two seconds."""
        recent: list[float] = []
        for record in reversed(self._recent()):
            if recent and recent[0] - record.stamp_s > _RATE_SPAN_S:
                break
            if record.driven:
                recent.append(record.stamp_s)
        if len(recent) < 2 or recent[0] <= recent[-1]:
            return None
        return (len(recent) - 1) / (recent[0] - recent[-1])

    def pending(self, end_s: float) -> int:
        """Return how many published frames up to `end_s` are newer than every record."""
        if self._newest_s is None:
            return 0
        newest, end = _stamp_key(self._newest_s), _stamp_key(end_s)
        return sum(1 for stamps in self._stamps for key in stamps if newest < key <= end)

    def _recent(self) -> list[FrameRecord]:
        older, newer = self._records
        return older + newer

    def _first_frame_s(self, begin_s: float) -> float:
        """Return the stamp of the run's first frame, or `begin_s` where it is not known."""
        if self._begin_s is not None:
            return self._begin_s
        before = (r.stamp_s for r in self._recent() if r.driven and r.stamp_s <= begin_s)
        newest = max(before, default=begin_s)
        return newest if begin_s - newest <= _BEGIN_TOLERANCE_S else begin_s

    def _mark(self, stamp_s: float, flag: int) -> None:
        older, newer = self._stamps
        key = _stamp_key(stamp_s)
        stamps = older if key in older else newer
        stamps[key] = stamps.get(key, 0) | flag

    def _forget_records(self) -> None:
        self.all = FrameSums()
        """All frames, in order of their arrival."""
        self._epoch = self._newest_s = None
        self._records = ([], [])
        self._forget_stamps(_RECORDED)
        self.start_over()

    def _forget_stamps(self, flag: int) -> None:
        older, newer = (
            {key: flags & ~flag for key, flags in stamps.items() if flags & ~flag}
            for stamps in self._stamps
        )
        self._stamps = (older, newer)
        self._counts = StampCounts()


def _in_time(records: list[FrameRecord], begin_s: float, end_s: float) -> list[FrameRecord]:
    return sorted((r for r in records if begin_s <= r.stamp_s <= end_s), key=_stamp_of)


def _keys_in_time(stamps: dict[int, int], begin_s: float, end_s: float) -> dict[int, int]:
    begin, end = _stamp_key(begin_s), _stamp_key(end_s)
    return {key: flags for key, flags in stamps.items() if begin <= key <= end}


def _stamp_of(record: FrameRecord) -> float:
    return record.stamp_s


def _stamp_key(stamp_s: float) -> int:
    """A stamp in whole microseconds: equal for the same stamp read from two messages."""
    return round(stamp_s * 1e6)
