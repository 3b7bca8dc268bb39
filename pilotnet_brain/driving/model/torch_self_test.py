"""TorchScript run on the frames of a self-test, and whether its outputs can be driven on."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.errors import ADOPT_HINT, ModelError, WrittenDeviceError
from pilotnet_brain.driving.model.network import error_line
from pilotnet_brain.driving.model.self_test import Outputs
from pilotnet_brain.driving.model.torchscript import devices_written_into
from pilotnet_brain.driving.preprocess import scale_input

TorchFunction = Callable[[torch.Tensor], torch.Tensor]
"""From float32 (1, 3, height, width), 0..1, to float32 (1, 2), both on the network's device."""


def network_batch(frame: NDArray[np.uint8], device: str, channels_last: bool) -> torch.Tensor:
    """Return one frame of input pixels, uint8 (height, width, 3), as the network's batch."""
    batch = torch.from_numpy(scale_input(frame[None])).permute(0, 3, 1, 2)
    return (batch if channels_last else batch.contiguous()).to(device)


def run_on_frames(
    path: Path, module: TorchFunction, frames: NDArray[np.uint8], device: str, channels_last: bool
) -> Outputs:
    """Return a network's outputs for each frame; each is run twice and must give the same.

    The frames are its input pixels, uint8 (N, height, width, 3), given to it on its device ("cpu"
    or "cuda") in the memory layout that it wants. The path is named in errors.

    Raises:
        WrittenDeviceError: it runs on another device only.
        ModelError: it does not take them, or its outputs cannot be driven on.
    """
    outputs = []
    for frame in frames:
        batch = network_batch(frame, device, channels_last)
        first, second = _run_once(path, module, batch), _run_once(path, module, batch)
        if not np.allclose(first, second, rtol=1e-3, atol=1e-3):
            raise ModelError(
                f"{path}: two runs on one frame give {first} and {second}: it was exported in "
                "training mode (dropout); call .eval() and export it again"
            )
        outputs.append(first)
    return tuple(outputs)


def _run_once(path: Path, module: TorchFunction, batch: torch.Tensor) -> tuple[float, float]:
    shape = tuple(batch.shape)
    try:
        with torch.inference_mode():
            output = module(batch)
    except Exception as error:  # whatever torch raises, the network does not take this input
        if isinstance(module, torch.jit.ScriptModule):
            written = devices_written_into(module) - {batch.device.type}
            if written:
                fix = (
                    "call .cpu() on the network and its example before torch.jit.trace, or adopt "
                    "it: pilotnet models adopt FILE"
                )
                raise WrittenDeviceError(
                    f"{path}: does not run on {batch.device.type}: it was exported on "
                    f"{', '.join(sorted(written))}, and that device is written into its code; "
                    f"{'use device cpu' if 'cpu' in written else fix}"
                ) from error
        raise ModelError(
            f"{path}: it does not take an input of shape {shape}: {error_line(error)}; {ADOPT_HINT}"
        ) from error
    if not isinstance(output, torch.Tensor) or tuple(output.shape) != (1, 2):
        kind = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ModelError(
            f"{path}: for an input of shape {shape} it gives {kind}: (1, 2) is needed "
            f"(normalized speed and yaw rate); {ADOPT_HINT}"
        )
    if not output.dtype.is_floating_point:
        raise ModelError(f"{path}: its outputs are {output.dtype}: floating point is needed")
    speed, yaw_rate = output[0].tolist()
    if not (math.isfinite(speed) and math.isfinite(yaw_rate)):
        raise ModelError(
            f"{path}: its outputs are ({speed}, {yaw_rate}): not finite; it is damaged, or its "
            "training diverged"
        )
    return speed, yaw_rate
