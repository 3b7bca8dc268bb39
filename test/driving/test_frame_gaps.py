"""Dropped frames are gaps against what the camera says it published."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.watchdog import FrameGaps


@given(
    arrives=st.lists(st.booleans(), max_size=60),
    info_first=st.booleans(),
)
def test_counts_each_missing_frame_once(arrives: list[bool], info_first: bool) -> None:
    # The first frame begins the count and the last one ends it.
    arrives = [True, *arrives, True]
    gaps = FrameGaps()
    for stamp, arrived in enumerate(arrives):
        if info_first:
            gaps.published(stamp)
        if arrived:
            gaps.arrived(stamp)
        if not info_first:
            gaps.published(stamp)
    assert gaps.dropped == arrives.count(False)


def test_an_info_that_comes_late_still_counts() -> None:
    gaps = FrameGaps()
    gaps.arrived(10)
    gaps.arrived(30)
    gaps.published(20)
    gaps.published(30)
    assert gaps.dropped == 1


def test_a_reset_of_the_clock_drops_nothing() -> None:
    gaps = FrameGaps()
    for stamp in (10, 20, 30):
        gaps.published(stamp)
        gaps.arrived(stamp)
    gaps.restart()
    gaps.published(5)
    gaps.arrived(5)
    assert gaps.dropped == 0
