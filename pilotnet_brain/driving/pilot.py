"""The hot path: from a camera frame to a command."""

from __future__ import annotations

import math
import threading
import time
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.camera import STILL, Camera, Motion, VirtualCamera
from pilotnet_brain.driving.command import Command, limited
from pilotnet_brain.driving.model.file import Model
from pilotnet_brain.driving.model.torchscript import adopt_thread_count, error_line
from pilotnet_brain.driving.preprocess import BadFrame, network_input, scale_input

__all__ = ["BadFrame", "Drive", "NetworkFailure", "NetworkInput", "NonFiniteOutput", "Pilot",
           "use_threads"]  # fmt: skip

WARM_UP_FRAMES = 20
"""torch's profiling executor settles within the first two or three runs; the rest warms caches, the
allocator, and on CUDA the choice of kernels."""


class NetworkFailure(Exception):  # noqa: N818  (named by what it is)
    """The network gave no usable output: the car must be stopped."""


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


def use_threads(count: int) -> None:
    """Let torch and OpenCV use this many threads, in the whole process.

    One is best for a single picture: waking a second one costs what it gains, and it would compete
    with the simulator for the other core.
    """
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


class NetworkInput:
    """The buffers between input pixels and a network, reused from frame to frame.

    Args:
        device: "cpu" or "cuda", where the network is.
        input_shape: (height, width, 3) of its input pixels.
        channels_last: the memory layout that it wants its input in.
        batch: the buffer that the network reads, if it has one.
    """

    def __init__(
        self,
        device: str,
        input_shape: tuple[int, int, int],
        channels_last: bool,
        batch: torch.Tensor | None = None,
    ) -> None:
        pinned = device == "cuda"  # the copy to the GPU then needs no other buffer
        host = torch.empty((1, *input_shape), pin_memory=pinned)
        self._scaled = host.numpy()
        # Shares memory with the scaled pixels: channels last, nothing is copied.
        self._pixels = host.permute(0, 3, 1, 2)
        self._host = self._pixels
        if not channels_last:
            self._host = torch.empty(self._pixels.shape, pin_memory=pinned)
        self._batch = self._host if batch is None else batch
        if batch is None and device != "cpu":
            self._batch = self._host.to(device, copy=True)

    def fill(self, pixels: NDArray[np.uint8]) -> None:
        """Scale input pixels, uint8 (height, width, 3), into the buffer on the host."""
        scale_input(pixels, self._scaled[0])
        if self._host is not self._pixels:
            self._host.copy_(self._pixels)

    def batch(self) -> torch.Tensor:
        """Return the network's batch, float32 (1, 3, height, width), copied to its device."""
        if self._batch is not self._host:
            self._batch.copy_(self._host, non_blocking=True)
        return self._batch


class Pilot:
    """Drives with one model. It reuses its buffers: one thread at a time may call it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.max_speed = math.inf
        """Commands are no faster, m/s, on the same arc."""
        self._format = model.record.input_format
        self._range = model.record.output_range
        self._module = model.module
        self._view = VirtualCamera(model.record.frame_camera, self._format)
        self._thread: int | None = None
        self._pixels = np.empty(self._format.input_shape, np.uint8)
        self._input = NetworkInput(
            model.device, self._format.input_shape, model.channels_last, model.batch
        )

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
        if self._thread != threading.get_ident():
            adopt_thread_count()
            self._thread = threading.get_ident()
        homography = self._view.homography(motion)
        size = (self.camera.height, self.camera.width, 3)
        if homography is not None and frame_rgb.shape != size:
            raise BadFrame(f"the frame's shape is {frame_rgb.shape}: {size} is needed")
        network_input(frame_rgb, self._format, self._pixels, homography)
        self._input.fill(self._pixels)
        prepared = time.perf_counter_ns()
        try:
            with torch.inference_mode():
                # tolist waits for the device, so the time is that of the whole call.
                out0, out1 = self._module(self._input.batch()).tolist()[0]
        except (RuntimeError, torch.jit.Error) as error:
            raise NetworkFailure(f"{self.model.name} failed: {error_line(error)}") from error
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
        try:
            with torch.inference_mode():
                self._module(self._input.batch()).tolist()
        except (RuntimeError, torch.jit.Error) as error:
            raise NetworkFailure(f"{self.model.name} failed: {error_line(error)}") from error

    def warm_up(self, frames: int = WARM_UP_FRAMES) -> None:
        """Run the whole path on grey frames, so that the first real one is not slow.

        Raises:
            NetworkFailure: as `drive`.
        """
        grey = np.full((self.camera.height, self.camera.width, 3), 128, np.uint8)
        for _ in range(frames):
            self.drive(grey)
