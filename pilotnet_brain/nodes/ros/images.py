"""From an image message to an RGB array: our own decoding, and cv_bridge's for the rest."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from pilotnet_brain.bags.images import ENCODINGS, BrokenFrame, rgb_frame


def frame_of(image: Image | CompressedImage) -> NDArray[np.uint8]:
    """Return the pixels of an image message as RGB, uint8 (height, width, 3).

    The common encodings are decoded without a copy that cv_bridge would make (see `rgb_frame`); any
    other that cv_bridge turns into rgb8 is taken where it is installed.

    Raises:
        BrokenFrame: an image that cannot be shown; the text says why.
    """
    if _BRIDGE is None or isinstance(image, CompressedImage) or image.encoding in ENCODINGS:
        return rgb_frame(image)
    try:
        converted = _BRIDGE.imgmsg_to_cv2(image, desired_encoding="rgb8")
    except Exception as problem:  # cv_bridge raises its own errors, cv2's and numpy's
        raise BrokenFrame(f"encoding {image.encoding[:40]!r}: cv_bridge: {problem}") from problem
    return np.asarray(converted, np.uint8)


def _installed_bridge() -> Any:
    if importlib.util.find_spec("cv_bridge") is None:
        return None
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError):  # built for another numpy or cv2 than is installed
        return None
    return CvBridge()


_BRIDGE = _installed_bridge()
