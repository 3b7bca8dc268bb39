"""Networks to test with: PilotNet untrained, and a small one of the same form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.learning.export import export_torchscript
from pilotnet_brain.learning.pilotnet import PilotNet


class SmallNet(nn.Module):
    """Input norm, one convolution, one linear layer: quick to export and to load."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.normalize = nn.BatchNorm2d(3)
        self.convolution = nn.Conv2d(3, 4, 5, stride=8)
        self.head = nn.Linear(4 * 8 * 25, outputs)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        seen = torch.relu(self.convolution(self.normalize(image)))
        return self.head(seen.flatten(1))


def with_norm_statistics(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give the input norm the statistics of a trained network's, not those of no data."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        network.normalize.running_mean.uniform_(0.2, 0.6, generator=generator)
        network.normalize.running_var.uniform_(0.02, 0.1, generator=generator)
        network.normalize.weight.uniform_(0.5, 1.5, generator=generator)
        network.normalize.bias.uniform_(-0.3, 0.3, generator=generator)
    return network.eval()


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """Four frames of the network's input pixels."""
    frames = np.random.default_rng(3).integers(0, 256, (4, 66, 200, 3), np.uint8)
    frames[1, :, :100] = 0
    frames[2, 33:] = 255
    frames[3] = 90
    return frames


@pytest.fixture(scope="session")
def small_net() -> nn.Module:
    torch.manual_seed(5)
    return with_norm_statistics(SmallNet())


@pytest.fixture(scope="session")
def pilotnet() -> nn.Module:
    torch.manual_seed(6)
    network = PilotNet()
    with torch.no_grad():
        # torch's default weights shrink the signal layer by layer: the outputs would hardly
        # depend on the picture.
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(layer.weight)
    return with_norm_statistics(network)


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory, small_net, pixels) -> Path:
    path = tmp_path_factory.mktemp("models") / "small.pt"
    export_torchscript(small_net, path, ModelRecord(name="small", method="untrained"), pixels)
    return path


@pytest.fixture(scope="session")
def pilotnet_file(tmp_path_factory: pytest.TempPathFactory, pilotnet, pixels) -> Path:
    path = tmp_path_factory.mktemp("models") / "untrained.pt"
    export_torchscript(
        pilotnet,
        path,
        ModelRecord(
            name="untrained",
            method="untrained",
            training={"epochs": 0},
            scores={"laps": None},
            rebuild="pilotnet train --epochs 0",
        ),
        pixels,
    )
    return path
