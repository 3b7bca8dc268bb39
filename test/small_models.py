"""Fixtures that several rooms share: small networks as model files, float and int8, and a data set
whose labels are known."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from pilotnet_brain.driving.model.file import save_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.learning.dataset import DataSet


class Tiny(nn.Module):
    """48 x 5 x 5 convolution weights, 800 linear ones."""

    def __init__(self) -> None:
        super().__init__()
        self.normalize = nn.BatchNorm2d(3)
        self.convolution = nn.Conv2d(3, 4, 5, stride=8)
        self.head = nn.Linear(4 * 8 * 25, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        seen = torch.relu(self.convolution(self.normalize(image)))
        return self.head(seen.flatten(1))


@pytest.fixture(scope="session")
def tiny() -> nn.Module:
    """The network with a quarter of the convolution's weights zero, and half of the head's."""
    torch.manual_seed(3)
    network = Tiny().eval()
    with torch.no_grad():
        network.convolution.weight.view(-1)[::4] = 0.0
        network.head.weight.view(-1)[::2] = 0.0
    return network


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (4, 66, 200, 3), np.uint8)


def traced(network: nn.Module) -> torch.jit.ScriptModule:
    with quiet_deprecation():
        return torch.jit.trace(network, torch.rand(1, 3, 66, 200), check_trace=False)


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory, tiny, pixels) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.pt"
    save_model(path, traced(tiny), ModelRecord(name="tiny", method="baseline"), pixels)
    return path


@pytest.fixture(scope="session")
def int8_network(tiny, pixels) -> nn.Module:
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = prepare_fx(tiny, get_default_qconfig_mapping("x86"), (images,))
        prepared(images)
        return convert_fx(prepared)


@pytest.fixture(scope="session")
def int8_file(tmp_path_factory: pytest.TempPathFactory, int8_network, pixels) -> Path:
    path = tmp_path_factory.mktemp("models") / "int8.pt"
    record = ModelRecord(name="int8", method="static_quant", engines=("x86",))
    save_model(path, traced(int8_network), record, pixels)
    return path


@pytest.fixture(scope="session")
def drives() -> DataSet:
    """Fifty frames; ten of 12 m/s and 1 rad/s, forty of 8 m/s straight on."""
    frames = np.random.default_rng(5).integers(0, 256, (50, 66, 200, 3), np.uint8)
    first = np.arange(50) < 10
    table = pd.DataFrame({"v": np.where(first, 12.0, 8.0), "w": np.where(first, 1.0, 0.0)})
    return DataSet(frames, table)
