import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pilotnet_brain.driving.preprocess import (
    JDEROBOT,
    BadFrame,
    InputFormat,
    network_input,
    scale_input,
)


def _random_frame(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, JDEROBOT.frame_shape, np.uint8)


def test_is_jderobots_crop_and_resize():
    frame = _random_frame()
    jderobots = cv2.resize(frame[240:480].copy(), (200, 66))
    np.testing.assert_array_equal(network_input(frame), jderobots)


def test_a_uniform_colour_stays_and_keeps_its_channel():
    frame = np.zeros(JDEROBOT.frame_shape, np.uint8)
    frame[...] = (200, 100, 50)
    pixels = network_input(frame)
    assert pixels.shape == (66, 200, 3)
    assert (pixels == (200, 100, 50)).all()


def test_rows_above_the_crop_do_not_matter():
    frame = _random_frame()
    other = frame.copy()
    other[:240] = 0
    np.testing.assert_array_equal(network_input(frame), network_input(other))


def test_a_horizontal_ramp_is_sampled_at_the_pixels_centres():
    # Bilinear resizing keeps a linear ramp: column c of 200 looks at (c + 0.5) * 3.2 - 0.5.
    frame = np.zeros(JDEROBOT.frame_shape, np.uint8)
    frame[...] = (np.arange(640) // 4)[None, :, None].astype(np.uint8)
    columns = (np.arange(200) + 0.5) * 3.2 - 0.5
    expected = columns / 4.0 - 0.375  # mean of floor(x / 4) over x around the column
    assert np.abs(network_input(frame)[33, :, 0] - expected).max() <= 1.0


@pytest.mark.parametrize("padding", [1, 4, 64])
def test_padded_rows_give_the_same_bits(padding):
    frame = _random_frame()
    padded = np.zeros((480, 640 * 3 + padding), np.uint8)
    padded[:, : 640 * 3] = frame.reshape(480, -1)
    view = padded[:, : 640 * 3].reshape(480, 640, 3)
    strided = np.lib.stride_tricks.as_strided(padded, (480, 640, 3), (640 * 3 + padding, 3, 1))
    np.testing.assert_array_equal(network_input(view), network_input(frame))
    np.testing.assert_array_equal(network_input(strided), network_input(frame))


def test_views_that_swap_channels_or_drop_alpha_give_the_same_bits():
    frame = _random_frame()
    bgr = np.ascontiguousarray(frame[..., ::-1])
    rgba = np.dstack([frame, np.full((480, 640), 7, np.uint8)])
    np.testing.assert_array_equal(network_input(bgr[..., ::-1]), network_input(frame))
    np.testing.assert_array_equal(network_input(rgba[..., :3]), network_input(frame))


def test_a_read_only_frame_is_taken():
    frame = _random_frame()
    frame.flags.writeable = False
    assert network_input(frame).shape == JDEROBOT.input_shape


def test_out_is_written_and_returned():
    out = np.zeros(JDEROBOT.input_shape, np.uint8)
    frame = _random_frame()
    assert network_input(frame, out=out) is out
    np.testing.assert_array_equal(out, network_input(frame))


def test_a_slot_of_a_batch_is_written_in_place():
    batch = np.zeros((2, *JDEROBOT.input_shape), np.uint8)
    frame = _random_frame()
    network_input(frame, out=batch[1])
    assert not batch[0].any()
    np.testing.assert_array_equal(batch[1], network_input(frame))


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((66, 200, 4), np.uint8),
        np.zeros((66, 200, 3), np.float32),
        np.zeros((66, 200, 6), np.uint8)[..., ::2],
    ],
)
def test_an_out_that_does_not_fit_is_refused(out):
    with pytest.raises(ValueError, match="out must be"):
        network_input(_random_frame(), out=out)


def test_bgr_models_get_the_channels_swapped():
    frame = _random_frame()
    swapped = network_input(frame, InputFormat(colour_order="bgr"))
    np.testing.assert_array_equal(swapped[..., ::-1], network_input(frame))


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int8, np.uint16, np.float32, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=8),
    )
)
def test_hostile_frames_are_refused(frame):
    with pytest.raises(BadFrame):
        network_input(frame)


@pytest.mark.parametrize("frame", [None, b"", [[1, 2, 3]], 7])
def test_what_is_no_array_is_refused(frame):
    with pytest.raises(BadFrame):
        network_input(frame)


@pytest.mark.parametrize(
    "bad",
    [
        {"crop_top": 480},
        {"crop_top": -1},
        {"crop_bottom": 481},
        {"width": 0},
        {"height": True},
        {"frame_width": 640.0},
        {"colour_order": "grb"},
        {"height": 1 << 20},
    ],
)
def test_an_impossible_format_is_refused(bad):
    with pytest.raises(ValueError):
        InputFormat(**bad)


def test_scaling_is_one_multiplication_in_float32():
    pixels = np.arange(256, dtype=np.uint8)
    scaled = scale_input(pixels)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, pixels.astype(np.float32) * np.float32(1.0 / 255.0))
    assert scaled[0] == 0.0 and scaled[255] == 1.0
    assert np.abs(scaled - pixels / 255.0).max() < 1e-7


def test_torch_scales_to_the_same_bits():
    torch = pytest.importorskip("torch")
    pixels = np.arange(256, dtype=np.uint8)
    by_torch = torch.from_numpy(pixels).to(torch.float32) * (1.0 / 255.0)
    np.testing.assert_array_equal(by_torch.numpy(), scale_input(pixels))


def test_scaling_into_out():
    pixels = _random_frame()[:66, :200]
    out = np.zeros(JDEROBOT.input_shape, np.float32)
    assert scale_input(pixels, out) is out
    np.testing.assert_array_equal(out, scale_input(pixels))
