"""Mean, spread and counts against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
from benchmark_rows import row
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.benchmark.summary import BY_MODEL, spread, summarize


def test_spread_of_known_values():
    # Squared differences from 5: 9 1 1 1 0 0 4 16, together 32, over 7.
    values = spread([2, 4, 4, 4, 5, 5, 7, 9])
    assert values["mean"] == 5.0
    assert values["std"] == pytest.approx(math.sqrt(32 / 7))
    assert values["n"] == 8


def test_one_value_has_no_spread_and_none_no_mean():
    assert spread([3.0]) == {"mean": 3.0, "std": None, "n": 1}
    assert spread([]) == {"mean": None, "std": None, "n": 0}


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.floats(-1e3, 1e3))
def test_adding_a_constant_moves_the_mean_and_not_the_spread(values, constant):
    before, after = spread(values), spread([value + constant for value in values])
    assert after["mean"] == pytest.approx(before["mean"] + constant, abs=1e-6)
    assert after["std"] == pytest.approx(before["std"], abs=1e-6)


def test_an_entry_is_the_mean_over_the_finished_repetitions():
    rows = [
        row(repetition=0, average_speed=12.0, lap_times_s=[31.0], device="cpu"),
        row(repetition=1, average_speed=14.0, lap_times_s=[29.0], device="cpu"),
        row(repetition=2, average_speed=99.0, finished=False, device="cpu"),
    ]
    (entry,) = summarize(rows)
    assert (entry["model"], entry["circuit"], entry["disturbance"]) == ("a", "c", "none")
    assert entry["average_speed"] == {"mean": 13.0, "std": pytest.approx(math.sqrt(2)), "n": 2}
    assert entry["lap_time_s"] == {"mean": 30.0, "std": pytest.approx(math.sqrt(2)), "n": 2}
    assert entry["best_lap_time_s"] == 29.0
    assert (entry["runs"], entry["runs_finished"]) == (3, 2)
    assert (entry["laps_started"], entry["laps_finished"]) == (3, 2)
    assert entry["endings"] == {"left the road": 1}
    assert entry["device"] == "cpu"
    assert entry["mean_inference_time"] == {"mean": None, "std": None, "n": 0}


def test_of_a_run_cut_short_the_begun_lap_counts_as_started():
    rows = [
        row(laps=3, laps_asked=3, lap_times_s=[30.0, 29.0, 31.0]),
        row(repetition=1, finished=False, laps=1, laps_asked=3),
        row(repetition=2, finished=False, laps=0, laps_asked=3),
    ]
    (entry,) = summarize(rows)
    assert (entry["laps_started"], entry["laps_finished"]) == (3 + 2 + 1, 3 + 1)


def test_groups_keep_their_order_and_totals_run_over_circuits():
    rows = [row("b", "x"), row("a", "x"), row("b", "y", finished=False)]
    assert [(e["model"], e["circuit"]) for e in summarize(rows)] == [
        ("b", "x"), ("a", "x"), ("b", "y"),
    ]  # fmt: skip
    totals = summarize(rows, BY_MODEL)
    assert [(e["model"], e["circuits"], e["runs"], e["runs_finished"]) for e in totals] == [
        ("b", 2, 2, 1), ("a", 1, 1, 1),
    ]  # fmt: skip
