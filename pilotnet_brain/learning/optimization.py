"""What every optimization works with: the trained baseline, data, a place for checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pilotnet_brain.driving.model.archive import read_archive
from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.learning.pilotnet import PilotNet, pilotnet_of
from pilotnet_brain.learning.train import (
    EpochReport,
    Progress,
    TrainingPlan,
    best_network,
    images_of,
    train,
)

_CALIBRATION_FRAMES, _CALIBRATION_BATCH = 1024, 128


@dataclass(frozen=True)
class Workshop:
    """The baseline, the data and the settings that the methods share.

    Attributes:
        weights: the baseline's, by name.
        origin: the baseline file's sha256.
        training: frames to calibrate with and to learn from.
        validation: frames of other circuits; choose the best epoch.
        folder: for a folder of checkpoints by method.
        sources: where the data came from, for the models' records. Checkpoints of another baseline
            or of other data are not taken up.
        seed: of order, augmentation and fresh weights.
        threads: of torch on the CPU.
        reported: told of every finished epoch, with the method's name.
        progress: told of every tenth step.
    """

    weights: dict[str, torch.Tensor]
    origin: str
    training: DataSet
    validation: DataSet
    folder: Path
    sources: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1
    threads: int = 2
    reported: Callable[[str, EpochReport], None] = lambda method, report: None
    progress: Progress | None = None

    def baseline(self) -> PilotNet:
        """Return a new copy of the trained baseline, in evaluation mode."""
        return pilotnet_of(self.weights)

    def calibration(self) -> Iterator[torch.Tensor]:
        """Yield batches of training images, (N, 3, 66, 200), drawn evenly from the whole set."""
        chosen = self._calibration_frames()
        for begin in range(0, len(chosen), _CALIBRATION_BATCH):
            yield images_of(self.training.frames, chosen[begin : begin + _CALIBRATION_BATCH])

    def calibration_targets(self) -> torch.Tensor:
        """Return the normalized labels (N, 2) of the calibration images."""
        return torch.from_numpy(self.training.targets()[self._calibration_frames()])

    def _calibration_frames(self) -> NDArray[np.int64]:
        count = min(_CALIBRATION_FRAMES, len(self.training))
        return np.linspace(0, len(self.training) - 1, count).astype(np.int64)

    def trained(
        self,
        method: str,
        network: nn.Module,
        plan: TrainingPlan,
        teacher: nn.Module | None = None,
        after_step: Callable[[], None] | None = None,
    ) -> nn.Module:
        """Train the network by the plan, or take up where it stopped; returns its best epoch.

        Args:
            method: names the checkpoint's folder.
            network: to train; it is changed.
            plan: its seed, threads and origin are the workshop's.
            teacher: see `train`.
            after_step: see `train`.
        """
        origin = json.dumps({"baseline": self.origin, **self.sources}, sort_keys=True)
        plan = replace(plan, seed=self.seed, threads=self.threads, origin=origin)
        folder = self.folder / method
        reports = train(
            self.training,
            self.validation,
            plan,
            folder,
            self.progress,
            network=network,
            teacher=teacher,
            after_step=after_step,
        )
        for report in reports:
            self.reported(method, report)
        return best_network(folder, network)


def baseline_weights(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Return the weights of a PilotNet's model file, float32, and the file's sha256.

    Raises:
        ModelError: the file is not fit to drive with.
        UserError: it is another network than PilotNet, or was optimized already.
    """
    weights = dict(load_as_saved(path).state_dict())
    try:
        pilotnet_of(weights)
    except RuntimeError:
        raise UserError(
            f"{path}: its weights are not a float PilotNet's; give the trained baseline "
            "('pilotnet train' makes one), not an optimized model"
        ) from None
    return weights, read_archive(path).sha256
