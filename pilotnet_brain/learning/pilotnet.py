"""The network: PilotNet as JdeRobot trains it."""

from __future__ import annotations

import torch
from torch import nn


class PilotNet(nn.Module):
    """PilotNet: batch norm, five convolutions, five fully connected layers, ReLU between.

    Input float32 (N, 3, 66, 200), RGB, values 0..1; output float32 (N, 2): normalized speed and
    yaw rate, trained towards 0..1. About 1.6 million parameters.

    Source: Bojarski et al., "End to End Learning for Self-Driving Cars" (2016), figure 4; the
    1164-wide fully connected layer and the two outputs as in JdeRobot's DeepLearningStudio.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normalize = nn.BatchNorm2d(3)
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(24, 36, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(36, 48, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(48, 64, 3),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
        )
        self.head = nn.Sequential(
            nn.Linear(64 * 1 * 18, 1164),
            nn.ReLU(),
            nn.Linear(1164, 100),
            nn.ReLU(),
            nn.Linear(100, 50),
            nn.ReLU(),
            nn.Linear(50, 10),
            nn.ReLU(),
            nn.Linear(10, 2),
        )
        self._initialize()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the normalized commands (N, 2) of images (N, 3, 66, 200)."""
        return self.head(self.features(self.normalize(image)).flatten(1))

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
        outputs = [module for module in self.head if isinstance(module, nn.Linear)][-1]
        nn.init.normal_(outputs.weight, std=0.05)
        with torch.no_grad():
            outputs.bias.copy_(torch.tensor([0.3, 0.5]))
