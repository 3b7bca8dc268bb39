"""How far a network's commands are from the expert's on a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.file import ModelRecord, network_batch
from pilotnet_brain.driving.model.output_range import JDEROBOT_RANGE
from pilotnet_brain.driving.preprocess import JDEROBOT, scale_input
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.dataset import DataSet

BATCH = 1024
"""Frames at once, as in the published comparison."""


@dataclass(frozen=True)
class CommandError:
    """Mean squared errors over a data set.

    Attributes:
        mse: of the normalized outputs, both together; JdeRobot's ranges for every model.
        speed_mse: (m/s)^2.
        yaw_rate_mse: (rad/s)^2.
        frames: how many.
    """

    mse: float
    speed_mse: float
    yaw_rate_mse: float
    frames: int


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
    rgb = JDEROBOT.__class__(**{**vars(fmt), "colour_order": "rgb"})
    if rgb != JDEROBOT:
        raise UserError(
            f"{path}: it looks at {fmt.width}x{fmt.height} pixels of rows {fmt.crop_top} to "
            f"{fmt.crop_bottom}, and a data set holds {JDEROBOT.width}x{JDEROBOT.height} of "
            f"{JDEROBOT.crop_top} to {JDEROBOT.crop_bottom}: it can only be driven"
        )
    squares = np.zeros(2)
    for begin in range(0, len(data), BATCH):
        frames = np.asarray(data.frames[begin : begin + BATCH])
        if fmt.colour_order == "bgr":
            frames = frames[..., ::-1]
        outputs = _outputs(network, np.ascontiguousarray(frames)).astype(np.float64)
        labels = data.table.iloc[begin : begin + BATCH]
        speed = record.output_range.speed_min + outputs[:, 0] * record.output_range.speed_span
        yaw_rate = (
            record.output_range.yaw_rate_min + outputs[:, 1] * record.output_range.yaw_rate_span
        )
        squares += (
            ((speed - labels["v"].to_numpy()) ** 2).sum(),
            ((yaw_rate - labels["w"].to_numpy()) ** 2).sum(),
        )
        if progress is not None:
            progress(begin + len(frames), len(data))
    speed_mse, yaw_rate_mse = (squares / len(data)).tolist()
    spans = JDEROBOT_RANGE.speed_span, JDEROBOT_RANGE.yaw_rate_span
    mse = 0.5 * (speed_mse / spans[0] ** 2 + yaw_rate_mse / spans[1] ** 2)
    return CommandError(mse, speed_mse, yaw_rate_mse, len(data))


def _outputs(network: torch.jit.ScriptModule, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the outputs (N, 2) for input pixels; frame by frame where a batch is not taken."""
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
