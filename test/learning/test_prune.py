"""Pruning zeroes the smallest weights, just so many, and they stay zero in training."""

import torch
from torch import nn

from pilotnet_brain.learning.pilotnet import PilotNet, Shape
from pilotnet_brain.learning.prune import ZerosHeld, prune_globally, prune_locally

SMALL = Shape(((8, 5, 2), (8, 5, 2), (8, 3, 2)), (32, 12))


def network() -> PilotNet:
    torch.manual_seed(3)
    return PilotNet(SMALL)


def weights_of(net: nn.Module) -> list[torch.Tensor]:
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    return [layer.weight.detach().clone() for layer in layers]


def test_every_layer_loses_its_share_and_the_smallest_go() -> None:
    net = network()
    before = weights_of(net)
    prune_locally(net, convolution_share=0.3, linear_share=0.5)
    for old, new in zip(before, weights_of(net), strict=True):
        share = 0.3 if old.dim() == 4 else 0.5
        gone = new == 0
        assert int(gone.sum()) == round(share * old.numel())
        assert old[gone].abs().max() <= old[~gone].abs().min()
        assert torch.equal(old[~gone], new[~gone])


def test_all_layers_together_lose_the_share_and_the_smallest_go() -> None:
    net = network()
    before = torch.cat([weight.flatten() for weight in weights_of(net)])
    prune_globally(net, share=0.3)
    after = torch.cat([weight.flatten() for weight in weights_of(net)])
    gone = after == 0
    assert int(gone.sum()) == round(0.3 * len(before))
    assert before[gone].abs().max() <= before[~gone].abs().min()


def test_biases_and_the_norm_are_left_alone() -> None:
    net, untouched = network(), network()
    prune_locally(net)
    for (name, value), old in zip(net.state_dict().items(), untouched.state_dict().values(),
                                  strict=True):  # fmt: skip
        if not name.endswith("weight") or name.startswith("normalize"):
            assert torch.equal(value, old), name


def test_zeros_hold_through_training_and_the_others_learn() -> None:
    net = network()
    prune_globally(net, share=0.4)
    pruned = weights_of(net)
    hold = ZerosHeld(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    images, targets = torch.rand(8, 3, 66, 200), torch.rand(8, 2)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(images), targets).backward()
        optimizer.step()
        hold()
    for old, new in zip(pruned, weights_of(net), strict=True):
        assert torch.equal(new == 0, old == 0)
        assert not torch.equal(new, old)
