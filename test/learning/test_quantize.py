"""int8 networks: exact where they can be, and within rounding's own bound where they cannot."""

import warnings

import pytest
import torch
from torch import nn

from pilotnet_brain.learning.export import trace
from pilotnet_brain.learning.pilotnet import PilotNet, Shape
from pilotnet_brain.learning.prune import prune_locally, zeros_held
from pilotnet_brain.learning.quantize import (
    Quantizable,
    engines_by_speed,
    finish_training,
    prepare_training,
    quantize_dynamically,
    quantize_statically,
)
from pilotnet_brain.learning.train import images_of

SMALL = Shape(((8, 5, 2), (8, 5, 2), (12, 3, 2)), (24, 12))
ACTIVATION_STEPS, LARGEST_WEIGHT = 255, 64


@pytest.fixture(scope="module")
def frames():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (12, 66, 200, 3), dtype=torch.uint8, generator=generator).numpy()


@pytest.fixture(scope="module")
def images(frames):
    return images_of(frames, slice(0, len(frames)))


@pytest.fixture
def network(images):
    torch.manual_seed(5)
    net = PilotNet(SMALL)
    net(images)  # moves the norm's statistics off 0 and 1
    return net.eval()


def int8_layers(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if callable(getattr(layer, "weight", None))]


def float_layers(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.layers if isinstance(layer, nn.Conv2d | nn.Linear)]


def rounding_bound(network: PilotNet, quantized: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return how far (N, 2) the int8 outputs can be off, by interval arithmetic.

    A layer's error is at most |W| times the error that comes in, the weights' rounding times the
    input, and half a step of its own output; ReLU lets no error grow. The input has none.
    """
    plain = Quantizable(network).eval()
    value, error = images, torch.zeros_like(images)
    rounded = iter(int8_layers(quantized))
    for layer in plain.layers:
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            value, error = layer(value), layer(error)
            continue
        int8 = next(rounded)
        weight = int8.weight().dequantize()
        run = _linear_map(layer)
        error = run(error, weight.abs()) + run(value.abs(), (weight - layer.weight).abs())
        error = error + 0.5 * float(int8.scale)
        value = layer(value)
    return torch.nn.functional.linear(error, plain.outputs.weight.abs())


def _linear_map(layer):
    if isinstance(layer, nn.Conv2d):
        return lambda x, w: nn.functional.conv2d(x, w, stride=layer.stride)
    return nn.functional.linear


@torch.no_grad()
def test_folding_and_reordering_change_nothing(network, images):
    torch.testing.assert_close(
        Quantizable(network).eval()(images), network(images), rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_a_pixel_is_its_own_quantized_value(network, frames, images):
    quantized = quantize_statically(network, [images])
    pixels = quantized.quantize(images).int_repr().permute(0, 2, 3, 1)
    assert torch.equal(pixels, torch.from_numpy(frames))


@torch.no_grad()
def test_weights_are_rounded_to_the_nearest_of_seven_bits(network, images):
    quantized = quantize_statically(network, [images])
    for int8, layer in zip(int8_layers(quantized), float_layers(Quantizable(network)), strict=True):
        weight = int8.weight()
        assert int(weight.int_repr().abs().max()) <= LARGEST_WEIGHT
        half_step = 0.5 * weight.q_per_channel_scales().float()
        away = (weight.dequantize() - layer.weight).abs().flatten(1).max(dim=1).values
        assert (away <= half_step * 1.001).all()


def test_no_sum_of_two_products_overflows_sixteen_bits():
    """What CPUs without VNNI need: they add pairs of products in 16 bits, saturating."""
    assert 2 * ACTIVATION_STEPS * LARGEST_WEIGHT <= 2**15 - 1


@torch.no_grad()
def test_static_int8_stays_within_the_bound_of_its_rounding(network, images):
    quantized = quantize_statically(network, [images])
    away = (quantized(images) - network(images)).abs()
    bound = rounding_bound(network, quantized, images)
    assert (away <= bound).all()
    # Errors of many roundings mostly cancel: far below the bound, or the bound tests nothing.
    assert 0.0 < float(away.mean()) < 0.2 * float(bound.mean())


@torch.no_grad()
def test_dynamic_int8_has_float_convolutions_and_int8_linear_layers(network, images):
    quantized = quantize_dynamically(network)
    assert len(int8_layers(quantized)) == len(network.fully_connected())
    assert sum(isinstance(layer, nn.Conv2d) for layer in quantized.modules()) == 3
    spread = network(images).std(dim=0).mean()
    assert (quantized(images) - network(images)).abs().mean() < 0.2 * spread


def test_training_with_int8s_rounding_ends_in_the_same_numbers(network, images):
    """What was trained is what drives: rounding in training and in int8 give the same outputs."""
    prepared = prepare_training(network, [images])
    optimizer = torch.optim.SGD(prepared.parameters(), lr=1e-3)
    targets = torch.rand(len(images), 2)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(prepared.train()(images), targets).backward()
        optimizer.step()
    with torch.no_grad():
        quantized = finish_training(prepared)
        step = max(float(layer.scale) for layer in int8_layers(quantized))
        torch.testing.assert_close(
            quantized(images), prepared.eval()(images), rtol=0.0, atol=2.0 * step
        )


def test_what_is_learned_with_int8s_rounding_is_kept_in_int8(network, images):
    targets = torch.stack([images.mean((1, 2, 3)), images[:, 0, :, :60].mean((1, 2))], dim=1)
    prepared = prepare_training(network, [images]).train()
    optimizer = torch.optim.Adam(prepared.parameters(), lr=3e-3)
    before = float(nn.functional.mse_loss(finish_training(prepared)(images), targets).detach())
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.mse_loss(prepared(images), targets).backward()
        optimizer.step()
    after = float(nn.functional.mse_loss(finish_training(prepared)(images), targets).detach())
    assert after < 0.2 * before


def test_pruned_weights_are_zeros_in_int8_too(network, images):
    prune_locally(network)
    pruned = [layer.weight == 0 for layer in float_layers(Quantizable(network))]
    prepared = prepare_training(network, [images]).train()
    hold = zeros_held(prepared)
    optimizer = torch.optim.Adam(prepared.parameters(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        prepared(images).square().mean().backward()
        optimizer.step()
        hold()
    for int8, gone in zip(int8_layers(finish_training(prepared)), pruned, strict=True):
        assert (int8.weight().int_repr()[gone] == 0).all()


def test_it_warns_of_nothing(network, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantize_dynamically(network)
        quantize_statically(network, [images])
        finish_training(prepare_training(network, [images]))


def test_the_engines_named_run_the_network_and_the_choice_is_left_as_it_was():
    torch.manual_seed(1)
    image = torch.rand(1, 3, 66, 200).contiguous(memory_format=torch.channels_last)
    network = PilotNet(Shape(((4, 5, 2), (4, 5, 2)), (12,))).eval()
    scripted = trace(quantize_statically(network, [image]))
    before, threads = torch.backends.quantized.engine, torch.get_num_threads()
    engines = engines_by_speed(scripted, image)
    assert (torch.backends.quantized.engine, torch.get_num_threads()) == (before, threads)
    assert before in engines
    assert set(engines) <= set(torch.backends.quantized.supported_engines) - {"none"}
    assert len(set(engines)) == len(engines)
