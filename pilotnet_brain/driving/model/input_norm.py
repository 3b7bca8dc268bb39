"""PilotNet's first layer, a batch norm of the picture, folded into the first convolution.

The norm is an affine map of each channel, y = a x + b, and the convolution is linear: its weights
times a, and its bias plus the weights' sum times b, give the same without the norm's pass over the
picture. Exact up to rounding where the convolution pads nothing (a padded zero is not normalized).
"""

from __future__ import annotations

from typing import Any

import torch

from pilotnet_brain.driving.model.torchscript import set_constant

_TRAINING, _EPSILON = 5, 7  # aten::batch_norm(x, weight, bias, mean, var, training, momentum, eps)
_GROUPS = {"aten::_convolution": 8, "aten::conv2d": 6}


def fold_input_norm(frozen: torch.jit.ScriptModule) -> bool:
    """Fold the input's batch norm into the convolution behind it, in place.

    Args:
        frozen: a frozen module that was not run yet (torch keeps the graph of the first run).

    Returns:
        Whether there was such a pair; otherwise the module is as it was.
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
    set_constant(graph, convolution, 1, weight)
    set_constant(graph, convolution, 2, bias)
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
