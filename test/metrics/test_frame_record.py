"""The frame record and its key -> text form."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.metrics.frame_record import FrameRecord, FrameRecordError

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
OPTIONAL = st.none() | NUMBERS
COUNTS = st.integers(0, 2**40)


@given(
    st.builds(
        FrameRecord,
        stamp_s=NUMBERS,
        preprocess_s=OPTIONAL,
        inference_s=OPTIONAL,
        callback_s=OPTIONAL,
        age_s=OPTIONAL,
        stamp_to_command_s=OPTIONAL,
        speed=OPTIONAL,
        yaw_rate=OPTIONAL,
        outputs=st.none() | st.tuples(NUMBERS, NUMBERS),
        model=st.text(),
        device=st.text(),
        driven=st.booleans(),
        problem=st.text(),
        frames_received=COUNTS,
        frames_late=COUNTS,
        frames_broken=COUNTS,
        epoch=COUNTS,
    )
)
def test_a_record_comes_back_with_every_digit(record):
    values = record.to_values()
    assert all(isinstance(text, str) for text in values.values())
    assert FrameRecord.from_values(values) == record


def test_numpy_numbers_travel_as_plain_numbers():
    record = FrameRecord(
        1.0, inference_s=np.float32(0.5), outputs=(np.float32(0.25), np.float64(1))
    )
    assert record.to_values()["inference_s"] == "0.5"
    assert FrameRecord.from_values(record.to_values()).outputs == (0.25, 1.0)


def test_an_infinite_output_is_kept_as_seen():
    record = FrameRecord(1.0, outputs=(math.inf, 0.0), problem="output not finite")
    assert FrameRecord.from_values(record.to_values()).outputs == (math.inf, 0.0)


def test_unknown_keys_are_left_alone():
    values = FrameRecord(2.0).to_values() | {"colour": "red"}
    assert FrameRecord.from_values(values) == FrameRecord(2.0)


@pytest.mark.parametrize("key", sorted(FrameRecord(0.0).to_values()))
def test_a_missing_key_is_named(key):
    values = FrameRecord(0.0).to_values()
    del values[key]
    with pytest.raises(FrameRecordError, match=key):
        FrameRecord.from_values(values)


@pytest.mark.parametrize(
    ("key", "text"),
    [("stamp_s", ""), ("stamp_s", "nan"), ("inference_s", "fast"), ("epoch", "1.5")],
)
def test_a_wrong_value_is_named(key, text):
    values = replace(FrameRecord(0.0), epoch=1).to_values() | {key: text}
    with pytest.raises(FrameRecordError, match=key):
        FrameRecord.from_values(values)
