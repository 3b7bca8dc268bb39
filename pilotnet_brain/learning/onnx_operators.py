"""int8 operators of TorchScript as ONNX's, where torch's exporter lacks them.

It writes quantized convolutions and linear layers between QuantizeLinear and DequantizeLinear
(QDQ), which runtimes fuse into int8 kernels. It lacks two: a quantized tensor's permutation, and
linear layers whose inputs are quantized in every call.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.onnx import register_custom_op_symbolic, symbolic_helper, unregister_custom_op_symbolic

OPSET = 17
_FLOAT = 1  # of onnx.TensorProto.DataType


@contextlib.contextmanager
def int8_operators(network: torch.jit.ScriptModule) -> Iterator[None]:
    """Let torch's exporter write the network's int8 operators meanwhile."""
    written = {"aten::permute": _permute, "quantized::linear_dynamic": _linear_dynamic(network)}
    for name, symbolic in written.items():
        register_custom_op_symbolic(name, symbolic, OPSET)
    try:
        yield
    finally:
        for name in written:
            unregister_custom_op_symbolic(name, OPSET)


@symbolic_helper.quantized_args(True)
@symbolic_helper.parse_args("v", "is")
def _permute(graph: Any, value: Any, dims: list[int]) -> Any:
    return graph.op("Transpose", value, perm_i=dims)


def _linear_dynamic(network: torch.jit.ScriptModule) -> Callable[..., Any]:
    """Return how the network's linear layers with inputs quantized by the call are written.

    The weights are written unsigned: kernels for CPUs without VNNI add pairs of signed products
    in 16 bits, which eight bits overflow. torch halves the inputs' range for that, ONNX cannot.
    """

    def symbolic(graph: Any, value: Any, packed: Any, _reduce_range: Any) -> Any:
        # The exporter names a packed weight by its place in the network.
        weights = functools.reduce(getattr, packed.debugName().split("."), network)
        weight, bias = torch.ops.quantized.linear_unpack(weights)
        weight_scales = _symmetric_scales(weight)
        unsigned = (weight.int_repr().int().t() + 128).to(torch.uint8)

        def constant(tensor: torch.Tensor) -> Any:
            return graph.op("Constant", value_t=tensor.contiguous())

        quantized, scale, zero_point = graph.op("DynamicQuantizeLinear", value, outputs=3)
        zero = constant(torch.tensor(128, dtype=torch.uint8))
        sums = graph.op("MatMulInteger", quantized, constant(unsigned), zero_point, zero)
        scales = graph.op("Mul", scale, constant(weight_scales))
        product = graph.op("Mul", graph.op("Cast", sums, to_i=_FLOAT), scales)
        return product if bias is None else graph.op("Add", product, constant(bias.detach()))

    return symbolic


def _symmetric_scales(weight: torch.Tensor) -> torch.Tensor:
    """Return the scales of int8 weights, float32, one or one for each output channel.

    Raises:
        ValueError: zero is not stored as 0.
    """
    if weight.qscheme() == torch.per_tensor_affine:
        scales, zeros = torch.tensor(weight.q_scale()), torch.tensor(weight.q_zero_point())
    else:
        scales, zeros = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
    if bool(zeros.any()):
        raise ValueError("a linear layer's int8 weights are not symmetric")
    return scales.float()
