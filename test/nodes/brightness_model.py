"""A network whose command follows from arithmetic: it drives by the frame's brightness."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from pilotnet_brain.driving.model.torchscript import quiet_deprecation


class Brightness(nn.Module):
    """Outputs (mean brightness m + offset, 0.5): in JdeRobot's range 6.5 + 17.5 m m/s, 0 rad/s.

    A frame brighter than 0.97 blinds it: its output is not a number. At 0.9 to 0.97 it fails.

    Args:
        offset: see above.
        matrix_products: what it computes besides, to no end: it takes its time.
    """

    def __init__(self, offset: float, matrix_products: int) -> None:
        super().__init__()
        self.offset = offset
        self.matrix_products = matrix_products

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        mean = pixels.mean(dim=(1, 2, 3))
        if 0.9 < float(mean) < 0.97:
            raise RuntimeError("too bright")
        waste = torch.eye(300)
        for _ in range(self.matrix_products):
            waste = waste @ waste
        blinded = 0.0 * torch.sqrt(0.97 - mean)
        return torch.stack((mean + self.offset + blinded + 0.0 * waste[0, 0], 0.5 + 0.0 * mean), 1)


def write_brightness_model(path: Path, offset: float = 0.0, matrix_products: int = 0) -> Path:
    """Write the network as a TorchScript file without a record, and return its path."""
    with quiet_deprecation():
        torch.jit.save(torch.jit.script(Brightness(offset, matrix_products).eval()), str(path))
    return path


def write_brightness_onnx(path: Path, offset: float = 0.0) -> Path:
    """Write a network of the same outputs, which nothing blinds, as an ONNX file; return its path.

    It needs the package onnx.
    """
    from onnx import TensorProto, helper

    constants = [
        helper.make_tensor("offset", TensorProto.FLOAT, [2], [offset, 0.5]),
        helper.make_tensor("only_speed", TensorProto.FLOAT, [1, 2], [1.0, 0.0]),
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["colours"]),
        helper.make_node("ReduceMean", ["colours"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "only_speed"], ["speed"]),
        helper.make_node("Add", ["speed", "offset"], ["outputs"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 66, 200])
    outputs = helper.make_tensor_value_info("outputs", TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph(nodes, "brightness", [image], [outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def speed_of(grey: int, offset: float = 0.0) -> float:
    """Return the speed (m/s) that a frame of this grey level (0..255) leads to."""
    return 6.5 + 17.5 * (grey / 255.0 + offset)
