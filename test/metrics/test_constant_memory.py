"""A run of hours keeps no more than a short one, and has the figures of all its records."""

from __future__ import annotations

import gc
import random
import tracemalloc

import numpy as np
import pytest
from driven_lines import LAP, circle, drive
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_frame_figures import FrameLog as PlainLog
from plain_frame_figures import frame_figures as plain_figures
from plain_score import plain_score

from pilotnet_brain.metrics.deviation_score import (
    DrivenScore,
    ScoredReference,
    centerline_reference,
)
from pilotnet_brain.metrics.duration_histogram import DurationHistogram
from pilotnet_brain.metrics.frame_figures import frame_figures
from pilotnet_brain.metrics.frame_log import FrameLog
from pilotnet_brain.metrics.frame_record import FrameRecord
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics

PERCENTILES = ("p50", "p99")


def run_of_frames(rng: random.Random, count: int) -> list[tuple[float, str, object]]:
    """Return (arrival time s, kind, what) of frames that were published, driven, late, lost..."""
    events: list[tuple[float, str, object]] = []
    counters = {"frames_late": 0, "frames_broken": 0, "frames_failed": 0}
    model, received = "baseline", 0
    for number in range(count):
        stamp = 0.05 * number
        if rng.random() < 0.95:  # else its camera_info was lost
            events.append((stamp + rng.uniform(0.0, 0.3), "published", stamp))
        if rng.random() < 0.1:  # dropped
            continue
        received += 1
        outcome = rng.choices(["driven", "late", "broken", "failed"], [90, 4, 3, 3])[0]
        if outcome != "driven":
            counters[f"frames_{outcome}"] += 1
        model = rng.choice(["baseline", "tiny"]) if rng.random() < 0.02 else model
        record = FrameRecord(
            stamp_s=stamp + (1e6 if outcome == "broken" and rng.random() < 0.3 else 0.0),
            preprocess_s=rng.uniform(1e-4, 1e-3) if outcome == "driven" else None,
            inference_s=rng.lognormvariate(-7, 1) if outcome == "driven" else None,
            callback_s=rng.lognormvariate(-6, 1),
            age_s=rng.lognormvariate(-5, 1),
            stamp_to_command_s=rng.choice([None, 0.005 * rng.randrange(20)]),
            outputs=(rng.random(), rng.random()) if outcome == "driven" else None,
            model=model,
            device="cpu",
            driven=outcome == "driven",
            problem="" if outcome == "driven" else outcome,
            frames_received=received,
            **counters,
        )
        if rng.random() < 0.95:  # else it was lost on its way
            # Driven frames come in order but for less than a reset of the clock.
            late_by = 0.4 if outcome == "driven" else 4.9
            events.append((stamp + rng.uniform(0.0, late_by), "record", record))
    return sorted(events, key=lambda event: event[0])


def assert_same(figures: dict, plain: dict) -> None:
    assert figures.keys() == plain.keys()
    for key, value in plain.items():
        if key == "models":
            assert len(figures[key] or []) == len(value or [])
            for one, other in zip(figures[key] or [], value or [], strict=True):
                assert_same(one, other)
        elif key.endswith(PERCENTILES) and value is not None:
            assert figures[key] == pytest.approx(value, rel=1e-3), key
        elif isinstance(value, float):
            assert figures[key] == pytest.approx(value, rel=1e-9), key
        else:
            assert figures[key] == value, key


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    # Not on a frame's stamp: stamps of frames are told apart by microseconds.
    begin=st.integers(0, 70_000).map(lambda ms: 1e-3 * ms + 3e-4),
    end=st.integers(0, 80_000).map(lambda ms: 1e-3 * ms + 3e-4),
    settle_s=st.sampled_from([10.0, 13.7]),
)
def test_settled_frames_give_the_figures_of_all_records(seed, begin, end, settle_s):
    rng = random.Random(seed)
    log, plain = FrameLog(), PlainLog()
    settled_s, latest = begin, begin
    for arrival, kind, what in run_of_frames(rng, 1600):
        # Poses go on until the ending; records come after it, too.
        latest = max(begin, min(arrival, end))
        if arrival > begin and latest - settled_s >= settle_s:
            log.settle(begin, latest)
            settled_s = latest
        for one in (log, plain):
            one.add(what) if kind == "record" else one.add_published(what)
        if rng.random() < 0.002:
            assert_same(frame_figures(log, begin, latest, 1.0),
                        plain_figures(plain, begin, latest, 1.0))  # fmt: skip
    assert_same(frame_figures(log, begin, latest, None), plain_figures(plain, begin, latest, None))
    assert log.pending(latest) == plain.pending(latest)
    assert log.rate_hz() == plain.rate_hz()


def test_records_that_all_came_before_the_poses_count_when_the_run_comes_to_them():
    log, plain = FrameLog(), PlainLog()
    for _, kind, what in run_of_frames(random.Random(1), 1600):
        for one in (log, plain):
            one.add(what) if kind == "record" else one.add_published(what)
    for latest in np.arange(10.0, 80.0, 10.0):
        log.settle(0.0, latest)
    assert_same(frame_figures(log, 0.0, 80.0, 1.0), plain_figures(plain, 0.0, 80.0, 1.0))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(1e-6, 900.0), min_size=1, max_size=200), st.floats(0.0, 100.0))
def test_percentiles_are_within_a_thousandth(durations, percent):
    histogram = DurationHistogram()
    for duration in durations:
        histogram.add(duration)
    assert histogram.percentile(percent) == pytest.approx(
        np.percentile(durations, percent), rel=1.0001e-3
    )


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), drift=st.sampled_from([0.0, 0.3, 1.0, 150.0]))
@example(seed=9589, drift=0.0)
def test_the_score_of_a_drive_is_that_of_its_whole_line(seed, drift):
    """Up to several laps with steps forward and back, scored now and then and at the end."""
    rng = np.random.default_rng(seed)
    line = circle().centerline
    reference = ScoredReference(line, centerline_reference(line))
    begin = float(rng.uniform(0.0, LAP))
    progress = np.cumsum(rng.normal(drift, 1.0, rng.integers(1, 1500)))
    progress = np.concatenate([[0.0], progress])[: 30 if drift > 100.0 else None]
    places = line.position(np.mod(begin + progress, LAP)) + rng.normal(0, 0.2, (len(progress), 2))
    score = DrivenScore(reference)
    for number, ((x, y), s) in enumerate(zip(places.tolist(), progress.tolist(), strict=True)):
        score.add(x, y, s)
        if rng.random() < 0.005 or number == len(progress) - 1:
            span = float(progress[: number + 1].min()), float(progress[: number + 1].max())
            driven = np.column_stack([places, progress])[: number + 1]
            expected = plain_score(reference, driven, begin, span)
            # None while no point of the reference lies in what was driven.
            if expected is not None:
                expected = pytest.approx(expected, rel=1e-9)
            assert score.score(begin, span) == expected


def hours(metrics: RunMetrics, begin_s: float, end_s: float) -> None:
    """Drive on at 10 m/s with 20 frames and 10 poses a second."""
    for tick in range(int(begin_s * 20), int(end_s * 20)):
        stamp = 0.05 * tick
        metrics.add_published_frame(stamp)
        metrics.add_frame(
            FrameRecord(stamp, inference_s=0.002, callback_s=0.003, age_s=0.004, driven=True,
                        outputs=(0.5, 0.5), model="tiny", device="cpu", frames_received=tick + 1)
        )  # fmt: skip
    drive(metrics, lambda t: 10.0 * t, np.arange(begin_s, end_s, 0.1))
    metrics.figures()


def test_a_long_run_keeps_no_more_than_a_short_one():
    metrics = RunMetrics(circle(), Rules(laps=0))
    for minute in range(2):
        hours(metrics, 60.0 * minute, 60.0 * (minute + 1))
    gc.collect()
    tracemalloc.start()
    try:
        for minute in range(2, 14):
            hours(metrics, 60.0 * minute, 60.0 * (minute + 1))
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert metrics.figures()["frames_driven"] == 14 * 60 * 20 - 1  # one is newer than all poses
    # What replaced the untraced records of before. All records of the 12 minutes take 8 MB.
    assert grown < 2_000_000
