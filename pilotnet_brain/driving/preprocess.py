"""Preprocessing: from a camera frame to the network's input.

Training, evaluation and the brain call these functions, so that they see the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

COLOUR_ORDERS = ("rgb", "bgr")

_LARGEST_WARPED = 16384
"""cv2's own limit is 32766 rows or columns."""
_SCALE = np.float32(1.0 / 255.0)


class BadFrame(ValueError):  # noqa: N818  (named by what it is)
    """A frame that cannot be driven on: wrong size, channels or element type."""


@dataclass(frozen=True)
class InputFormat:
    """Which part of which frame the network looks at, and at what size (pixels).

    The defaults are JdeRobot's PilotNet format: rows 240..480 of a 640x480 frame, resized to
    200x66 (width x height), RGB. ``colour_order`` is the network's; frames always come as RGB.

    Raises:
        ValueError: a size is not a positive integer, the crop is not inside the frame, or the
            colour order is not one of ``COLOUR_ORDERS``.
    """

    frame_width: int = 640
    frame_height: int = 480
    crop_top: int = 240
    crop_bottom: int = 480
    width: int = 200
    height: int = 66
    colour_order: str = "rgb"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "colour_order" and (isinstance(value, bool) or not isinstance(value, int)):
                raise ValueError(f"{name} is {value!r}: it must be an integer")
        for name in ("frame_width", "frame_height", "width", "height"):
            if not 0 < getattr(self, name) <= 16384:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be in 1..16384")
        if not 0 <= self.crop_top < self.crop_bottom <= self.frame_height:
            raise ValueError(
                f"the crop's rows {self.crop_top}..{self.crop_bottom} are not inside a frame "
                f"{self.frame_height} rows high"
            )
        if self.colour_order not in COLOUR_ORDERS:
            raise ValueError(
                f"colour_order is {self.colour_order!r}: it must be one of {COLOUR_ORDERS}"
            )

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Shape of the camera's frame: (rows, columns, 3)."""
        return (self.frame_height, self.frame_width, 3)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of the network's input pixels: (rows, columns, 3)."""
        return (self.height, self.width, 3)


JDEROBOT = InputFormat()


def network_input(
    frame_rgb: NDArray[np.uint8],
    fmt: InputFormat = JDEROBOT,
    out: NDArray[np.uint8] | None = None,
    homography: NDArray[np.float64] | None = None,
) -> NDArray[np.uint8]:
    """Crop and resize a frame to the network's input pixels, or warp it to them.

    Args:
        frame_rgb: uint8 ``fmt.frame_shape``, RGB; a view with padded rows is read in place. With a
            homography, of any size.
        out: C-contiguous uint8 ``fmt.input_shape`` to write to; a new array by default.
        homography: (3, 3) from an input pixel to its pixel in the frame, as
            `camera.VirtualCamera.homography` gives it; what lies outside is the border, repeated.

    Returns:
        uint8 ``fmt.input_shape`` in the model's colour order (``out``, if given).

    Raises:
        BadFrame: the frame is not a uint8 array of the format's shape.
        ValueError: ``out`` does not fit.
    """
    if not isinstance(frame_rgb, np.ndarray) or frame_rgb.dtype != np.uint8:
        kind = getattr(frame_rgb, "dtype", type(frame_rgb).__name__)
        raise BadFrame(f"the frame's elements are {kind}: uint8 is needed")
    if homography is None and frame_rgb.shape != (fmt.frame_height, fmt.frame_width, 3):
        raise BadFrame(f"the frame's shape is {frame_rgb.shape}: {fmt.frame_shape} is needed")
    if out is None:
        out = np.empty(fmt.input_shape, np.uint8)
    elif out.shape != fmt.input_shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        # cv2 would write to a new array and leave this one as it is.
        raise ValueError(f"out must be C-contiguous uint8 of shape {fmt.input_shape}")
    if homography is None:
        crop = frame_rgb[fmt.crop_top : fmt.crop_bottom]
        cv2.resize(crop, (fmt.width, fmt.height), dst=out, interpolation=cv2.INTER_LINEAR)
    else:
        _warp(frame_rgb, fmt, out, homography)
    if fmt.colour_order == "bgr":
        out[...] = out[..., ::-1].copy()
    return out


def _warp(
    frame_rgb: NDArray[np.uint8],
    fmt: InputFormat,
    out: NDArray[np.uint8],
    homography: NDArray[np.float64],
) -> None:
    shape = frame_rgb.shape
    if len(shape) != 3 or shape[2] != 3 or not (min(shape) > 0 and max(shape) <= _LARGEST_WARPED):
        raise BadFrame(f"the frame's shape is {shape}: (rows, columns, 3) is needed")
    cv2.warpPerspective(
        frame_rgb,
        homography,
        (fmt.width, fmt.height),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def scale_input(
    pixels: NDArray[np.uint8], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return the pixels (uint8, any shape) as float32 of the same shape, 0..1: x * float32(1/255).

    A network's tensor is 1x3x66x200 with channels-last memory: this array's, permuted
    (``torch.from_numpy(scaled).permute(0, 3, 1, 2)``), so nothing is copied.
    """
    if out is None:
        out = np.empty(pixels.shape, np.float32)
    # Typed as Any: numpy's stubs know no ufunc call of uint8 and float32 with out.
    multiply: Any = np.multiply
    multiply(pixels, _SCALE, out=out, dtype=np.float32)
    return out
