"""Quantization: the network in int8, after training or during it, and the engines that run it.

Only this file uses torch.ao.quantization, which is deprecated upstream in favour of torchao's PT2E
flow (torch.export, prepare_pt2e, convert_pt2e, lowered by Inductor): that would replace this file,
as AOTInductor would replace ``driving.model.torchscript``. Only TorchScript runs int8 kernels now.

How the int8 networks are built:

* the input's batch norm is folded into the first convolution, every ReLU fused into its layer;
* the input's scale is 1/255: a pixel of the camera is its own quantized value, nothing is lost;
* activations have 8 bits and weights 7, for each output channel: a product of two pairs then fits
  16 bits (255 x 64 x 2 < 32768), so that CPUs without VNNI, which add pairs in 16 bits, give the
  same numbers as those with it;
* the two outputs are computed from the last hidden layer in float: 22 parameters, and commands
  of full precision instead of 256 steps.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import statistics
import timeit
import warnings
from collections.abc import Iterable

import torch
from torch import nn
from torch.ao import quantization as ao
from torch.ao.quantization import observer
from torch.ao.quantization.fake_quantize import FakeQuantize, FixedQParamsFakeQuantize

from pilotnet_brain.driving.model.record import QUANTIZED_TOLERANCE
from pilotnet_brain.driving.model.torchscript import (
    freeze,
    load_bytes,
    quiet_deprecation,
    save_bytes,
)
from pilotnet_brain.learning.pilotnet import PilotNet

_PIXEL = {
    "scale": 1.0 / 255.0,
    "zero_point": 0,
    "dtype": torch.quint8,
    "quant_min": 0,
    "quant_max": 255,
}
_ACTIVATION = {"dtype": torch.quint8, "quant_min": 0, "quant_max": 255}
_WEIGHT = {
    "dtype": torch.qint8,
    "qscheme": torch.per_channel_symmetric,
    "quant_min": -64,
    "quant_max": 63,
    "ch_axis": 0,
}
_ROUNDS, _CALLS = 5, 50
"""In which the engines are timed: rounds of so many calls each."""


class Quantizable(nn.Module):
    """A PilotNet's layers in the order that int8 wants them: between a quantizer and its inverse.

    They are copies: the input norm is folded, the flattening turned to channels-last order (the
    layout of int8 convolutions, so that flattening copies nothing).
    """

    def __init__(self, network: PilotNet) -> None:
        super().__init__()
        network = copy.deepcopy(network).cpu().eval()
        _fold_norm(network)
        _expect_channels_last(network)
        hidden, self.outputs = list(network.head)[:-1], network.fully_connected()[-1]
        self.quantize = ao.QuantStub()
        self.layers = nn.Sequential(*network.features, _FlattenChannelsLast(), *hidden)
        self.dequantize = ao.DeQuantStub()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the normalized commands (N, 2) of images (N, 3, 66, 200)."""
        return self.outputs(self.dequantize(self.layers(self.quantize(image))))


def quantize_dynamically(network: PilotNet) -> nn.Module:
    """Return the network with its linear layers' weights in int8.

    Their activations are quantized in every call, by the call's own range; convolutions stay float.
    """
    with quiet_deprecation():
        return ao.quantize_dynamic(
            copy.deepcopy(network).cpu().eval(),
            {nn.Linear: ao.per_channel_dynamic_qconfig},
        )


def quantize_statically(network: PilotNet, calibration: Iterable[torch.Tensor]) -> nn.Module:
    """Return a trained float32 network in int8, its ranges those of the calibration images.

    These are batches of float32 (N, 3, 66, 200), 0..1, like those seen in driving.
    """
    with quiet_deprecation():
        prepared = _prepared(Quantizable(network), _static_configs())
        _observe(prepared, calibration)
        return ao.convert(prepared)


def prepare_training(network: PilotNet, calibration: Iterable[torch.Tensor]) -> nn.Module:
    """Return the network for quantization-aware training: float, but rounded like int8.

    The activations' ranges are those of the calibration and stay; the weights' follow the weights.
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-
    Only Inference" (2018).
    """
    with quiet_deprecation():
        prepared = _prepared(Quantizable(network).train(), _training_configs())
        prepared.apply(ao.disable_fake_quant)
        _observe(prepared, calibration)
        prepared.apply(ao.enable_fake_quant)
        for module in prepared.modules():
            if isinstance(module, FakeQuantize) and not module.is_per_channel:
                module.disable_observer()
        return prepared


def finish_training(trained: nn.Module) -> nn.Module:
    """Return the network of quantization-aware training in int8."""
    with quiet_deprecation():
        return ao.convert(copy.deepcopy(trained).cpu().eval())


def _prepared(network: Quantizable, configs: tuple[ao.QConfig, ao.QConfig]) -> Quantizable:
    """Fuse every ReLU into its layer, and insert observers."""
    layers = network.layers
    pairs = [
        [f"layers.{number}", f"layers.{number + 1}"]
        for number in range(len(layers) - 1)
        if isinstance(layers[number + 1], nn.ReLU)
    ]
    fuse = ao.fuse_modules_qat if network.training else ao.fuse_modules
    network = fuse(network, pairs)
    pixels, inner = configs
    # Through setattr: torch declares every attribute of a module a tensor or a module.
    for part, config in (("quantize", pixels), ("layers", inner), ("dequantize", inner)):
        setattr(getattr(network, part), "qconfig", config)  # noqa: B010
    prepare = ao.prepare_qat if network.training else ao.prepare
    return prepare(network)


def _static_configs() -> tuple[ao.QConfig, ao.QConfig]:
    weight = observer.PerChannelMinMaxObserver.with_args(**_WEIGHT)
    pixels = observer.FixedQParamsObserver.with_args(**_PIXEL)
    activation = observer.MinMaxObserver.with_args(**_ACTIVATION)
    return ao.QConfig(pixels, weight), ao.QConfig(activation, weight)


def _training_configs() -> tuple[ao.QConfig, ao.QConfig]:
    weight = FakeQuantize.with_args(observer=observer.PerChannelMinMaxObserver, **_WEIGHT)
    pixels = FixedQParamsFakeQuantize.with_args(
        observer=observer.FixedQParamsObserver.with_args(**_PIXEL)
    )
    activation = FakeQuantize.with_args(observer=observer.MinMaxObserver, **_ACTIVATION)
    return ao.QConfig(pixels, weight), ao.QConfig(activation, weight)


def _observe(network: nn.Module, calibration: Iterable[torch.Tensor]) -> None:
    with torch.no_grad():
        for images in calibration:
            network(images)


def _fold_norm(network: PilotNet) -> None:
    """Fold the input's batch norm into the first convolution, exactly: it pads nothing."""
    norm, convolution = network.normalize, network.convolutions()[0]
    assert norm.running_mean is not None and norm.running_var is not None
    assert convolution.bias is not None
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    offset = norm.bias.double() - norm.running_mean.double() * gain
    weight = convolution.weight.double()
    with torch.no_grad():
        convolution.bias.add_((weight * offset.view(1, -1, 1, 1)).sum((1, 2, 3)))
        convolution.weight.copy_(weight * gain.view(1, -1, 1, 1))


def _expect_channels_last(network: PilotNet) -> None:
    """Reorder the first linear layer's inputs from channel-by-channel to place-by-place."""
    layer, channels = network.fully_connected()[0], network.convolutions()[-1].out_channels
    weight = layer.weight.detach().view(layer.out_features, channels, -1)
    with torch.no_grad():
        layer.weight.copy_(weight.transpose(1, 2).reshape(layer.out_features, -1).clone())


class _FlattenChannelsLast(nn.Module):
    """Flattens (N, C, H, W), laid out channels last, without a copy."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.permute(0, 2, 3, 1).flatten(1)


def engines_by_speed(network: torch.jit.ScriptModule, image: torch.Tensor) -> tuple[str, ...]:
    """Return the engines that run the network and agree with it, the fastest here first.

    Timed on one thread, in rounds of warm calls, so that the machine's drift affects all alike. The
    network is int8, the image float32 (1, 3, 66, 200), 0..1.
    """
    before, threads = torch.backends.quantized.engine, torch.get_num_threads()
    torch.set_num_threads(1)
    data = save_bytes(network, {})
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            # It uses the eighth bit of dynamic ranges: better, not worse.
            warnings.filterwarnings("ignore", "Currently, qnnpack incorrectly ignores reduce_range")
            expected = network(image)
            runners = {}
            for engine in torch.backends.quantized.supported_engines:
                with contextlib.suppress(RuntimeError):  # one that cannot run the network
                    torch.backends.quantized.engine = engine
                    loaded = freeze(load_bytes(data))  # packs the weights for the engine
                    if float((loaded(image) - expected).abs().max()) <= QUANTIZED_TOLERANCE:
                        runners[engine] = functools.partial(loaded, image)
            medians: dict[str, list[float]] = {engine: [] for engine in runners}
            for _ in range(_ROUNDS):
                for engine, run in runners.items():
                    calls = timeit.repeat(run, number=1, repeat=_CALLS)
                    medians[engine].append(statistics.median(calls))
    finally:
        torch.backends.quantized.engine = before
        torch.set_num_threads(threads)
    # The best round: others may have shared the processor with something else.
    return tuple(sorted(medians, key=lambda engine: min(medians[engine])))
