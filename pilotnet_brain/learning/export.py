"""From a network to a model file: TorchScript with its record and self-test."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pilotnet_brain.driving.model.file import save_model
from pilotnet_brain.driving.model.record import SELF_TEST_FRAMES, ModelRecord
from pilotnet_brain.driving.model.torch_self_test import network_batch
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.driving.preprocess import JDEROBOT, InputFormat
from pilotnet_brain.learning.offline.stored_weights import stored_weights


def export_torchscript(
    network: nn.Module,
    path: str | Path,
    record: ModelRecord,
    self_test_frames: NDArray[np.uint8],
    tolerance: float | None = None,
) -> ModelRecord:
    """Trace the network and write it with its record and self-test; returns the record as written.

    The network itself is not changed: device, training mode, weights.

    Args:
        network: takes float32 (1, 3, height, width), 0..1; gives (1, 2) normalized outputs.
        record: what the file says of itself; the parameters are counted here, the self-test is
            filled in by ``save_model``.
        self_test_frames: uint8 (4, height, width, 3), as ``network_input`` returns them; real
            camera frames test more than noise does.
        tolerance: of the self-test; by default by kind (see ``save_model``).

    Raises:
        ModelError: the network, the frames or the record are not fit for a model file, or the
            file cannot be written.
    """
    scripted = trace(copy.deepcopy(network).cpu().eval(), record.input_format)
    record = replace(record, parameters=stored_weights(scripted).parameters)
    return save_model(path, scripted, record, self_test_frames, tolerance)


def self_test_frames(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return four frames, from the first to the last, for a model file's self-test."""
    chosen = np.linspace(0, len(frames) - 1, SELF_TEST_FRAMES).astype(int)
    return np.ascontiguousarray(frames[chosen])


def trace(network: nn.Module, input_format: InputFormat = JDEROBOT) -> torch.jit.ScriptModule:
    """Return the network, on the CPU in evaluation mode, as TorchScript."""
    with torch.no_grad(), quiet_deprecation(), warnings.catch_warnings():
        # An int8 network's scales become constants of its graph, as they should.
        warnings.filterwarnings(
            "ignore", "Converting a tensor to a Python (float|integer)", torch.jit.TracerWarning
        )
        return torch.jit.trace(network, grey_batch(input_format))


def grey_batch(input_format: InputFormat) -> torch.Tensor:
    """Return a grey picture as a network's input, to trace it with."""
    grey = np.full(input_format.input_shape, 128, np.uint8)
    return network_batch(grey, "cpu", channels_last=False)
