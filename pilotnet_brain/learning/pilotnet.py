"""The network: PilotNet as JdeRobot trains it, and narrower ones of the same build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pilotnet_brain.driving.preprocess import JDEROBOT


@dataclass(frozen=True)
class Shape:
    """How wide and deep a network is."""

    #: channels, kernel and stride of each, from the picture on
    convolutions: tuple[tuple[int, int, int], ...]
    hidden: tuple[int, ...]  #: widths of the fully connected layers before the two outputs


PILOTNET = Shape(((24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1)), (1164, 100, 50, 10))
"""Bojarski et al., "End to End Learning for Self-Driving Cars" (2016), figure 4; the 1164-wide
fully connected layer and the two outputs as in JdeRobot's DeepLearningStudio."""


class PilotNet(nn.Module):
    """PilotNet: batch norm, convolutions, fully connected layers, ReLU between.

    Input float32 (N, 3, 66, 200), RGB, values 0..1; output float32 (N, 2): normalized speed and
    yaw rate, trained towards 0..1. About 1.6 million parameters in its own shape.
    """

    def __init__(self, shape: Shape = PILOTNET) -> None:
        super().__init__()
        self.shape = shape
        self.normalize = nn.BatchNorm2d(3)
        features: list[nn.Module] = []
        channels, height, width = 3, JDEROBOT.height, JDEROBOT.width
        for wider, kernel, stride in shape.convolutions:
            features += [nn.Conv2d(channels, wider, kernel, stride=stride), nn.ReLU()]
            channels = wider
            height, width = ((size - kernel) // stride + 1 for size in (height, width))
        self.features = nn.Sequential(*features)
        head: list[nn.Module] = []
        inputs = channels * height * width
        for neurons in shape.hidden:
            head += [nn.Linear(inputs, neurons), nn.ReLU()]
            inputs = neurons
        self.head = nn.Sequential(*head, nn.Linear(inputs, 2))
        self._initialize()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the normalized commands (N, 2) of images (N, 3, 66, 200)."""
        return self.head(self.features(self.normalize(image)).flatten(1))

    def convolutions(self) -> list[nn.Conv2d]:
        """Return the convolutions, from the picture on."""
        return [layer for layer in self.features if isinstance(layer, nn.Conv2d)]

    def fully_connected(self) -> list[nn.Linear]:
        """Return the fully connected layers, the outputs' last."""
        return [layer for layer in self.head if isinstance(layer, nn.Linear)]

    def _initialize(self) -> None:
        """Start with weights that keep the signal's size through ten layers.

        He et al., "Delving Deep into Rectifiers" (2015). torch's own start shrinks it to a
        constant, and the ten-wide layer before the outputs then often dies. The outputs begin in
        the middle of the yaw rate's range and the lower half of the speed's.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        outputs = self.fully_connected()[-1]
        nn.init.normal_(outputs.weight, std=0.05)
        with torch.no_grad():
            outputs.bias.copy_(torch.tensor([0.3, 0.5]))


def pilotnet_of(weights: Mapping[str, torch.Tensor]) -> PilotNet:
    """Return a PilotNet, in evaluation mode, with the weights of one of PilotNet's own shape.

    Raises:
        RuntimeError: torch's, where the weights are another network's.
    """
    network = PilotNet()
    network.load_state_dict(dict(weights))
    return network.eval()
