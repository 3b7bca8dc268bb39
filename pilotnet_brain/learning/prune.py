"""Unstructured pruning: the smallest weights become zero and stay zero.

Han et al., "Learning both Weights and Connections for Efficient Neural Networks" (2015): prune by
magnitude, then train on with what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from pilotnet_brain.learning.pilotnet import PilotNet

CONVOLUTION_SHARE, LINEAR_SHARE = 0.3, 0.5
"""Pruned of every layer, locally, as DeepLearningStudio prunes PilotNet."""
GLOBAL_SHARE = 0.3
"""Pruned of all layers' weights together."""


def prune_locally(
    network: PilotNet,
    convolution_share: float = CONVOLUTION_SHARE,
    linear_share: float = LINEAR_SHARE,
) -> None:
    """Zero the share of smallest weights (L1) of every layer by itself, in place."""
    for convolution in network.convolutions():
        _zero_smallest([convolution.weight], convolution_share)
    for linear in network.fully_connected():
        _zero_smallest([linear.weight], linear_share)


def prune_globally(network: PilotNet, share: float = GLOBAL_SHARE) -> None:
    """Zero the share of smallest weights (L1) of all layers together, in place."""
    weights: list[torch.Tensor] = [layer.weight for layer in network.convolutions()]
    _zero_smallest([*weights, *(layer.weight for layer in network.fully_connected())], share)


class ZerosHeld:
    """Holds the weights that are zero now at zero, through whatever training does to them.

    Args:
        network: any with convolutions and fully connected layers, those of quantization-aware
            training too. Its weights are watched, not copied.
    """

    def __init__(self, network: nn.Module) -> None:
        self._weights: list[torch.Tensor] = []
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                self._weights.append(layer.weight)
        self._alive = [(weight != 0).detach() for weight in self._weights]

    def __call__(self) -> None:
        """Zero them again."""
        with torch.no_grad():
            for weight, alive in zip(self._weights, self._alive, strict=True):
                weight.mul_(alive.to(weight.device))


def _zero_smallest(weights: Sequence[torch.Tensor], share: float) -> None:
    """Zero the share of smallest values of all the tensors together."""
    sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    count = round(share * len(sizes))
    alive = torch.ones_like(sizes)
    alive[torch.topk(sizes, count, largest=False).indices] = 0.0
    parts = torch.split(alive, [weight.numel() for weight in weights])
    with torch.no_grad():
        for weight, part in zip(weights, parts, strict=True):
            weight.mul_(part.view_as(weight))
