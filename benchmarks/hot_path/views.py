"""What it costs to show a network a frame as from another pose and another camera."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.camera import JDEROBOT_CAMERA, STILL, Camera, Motion, VirtualCamera
from pilotnet_brain.driving.camera_pose import Pose
from pilotnet_brain.driving.preprocess import JDEROBOT, network_input
from pilotnet_brain.learning.offline.timing import Durations

_LATER = Motion(1.3, 0.05, 0.1)
"""0.1 s at 13 m/s in a bend."""
_TURNED = Pose(0.45, 0.14, 0.20, 0.0, 0.0, math.radians(5.0))
_CASES: tuple[tuple[str, Camera, Motion], ...] = (
    ("the model's camera, no delay", JDEROBOT_CAMERA, STILL),
    ("100 ms of delay", JDEROBOT_CAMERA, _LATER),
    ("camera turned and moved", JDEROBOT_CAMERA.at(_TURNED), STILL),
    ("camera turned and moved, 100 ms", JDEROBOT_CAMERA.at(_TURNED), _LATER),
    ("320x240, 100 ms", JDEROBOT_CAMERA.of_size(320, 240), _LATER),
    ("1280x720, 100 ms", JDEROBOT_CAMERA.of_size(1280, 720), _LATER),
)
CALLS_PER_BLOCK = 50
_WARM_CALLS = 10


@dataclass(frozen=True)
class ViewCost:
    """One view's figures: from the frame to the network's input pixels, seconds.

    Attributes:
        view: what it is, in words.
        preprocessing: the homography and the warp; of the first view, crop and resize.
    """

    view: str
    preprocessing: Durations


def bench_views(frames: Sequence[NDArray[np.uint8]], blocks: int = 10) -> list[ViewCost]:
    """Time each view in alternating blocks of warm calls, on one thread.

    Args:
        frames: uint8 (480, 640, 3), RGB; for cameras of other sizes they are resized.
        blocks: of 50 calls each.
    """
    cv2.setNumThreads(1)
    out = np.empty(JDEROBOT.input_shape, np.uint8)
    views = [VirtualCamera(JDEROBOT_CAMERA, JDEROBOT, camera) for _, camera, _ in _CASES]
    sized = [
        [cv2.resize(frame, (camera.width, camera.height)).astype(np.uint8) for frame in frames]
        for _, camera, _ in _CASES
    ]
    seconds: list[list[float]] = [[] for _ in _CASES]
    for _ in range(blocks):
        for case, (_, _, motion) in enumerate(_CASES):
            for call in range(-_WARM_CALLS, CALLS_PER_BLOCK):
                frame = sized[case][call % len(frames)]
                begin = time.perf_counter()
                network_input(frame, JDEROBOT, out, views[case].homography(motion))
                if call >= 0:
                    seconds[case].append(time.perf_counter() - begin)
    return [
        ViewCost(name, Durations.of(taken))
        for (name, _, _), taken in zip(_CASES, seconds, strict=True)
    ]
