"""A torch network on the hot path: its buffers, and its calls."""

from __future__ import annotations

import threading

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.network import NetworkFailure, error_line
from pilotnet_brain.driving.model.torch_self_test import TorchFunction
from pilotnet_brain.driving.model.torchscript import adopt_thread_count
from pilotnet_brain.driving.preprocess import scale_input


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


class TorchNetwork:
    """A torch function with the buffers of its input.

    Args:
        name: of the model, for errors.
        module: the function, on its device.
        buffers: of its input, there too.
    """

    def __init__(self, name: str, module: TorchFunction, buffers: NetworkInput) -> None:
        self._name, self._module, self._buffers = name, module, buffers
        self._thread: int | None = None

    def fill(self, pixels: NDArray[np.uint8]) -> None:
        """Take input pixels, uint8 (height, width, 3), scaled to 0..1."""
        if self._thread != threading.get_ident():
            adopt_thread_count()
            self._thread = threading.get_ident()
        self._buffers.fill(pixels)

    def run(self) -> tuple[float, float]:
        """Return the normalized speed and yaw rate for the pixels that it was filled with.

        Raises:
            NetworkFailure: it could not be run (the GPU was lost, no memory).
        """
        try:
            with torch.inference_mode():
                # tolist waits for the device, so the time is that of the whole call.
                speed, yaw_rate = self._module(self._buffers.batch()).tolist()[0]
        except (RuntimeError, torch.jit.Error) as error:
            raise NetworkFailure(f"{self._name} failed: {error_line(error)}") from error
        return speed, yaw_rate
