"""Trying a network on frames: what it gives, and whether that can be driven on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.archive import ModelError
from pilotnet_brain.driving.model.cuda_form import Network
from pilotnet_brain.driving.preprocess import scale_input

Outputs = tuple[tuple[float, float], ...]
"""Normalized speed and yaw rate, for each frame."""


def network_batch(frame: NDArray[np.uint8], device: str, channels_last: bool) -> torch.Tensor:
    """Return one frame of input pixels, uint8 (height, width, 3), as the network's batch."""
    batch = torch.from_numpy(scale_input(frame)[None]).permute(0, 3, 1, 2)
    return (batch if channels_last else batch.contiguous()).to(device)


def tried_outputs(
    path: Path,
    module: Network,
    frames: NDArray[np.uint8],
    device: str,
    channels_last: bool,
) -> Outputs:
    """Return what a network gives on each frame, run twice.

    Args:
        path: of the model, for errors.
        module: the network, on the device.
        frames: uint8 (N, height, width, 3): its input pixels.
        device: "cpu" or "cuda".
        channels_last: the memory layout that it wants its input in.

    Raises:
        ModelError: it does not take them, or what it gives cannot be driven on.
    """
    outputs = []
    for frame in frames:
        batch = network_batch(frame, device, channels_last)
        first = _try(path, module, batch)
        again = _try(path, module, batch)
        if not math.isclose(first[0], again[0], rel_tol=1e-3, abs_tol=1e-3) or not math.isclose(
            first[1], again[1], rel_tol=1e-3, abs_tol=1e-3
        ):
            raise ModelError(
                f"{path}: two runs on one frame give {first} and {again}: it was exported in "
                "training mode (dropout); call .eval() and export it again"
            )
        outputs.append(first)
    return tuple(outputs)


def _try(path: Path, module: Network, batch: torch.Tensor) -> tuple[float, float]:
    shape = tuple(batch.shape)
    try:
        with torch.inference_mode():
            output = module(batch)
    except Exception as error:  # whatever torch raises, the network does not take this input
        raise ModelError(
            f"{path}: it does not take an input of shape {shape}: {first_line(error)}"
        ) from error
    if not isinstance(output, torch.Tensor) or tuple(output.shape) != (1, 2):
        kind = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ModelError(
            f"{path}: for an input of shape {shape} it gives {kind}: (1, 2) is needed "
            "(normalized speed and yaw rate)"
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


def largest_difference(outputs: Outputs, expected: Outputs) -> float:
    """Return the largest absolute difference between two networks' outputs."""
    return float(np.abs(np.subtract(outputs, expected)).max())


def first_line(error: BaseException) -> str:
    """Return in one line what torch complains of."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # torch's interpreter puts the cause last, under the traceback of TorchScript.
    causes = [line for line in lines if line.startswith(("RuntimeError:", "builtins."))]
    return (causes or lines or [type(error).__name__])[0][:300]
