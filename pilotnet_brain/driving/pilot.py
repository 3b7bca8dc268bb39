"""The hot path: from a camera frame to a command."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.camera import STILL, Camera, Motion, VirtualCamera
from pilotnet_brain.driving.command import Command, limited
from pilotnet_brain.driving.model.network import Model, NetworkFailure
from pilotnet_brain.driving.preprocess import BadFrame, network_input

__all__ = ["BadFrame", "Drive", "NetworkFailure", "NonFiniteOutput", "Pilot"]

WARM_UP_FRAMES = 20
"""torch's profiling executor settles within the first two or three runs; the rest warms caches, the
allocator, and on CUDA the choice of kernels."""


class NonFiniteOutput(NetworkFailure):
    """The network gave NaN or infinity."""


class Drive(NamedTuple):
    """The command for one frame, and what it took."""

    command: Command
    outputs: tuple[float, float]
    """The network's normalized outputs: speed, yaw rate."""
    preprocess_s: float
    """Crop and resize or warp, and scaling, seconds."""
    inference_s: float
    """The model call with the copies to and from its device, seconds."""


class Pilot:
    """Drives with one model. It reuses its buffers: one thread at a time may call it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.max_speed = math.inf
        """Commands are no faster, m/s, on the same arc."""
        self._format = model.record.input_format
        self._range = model.record.output_range
        self._network = model.network()
        self._view = VirtualCamera(model.record.frame_camera, self._format)
        self._pixels = np.empty(self._format.input_shape, np.uint8)

    @property
    def camera(self) -> Camera:
        """The camera that takes the frames: the one that the model was trained with, or another."""
        return self._view.real

    def look_through(self, camera: Camera) -> None:
        """Take frames of this camera from now on, of its size."""
        self._view = VirtualCamera(self.model.record.frame_camera, self._format, camera)

    def drive(self, frame_rgb: NDArray[np.uint8], motion: Motion = STILL) -> Drive:
        """Return the command for a frame, uint8 (480, 640, 3), RGB (the camera's size).

        Args:
            frame_rgb: of the camera.
            motion: of the car from the frame until the command acts.

        Raises:
            BadFrame: the frame has another shape or element type; nothing was run.
            NonFiniteOutput: the network gave NaN or infinity.
            NetworkFailure: it could not be run on this frame (the GPU was lost, no memory).
        """
        start = time.perf_counter_ns()
        homography = self._view.homography(motion)
        size = (self.camera.height, self.camera.width, 3)
        if homography is not None and frame_rgb.shape != size:
            raise BadFrame(f"the frame's shape is {frame_rgb.shape}: {size} is needed")
        network_input(frame_rgb, self._format, self._pixels, homography)
        self._network.fill(self._pixels)
        prepared = time.perf_counter_ns()
        out0, out1 = self._network.run()
        done = time.perf_counter_ns()
        if not (math.isfinite(out0) and math.isfinite(out1)):
            raise NonFiniteOutput(
                f"the outputs of {self.model.name} are not finite: ({out0}, {out1})"
            )
        return Drive(
            limited(self._range.to_command(out0, out1), self.max_speed),
            (out0, out1),
            (prepared - start) * 1e-9,
            (done - prepared) * 1e-9,
        )

    def wake(self) -> None:
        """Run the network once more on the last input, so that the caches hold it.

        Raises:
            NetworkFailure: it could not be run.
        """
        self._network.run()

    def warm_up(self, frames: int = WARM_UP_FRAMES) -> None:
        """Run the whole path on grey frames, so that the first real one is not slow.

        Raises:
            NetworkFailure: as `drive`.
        """
        grey = np.full((self.camera.height, self.camera.width, 3), 128, np.uint8)
        for _ in range(frames):
            self.drive(grey)
