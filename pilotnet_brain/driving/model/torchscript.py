"""TorchScript's upstream-deprecated calls, and what is done to a network at load.

torch.jit is deprecated upstream in favour of torch.export and torch.compile; TorchScript stays
the format that the brain selects. An exported program run by AOTInductor would replace it: then
this file, ``model_file`` and ``learning.export`` change, and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import torch

_CONVOLUTIONS = ("aten::_convolution", "aten::conv2d")


@contextlib.contextmanager
def quiet_deprecation() -> Iterator[None]:
    """Silence the deprecation warnings of torch.jit and of int8 tensors, and only those."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"`torch\.jit\.\w+` is (deprecated|not supported)", DeprecationWarning
        )
        warnings.filterwarnings("ignore", r"torch\.quantize_per_tensor, .* are deprecated")
        yield


def adopt_thread_count() -> None:
    """Let the calling thread run torch on as many threads as were set for the process.

    OpenMP keeps that number by calling thread: one that never asked torch for it would start a
    pool of its own there, as large as the machine.
    """
    torch.get_num_threads()


def save_bytes(module: torch.jit.ScriptModule, extra_files: dict[str, bytes]) -> bytes:
    """Return the module's TorchScript archive with extra files beside the network."""
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
        # torch tells of the deprecation of int8 tensors once a process, and from within a network
        # on standard error, where no filter reaches: let it tell here.
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


def graph_of(module: torch.jit.ScriptModule) -> Any:
    """Return the graph of the module's forward, calls inlined (torch._C.Graph, untyped)."""
    return module.inlined_graph


def holds_quantized_kernels(module: torch.jit.ScriptModule) -> bool:
    """Return whether the module calls int8 operators, which exist on the CPU only."""
    return any(node.kind().startswith("quantized::") for node in _all_nodes(graph_of(module)))


def convolve_channels_last(frozen: torch.jit.ScriptModule) -> None:
    """Lay out the constant weights of a frozen module's convolutions channels last, in place.

    The camera's pixels come channels last; so no convolution turns them around.
    """
    graph = frozen.graph
    for node in list(graph.nodes()):
        if node.kind() not in _CONVOLUTIONS:
            continue
        weight = list(node.inputs())[1].toIValue()
        if isinstance(weight, torch.Tensor) and weight.dim() == 4:
            set_constant(graph, node, 1, weight.contiguous(memory_format=torch.channels_last))


def set_constant(graph: Any, node: Any, index: int, value: torch.Tensor) -> None:
    """Make the node's input at the index a constant."""
    constant = graph.insertConstant(value)
    constant.node().moveBefore(node)
    node.replaceInput(index, constant)


def _all_nodes(graph: Any) -> Iterator[Any]:
    for node in graph.nodes():
        yield node
        for block in node.blocks():
            yield from _all_nodes(block)
