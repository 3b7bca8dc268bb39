"""Input pixels to check an export with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.preprocess import InputFormat, network_input
from pilotnet_brain.simulation.mujoco.example_frames import example_frames


def example_inputs(fmt: InputFormat, count: int = 16) -> tuple[NDArray[np.uint8], str]:
    """Return input pixels of a format, uint8 (count, height, width, 3), and where they come from.

    They are example frames as a network sees them; noise where the camera has another frame size.
    """
    frames, source = example_frames(count)
    if frames.shape[1:] == fmt.frame_shape:
        return np.stack([network_input(frame, fmt) for frame in frames]), source
    pixels = np.random.default_rng(0).integers(0, 256, (count, *fmt.input_shape), np.uint8)
    return pixels, "noise (the simulated camera has another frame size)"
