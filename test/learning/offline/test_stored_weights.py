"""What a file holds is counted in the file: float or int8, traced or frozen, packed or not."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pilotnet_brain.driving.model.file import load_as_saved, save_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.learning.offline.stored_weights import (
    StoredWeights,
    stored_layers,
    stored_weights,
)


def saved(tmp_path, module, pixels, **record):
    save_model(tmp_path / "x.pt", module, ModelRecord(**record), pixels)
    return load_as_saved(tmp_path / "x.pt")


def trace(network):
    with quiet_deprecation():
        return torch.jit.trace(network, torch.rand(1, 3, 66, 200), check_trace=False)


def test_zeros_are_read_from_a_float_file(tiny_file):
    network = load_as_saved(tiny_file)
    layers = stored_layers(network)
    assert [(layer.kind, layer.int8) for layer in layers] == [
        ("convolution", False),
        ("linear", False),
    ]
    zeros = stored_weights(network)
    assert zeros.sparsity_convolution == pytest.approx(75 / 300)
    assert zeros.sparsity_linear == pytest.approx(0.5)
    assert zeros.sparsity == pytest.approx((75 + 800) / 1900)


def test_int8_weights_are_unpacked(int8_file, tiny):
    network = load_as_saved(int8_file)
    layers = stored_layers(network)
    assert [(layer.kind, layer.int8) for layer in layers] == [
        ("convolution", True),
        ("linear", True),
    ]
    # Every float zero is an int8 zero; some small weights round to zero besides.
    zeros = stored_weights(network)
    assert 0.25 <= zeros.sparsity_convolution < 0.27
    assert 0.5 <= zeros.sparsity_linear < 0.52
    for layer, module in zip(layers, (tiny.convolution, tiny.head), strict=True):
        largest = float(module.weight.abs().max())
        if layer.kind == "linear":  # half a step of int8 from the float weight
            assert float((layer.weight - module.weight).abs().max()) <= 0.51 * largest / 127


def test_a_network_saved_frozen_counts_the_same(tmp_path, tiny, int8_network, pixels):
    for network in (tiny, int8_network):
        module = trace(copy.deepcopy(network))
        with quiet_deprecation():
            frozen = torch.jit.freeze(module.eval())
        as_it_is = saved(tmp_path, module, pixels)
        constants = saved(tmp_path, frozen, pixels)
        for name in ("sparsity", "sparsity_convolution", "sparsity_linear"):
            shares = [getattr(stored_weights(network), name) for network in (as_it_is, constants)]
            assert shares[0] == shares[1]
        for one, other in zip(stored_layers(as_it_is), stored_layers(constants), strict=True):
            np.testing.assert_array_equal(one.weight.detach(), other.weight.detach())


def test_dynamic_int8_is_linear_only(tmp_path, tiny, pixels):
    quantized = torch.ao.quantization.quantize_dynamic(tiny, {nn.Linear}, torch.qint8)
    layers = stored_layers(saved(tmp_path, trace(quantized), pixels, engines=("x86",)))
    assert [(layer.kind, layer.int8) for layer in layers] == [
        ("convolution", False),
        ("linear", True),
    ]


def test_parameters_are_the_networks(tiny, tiny_file, int8_file):
    count = stored_weights(load_as_saved(tiny_file)).parameters
    assert count == sum(p.numel() for p in tiny.parameters())
    folded_in = tiny.normalize.weight.numel() + tiny.normalize.bias.numel()
    int8 = stored_weights(load_as_saved(int8_file)).parameters
    assert int8 in (count - folded_in * part for part in (0, 1))


def test_a_network_without_layers_has_no_sparsity():
    class Mean(nn.Module):
        def forward(self, image):
            return image.mean((2, 3))[:, :2]

    assert stored_weights(trace(Mean())) == StoredWeights(0, None, None, None)
