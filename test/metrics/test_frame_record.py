"""The frame record and its two forms on the wire: numbers today, text in older bags."""

import math
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.metrics.frame_record import (
    DEVICES,
    NUMBERS,
    FrameRecord,
    FrameRecordError,
    frame_record,
    problem_of,
)

LATER = {"compensated_s": 0.03, "taken_over": True}
"""Numbers that the first bags of this kind do not have, with a value."""
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
OPTIONAL = st.none() | NUMBER
COUNTS = st.integers(0, 2**40)
OUTCOMES = st.sampled_from([(True, ""), (False, "late"), (False, "broken"), (False, "failed")])
RECORDS = st.builds(
    lambda outcome, stamp, **values: FrameRecord(
        stamp[0] + stamp[1] * 1e-9, driven=outcome[0], problem=outcome[1], **values
    ),
    outcome=OUTCOMES,
    stamp=st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 999_999_999)),
    preprocess_s=OPTIONAL,
    inference_s=OPTIONAL,
    callback_s=OPTIONAL,
    age_s=OPTIONAL,
    stamp_to_command_s=OPTIONAL,
    compensated_s=OPTIONAL,
    speed=OPTIONAL,
    yaw_rate=OPTIONAL,
    outputs=st.none() | st.tuples(NUMBER, NUMBER),
    model=st.text(),
    device=st.sampled_from(DEVICES),
    frames_received=COUNTS,
    frames_late=COUNTS,
    frames_broken=COUNTS,
    frames_failed=COUNTS,
    epoch=COUNTS,
    taken_over=st.booleans(),
)


def numbers_message(record, names=NUMBERS, values=None, sec=0, nanosec=0):
    """A message of brain/frames, by its fields."""
    stamp = SimpleNamespace(sec=sec, nanosec=nanosec)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id=record.model),
        name=list(names),
        position=record.to_numbers() if values is None else values,
    )


def changed(**values):
    """A message whose values of these names are others."""
    numbers = dict(zip(NUMBERS, FrameRecord(0.0, device="cpu").to_numbers(), strict=True)) | values
    return numbers_message(FrameRecord(0.0), numbers, list(numbers.values()))


def old_texts(record):
    """What older brains said of a frame: floats with all their digits, None as the empty text."""

    def text(value):
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value) if isinstance(value, str | int) else repr(value)

    first, second = record.outputs or (None, None)
    left_out = ("outputs", "frames_failed", *LATER)
    plain = {
        f.name: text(getattr(record, f.name)) for f in fields(record) if f.name not in left_out
    }
    return plain | {"output_0": text(first), "output_1": text(second)}


def texts_message(texts):
    """A message of brain/frames in an older bag, by its fields."""
    pairs = [SimpleNamespace(key=key, value=value) for key, value in texts.items()]
    return SimpleNamespace(status=[SimpleNamespace(values=pairs)])


@given(RECORDS, st.integers(0, 10**6), st.integers(0, 999_999_999))
def test_a_record_comes_back_with_every_digit(record, sec, nanosec):
    assert all(type(value) is float for value in record.to_numbers())
    message = numbers_message(record, sec=sec, nanosec=nanosec)
    returned = frame_record(message)
    assert returned.stamp_s == sec + nanosec * 1e-9
    assert vars(returned) | {"stamp_s": 0} == vars(record) | {"stamp_s": 0}


def test_what_a_frame_did_not_get_to_is_not_a_number():
    late = FrameRecord(1.0, problem="late: too old to drive on", device="cuda")
    numbers = dict(zip(NUMBERS, late.to_numbers(), strict=True))
    assert math.isnan(numbers["inference_s"])
    assert math.isnan(numbers["output_1"])
    assert (numbers["outcome"], numbers["device"]) == (1.0, 1.0)


def test_numpy_numbers_travel_as_plain_numbers():
    record = FrameRecord(
        1.0, inference_s=np.float32(0.5), outputs=(np.float32(0.25), np.float64(1))
    )
    assert all(type(value) is float for value in record.to_numbers())
    assert frame_record(numbers_message(record)).outputs == (0.25, 1.0)


def test_an_infinite_output_is_kept_as_seen():
    record = FrameRecord(1.0, outputs=(math.inf, 0.0), problem="failed: output not finite")
    assert frame_record(numbers_message(record)).outputs == (math.inf, 0.0)
    assert frame_record(texts_message(old_texts(record))).outputs == (math.inf, 0.0)


def test_unknown_numbers_are_left_alone():
    assert frame_record(changed(colour=3.0)) == frame_record(changed())


@pytest.mark.parametrize("later", LATER)
def test_bags_from_before_a_number_was_added_are_read(later):
    names = ["other" if name == later else name for name in NUMBERS]
    record = FrameRecord(0.0, **{later: LATER[later]})
    assert frame_record(numbers_message(record, names)) == FrameRecord(0.0)


@pytest.mark.parametrize("name", [name for name in NUMBERS if name not in LATER])
def test_a_missing_number_is_named(name):
    message = numbers_message(FrameRecord(0.0), ["other" if n == name else n for n in NUMBERS])
    with pytest.raises(FrameRecordError, match=f"{name} is missing"):
        frame_record(message)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epoch", 1.5), ("frames_late", math.nan), ("outcome", 9.0), ("device", -1.0),
     ("frames_received", math.inf), ("epoch", 1e300)],
)  # fmt: skip
def test_a_wrong_number_is_named(name, value):
    with pytest.raises(FrameRecordError, match=name):
        frame_record(changed(**{name: value}))


def test_a_name_without_end_is_no_models():
    with pytest.raises(FrameRecordError, match="a model's name of 400000 characters"):
        frame_record(numbers_message(FrameRecord(0.0, model="x" * 400_000)))


def test_of_a_problem_without_end_the_beginning_is_kept():
    problem = problem_of(texts_message({"problem": "broken: " + "x" * 400_000}))
    assert problem.startswith("broken: x")
    assert len(problem) <= 1000


def test_names_without_values_are_no_record():
    with pytest.raises(FrameRecordError, match="1 names and 2 values"):
        frame_record(numbers_message(FrameRecord(0.0), ["speed"], [1.0, 2.0]))


@given(RECORDS)
def test_a_record_of_an_older_bag_is_read_with_every_digit(record):
    returned = frame_record(texts_message(old_texts(record)))
    unknown = {"frames_failed": 0, "compensated_s": None, "taken_over": False}
    assert vars(returned) == vars(record) | unknown


def test_unknown_keys_of_an_older_bag_are_left_alone():
    texts = old_texts(FrameRecord(2.0)) | {"colour": "red"}
    assert frame_record(texts_message(texts)) == FrameRecord(2.0)


@pytest.mark.parametrize("key", sorted(old_texts(FrameRecord(0.0))))
def test_a_missing_key_of_an_older_bag_is_named(key):
    texts = old_texts(FrameRecord(0.0))
    del texts[key]
    with pytest.raises(FrameRecordError, match=key):
        frame_record(texts_message(texts))


@pytest.mark.parametrize(
    ("key", "text"),
    [("stamp_s", ""), ("stamp_s", "nan"), ("inference_s", "fast"), ("epoch", "1.5")],
)
def test_a_wrong_text_of_an_older_bag_is_named(key, text):
    with pytest.raises(FrameRecordError, match=key):
        frame_record(texts_message(old_texts(FrameRecord(0.0, epoch=1)) | {key: text}))


def test_a_message_without_exactly_one_status_is_no_record():
    with pytest.raises(FrameRecordError, match="0 statuses"):
        frame_record(SimpleNamespace(status=[]))
