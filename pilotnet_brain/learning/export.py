"""From a network in training to a model file that drives without its Python class."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pilotnet_brain.driving.model.file import ModelRecord, network_batch, save_model
from pilotnet_brain.driving.model.output_range import JDEROBOT_RANGE, OutputRange
from pilotnet_brain.driving.model.record import SELF_TEST_FRAMES
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.driving.preprocess import JDEROBOT, InputFormat


def export_torchscript(
    network: nn.Module,
    path: str | Path,
    *,
    name: str,
    method: str,
    self_test_frames: NDArray[np.uint8],
    input_format: InputFormat = JDEROBOT,
    output_range: OutputRange = JDEROBOT_RANGE,
    engines: tuple[str, ...] = (),
    training: Mapping[str, Any] | None = None,
    scores: Mapping[str, Any] | None = None,
    rebuild: str = "",
    tolerance: float | None = None,
    parameters: int | None = None,
) -> ModelRecord:
    """Trace the network and write it with its record and self-test.

    The network itself is left as it is: device, training mode, weights.

    Args:
        network: takes float32 (1, 3, height, width), 0..1; gives (1, 2) normalized outputs.
        path: the model file to write.
        name: the model's name, e.g. "baseline".
        method: how it was made, e.g. "baseline", "static_quant".
        self_test_frames: uint8 (4, height, width, 3), as ``network_input`` returns them; real
            camera frames test more than noise does.
        input_format: which pixels the network looks at.
        output_range: what its outputs mean.
        engines: the quantization engines it runs on, the preferred one first; empty for float.
        training: data sets, seeds, epochs and the like (values that JSON knows).
        scores: figures of the model, by name (values that JSON knows).
        rebuild: the command that makes the file anew.
        tolerance: of the self-test; by default by kind (see ``save_model``).
        parameters: how many there are; counted by default, which misses int8 layers' weights.

    Returns:
        The record as written.

    Raises:
        ModelError: the network, the frames or the record are not fit for a model file, or the
            file cannot be written.
    """
    copied = copy.deepcopy(network).cpu().eval()
    counted = sum(parameter.numel() for parameter in network.parameters()) or None
    record = ModelRecord(
        name=name,
        method=method,
        input_format=input_format,
        output_range=output_range,
        engines=engines,
        parameters=parameters or counted,
        training=dict(training or {}),
        scores=dict(scores or {}),
        rebuild=rebuild,
    )
    return save_model(
        path, trace(copied, input_format), record, self_test_frames, tolerance=tolerance
    )


def self_test_frames(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return four frames, from the first to the last, for a model file's self-test."""
    chosen = np.linspace(0, len(frames) - 1, SELF_TEST_FRAMES).astype(int)
    return np.ascontiguousarray(frames[chosen])


def trace(network: nn.Module, input_format: InputFormat = JDEROBOT) -> torch.jit.ScriptModule:
    """Return the network, on the CPU in evaluation mode, as TorchScript."""
    grey = np.full(input_format.input_shape, 128, np.uint8)
    with torch.no_grad(), quiet_deprecation(), warnings.catch_warnings():
        # An int8 network's scales become constants of its graph: as they should.
        warnings.filterwarnings(
            "ignore", "Converting a tensor to a Python (float|integer)", torch.jit.TracerWarning
        )
        return torch.jit.trace(network, network_batch(grey, "cpu", channels_last=False))
