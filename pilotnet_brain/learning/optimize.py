"""The optimizations: from the trained baseline's file to an optimized model's file, by method."""

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
from pilotnet_brain.driving.model.catalogue import sign
from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torchscript import holds_quantized_kernels
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.learning.export import export_torchscript, self_test_frames, trace
from pilotnet_brain.learning.pilotnet import PilotNet, Shape, pilotnet_of
from pilotnet_brain.learning.prune import prune_globally, prune_locally, shrink, zeros_held
from pilotnet_brain.learning.quantize import (
    engines_by_speed,
    finish_training,
    prepare_training,
    quantize_dynamically,
    quantize_statically,
)
from pilotnet_brain.learning.train import (
    EpochReport,
    Progress,
    TrainingPlan,
    best_network,
    images_of,
    train,
)

TINY = Shape(((16, 5, 2), (24, 5, 2), (32, 3, 2), (32, 3, 2)), (64, 16))
"""Every convolution halves the picture: a third of PilotNet's multiplications, 73,000 weights."""

_FINE_TUNING = TrainingPlan(epochs=2, learning_rate=3e-4, polish_epochs=1)
_WITH_INT8 = TrainingPlan(epochs=1, learning_rate=1e-4)
_SHRUNK = TrainingPlan(epochs=6, learning_rate=1e-3, polish_epochs=2)
_DISTILLED = TrainingPlan(epochs=16, learning_rate=2e-3, polish_epochs=2, patience=16)
_CALIBRATION_FRAMES, _CALIBRATION_BATCH = 1024, 128


@dataclass(frozen=True)
class OptimizationTask:
    """The baseline, the data and the settings that the methods share."""

    weights: dict[str, torch.Tensor]  #: the baseline's, by name
    origin: str  #: the baseline file's sha256
    training: DataSet  #: frames to calibrate with and to learn from
    validation: DataSet  #: frames of other circuits; choose the best epoch
    folder: Path  #: for the checkpoints, a folder for each method
    #: where the data came from, for the models' records. Checkpoints of another baseline or of
    #: other data are not resumed.
    sources: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1  #: of order, augmentation and new weights
    threads: int = 2  #: of torch on the CPU
    #: called after every epoch, with the method's name
    reported: Callable[[str, EpochReport], None] = lambda method, report: None
    progress: Progress | None = None  #: called at every tenth step

    def baseline(self) -> PilotNet:
        """Return a new copy of the trained baseline, in evaluation mode."""
        return pilotnet_of(self.weights)

    def calibration(self) -> Iterator[torch.Tensor]:
        """Yield batches of training images, (N, 3, 66, 200), drawn evenly from the whole set."""
        chosen = self._calibration_frames()
        for first in range(0, len(chosen), _CALIBRATION_BATCH):
            yield images_of(self.training.frames, chosen[first : first + _CALIBRATION_BATCH])

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
        """Train the network by the plan, or resume where it stopped; returns its best epoch.

        The network is changed. The method names the checkpoint's folder; the plan's seed, threads
        and origin are the task's. For the teacher and what is called after a step see `train`.
        """
        origin = json.dumps({"baseline": self.origin, **self.sources}, sort_keys=True)
        plan = replace(plan, seed=self.seed, threads=self.threads, origin=origin)
        folder = self.folder / method
        for report in train(
            self.training,
            self.validation,
            plan,
            folder,
            self.progress,
            network=network,
            teacher=teacher,
            after_step=after_step,
        ):
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


@dataclass(frozen=True)
class Method:
    """A way to optimize."""

    description: str  #: what it does, in a line
    #: from the task to a network on the CPU, in evaluation mode, ready to be traced
    make: Callable[[OptimizationTask], nn.Module]


def _local_prune(task: OptimizationTask) -> PilotNet:
    network = task.baseline()
    prune_locally(network)
    task.trained("local_prune", network, _FINE_TUNING, after_step=zeros_held(network))
    return network


def _global_prune(task: OptimizationTask) -> nn.Module:
    network = task.baseline()
    prune_globally(network)
    return task.trained("global_prune", network, _FINE_TUNING, after_step=zeros_held(network))


def _structured_prune(task: OptimizationTask) -> nn.Module:
    images = torch.cat(list(task.calibration()))
    small = shrink(task.baseline(), images, task.calibration_targets())
    return task.trained("structured_prune", small, _SHRUNK, teacher=task.baseline())


def _tiny_quant(task: OptimizationTask) -> nn.Module:
    torch.manual_seed(task.seed)
    tiny = PilotNet(TINY)
    task.trained("tiny_float", tiny, _DISTILLED, teacher=task.baseline())
    return _trained_in_int8(task, "tiny_quant", tiny)


def _trained_in_int8(task: OptimizationTask, name: str, network: PilotNet) -> nn.Module:
    """Train on with int8's rounding, pruned weights held at zero; returns the int8 network."""
    prepared = prepare_training(network, task.calibration())
    trained = task.trained(name, prepared, _WITH_INT8, after_step=zeros_held(prepared))
    return finish_training(trained)


METHODS = {
    "dynamic_quant": Method(
        "int8 weights in the linear layers, ranges by call",
        lambda task: quantize_dynamically(task.baseline()),
    ),
    "static_quant": Method(
        "int8 throughout, ranges from training frames",
        lambda task: quantize_statically(task.baseline(), task.calibration()),
    ),
    "qat": Method(
        "int8 throughout, trained on with its rounding",
        lambda task: _trained_in_int8(task, "qat", task.baseline()),
    ),
    "local_prune": Method(
        "smallest weights of every layer zeroed (convolutions 30 %, linear 50 %), trained on",
        _local_prune,
    ),
    "global_prune": Method("smallest 30 % of all weights zeroed, trained on", _global_prune),
    "prune_quant": Method(
        "local pruning, then int8 trained on with its rounding",
        lambda task: _trained_in_int8(task, "prune_quant", _local_prune(task)),
    ),
    "structured_prune": Method(
        "whole channels and neurons removed: a smaller float network", _structured_prune
    ),
    "tiny_quant": Method("distilled into a small network, int8", _tiny_quant),
}
"""In the order in which the set is made."""


def optimize(method: str, task: OptimizationTask, path: Path, rebuild: str = "") -> ModelRecord:
    """Make a method's model, write it to a file and enter it in the manifest next to it.

    The method is a key of `METHODS`; ``rebuild`` is the command that makes the file again. Returns
    the record as written.

    Raises:
        ModelError: the file cannot be written.
        UserError: there is a checkpoint of another plan or baseline; the loss is not finite.
    """
    torch.set_num_threads(task.threads)
    network = METHODS[method].make(task)
    scripted = trace(network)
    engines: tuple[str, ...] = ()
    if holds_quantized_kernels(scripted):
        engines = engines_by_speed(scripted, images_of(task.validation.frames, slice(0, 1)))
    record = ModelRecord(
        name=path.stem,
        method=method,
        engines=engines,
        training={"baseline": task.origin, "seed": task.seed, **task.sources},
        rebuild=rebuild,
    )
    record = export_torchscript(network, path, record, self_test_frames(task.validation.frames))
    sign(path)
    return record
