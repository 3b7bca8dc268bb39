import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.camera import JDEROBOT_CAMERA, Camera
from pilotnet_brain.driving.command import OutputRange
from pilotnet_brain.driving.model.record import (
    PURSUIT_ANTICIPATION_S,
    ModelRecord,
    SelfTest,
    record_from_json,
)
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
    camera=Camera(z=0.3, pitch=0.1),
    anticipation_s=0.0,
    self_test=SelfTest(((0.0, 0.5), (1.0, 0.25), (0.5, 0.5), (0.125, 1.0)), 0.02),
)


@pytest.mark.parametrize("record", [ModelRecord(), _FULL])
def test_json_round_trip(record):
    assert record_from_json(record.to_json()) == record


def test_keys_of_a_later_version_are_left_aside():
    values = {**_FULL.to_dict(), "colour_space": "sRGB"}
    assert record_from_json(json.dumps(values)) == _FULL


def test_a_record_without_a_camera_is_of_jderobots():
    values = _FULL.to_dict()
    del values["camera"], values["anticipation_s"]
    record = record_from_json(json.dumps(values))
    assert record.camera == JDEROBOT_CAMERA
    assert record.anticipation_s == PURSUIT_ANTICIPATION_S


def test_the_camera_is_meant_on_frames_of_the_models_size():
    record = ModelRecord(input_format=InputFormat(320, 240, 120, 240))
    assert (record.frame_camera.width, record.frame_camera.height) == (320, 240)
    assert record.frame_camera.horizontal_fov == pytest.approx(1.57)


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
        ("camera", {"z": 0.1}, "camera has the keys"),
        (
            "input_format",
            {**_FULL.to_dict()["input_format"], "frame_width": 1, "width": 1},
            "focal lengths",
        ),
        ("camera", {**vars(Camera()), "z": -1.0}, "camera's z is -1.0"),
        ("anticipation_s", "soon", "anticipation_s is 'soon'"),
        ("anticipation_s", -0.1, "anticipation_s is -0.1"),
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
