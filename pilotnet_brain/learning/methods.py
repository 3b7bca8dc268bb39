"""The optimizations by name: each makes a network to export from the trained baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from pilotnet_brain.learning.optimization import Workshop
from pilotnet_brain.learning.pilotnet import PilotNet, Shape
from pilotnet_brain.learning.prune import ZerosHeld, prune_globally, prune_locally
from pilotnet_brain.learning.quantize import (
    finish_training,
    prepare_training,
    quantize_dynamically,
    quantize_statically,
)
from pilotnet_brain.learning.shrink import shrink
from pilotnet_brain.learning.train import TrainingPlan

TINY = Shape(((16, 5, 2), (24, 5, 2), (32, 3, 2), (32, 3, 2)), (64, 16))
"""Every convolution halves the picture: a third of PilotNet's multiplications, 73,000 weights."""

_FINE_TUNING = TrainingPlan(epochs=2, learning_rate=3e-4, polish_epochs=1)
_WITH_INT8 = TrainingPlan(epochs=1, learning_rate=1e-4)
_SHRUNK = TrainingPlan(epochs=6, learning_rate=1e-3, polish_epochs=2)
_DISTILLED = TrainingPlan(epochs=16, learning_rate=2e-3, polish_epochs=2, patience=16)


@dataclass(frozen=True)
class Method:
    """A way to optimize.

    Attributes:
        description: what it does, in a line.
        make: from the workshop to a network on the CPU, in evaluation mode, ready to be traced.
    """

    description: str
    make: Callable[[Workshop], nn.Module]


def _dynamic_quant(shop: Workshop) -> nn.Module:
    return quantize_dynamically(shop.baseline())


def _static_quant(shop: Workshop) -> nn.Module:
    return quantize_statically(shop.baseline(), shop.calibration())


def _qat(shop: Workshop) -> nn.Module:
    return _trained_in_int8(shop, "qat", shop.baseline())


def _local_prune(shop: Workshop) -> PilotNet:
    network = shop.baseline()
    prune_locally(network)
    shop.trained("local_prune", network, _FINE_TUNING, after_step=ZerosHeld(network))
    return network


def _global_prune(shop: Workshop) -> nn.Module:
    network = shop.baseline()
    prune_globally(network)
    return shop.trained("global_prune", network, _FINE_TUNING, after_step=ZerosHeld(network))


def _prune_quant(shop: Workshop) -> nn.Module:
    return _trained_in_int8(shop, "prune_quant", _local_prune(shop))


def _structured_prune(shop: Workshop) -> nn.Module:
    images = torch.cat(list(shop.calibration()))
    small = shrink(shop.baseline(), images, shop.calibration_targets())
    return shop.trained("structured_prune", small, _SHRUNK, teacher=shop.baseline())


def _tiny_quant(shop: Workshop) -> nn.Module:
    torch.manual_seed(shop.seed)
    tiny = PilotNet(TINY)
    shop.trained("tiny_float", tiny, _DISTILLED, teacher=shop.baseline())
    return _trained_in_int8(shop, "tiny_quant", tiny)


def _trained_in_int8(shop: Workshop, name: str, network: PilotNet) -> nn.Module:
    """Train on in int8's rounding, pruned weights held at zero; returns the int8 network."""
    prepared = prepare_training(network, shop.calibration())
    trained = shop.trained(name, prepared, _WITH_INT8, after_step=ZerosHeld(prepared))
    return finish_training(trained)


METHODS = {
    "dynamic_quant": Method("int8 weights in the linear layers, ranges by call", _dynamic_quant),
    "static_quant": Method("int8 throughout, ranges from training frames", _static_quant),
    "qat": Method("int8 throughout, trained on with its rounding", _qat),
    "local_prune": Method(
        "smallest weights of every layer zeroed (convolutions 30 %, linear 50 %), trained on",
        _local_prune,
    ),
    "global_prune": Method("smallest 30 % of all weights zeroed, trained on", _global_prune),
    "prune_quant": Method("local pruning, then int8 trained on with its rounding", _prune_quant),
    "structured_prune": Method(
        "whole channels and neurons removed: a smaller float network", _structured_prune
    ),
    "tiny_quant": Method("distilled into a small network, int8", _tiny_quant),
}
"""In the order in which the set is made."""
