import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.command import OutputRange
from pilotnet_brain.driving.model.record import ModelRecord, SelfTest, record_from_json
from pilotnet_brain.driving.preprocess import InputFormat

_FULL = ModelRecord(
    name="static_quant",
    method="static_quant",
    input_format=InputFormat(crop_top=200),
    output_range=OutputRange(speed_min=1.0),
    quantized=True,
    engines=("x86", "onednn"),
    parameters=7,
    training={"circuits": ["many_curves"], "seed": 3},
    scores={"mse": 0.25},
    torch_version="2.13.0",
    rebuild="pilotnet optimize static_quant",
    self_test=SelfTest(((0.0, 0.5), (1.0, 0.25), (0.5, 0.5), (0.125, 1.0)), 0.02),
)


@pytest.mark.parametrize("record", [ModelRecord(), _FULL])
def test_json_round_trip(record):
    assert record_from_json(record.to_json()) == record


def test_keys_of_a_later_version_are_left_aside():
    values = {**_FULL.to_dict(), "colour_space": "sRGB"}
    assert record_from_json(json.dumps(values)) == _FULL


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", 2, "format is 2"),
        ("name", 7, "name"),
        ("quantized", "no", "quantized"),
        ("parameters", True, "parameters"),
        ("engines", "x86", "engines"),
        ("engines", [1], "engines"),
        ("training", [], "training"),
        ("input_format", None, "input_format"),
        ("input_format", {"width": 200}, "input_format"),
        ("output_range", {**_FULL.to_dict()["output_range"], "speed_span": 0}, "speed_span"),
        ("self_test", {"outputs": [[0, 0]], "tolerance": 0.1}, "self-test"),
        ("self_test", {"outputs": [[0, "x"]] * 4, "tolerance": 0.1}, "could not convert"),
        ("self_test", {"outputs": [[0, 0]] * 4, "tolerance": 0.0}, "tolerance"),
        ("self_test", {"outputs": 5, "tolerance": 0.1}, "self_test"),
    ],
)
def test_a_wrong_value_is_named(key, value, said):
    with pytest.raises(ValueError, match=said):
        record_from_json(json.dumps({**_FULL.to_dict(), key: value}))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(_FULL.to_dict())), _JSON))
def test_hostile_values_give_a_record_or_a_value_error(changes):
    try:
        record_from_json(json.dumps({**_FULL.to_dict(), **changes}))
    except ValueError as error:
        assert str(error)


@given(st.binary() | st.text())
def test_what_is_no_record_is_a_value_error(text):
    with pytest.raises(ValueError):
        record_from_json(text)


def test_nesting_without_end_is_a_value_error():
    with pytest.raises(ValueError):
        record_from_json("[" * 200_000)
