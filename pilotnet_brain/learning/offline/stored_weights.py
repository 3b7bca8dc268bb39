"""The weights of a network as its file holds them: how many there are, and how many are zero.

They are read from the TorchScript graph, so that a figure tells of the file itself: float weights
that are attributes or constants, and int8 weights unpacked from what the engine packed at load.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from pilotnet_brain.driving.model.torchscript import graph_of

_CONVOLUTIONS = ("aten::_convolution", "aten::conv2d")


@dataclass(frozen=True)
class StoredLayer:
    """One convolution or linear layer.

    Attributes:
        kind: "convolution" or "linear".
        weight: float32, as the file holds it; an int8 weight dequantized, its zeros exact.
        bias: float32, or None.
        int8: the weight is stored as int8.
    """

    kind: str
    weight: torch.Tensor
    bias: torch.Tensor | None
    int8: bool


@dataclass(frozen=True)
class Sparsity:
    """Shares of weights that are exactly zero, 0..1 (biases aside); None without such layers."""

    convolution: float | None
    linear: float | None
    overall: float | None


def stored_layers(module: torch.jit.ScriptModule) -> list[StoredLayer]:
    """Return the layers with weights in the order that they run in; traced or frozen modules."""
    layers = []
    for node in graph_of(module).nodes():
        layer = _layer(node, module)
        if layer is not None:
            layers.append(layer)
    return layers


def sparsity(layers: list[StoredLayer]) -> Sparsity:
    """Return the share of zero weights by kind of layer and overall."""

    def share(chosen: list[StoredLayer]) -> float | None:
        weights = sum(layer.weight.numel() for layer in chosen)
        zeros = sum(int((layer.weight == 0).sum()) for layer in chosen)
        return zeros / weights if weights else None

    return Sparsity(
        share([layer for layer in layers if layer.kind == "convolution"]),
        share([layer for layer in layers if layer.kind == "linear"]),
        share(layers),
    )


def parameter_count(module: torch.jit.ScriptModule) -> int:
    """Return the number of weights and biases, those of batch norms with them, zeros too."""
    count = sum(tensor.numel() for tensor in _batch_norm_terms(module))
    for layer in stored_layers(module):
        count += layer.weight.numel() + (0 if layer.bias is None else layer.bias.numel())
    return count


def _batch_norm_terms(module: torch.jit.ScriptModule) -> Iterator[torch.Tensor]:
    for node in graph_of(module).nodes():
        if node.kind() == "aten::batch_norm":
            for value in list(node.inputs())[1:3]:
                term = _resolved(value, module)
                if term is not None:
                    yield term


def _layer(node: Any, module: torch.jit.ScriptModule) -> StoredLayer | None:
    """Return the layer that a node of the graph runs, None for a node without weights."""
    kind, inputs = node.kind(), list(node.inputs())
    if kind.startswith("quantized::") and ("conv" in kind or "linear" in kind):
        packed = _resolved(inputs[1], module)
        if "conv" in kind:
            weight, bias = torch.ops.quantized.conv2d_unpack(packed)
        else:
            weight, bias = torch.ops.quantized.linear_unpack(packed)
        if weight.is_quantized:
            weight = weight.dequantize()
        return StoredLayer("convolution" if "conv" in kind else "linear", weight, bias, True)
    if kind in _CONVOLUTIONS or kind == "aten::linear":
        weight, bias = (_resolved(value, module) for value in inputs[1:3])
        return StoredLayer("linear" if kind == "aten::linear" else "convolution", weight, bias,
                           False)  # fmt: skip
    if kind == "aten::addmm" and inputs[2].node().kind() == "aten::t":  # older torch's linear
        weight = _resolved(next(inputs[2].node().inputs()), module)
        return StoredLayer("linear", weight, _resolved(inputs[0], module), False)
    return None


def _resolved(value: Any, module: torch.jit.ScriptModule) -> Any:
    """Return what a value of the graph stands for: a constant, or an attribute of the module."""
    node = value.node()
    if node.kind() == "prim::GetAttr":
        return getattr(_resolved(next(node.inputs()), module), node.s("name"))
    return module if node.kind() == "prim::Param" else value.toIValue()
