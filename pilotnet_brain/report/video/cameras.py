"""What the car's camera saw, for a video: from the bag, or drawn anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.messages import seconds
from pilotnet_brain.bags.reader import stream_bag
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.report.video.moments import Moment
from pilotnet_brain.simulation.looks import Looks

IMAGE_TYPE = "sensor_msgs/msg/Image"
_TO_RGB = {
    "rgb8": None, "bgr8": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB, "mono8": cv2.COLOR_GRAY2RGB,
}  # fmt: skip
_CLOCK_ROUNDING_S = 1e-3


class Camera(Protocol):
    """Frames for the moments of a video.

    Attributes:
        caption: what to say of the frames in the picture; empty where they are as the car saw them.
    """

    caption: str

    def frame_at(self, moment: Moment) -> NDArray[np.uint8]:
        """Return the camera's newest frame at a moment, RGB (H, W, 3); moments ascend."""
        ...

    def close(self) -> None:
        """Free what the frames came from."""
        ...


class RecordedCamera:
    """The frames of a bag, read as they are needed.

    Args:
        first: the first frame with its stamp, s.
        others: those after it.
    """

    caption = ""

    def __init__(
        self,
        first: tuple[float, NDArray[np.uint8]],
        others: Iterator[tuple[float, NDArray[np.uint8]]],
    ) -> None:
        self._shown = first[1]
        self._next: tuple[float, NDArray[np.uint8]] | None = first
        self._others = others

    def frame_at(self, moment: Moment) -> NDArray[np.uint8]:
        """Return the newest frame that the camera had taken by then."""
        while self._next is not None and self._next[0] <= moment.time_s + _CLOCK_ROUNDING_S:
            self._shown = self._next[1]
            self._next = next(self._others, None)
        return self._shown

    def close(self) -> None:
        """Leave the rest of the bag unread."""
        self._next = None


class RedrawnCamera:
    """The embedded simulator's camera, put to where the car was.

    Args:
        circuit: that was driven on.
        looks: of the run, or the plain ones.
    """

    caption = "camera redrawn from the driven line"

    def __init__(self, circuit: Circuit, looks: Looks) -> None:
        # Imported here: MuJoCo needs OpenGL, which a recorded video does not.
        from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

        self._line = circuit.centerline
        self._simulator = MujocoSimulator(circuit, looks)

    def frame_at(self, moment: Moment) -> NDArray[np.uint8]:
        """Draw what the camera sees from the moment's pose."""
        place = self._line.project(moment.x, moment.y, near=moment.values["arc_length"])
        heading_error = moment.yaw - float(self._line.heading(place.arc_length))
        self._simulator.reset(place.arc_length, place.lateral_deviation, heading_error)
        return self._simulator.render()

    def close(self) -> None:
        """Free the renderer."""
        self._simulator.close()


def recorded_camera(bag: Path, topic: str | None, since_s: float) -> RecordedCamera | None:
    """Return the frames recorded in a bag, None where it holds none.

    Args:
        bag: folder or file; need not exist.
        topic: of the frames; None: the first one with images.
        since_s: simulated time of the run's first pose. After a reset of the clock frames of the
            drive before carry the same stamps; those of the last drive are taken.
    """
    if not bag.exists():
        return None
    restart_ns = _last_restart_ns(bag)
    frames = _frames(bag, topic, restart_ns)
    newest = next(frames, None)
    if newest is None:
        return None
    for frame in frames:
        if frame[0] > since_s + _CLOCK_ROUNDING_S:
            return RecordedCamera(newest, _chained(frame, frames))
        newest = frame
    return RecordedCamera(newest, iter(()))


def _chained(
    first: tuple[float, NDArray[np.uint8]], others: Iterator[tuple[float, NDArray[np.uint8]]]
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    yield first
    yield from others


def _last_restart_ns(bag: Path) -> int:
    """Return when the clock last jumped back, by the time of recording; -1: it never did."""
    restart_ns, newest_s = -1, -np.inf
    for message in stream_bag(bag, lambda _, kind: kind == "rosgraph_msgs/msg/Clock"):
        time_s = message.message.clock.sec + message.message.clock.nanosec * 1e-9
        if time_s < newest_s - 0.1:
            restart_ns = message.log_time_ns
        newest_s = time_s
    return restart_ns


def _frames(
    bag: Path, topic: str | None, since_ns: int
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    def wanted(name: str, kind: str) -> bool:
        return kind == IMAGE_TYPE and topic in (None, name)

    for message in stream_bag(bag, wanted):
        frame = _as_rgb(message.message)
        if frame is not None and message.log_time_ns >= since_ns:
            yield seconds(message.message.header.stamp), frame


def _as_rgb(image: Any) -> NDArray[np.uint8] | None:
    """Return a sensor_msgs/Image as RGB (H, W, 3); None where it is none that can be shown."""
    if image.encoding not in _TO_RGB or image.height < 1 or image.width < 1:
        return None
    channels = {"mono8": 1, "rgba8": 4, "bgra8": 4}.get(image.encoding, 3)
    data = np.frombuffer(image.data, np.uint8)
    if image.step < image.width * channels or len(data) < image.height * image.step:
        return None
    rows = data[: image.height * image.step].reshape(image.height, image.step)
    pixels = rows[:, : image.width * channels].reshape(image.height, image.width, channels)
    code = _TO_RGB[image.encoding]
    shown = pixels if code is None else cv2.cvtColor(np.ascontiguousarray(pixels), code)
    return np.ascontiguousarray(shown, dtype=np.uint8)
