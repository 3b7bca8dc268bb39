"""From the baseline's file to an optimized model's file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from pilotnet_brain.driving.model.catalogue import add_to_manifest
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torchscript import holds_quantized_kernels
from pilotnet_brain.learning.engines import engines_by_speed
from pilotnet_brain.learning.export import export_torchscript, self_test_frames, trace
from pilotnet_brain.learning.methods import METHODS
from pilotnet_brain.learning.optimization import Workshop
from pilotnet_brain.learning.train import images_of


def optimize(method: str, shop: Workshop, folder: Path, rebuild: str = "") -> ModelRecord:
    """Make a method's model, write it to ``folder/METHOD.pt`` and enter it in the manifest there.

    Args:
        method: a key of `METHODS`.
        shop: the baseline, the data and the settings.
        folder: of the model files.
        rebuild: the command that makes the file anew.

    Returns:
        The record as written.

    Raises:
        ModelError: the file cannot be written.
        UserError: a checkpoint of another plan or baseline is in the way; the loss is not finite.
    """
    torch.set_num_threads(shop.threads)
    network = METHODS[method].make(shop)
    path = folder / f"{method}.pt"
    record = export_torchscript(
        network,
        path,
        name=method,
        method=method,
        self_test_frames=self_test_frames(shop.validation.frames),
        engines=_engines(network, shop),
        training={"baseline": shop.origin, "seed": shop.seed, **shop.sources},
        rebuild=rebuild,
        parameters=parameter_count(network),
    )
    add_to_manifest(path)
    return record


def _engines(network: nn.Module, shop: Workshop) -> tuple[str, ...]:
    """Return the quantization engines that the network runs on, fastest first; none for float."""
    scripted = trace(network)
    if not holds_quantized_kernels(scripted):
        return ()
    return engines_by_speed(scripted, images_of(shop.validation.frames, slice(0, 1)))


def parameter_count(network: nn.Module) -> int:
    """Return how many weights and biases there are, in float and int8 layers together."""
    count = sum(parameter.numel() for parameter in network.parameters())
    for module in network.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if callable(weight) and callable(bias):  # torch.ao's int8 layers have no Parameters.
            count += sum(values.numel() for values in (weight(), bias()) if values is not None)
    return count
