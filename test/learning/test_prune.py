"""Pruning: the shares are exact, zeros stay zero; shrunk networks keep what matters."""

import torch
from torch import nn

from pilotnet_brain.learning.pilotnet import PilotNet, Shape
from pilotnet_brain.learning.prune import (
    KEPT_CHANNELS,
    KEPT_NEURONS,
    channel_importance,
    prune_globally,
    prune_locally,
    shrink,
    zeros_held,
)

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
    hold = zeros_held(net)
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


SHAPE = Shape(((30, 5, 2), (40, 5, 2), (30, 3, 2)), (160, 80, 10))


def trained_like(seed: int) -> PilotNet:
    torch.manual_seed(seed)
    network = PilotNet(SHAPE)
    network(torch.rand(4, 3, 66, 200))  # moves the norm's statistics off 0 and 1
    return network.eval()


def silence(network: PilotNet, alive_channels: float, alive_neurons: float) -> None:
    """Cut what follows from all but a share of each layer's channels or neurons."""
    layers: list[nn.Conv2d | nn.Linear] = [*network.convolutions(), *network.fully_connected()]
    convolutions = len(network.convolutions())
    for number, (layer, following) in enumerate(zip(layers, layers[1:], strict=False)):
        width = layer.weight.shape[0]
        if width <= 12:
            continue
        share = alive_channels if number < convolutions else alive_neurons
        dead = torch.randperm(width)[int(share * width) :]
        places = following.weight.shape[1] // width
        with torch.no_grad():
            cut = following.weight.view(following.weight.shape[0], width, places, -1)
            cut[:, dead] = 0.0


def test_removing_what_leads_nowhere_changes_nothing() -> None:
    network = trained_like(1)
    silence(network, KEPT_CHANNELS - 0.05, KEPT_NEURONS - 0.05)
    images, targets = torch.rand(6, 3, 66, 200), torch.rand(6, 2)
    small = shrink(network, images, targets)
    with torch.no_grad():
        torch.testing.assert_close(small(images), network(images), rtol=1e-4, atol=1e-5)
    # Six and two and a half tenths, rounded up to eights.
    assert small.shape == Shape(((24, 5, 2), (24, 5, 2), (24, 3, 2)), (40, 24, 10))


def test_the_network_is_left_as_it_was() -> None:
    network = trained_like(2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shrink(network, torch.rand(2, 3, 66, 200), torch.rand(2, 2))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_importance_is_the_change_of_the_loss_without_a_channel() -> None:
    """To first order: with outputs far from their labels the loss is linear in them, the hidden
    layers' signs fixed, so leaving a neuron of the last hidden layer out is exact."""
    network = trained_like(3)
    image, target = torch.rand(1, 3, 66, 200), torch.full((1, 2), 50.0)
    importance = channel_importance(network, image, target)[-1]
    outputs = network.fully_connected()[-1]
    from pilotnet_brain.learning.train import driving_loss

    with torch.no_grad():
        whole = driving_loss(network(image), target)
        for neuron in range(10):
            kept = outputs.weight[:, neuron].clone()
            outputs.weight[:, neuron] = 0.0
            change = driving_loss(network(image), target) - whole
            outputs.weight[:, neuron] = kept
            torch.testing.assert_close(importance[neuron], change**2, rtol=2e-2, atol=1e-7)


def test_importance_does_not_depend_on_the_batch() -> None:
    network = trained_like(4)
    images, targets = torch.rand(5, 3, 66, 200), torch.rand(5, 2)
    for one, many in zip(
        channel_importance(network, images, targets, batch=1),
        channel_importance(network, images, targets, batch=5),
        strict=True,
    ):
        torch.testing.assert_close(one, many, rtol=1e-3, atol=1e-12)
