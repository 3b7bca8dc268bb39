"""The weights of a network as its file holds them: how many there are, and how many are zero.

They are read from the TorchScript graph, so that the figures are those of the file itself: float
weights that are attributes or constants, and int8 weights unpacked from what the engine packed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from pilotnet_brain.driving.model.torchscript import CONVOLUTIONS


@dataclass(frozen=True)
class StoredLayer:
    """One convolution or linear layer."""

    kind: str  #: "convolution" or "linear"
    #: float32, as the file holds it; an int8 weight dequantized, its zeros exact
    weight: torch.Tensor
    bias: torch.Tensor | None  #: float32, or None
    int8: bool  #: the weight is stored as int8


@dataclass(frozen=True)
class StoredWeights:
    """The weights of a file, counted."""

    parameters: int  #: weights and biases, those of batch norms included, zeros too
    #: share of weights that are exactly zero, 0..1 (without biases); None if the network has no
    #: such layers
    sparsity: float | None
    sparsity_convolution: float | None  #: the same of the convolutions...
    sparsity_linear: float | None  #: ...and of the linear layers


def stored_weights(module: torch.jit.ScriptModule) -> StoredWeights:
    """Count the weights of a traced or frozen module."""
    layers = stored_layers(module)
    tensors = [tensor for layer in layers for tensor in (layer.weight, layer.bias)]
    for node in module.inlined_graph.nodes():
        if node.kind() == "aten::batch_norm":
            tensors += [_resolved(value, module) for value in list(node.inputs())[1:3]]

    def zeros(*kinds: str) -> float | None:
        weights = [layer.weight for layer in layers if layer.kind in kinds]
        count = sum(weight.numel() for weight in weights)
        return sum(int((weight == 0).sum()) for weight in weights) / count if count else None

    return StoredWeights(
        sum(tensor.numel() for tensor in tensors if tensor is not None),
        zeros("convolution", "linear"),
        zeros("convolution"),
        zeros("linear"),
    )


def stored_layers(module: torch.jit.ScriptModule) -> list[StoredLayer]:
    """Return the layers with weights in the order that they run in; traced or frozen modules."""
    layers = [_layer(node, module) for node in module.inlined_graph.nodes()]
    return [layer for layer in layers if layer is not None]


def _layer(node: Any, module: torch.jit.ScriptModule) -> StoredLayer | None:
    """Return the layer that a node of the graph runs, None for a node without weights."""
    kind, inputs = node.kind(), list(node.inputs())
    if kind.startswith("quantized::") and ("conv" in kind or "linear" in kind):
        layer = "convolution" if "conv" in kind else "linear"
        operators = torch.ops.quantized
        unpack = operators.conv2d_unpack if "conv" in kind else operators.linear_unpack
        weight, bias = unpack(_resolved(inputs[1], module))
        if weight.is_quantized:
            weight = weight.dequantize()
        return StoredLayer(layer, weight, bias, int8=True)
    if kind in CONVOLUTIONS or kind == "aten::linear":
        layer = "linear" if kind == "aten::linear" else "convolution"
        weight, bias = (_resolved(value, module) for value in inputs[1:3])
        return StoredLayer(layer, weight, bias, int8=False)
    if kind == "aten::addmm" and inputs[2].node().kind() == "aten::t":  # older torch's linear
        weight = _resolved(next(inputs[2].node().inputs()), module)
        return StoredLayer("linear", weight, _resolved(inputs[0], module), int8=False)
    return None


def _resolved(value: Any, module: torch.jit.ScriptModule) -> Any:
    """Return the value of an input of the graph: a constant, or an attribute of the module."""
    node = value.node()
    if node.kind() == "prim::GetAttr":
        return getattr(_resolved(next(node.inputs()), module), node.s("name"))
    return module if node.kind() == "prim::Param" else value.toIValue()
