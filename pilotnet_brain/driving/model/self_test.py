"""A model file's self-test: the frames that its network is run on, and outputs compared."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.model.archive import ModelArchive, ModelError
from pilotnet_brain.driving.model.record import SELF_TEST_FRAMES, ModelRecord
from pilotnet_brain.driving.preprocess import InputFormat

Outputs = tuple[tuple[float, float], ...]
"""Normalized speed and yaw rate for each frame."""


def largest_difference(outputs: Outputs, expected: Outputs) -> float:
    """Return the largest absolute difference between two networks' outputs."""
    return float(np.abs(np.subtract(outputs, expected)).max())


def strip_of(frames: NDArray[np.uint8]) -> bytes:
    """Return frames, uint8 (N, height, width, 3), as one PNG: one below the other."""
    strip = frames.reshape(-1, *frames.shape[2:])
    return cv2.imencode(".png", strip, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def frames_of(archive: ModelArchive, record: ModelRecord) -> NDArray[np.uint8]:
    """Return the frames to run the network on, uint8 (4, height, width, 3).

    The self-test's, which are real; test patterns for a file without one.

    Raises:
        ModelError: the self-test's frames are missing or damaged.
    """
    if record.self_test is None:
        return _patterns(record.input_format)
    shape = (SELF_TEST_FRAMES, *record.input_format.input_shape)
    strip = None
    if archive.frames_png:
        strip = cv2.imdecode(np.frombuffer(archive.frames_png, np.uint8), cv2.IMREAD_COLOR)
    if strip is None or strip.size != math.prod(shape):
        raise ModelError(f"{archive.path}: its self-test's frames are missing or damaged")
    return np.asarray(strip, np.uint8).reshape(shape)


def _patterns(fmt: InputFormat) -> NDArray[np.uint8]:
    """Return black, grey, noise and a ramp."""
    frames = np.zeros((SELF_TEST_FRAMES, *fmt.input_shape), np.uint8)
    frames[1] = 128
    frames[2] = np.random.default_rng(0).integers(0, 256, fmt.input_shape, np.uint8)
    frames[3] = np.linspace(0, 255, fmt.width).astype(np.uint8)[:, None]
    return frames
