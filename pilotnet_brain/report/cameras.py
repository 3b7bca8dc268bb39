"""What a run's camera saw: the recorded frames of its bag, or frames that the embedded simulator
draws at the car's poses."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.images import COMPRESSED_TYPE, IMAGE_TYPE, BrokenFrame, rgb_frame
from pilotnet_brain.bags.messages import seconds
from pilotnet_brain.bags.reader import stream_bag
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.pose_filter import RESET_S
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRows
from pilotnet_brain.report.run_data import look_of
from pilotnet_brain.runs.folder import RunFolder

_CLOCK_ROUNDING_S = 1e-3
_CLOCK_JUMP_S = 0.1
_FARTHEST_S = 0.3
"""A frame that was stamped longer before or after a moment does not show it."""
_JPEG_QUALITY = 82

Frame = tuple[float, NDArray[np.uint8]]
"""Stamp, s, and pixels, RGB (H, W, 3)."""


class CarPose(NamedTuple):
    """Where the car was: simulated time, s; x and y, m; yaw, rad; arc length, m, about there."""

    time_s: float
    x: float
    y: float
    yaw: float
    arc_length: float


class RecordedCamera:
    """The frames of a bag, read as they are needed.

    Args:
        frames: at least one, in the order of recording.
    """

    caption = ""
    """What to say of the frames in a video: nothing, they are as the car saw them."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._next: Frame | None = next(frames)
        self._shown = self._next[1]

    def frame_at(self, pose: CarPose) -> NDArray[np.uint8]:
        """Return the newest frame, RGB (H, W, 3), that was taken by then; times ascend."""
        while self._next is not None and self._next[0] <= pose.time_s + _CLOCK_ROUNDING_S:
            self._shown = self._next[1]
            self._next = next(self._frames, None)
        return self._shown

    def close(self) -> None:
        """Leave the rest of the bag unread."""
        self._next = None


class RedrawnCamera:
    """The embedded simulator's camera, put where the car was.

    Args:
        circuit: of the run.
        looks_seed: of the run; 0: the plain looks.
        world: of the run; empty: the circuit's own.

    Raises:
        UserError: there is no OpenGL to draw with, or the world cannot be read any more.
    """

    caption = "camera redrawn from the driven line"

    def __init__(self, circuit: Circuit, looks_seed: int, world: str = "") -> None:
        # Imported here: MuJoCo needs OpenGL, which recorded frames do not.
        from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator
        from pilotnet_brain.simulation.scenery import looks_and_scenery

        self._line = circuit.centerline
        seen = looks_and_scenery(circuit, looks_seed, world)
        self._simulator = MujocoSimulator(circuit, *seen)

    def frame_at(self, pose: CarPose) -> NDArray[np.uint8]:
        """Return what the camera sees from a pose, RGB (H, W, 3)."""
        place = self._line.project(pose.x, pose.y, near=pose.arc_length)
        heading_error = pose.yaw - float(self._line.heading(place.arc_length))
        self._simulator.reset(place.arc_length, place.lateral_deviation, heading_error)
        return self._simulator.render()

    def close(self) -> None:
        """Free the renderer."""
        self._simulator.close()


def camera_of(
    folder: RunFolder, circuit: Circuit, since_s: float
) -> RecordedCamera | RedrawnCamera:
    """Return a run's camera: the recorded one where its frames are in the bag.

    Args:
        since_s: simulated time of the run's first pose. After a reset of the clock frames of the
            drive before carry the same stamps; those of the last drive are taken.

    Raises:
        UserError: nothing was recorded, and there is no OpenGL to draw with.
    """
    newest: Frame | None = None
    if folder.bag.exists():
        frames = _frames(folder, _last_restart_ns(folder.bag))
        for frame in frames:
            if newest is not None and frame[0] > since_s + _CLOCK_ROUNDING_S:
                return RecordedCamera(chain((newest, frame), frames))
            newest = frame
    if newest is not None:
        return RecordedCamera(iter((newest,)))
    return RedrawnCamera(circuit, *look_of(folder))


@dataclass(frozen=True)
class WorstFrame:
    """What the camera saw at the largest deviation, or why that is not known."""

    image: str  #: as a data: address of a JPEG; the empty text where there is none
    caption: str  #: where the picture is from, or why there is none
    time_s: float  #: simulated time of the moment
    arc_length: float  #: of the place, m from the start line
    deviation: float  #: there, m, left positive


def worst_frame(folder: RunFolder, circuit: Circuit, rows: TrajectoryRows) -> WorstFrame | None:
    """Return what the camera saw at the largest deviation; None where nothing was driven.

    Args:
        rows: with finite poses.
    """
    if not len(rows):
        return None
    row = rows[int(np.argmax(np.abs(rows[:, COLUMNS.index("lateral_deviation")])))]
    at = dict(zip(COLUMNS, row.tolist(), strict=True))
    recorded = _recorded_near(folder, at["time_s"])
    if recorded is not None:
        image = _jpeg(recorded[1])
        caption = f"Recorded while driving: the frame stamped {recorded[0]:.2f} s."
    else:
        pose = CarPose(at["time_s"], at["x"], at["y"], at["yaw"], at["arc_length"])
        image, caption = _redrawn(folder, circuit, pose)
    return WorstFrame(image, caption, at["time_s"], at["arc_length"], at["lateral_deviation"])


def _redrawn(folder: RunFolder, circuit: Circuit, pose: CarPose) -> tuple[str, str]:
    """Return the picture as a data: address, and its caption."""
    seed, world = look_of(folder)
    try:
        camera = RedrawnCamera(circuit, seed, world)
    except UserError as problem:
        return "", f"The camera was not recorded, and cannot be drawn here: {problem}"
    with closing(camera):
        frame = camera.frame_at(pose)
    looks = f"with looks_seed {seed}" if seed else "in the plain looks"
    if world:
        looks = f"in {Path(world).name}"
    return _jpeg(frame), (
        "The camera was not recorded: redrawn by the embedded simulator at the car's pose, "
        f"{looks}."
    )


def _recorded_near(folder: RunFolder, time_s: float) -> Frame | None:
    """Return the recorded frame nearest to a simulated time, of the last drive in the bag."""
    if not folder.bag.is_dir():
        return None
    was_reset = bool((folder.read_metrics() or {}).get("epoch"))
    nearest: Frame | None = None
    before_s = -np.inf
    for frame in _frames(folder):
        if frame[0] < before_s - RESET_S:
            nearest = None  # of the drive before the clock was reset
        least_s = _FARTHEST_S if nearest is None else abs(nearest[0] - time_s)
        if abs(frame[0] - time_s) <= least_s:
            nearest = frame
        elif frame[0] > time_s and not was_reset:
            break
        before_s = frame[0]
    return nearest


def _last_restart_ns(bag: Path) -> int:
    """Return when the clock last jumped back, by the time of recording; -1: it never did."""
    restart_ns, newest_s = -1, -np.inf
    for message in stream_bag(bag, lambda _, kind: kind == "rosgraph_msgs/msg/Clock"):
        time_s = seconds(message.message.clock)
        if time_s < newest_s - _CLOCK_JUMP_S:
            restart_ns = message.log_time_ns
        newest_s = time_s
    return restart_ns


def _frames(folder: RunFolder, since_ns: int = -1) -> Iterator[Frame]:
    """Yield a bag's camera frames one at a time: those of a lap take a gigabyte."""
    camera = folder.topics()["camera/image_raw"]

    def wanted(topic: str, kind: str) -> bool:
        return topic == camera and kind in (IMAGE_TYPE, COMPRESSED_TYPE)

    for message in stream_bag(folder.bag, wanted):
        if message.log_time_ns < since_ns:
            continue
        with suppress(BrokenFrame):  # a frame that cannot be shown is left out
            yield seconds(message.message.header.stamp), rgb_frame(message.message)


def _jpeg(frame: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
