"""A data set from rosbags: each camera frame with the command in force, or with the expert's.

A bag is read twice: first its commands and its odometry, which fit into memory, then its frames,
one by one, as they are written.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from pilotnet_brain.bags.images import BrokenFrame, rgb_frame
from pilotnet_brain.bags.messages import nanoseconds, seconds
from pilotnet_brain.bags.reader import BagMessage, stream_bag
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.camera import JDEROBOT_CAMERA, VirtualCamera
from pilotnet_brain.driving.car_camera import CarCamera
from pilotnet_brain.driving.command import JDEROBOT_RANGE
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.driving.preprocess import BadFrame, InputFormat, network_input
from pilotnet_brain.learning.bag_drive import BagDrive, BagLabels, read_drive
from pilotnet_brain.learning.compact_format import CompactWriter
from pilotnet_brain.learning.dataset_writer import DatasetWriter, Sample, new_dataset
from pilotnet_brain.learning.label_table import COLUMNS, SOURCE_FILE, DataSetError
from pilotnet_brain.learning.lerobot_writer import LeRobotWriter
from pilotnet_brain.learning.numbered_pictures import NumberedPicturesWriter

FORMATS: dict[str, Callable[[Path], DatasetWriter]] = {
    "compact": CompactWriter,
    "jderobot": NumberedPicturesWriter,
    "lerobot": LeRobotWriter,
}
"""The layouts that can be written: our own, JdeRobot's numbered pictures, a LeRobotDataset v3."""
_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_IN_FORCE_S = 0.5
"""An older command is nobody's any more: whoever gave it is gone."""
_PERSON_IN_FORCE_S = 0.25
"""A person whose command is older is letting go: it stays in force only until that is sure."""
_POSES_APART_S = 0.5
_PROGRESS_EVERY = 50


@dataclass
class BagCounts:
    """What became of the frames of bags."""

    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  #: how many, by the reason
    below_range: int = 0  #: of the kept ones: slower than the network's outputs reach in 0..1


def dataset_from_bags(
    folder: Path, bags: Sequence[Path], labels: BagLabels, layout: str = "compact"
) -> Iterator[BagCounts]:
    """Make a data set of bags in a folder; yields the counts so far, at the end those of all.

    Args:
        folder: of the data set; missing or empty. Nothing is left there after an error.
        layout: one of `FORMATS`.

    Raises:
        BagError: a bag that cannot be read, or lacks the frames, commands or odometry needed.
        DataSetError: the folder holds something else or cannot be written, or no frame is left.
        UserError: there is no such circuit, or no pyarrow for a LeRobotDataset.
    """
    with new_dataset(folder) as place:
        writer = FORMATS[layout](place)
        expert = _ExpertLabels(labels.circuit) if labels.circuit else None
        drives = [read_drive(bag, labels) for bag in bags]
        # A data set has it of all frames, or of none.
        known = all(len(drive.poses) and np.isfinite(drive.poses).all() for drive in drives)
        drives = [drive._replace(with_state=known) for drive in drives]
        counts = BagCounts()
        rows: list[tuple[float, ...]] = []
        for number, (bag, drive) in enumerate(zip(bags, drives, strict=True)):
            view = _View(labels, writer.pixels)
            for sample in _labelled(bag, drive, view, labels, expert, counts):
                writer.add(sample)
                rows.append((*sample.label, number))
                counts.kept += 1
                counts.below_range += sample.label[0] < JDEROBOT_RANGE.speed_min
                if counts.kept % _PROGRESS_EVERY == 0:
                    yield counts
                if counts.kept == labels.most:
                    break
            writer.end_drive(bag)
        if not rows:
            why = ", ".join(f"{count} {reason}" for reason, count in counts.left_out.most_common())
            names = ", ".join(map(str, bags))
            raise DataSetError(f"{names}: no frame is left ({why or 'no frames'})")
        columns = list(COLUMNS) if expert else ["v", "w", "world"]
        writer.finish(pd.DataFrame(rows, columns=columns).round(6))
        source = {
            "bags": [str(bag.resolve()) for bag in bags],
            "circuits": sorted({_circuit_of(bag, labels) for bag in bags}),
            **asdict(labels),
            "kept": counts.kept,
            "left_out": dict(counts.left_out),
        }
        (place / SOURCE_FILE).write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")
    yield counts


def _circuit_of(bag: Path, labels: BagLabels) -> str:
    """Return the circuit that was driven, as far as the labels or the bag's run say it."""
    if labels.circuit:
        return labels.circuit
    try:
        run = yaml.safe_load((bag.resolve().parent / "run.yaml").read_text(encoding="utf-8"))
        return str(run["spec"]["circuit"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return ""


Label = tuple[float, ...]
"""Speed (m/s) and yaw rate (rad/s); of the expert, too, how the car stood to the line."""


def _labelled(
    bag: Path,
    drive: BagDrive,
    view: _View,
    labels: BagLabels,
    expert: _ExpertLabels | None,
    counts: BagCounts,
) -> Iterator[Sample]:
    """Yield a bag's frames as they are viewed, with their labels."""

    def wanted(topic: str, kind: str) -> bool:
        return topic == drive.images or kind == _CAMERA_INFO

    for message in stream_bag(bag, wanted):
        if message.type == _CAMERA_INFO:
            view.tell(message.message)
            continue
        stamp = message.message.header.stamp
        if drive.taken_over is not None and nanoseconds(stamp) not in drive.taken_over:
            counts.left_out["driven by the brain"] += 1
            continue
        if expert is None:
            label: Label | str = _driver_label(drive, message.log_time_ns * 1e-9, labels)
        else:
            label = expert.label(drive.poses, _pose_time(drive, message))
        if isinstance(label, str):
            counts.left_out[label] += 1
            continue
        try:
            pixels = view.pixels(rgb_frame(message.message))
            yield Sample(pixels, message.log_time_ns * 1e-9, label, _state(drive, message))
        except (BrokenFrame, BadFrame) as problem:
            counts.left_out[f"broken ({problem})"[:100]] += 1


def _pose_time(drive: BagDrive, message: BagMessage) -> float:
    """Return when a frame was taken, s, in the poses' time."""
    if drive.poses_have_stamps:
        return seconds(message.message.header.stamp)
    return message.log_time_ns * 1e-9


def _state(drive: BagDrive, message: BagMessage) -> tuple[float, float] | None:
    """Return the car's own speed (m/s) and yaw rate (rad/s), last known at a frame."""
    if not drive.with_state:
        return None
    known = int(np.searchsorted(drive.poses[:, 0], _pose_time(drive, message), side="right"))
    speed, yaw_rate = drive.poses[max(known - 1, 0), 4:].tolist()
    return speed, yaw_rate


def _driver_label(drive: BagDrive, time_s: float, labels: BagLabels) -> Label | str:
    """Return the command in force, or why the frame is left out."""
    when = time_s + labels.delay_s
    newest = int(np.searchsorted(drive.commands[:, 0], when, side="right")) - 1
    if newest < 0:
        return "before the first command"
    given_s, speed, yaw_rate = drive.commands[newest].tolist()
    in_force_s = _PERSON_IN_FORCE_S if labels.takeovers else _IN_FORCE_S
    if when - given_s > in_force_s:
        return f"without a command for {in_force_s:g} s"
    if speed < labels.min_speed:
        return f"slower than {labels.min_speed:g} m/s"
    return speed, yaw_rate


class _ExpertLabels:
    """Labels by the expert, at the poses of the odometry."""

    def __init__(self, circuit: str) -> None:
        self._circuit = load_circuit(circuit)
        self._expert = Expert(self._circuit)

    def label(self, poses: NDArray[np.float64], time_s: float) -> Label | str:
        """Return the expert's command at a time, or why there is none."""
        after = int(np.searchsorted(poses[:, 0], time_s))
        if not 0 < after < len(poses):
            return "without a pose"
        (t0, x0, y0, yaw0), (t1, x1, y1, yaw1) = poses[after - 1 : after + 1, :4].tolist()
        if t1 - t0 > _POSES_APART_S:
            return "without a pose"
        share = (time_s - t0) / (t1 - t0)
        x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        yaw = yaw0 + share * math.remainder(yaw1 - yaw0, math.tau)
        here = self._circuit.centerline.project(x, y)
        if abs(here.lateral_deviation) > self._circuit.asphalt_half_width:
            return "off the road"
        error = here.heading_error(yaw)
        if math.cos(error) < 0.0:
            return "against the driving direction"
        speed, yaw_rate = self._expert.command(x, y, yaw, here.arc_length)
        limit = -JDEROBOT_RANGE.yaw_rate_min
        yaw_rate = min(max(yaw_rate, -limit), limit)
        return speed, yaw_rate, here.lateral_deviation, error, here.curvature


class _View:
    """Warps frames to the model's camera, as the brain does, and to what a layout keeps of it."""

    def __init__(self, labels: BagLabels, kept: InputFormat) -> None:
        self._kept = kept
        self._camera = CarCamera(labels.camera_pose, labels.camera_fov)
        self._size = (0, 0)
        self._homography: NDArray[np.float64] | None = None

    def tell(self, info: Any) -> None:
        """Take a CameraInfo; one that no camera has changes nothing."""
        try:
            if self._camera.set_intrinsics(info.width, info.height, info.k):
                self._size = (0, 0)
        except ValueError:
            return

    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what is kept of a frame. Raises BadFrame for one that is too small."""
        size = (frame.shape[1], frame.shape[0])
        if size != self._size:
            camera = self._camera.on_frames_of(*size, JDEROBOT_CAMERA)
            self._homography = VirtualCamera(JDEROBOT_CAMERA, self._kept, camera).homography()
            self._size = size
        return network_input(frame, self._kept, homography=self._homography)
