"""The error of a network's commands against the expert's on a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.command import JDEROBOT_RANGE
from pilotnet_brain.driving.model.file import ModelRecord, network_batch
from pilotnet_brain.driving.preprocess import JDEROBOT, scale_input
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.dataset import DataSet

BATCH = 1024
"""Frames at once, as in the published comparison."""


@dataclass(frozen=True)
class CommandError:
    """Mean squared errors over a data set."""

    mse: float  #: of the normalized outputs, both together; in JdeRobot's range for every model
    speed_mse: float  #: (m/s)^2
    yaw_rate_mse: float  #: (rad/s)^2
    frames: int  #: how many


def command_error(
    path: Path,
    network: torch.jit.ScriptModule,
    record: ModelRecord,
    data: DataSet,
    progress: Callable[[int, int], None] | None = None,
) -> CommandError:
    """Run a model file's network over a data set and compare with its labels.

    Args:
        path: of the model, for errors.
        network: as it was saved, on the CPU.
        record: its input format and output range.
        data: frames of JdeRobot's input format.
        progress: called with the frames done and to do.

    Raises:
        UserError: the network takes other pixels than the data set holds.
    """
    fmt = record.input_format
    if replace(fmt, colour_order="rgb") != JDEROBOT:
        raise UserError(
            f"{path}: it looks at {fmt.width}x{fmt.height} pixels of rows {fmt.crop_top} to "
            f"{fmt.crop_bottom}, and a data set holds {JDEROBOT.width}x{JDEROBOT.height} of "
            f"{JDEROBOT.crop_top} to {JDEROBOT.crop_bottom}: it can only be driven"
        )
    squares = np.zeros(2)
    for first in range(0, len(data), BATCH):
        frames = np.asarray(data.frames[first : first + BATCH])
        if fmt.colour_order == "bgr":
            frames = frames[..., ::-1]
        outputs = _outputs(network, np.ascontiguousarray(frames))
        squares += (data.command_errors(outputs, record.output_range, first) ** 2).sum(axis=0)
        if progress is not None:
            progress(first + len(frames), len(data))
    speed_mse, yaw_rate_mse = (squares / len(data)).tolist()
    normalized = JDEROBOT_RANGE
    mse = 0.5 * (speed_mse / normalized.speed_span**2 + yaw_rate_mse / normalized.yaw_rate_span**2)
    return CommandError(mse, speed_mse, yaw_rate_mse, len(data))


def _outputs(network: torch.jit.ScriptModule, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the outputs (N, 2) for input pixels; frame by frame if it takes no batch."""
    batch = torch.from_numpy(scale_input(frames)).permute(0, 3, 1, 2).contiguous()
    with torch.inference_mode():
        try:
            outputs = network(batch)
        except RuntimeError:
            outputs = None  # traced for one frame
        if outputs is None or tuple(outputs.shape) != (len(frames), 2):
            single = [network_batch(frame, "cpu", channels_last=False) for frame in frames]
            outputs = torch.cat([network(one) for one in single])
    return outputs.numpy()
