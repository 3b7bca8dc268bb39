"""The brain's figures from frame records, by hand."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.metrics.frame_figures import frame_figures
from pilotnet_brain.metrics.frame_log import FrameLog
from pilotnet_brain.metrics.frame_record import FrameRecord


def record(i, **changes):
    plain = FrameRecord(
        stamp_s=0.05 * i, inference_s=0.002, callback_s=0.005, age_s=0.006, outputs=(0.5, 0.5),
        model="baseline", device="cpu", driven=True, frames_received=i + 1,
    )  # fmt: skip
    return replace(plain, **changes)


def log_of(records, published=()):
    log = FrameLog()
    for one in records:
        log.add(one)
    for stamp in published:
        log.add_published(stamp)
    return log


def test_the_first_and_last_ten_frames_do_not_count_for_the_mean():
    records = [record(i, inference_s=9.0 if i < 10 or i >= 30 else 0.001 * i) for i in range(40)]
    figures = frame_figures(log_of(records), 0.0, 10.0, None)
    assert figures["mean_inference_time"] == pytest.approx(0.001 * (10 + 29) / 2)
    assert figures["inference_time_p99"] == 9.0


def test_twenty_frames_have_no_mean_inference_time():
    figures = frame_figures(log_of([record(i) for i in range(20)]), 0.0, 10.0, None)
    assert figures["mean_inference_time"] is None
    assert figures["inference_time_p50"] == 0.002


def test_rates_and_frequency():
    figures = frame_figures(log_of([record(i) for i in range(100)]), 0.0, 4.95, 10.0)
    assert figures["brain_iteration_frequency"] == pytest.approx(200.0)
    assert figures["brain_rate_hz"] == pytest.approx(10.0)
    assert figures["frames_received"] == 100


def test_takeovers_are_counted_and_timed():
    taken = {*range(10, 30), 50}  # 1 s and one frame
    records = [record(i, taken_over=i in taken) for i in range(100)]
    figures = frame_figures(log_of(records), 0.0, 4.95, None)
    assert figures["takeovers"] == 2
    assert figures["taken_over_s"] == pytest.approx(21 * 0.05)


def test_only_the_frames_of_the_run_count():
    # The run goes from 1.01 s to 2 s: frames 20 (it set the car off) to 40.
    figures = frame_figures(log_of([record(i) for i in range(100)]), 1.01, 2.0, None)
    assert figures["frames_received"] == 21


def test_published_frames_without_a_record_were_dropped():
    kept = [i for i in range(60) if i % 7]
    log = log_of(
        [record(i, frames_received=n + 1) for n, i in enumerate(kept)],
        [0.05 * i for i in range(60)],
    )
    figures = frame_figures(log, 0.0, 2.95, None)
    dropped = len([i for i in range(60) if i % 7 == 0])
    assert figures["frames_dropped"] == dropped
    assert figures["frames_received"] == len(kept)
    assert figures["frames_published"] == 60


def test_a_lost_record_is_no_dropped_frame():
    records = [record(i) for i in range(60) if i != 30]
    figures = frame_figures(log_of(records, [0.05 * i for i in range(60)]), 0.0, 2.95, None)
    assert figures["frames_received"] == 60
    assert figures["frames_dropped"] == 0


def test_frames_of_the_last_moment_are_still_on_their_way():
    log = log_of([record(i) for i in range(58)], [0.05 * i for i in range(60)])
    assert frame_figures(log, 0.0, 2.95, None)["frames_dropped"] == 0
    assert log.pending(2.95) == 2
    log = log_of([record(i) for i in range(40)], [0.05 * i for i in range(60)])
    assert frame_figures(log, 0.0, 2.95, None)["frames_dropped"] == 15


def test_late_and_broken_frames_by_the_brains_counters():
    records = [
        record(0, driven=False, problem="broken: encoding", frames_broken=3),
        record(1, frames_broken=3),
        record(2, driven=False, problem="late by 0.6 s", frames_broken=3, frames_late=1),
        record(3, driven=False, problem="broken: short", frames_broken=4, frames_late=1),
    ]
    figures = frame_figures(log_of(records), 0.0, 1.0, None)
    assert figures["frames_broken"] == 2
    assert figures["frames_late"] == 1
    assert figures["frames_driven"] == 1


def test_a_new_epoch_starts_the_frames_over():
    old = [record(i) for i in range(100)]
    new = [record(i, epoch=1, frames_received=100 + i) for i in range(5)]
    figures = frame_figures(log_of(old + new), 0.0, 100.0, None)
    assert figures["frames_received"] == 5
    again = frame_figures(log_of(old + [replace(r, epoch=0) for r in new]), 0.0, 100.0, None)
    assert again["frames_driven"] == 5


def test_without_records_nothing_was_measured():
    figures = frame_figures(FrameLog(), 0.0, 10.0, 10.0)
    assert set(figures.values()) == {None}


def test_a_brain_that_never_answered_dropped_every_frame():
    figures = frame_figures(log_of([], [0.05 * i for i in range(100)]), 0.0, 4.95, 5.0)
    assert figures["frames_received"] is None
    assert figures["frames_dropped"] == 95


def test_frames_of_another_clock_than_the_poses_are_counted_and_none_is_dropped():
    records = [record(i, frames_received=i + 1, driven=i > 2, problem="late" if i <= 2 else "")
               for i in range(20)]  # fmt: skip
    figures = frame_figures(log_of(records, [0.05 * i for i in range(40)]), 1.7e9, 1.7e9 + 5, 5.0)
    assert figures["frames_received"] == 20
    assert figures["frames_driven"] == 17
    assert figures["frames_dropped"] is None
    without_poses = frame_figures(log_of(records), None, None, None)
    assert without_poses["frames_received"] == 20


def test_suddenness_is_the_mean_step_of_the_outputs():
    outputs = [(0.0, 0.0), (0.3, 0.4), None, (0.3, 0.4)]
    log = log_of([record(i, outputs=pair) for i, pair in enumerate(outputs)])
    assert frame_figures(log, 0.0, 1.0, None)["suddenness"] == pytest.approx(0.25)
    assert frame_figures(log_of([record(0)]), 0.0, 1.0, None)["suddenness"] is None


def test_frames_on_which_the_network_failed_are_counted():
    records = [
        record(0, frames_failed=7),
        record(1, driven=False, problem="failed", inference_s=None, frames_failed=8),
        # The record of another failure was lost; the brain's counter knows of it.
        record(3, frames_failed=9),
    ]
    figures = frame_figures(log_of(records), 0.0, 1.0, None)
    assert figures["frames_failed"] == 2
    assert figures["frames_driven"] == 2


def test_an_older_bag_has_no_counter_of_failed_frames_but_their_records():
    records = [record(0), record(1, driven=False, problem="failed: too bright"), record(2)]
    assert frame_figures(log_of(records), 0.0, 1.0, None)["frames_failed"] == 1


def test_a_run_with_one_model_has_one_entry_of_models():
    figures = frame_figures(log_of([record(i) for i in range(30)]), 0.0, 10.0, None)
    assert figures["models"] == [
        {
            "name": "baseline", "device": "cpu", "since_s": 0.0, "frames_driven": 30,
            "mean_inference_time": pytest.approx(0.002), "mean_callback_time": pytest.approx(0.005),
        }
    ]  # fmt: skip


def test_every_swap_of_the_model_starts_an_entry_of_its_own():
    names = ["baseline"] * 30 + ["tiny"] * 40 + ["baseline"] * 5
    records = [
        record(i, model=name, callback_s=0.002 if name == "tiny" else 0.005,
               inference_s=0.001 * (i - 29) if name == "tiny" else 0.002)
        for i, name in enumerate(names)
    ]  # fmt: skip
    # A late frame is stamped before the swap; a broken one carries any stamp.
    records.append(record(20, model="tiny", driven=False, problem="late"))
    records.append(record(10, model="tiny", driven=False, problem="broken"))
    models = frame_figures(log_of(records), 0.0, 10.0, None)["models"]
    assert [entry["name"] for entry in models] == ["baseline", "tiny", "baseline"]
    assert [entry["frames_driven"] for entry in models] == [30, 40, 5]
    assert [entry["since_s"] for entry in models] == pytest.approx([0.0, 1.5, 3.5])
    # Without its own first and last ten frames: 11 to 30 ms.
    assert models[1]["mean_inference_time"] == pytest.approx(0.001 * (11 + 30) / 2)
    assert models[1]["mean_callback_time"] == pytest.approx(0.002)
    assert models[2]["mean_inference_time"] is None
    assert json.loads(json.dumps(models)) == models


def test_a_model_that_failed_on_every_frame_is_named_too():
    failed = [record(i, model="nan", driven=False, problem="failed", inference_s=None,
                     callback_s=None) for i in range(5, 10)]  # fmt: skip
    models = frame_figures(log_of([record(i) for i in range(5)] + failed), 0.0, 1.0, None)["models"]
    assert [(entry["name"], entry["frames_driven"]) for entry in models] == [
        ("baseline", 5), ("nan", 0),
    ]  # fmt: skip
    assert models[1]["mean_callback_time"] is None


def test_records_that_name_no_model_have_no_entry():
    figures = frame_figures(log_of([record(i, model="") for i in range(5)]), 0.0, 1.0, None)
    assert figures["models"] is None


ANY_FLOAT = st.none() | st.floats(allow_nan=False)


@given(st.lists(st.tuples(ANY_FLOAT, ANY_FLOAT, ANY_FLOAT), min_size=2, max_size=30))
def test_what_no_clock_measured_leaves_the_figures_finite(said):
    log = FrameLog()
    for number, (duration, first, second) in enumerate(said):
        outputs = None if first is None or second is None else (first, second)
        durations = dict.fromkeys(
            ("preprocess_s", "inference_s", "callback_s", "age_s", "stamp_to_command_s"), duration
        )
        log.add(FrameRecord(number * 0.05, model="m", driven=True, outputs=outputs, **durations))
    json.dumps(frame_figures(log, 0.0, 10.0, 10.0), allow_nan=False)


def test_without_camera_info_the_stamps_tell_which_frames_are_missing():
    kept = [i for i in range(200) if i % 7 and i not in (50, 51, 52)]
    # Gazebo Classic's stamps are a step of the physics off.
    records = [
        record(i, stamp_s=0.05 * i + 0.001 * (i % 2), frames_received=n + 1)
        for n, i in enumerate(kept)
    ]
    figures = frame_figures(log_of(records), 0.0, 10.0, None)
    assert figures["frames_dropped"] == kept[-1] - kept[0] + 1 - len(kept)
    assert figures["frames_published"] == kept[-1] - kept[0] + 1


def test_a_brain_that_skips_every_other_frame_now_and_then_is_seen_without_camera_info():
    kept = [i for i in range(200) if i < 40 or i % 2]
    records = [record(i, frames_received=n + 1) for n, i in enumerate(kept)]
    assert frame_figures(log_of(records), 0.0, 10.0, None)["frames_dropped"] == 80


def test_a_lost_record_is_no_dropped_frame_without_camera_info_either():
    records = [record(i) for i in range(60) if i != 30]
    assert frame_figures(log_of(records), 0.0, 3.0, None)["frames_dropped"] == 0


def test_too_few_frames_say_nothing_of_those_missing():
    figures = frame_figures(log_of([record(i) for i in range(15)]), 0.0, 10.0, None)
    assert figures["frames_dropped"] is None
