"""Pruning: small weights zeroed (unstructured), or whole channels removed (structured).

Unstructured: the smallest weights become zero and stay zero while the network is trained further
(Han et al., "Learning both Weights and Connections for Efficient Neural Networks", 2015).

Structured: whole channels and neurons are removed, which leaves a smaller dense network. The
importance of a channel is how much the loss would change without it, to first order: its activation
times the gradient of the loss with respect to it, summed over the picture, squared, averaged over
frames (Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference",
2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from pilotnet_brain.learning.pilotnet import PilotNet, Shape
from pilotnet_brain.learning.train import driving_loss

CONVOLUTION_SHARE, LINEAR_SHARE = 0.3, 0.5
"""Pruned of every layer, locally, as DeepLearningStudio prunes PilotNet."""
GLOBAL_SHARE = 0.3
"""Pruned of all layers' weights together."""
KEPT_CHANNELS, KEPT_NEURONS = 0.6, 0.25
"""Shares of every convolution's channels and of every hidden layer's neurons that stay."""
_LANES = 8
"""Widths are rounded up to a multiple: vector units compute so many floats at once, and
channels that do not fill one cost as much as those that do."""
_NARROWEST = 16
"""No layer is made narrower than this."""


def prune_locally(
    network: PilotNet,
    convolution_share: float = CONVOLUTION_SHARE,
    linear_share: float = LINEAR_SHARE,
) -> None:
    """Zero the share of smallest weights (L1) of each layer, in place."""
    for layer in _layers(network):
        share = convolution_share if isinstance(layer, nn.Conv2d) else linear_share
        _zero_smallest([layer.weight], share)


def prune_globally(network: PilotNet, share: float = GLOBAL_SHARE) -> None:
    """Zero the share of smallest weights (L1) of all layers together, in place."""
    _zero_smallest([layer.weight for layer in _layers(network)], share)


def _zero_smallest(weights: Sequence[torch.Tensor], share: float) -> None:
    """Zero the share of smallest values of all the tensors together.

    torch.nn.utils.prune does the same, but leaves the layers' parameters in another order.
    """
    sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    alive = torch.ones_like(sizes)
    alive[torch.topk(sizes, round(share * len(sizes)), largest=False).indices] = 0.0
    parts = torch.split(alive, [weight.numel() for weight in weights])
    with torch.no_grad():
        for weight, part in zip(weights, parts, strict=True):
            weight.mul_(part.view_as(weight))


def zeros_held(network: nn.Module) -> Callable[[], None]:
    """Return what keeps the weights that are zero now at zero, to be called after every step.

    The network may be any with convolutions and fully connected layers, those of quantization-aware
    training too. Its weights are changed in place.
    """
    weights = [layer.weight for layer in _layers(network)]
    alive = [(weight != 0).detach() for weight in weights]

    def hold() -> None:
        with torch.no_grad():
            for weight, kept in zip(weights, alive, strict=True):
                weight.mul_(kept.to(weight.device))

    return hold


def _layers(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Return the convolutions and fully connected layers, from the picture on."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def shrink(network: PilotNet, images: torch.Tensor, targets: torch.Tensor) -> PilotNet:
    """Return a smaller network made of the most important channels and neurons.

    The trained network is not changed. Importance is judged on images, float32 (N, 3, 66, 200),
    0..1, with their normalized labels, float32 (N, 2).
    """
    kept = _most_important(network, images, targets)
    convolutions = [
        (len(channels), kernel, stride)
        for channels, (_, kernel, stride) in zip(kept, network.shape.convolutions, strict=False)
    ]
    hidden = [len(neurons) for neurons in kept[len(convolutions) :]]
    small = PilotNet(Shape(tuple(convolutions), tuple(hidden)))
    small.normalize.load_state_dict(network.normalize.state_dict())
    inputs = torch.arange(3)
    layers = zip(_layers(network), _layers(small), [*kept, torch.arange(2)], strict=True)
    for old, new, outputs in layers:
        if old is network.fully_connected()[0]:  # each channel has several places when flattened
            places = old.in_features // network.convolutions()[-1].out_channels
            inputs = (inputs[:, None] * places + torch.arange(places)).flatten()
        assert old.bias is not None and new.bias is not None
        with torch.no_grad():
            new.weight.copy_(old.weight[outputs][:, inputs])
            new.bias.copy_(old.bias[outputs])
        inputs = outputs
    return small.eval()


def _most_important(
    network: PilotNet, images: torch.Tensor, targets: torch.Tensor
) -> list[torch.Tensor]:
    """Return which channels and neurons stay, in order, for every layer but the outputs."""
    importances = channel_importance(network, images, targets)
    convolutions = len(network.convolutions())
    kept = []
    for number, importance in enumerate(importances):
        share = KEPT_CHANNELS if number < convolutions else KEPT_NEURONS
        count = max(_NARROWEST, _LANES * math.ceil(share * len(importance) / _LANES))
        count = min(len(importance), count)
        kept.append(torch.topk(importance, count).indices.sort().values)
    return kept


def channel_importance(
    network: PilotNet, images: torch.Tensor, targets: torch.Tensor, batch: int = 64
) -> list[torch.Tensor]:
    """Return the importance of every channel or neuron, float32 (channels,), layer by layer.

    The network is in evaluation mode; the outputs' layer is left out. Images and targets are as in
    `shrink`, ``batch`` of them at a time.
    """
    seen: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    rectifiers = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    hooks = [rectifier.register_forward_hook(keep) for rectifier in rectifiers]
    totals: list[torch.Tensor] = []
    try:
        for first in range(0, len(images), batch):
            seen.clear()
            span = slice(first, first + batch)
            (driving_loss(network(images[span]), targets[span]) * len(images[span])).backward()
            found = [_squared_change(activation) for activation in seen]
            totals = [a + b for a, b in zip(totals, found, strict=True)] if totals else found
    finally:
        for hook in hooks:
            hook.remove()
        network.zero_grad(set_to_none=True)
    return [total / len(images) for total in totals]


def _squared_change(activation: torch.Tensor) -> torch.Tensor:
    """Return the sum over frames of each channel's squared first-order change of the loss."""
    assert activation.grad is not None
    change = activation.detach() * activation.grad
    per_channel = change.flatten(2).sum(2) if change.dim() == 4 else change
    return (per_channel**2).sum(0)
