"""TorchScript networks: save, load, freeze, and what is done to a graph at load.

torch.jit is deprecated upstream in favour of torch.export and torch.compile; TorchScript stays the
format of the model files. If an exported program run by AOTInductor replaces it one day, then this
file, ``driving.model.file`` and ``learning.export`` change, and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import torch

CONVOLUTIONS = ("aten::_convolution", "aten::conv2d")
_GROUPS = {"aten::_convolution": 8, "aten::conv2d": 6}  # index of this argument
_TRAINING, _EPSILON = 5, 7  # aten::batch_norm(x, weight, bias, mean, var, training, momentum, eps)


@contextlib.contextmanager
def quiet_deprecation() -> Iterator[None]:
    """Silence the deprecation of torch.jit, torch.ao.quantization and int8 tensors, only those."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"`torch\.jit\.\w+` is (deprecated|not supported)", DeprecationWarning
        )
        warnings.filterwarnings(
            "ignore", r"torch\.ao\.quantization is deprecated", DeprecationWarning
        )
        warnings.filterwarnings("ignore", r"torch\.quantize_per_tensor, .* are deprecated")
        yield


def adopt_thread_count() -> None:
    """Let the calling thread run torch on as many threads as were set for the process.

    OpenMP keeps that number per calling thread: a thread that never asked torch for it would
    start its own pool, as large as the machine.
    """
    torch.get_num_threads()


def save_bytes(module: torch.jit.ScriptModule, extra_files: dict[str, bytes]) -> bytes:
    """Return the module's TorchScript archive with extra files next to the network."""
    buffer = io.BytesIO()
    with quiet_deprecation():
        torch.jit.save(module, buffer, _extra_files=extra_files)
    return buffer.getvalue()


def load_bytes(data: bytes) -> torch.jit.ScriptModule:
    """Return the module of a TorchScript archive, on the CPU, ready for inference.

    Raises:
        Whatever torch raises: RuntimeError mostly.
    """
    with quiet_deprecation():
        # torch warns of the deprecation of int8 tensors once a process, and from within a network
        # on standard error, where no filter reaches: let it warn here.
        torch.quantize_per_tensor(torch.zeros(1), 1.0, 0, torch.quint8)
        module = torch.jit.load(io.BytesIO(data), map_location="cpu")
    return module.eval() if hasattr(module, "training") else module


def freeze(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Return the module with its weights made constants of its graph.

    A module that was saved frozen is returned as it is.
    """
    if not hasattr(module, "training"):
        return module
    with quiet_deprecation():
        return torch.jit.freeze(module)


def holds_quantized_kernels(module: torch.jit.ScriptModule) -> bool:
    """Return whether the module calls int8 operators, which exist on the CPU only."""
    return any(node.kind().startswith("quantized::") for node in _all_nodes(module.inlined_graph))


def devices_written_into(module: torch.jit.ScriptModule) -> set[str]:
    """Return the kinds of devices ("cuda"...) that the module's code names as constants."""
    nodes = [node for node in _all_nodes(module.inlined_graph) if node.kind() == "prim::Constant"]
    values = [node.output().toIValue() for node in nodes if str(node.output().type()) == "Device"]
    return {torch.device(value).type for value in values}


def write_device(frozen: torch.jit.ScriptModule, device: str) -> None:
    """Make every device that a frozen module's code names this one, in place."""
    graph: Any = frozen.graph  # torch's stubs leave out half of its methods
    for node in list(_all_nodes(graph)):
        if node.kind() == "prim::Constant" and str(node.output().type()) == "Device":
            constant = graph.insertConstant(torch.device(device))
            constant.node().moveBefore(node)
            node.output().replaceAllUsesWith(constant)


def convolve_channels_last(frozen: torch.jit.ScriptModule) -> None:
    """Lay out the constant weights of a frozen module's convolutions channels last, in place.

    The camera's pixels come channels last; so no convolution has to reorder them.
    """
    graph = frozen.graph
    for node in list(graph.nodes()):
        if node.kind() not in CONVOLUTIONS:
            continue
        weight = list(node.inputs())[1].toIValue()
        if isinstance(weight, torch.Tensor) and weight.dim() == 4:
            _set_constant(graph, node, 1, weight.contiguous(memory_format=torch.channels_last))


def _set_constant(graph: Any, node: Any, index: int, value: torch.Tensor) -> None:
    """Make the node's input at the index a constant."""
    constant = graph.insertConstant(value)
    constant.node().moveBefore(node)
    node.replaceInput(index, constant)


def _all_nodes(graph: Any) -> Iterator[Any]:
    for node in graph.nodes():
        yield node
        for block in node.blocks():
            yield from _all_nodes(block)


def fold_input_norm(frozen: torch.jit.ScriptModule) -> bool:
    """Fold PilotNet's first layer, a batch norm of the picture, into the convolution after it.

    The norm is an affine map of each channel, y = a x + b, and the convolution is linear: its
    weights times a, and its bias plus the weights' sum times b, give the same without a pass over
    the picture. Exact up to rounding where the convolution pads nothing (a padded zero is not
    normalized). In place, on a frozen module that was not run yet (torch keeps the graph of the
    first run). Returns whether there was such a pair; otherwise the module is as it was.
    """
    graph: Any = frozen.graph  # torch's stubs leave out half of its methods
    norm = graph.findNode("aten::batch_norm")
    if norm is None:
        return False
    users = [use.user for use in norm.output().uses()]
    if len(users) != 1 or not _is_foldable(norm, users[0]):
        return False
    convolution = users[0]
    weight, bias = _folded(norm, convolution)
    _set_constant(graph, convolution, 1, weight)
    _set_constant(graph, convolution, 2, bias)
    norm.output().replaceAllUsesWith(next(norm.inputs()))
    norm.destroy()
    return True


def _folded(norm: Any, convolution: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the convolution's weight and bias with the norm in them (computed in float64)."""
    _, gain, offset, mean, variance, *_ = (value.toIValue() for value in norm.inputs())
    epsilon = list(norm.inputs())[_EPSILON].toIValue()
    weight, bias = (value.toIValue() for value in list(convolution.inputs())[1:3])
    a = 1.0 / torch.sqrt(variance.double() + epsilon)
    if gain is not None:
        a = a * gain.double()
    b = -mean.double() * a
    if offset is not None:
        b = b + offset.double()
    new_weight = weight.double() * a.view(1, -1, 1, 1)
    new_bias = (weight.double() * b.view(1, -1, 1, 1)).sum((1, 2, 3))
    if bias is not None:
        new_bias = new_bias + bias.double()
    return new_weight.to(weight.dtype), new_bias.to(weight.dtype)


def _is_foldable(norm: Any, convolution: Any) -> bool:
    kind = convolution.kind()
    if kind not in _GROUPS or next(norm.inputs()).node().kind() != "prim::Param":
        return False
    inputs = list(convolution.inputs())
    weight, padding = inputs[1].toIValue(), inputs[4].toIValue()
    statistics = [value.toIValue() for value in list(norm.inputs())[3:5]]
    return (
        inputs[0].debugName() == norm.output().debugName()
        and all(isinstance(tensor, torch.Tensor) for tensor in [weight, *statistics])
        and weight.dim() == 4
        and isinstance(padding, list)
        and not any(padding)
        and inputs[_GROUPS[kind]].toIValue() == 1
        and not (kind == "aten::_convolution" and inputs[6].toIValue())
        and list(norm.inputs())[_TRAINING].toIValue() is False
    )
