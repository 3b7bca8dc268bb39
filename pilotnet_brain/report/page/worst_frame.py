"""What the camera saw where a run was farthest off the line."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.reader import stream_bag
from pilotnet_brain.circuits.centerline import wrap_angle
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.pose_filter import RESET_S
from pilotnet_brain.metrics.trajectory import COLUMNS
from pilotnet_brain.runs.folder import RunFolder

_IMAGE = "sensor_msgs/msg/Image"
_QUALITY = 82
_FARTHEST_S = 0.3
"""A frame that was stamped longer before or after the moment does not show it."""


@dataclass(frozen=True)
class WorstFrame:
    """The picture, or why there is none.

    Attributes:
        image: as a data: address of a JPEG; the empty text where there is none.
        caption: where the picture is from, or why there is none.
        time_s: simulated time of the moment.
        arc_length: of the place, m from the start line.
        deviation: there, m, left positive.
    """

    image: str
    caption: str
    time_s: float
    arc_length: float
    deviation: float


def worst_frame(
    folder: RunFolder, circuit: Circuit, rows: NDArray[np.float64], looks_seed: int
) -> WorstFrame | None:
    """Return what the camera saw at the largest deviation; None where nothing was driven.

    The frame comes from the run's bag where the camera was recorded. Else the embedded simulator
    draws it anew, at the car's pose.

    Args:
        folder: of the run.
        circuit: that was driven on.
        rows: (N, 10) as in trajectory.csv, finite but for the commands.
        looks_seed: of the embedded world that was driven in.
    """
    if not len(rows):
        return None
    deviation = rows[:, COLUMNS.index("lateral_deviation")]
    row = rows[int(np.argmax(np.abs(deviation)))]
    image, caption = _picture(folder, circuit, row, looks_seed)
    return WorstFrame(
        image=image,
        caption=caption,
        time_s=float(row[0]),
        arc_length=float(row[COLUMNS.index("arc_length")]),
        deviation=float(row[COLUMNS.index("lateral_deviation")]),
    )


def _picture(
    folder: RunFolder, circuit: Circuit, row: NDArray[np.float64], looks_seed: int
) -> tuple[str, str]:
    """Return the picture as a data: address, and its caption."""
    recorded = _recorded(folder, float(row[0]))
    if recorded is not None:
        frame, stamp_s = recorded
        return _jpeg(frame), f"Recorded while driving: the frame stamped {stamp_s:.2f} s."
    try:
        frame = _drawn_anew(circuit, row, looks_seed)
    except UserError as problem:
        return "", f"The camera was not recorded, and cannot be drawn here: {problem}"
    look = "in the plain look" if looks_seed == 0 else f"with looks_seed {looks_seed}"
    return _jpeg(frame), (
        f"The camera was not recorded: drawn anew by the embedded simulator at the car's pose, "
        f"{look}."
    )


def _recorded(folder: RunFolder, time_s: float) -> tuple[NDArray[np.uint8], float] | None:
    """Return the recorded RGB frame nearest to a simulated time, with its stamp."""
    if not folder.bag.is_dir():
        return None
    was_reset = bool((folder.read_metrics() or {}).get("epoch"))
    nearest, before_s = None, -np.inf
    # One frame at a time: those of a lap take a gigabyte.
    for message in stream_bag(folder.bag, lambda _, kind: kind == _IMAGE):
        stamp_s = _stamp_s(message.message)
        if stamp_s < before_s - RESET_S:
            nearest = None  # of the drive before the clock was reset
        least_s = _FARTHEST_S if nearest is None else abs(_stamp_s(nearest) - time_s)
        if abs(stamp_s - time_s) <= least_s:
            nearest = message.message
        elif stamp_s > time_s and not was_reset:
            break
        before_s = stamp_s
    pixels = None if nearest is None else _rgb(nearest)
    return None if pixels is None else (pixels, _stamp_s(nearest))


def _stamp_s(image: Any) -> float:
    return float(image.header.stamp.sec + 1e-9 * image.header.stamp.nanosec)


def _rgb(image: Any) -> NDArray[np.uint8] | None:
    """Return the pixels of an rgb8 or bgr8 image, which cameras here publish; else None."""
    height, width, step = image.height, image.width, image.step
    data = np.asarray(image.data, dtype=np.uint8)
    if image.encoding not in ("rgb8", "bgr8") or step < 3 * width or data.size != height * step:
        return None
    pixels = data.reshape(height, step)[:, : 3 * width].reshape(height, width, 3)
    return pixels if image.encoding == "rgb8" else pixels[..., ::-1]


def _drawn_anew(circuit: Circuit, row: NDArray[np.float64], looks_seed: int) -> NDArray[np.uint8]:
    # MuJoCo takes a second to import, and raises UserError where there is no OpenGL.
    from pilotnet_brain.simulation.looks import looks_of_seed
    from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

    arc_length, lateral, yaw = (
        float(row[COLUMNS.index(name)]) for name in ("arc_length", "lateral_deviation", "yaw")
    )
    heading = float(circuit.centerline.heading(arc_length))
    with MujocoSimulator(circuit, looks_of_seed(looks_seed)) as simulator:
        simulator.reset(arc_length, lateral, wrap_angle(yaw - heading))
        return simulator.render()


def _jpeg(frame: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame)).save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
