"""Training PilotNet on a data set."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.command import JDEROBOT_RANGE
from pilotnet_brain.driving.preprocess import scale_input
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.augment import Augmentation
from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.learning.pilotnet import PilotNet

CHECKPOINT_FILE = "checkpoint.pt"
_YAW_RATE_WEIGHT = 4.0
"""Of the yaw rate's error over the speed's: it is the yaw rate that keeps the car on the line."""
_SMALL_ERROR = 0.02
"""Below this the loss is quadratic, above it linear (normalized output): a recovery's large errors
must not outweigh the small ones on the line, which make the deviation."""
_SHARP_CURVATURE = 0.2
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Of mallopt, in glibc's malloc.h."""


@dataclass(frozen=True)
class TrainingPlan:
    """How to train."""

    epochs: int = 14  #: at the most; the learning rate falls to zero over them (cosine)
    batch: int = 128  #: frames in a step
    learning_rate: float = 1e-3  #: of Adam, at its highest
    #: last epochs in float32; the epochs before run the convolutions in bfloat16 if the device
    #: computes in it
    polish_epochs: int = 2
    #: how many times a frame in a sharp bend weighs over one on a straight
    bend_weight: float = 3.0
    patience: int = 5  #: epochs without a better validation loss before training stops
    seed: int = 1  #: of weights, order and augmentation
    threads: int = 2  #: of torch on the CPU
    origin: str = ""  #: what the network starts from and learns from, in words; may be empty


@dataclass(frozen=True)
class EpochReport:
    """One epoch's figures: mean losses, and root mean square errors on the validation set."""

    epoch: int
    training_loss: float
    validation_loss: float
    validation_mse: float
    speed_rmse: float
    yaw_rate_rmse: float
    best: bool


Progress = Callable[[int, int, int, float], None]
"""Called with the epoch, the step, the steps of an epoch and the running loss."""


def train(
    training: DataSet,
    validation: DataSet,
    plan: TrainingPlan,
    folder: Path,
    progress: Progress | None = None,
    network: nn.Module | None = None,
    teacher: nn.Module | None = None,
    after_step: Callable[[], None] | None = None,
) -> Iterator[EpochReport]:
    """Train and keep the best network in ``folder/checkpoint.pt``; yields every epoch's report.

    A folder with a checkpoint of the same plan is resumed where it stopped, also with another
    number of threads.

    Args:
        validation: from circuits that are not in it; chooses the best epoch and stops early.
        folder: for the checkpoint and TensorBoard's event files.
        progress: called at every tenth step.
        network: PilotNet with the plan's seed if none is given.
        teacher: a network whose outputs are learned from as much as the labels (distillation,
            Hinton et al. 2015); none: the labels alone.
        after_step: called after every step, e.g. to hold pruned weights at zero.

    Raises:
        UserError: the folder holds a checkpoint of another plan; the loss is not finite.
    """
    from torch.utils.tensorboard import SummaryWriter  # Half a second to import.

    torch.set_num_threads(plan.threads)
    _keep_freed_memory()
    torch.manual_seed(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learner = _Learner(network or PilotNet(), plan, len(training), device)
    learner.teacher = teacher.to(device).eval() if teacher else None
    weights = _frame_weights(training, plan)
    targets = torch.from_numpy(training.targets())
    first = learner.resume(folder / CHECKPOINT_FILE)
    writer = SummaryWriter(str(folder / "tensorboard"))
    for epoch in range(first, plan.epochs):
        if learner.epochs_without_gain >= plan.patience:
            return
        generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + epoch)
        augmentation = Augmentation(generator)
        order = torch.multinomial(weights, len(training), replacement=True, generator=generator)
        total, steps = 0.0, math.ceil(len(training) / plan.batch)
        for step in range(steps):
            chosen = order[step * plan.batch : (step + 1) * plan.batch]
            images = augmentation(images_of(training.frames, chosen.numpy()))
            total += learner.step(images, targets[chosen], epoch)
            if after_step:
                after_step()
            if progress and step % 10 == 0:
                progress(epoch, step, steps, total / (step + 1))
        report = learner.finish_epoch(epoch, total / steps, validation, folder / CHECKPOINT_FILE)
        for name, value in asdict(report).items():
            writer.add_scalar(name, value, epoch)
        writer.flush()
        yield report


def _keep_freed_memory() -> None:
    """Have the C library reuse the memory of large tensors.

    By itself glibc gives blocks of over 32 MiB back to the kernel, and getting cleared pages for
    them again takes a fifth of a step's time on two cores.
    """
    with contextlib.suppress(OSError, AttributeError):
        malloc = ctypes.CDLL(None)
        malloc.mallopt(_M_MMAP_MAX, 0)
        malloc.mallopt(_M_TRIM_THRESHOLD, -1)


def images_of(frames: NDArray[np.uint8], chosen: NDArray[np.int64] | slice) -> torch.Tensor:
    """Return chosen frames as float32 (N, 3, 66, 200), 0..1, channels-last, as the brain makes
    them."""
    return torch.from_numpy(scale_input(frames[chosen])).permute(0, 3, 1, 2)


def predict(network: nn.Module, frames: NDArray[np.uint8], batch: int = 512) -> NDArray[np.float32]:
    """Return a network's normalized outputs (N, 2) for frames uint8 (N, 66, 200, 3)."""
    device = next(network.parameters()).device
    network.eval()
    outputs = []
    with torch.inference_mode():
        for first in range(0, len(frames), batch):
            images = images_of(frames, slice(first, first + batch)).to(device)
            outputs.append(network(images).float().cpu().numpy())
    return np.concatenate(outputs)


def best_network(folder: Path, network: nn.Module | None = None) -> nn.Module:
    """Return the best network of a training folder, in evaluation mode.

    The weights of the given network (PilotNet by default), of the build trained, are replaced.

    Raises:
        UserError: there is no checkpoint.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        raise UserError(f"{path} is missing: 'pilotnet train' makes it")
    network = network or PilotNet()
    network.load_state_dict(torch.load(path, weights_only=True)["best"])
    return network.cpu().eval()


class _Learner:
    """A network with its optimizer, from step to step and from checkpoint to checkpoint."""

    def __init__(
        self, network: nn.Module, plan: TrainingPlan, frames: int, device: torch.device
    ) -> None:
        self._plan, self._device = plan, device
        self._bfloat16_epochs = plan.epochs - plan.polish_epochs if has_bfloat16(device) else 0
        self._network = network.to(device)
        if isinstance(network, PilotNet):
            # The first convolution absorbs this scale and offset; without their gradients the
            # expensive gradient to the images is not needed.
            network.normalize.weight.requires_grad_(False)
            network.normalize.bias.requires_grad_(False)
        learned = [p for p in network.parameters() if p.requires_grad]
        self._optimizer = torch.optim.Adam(learned, lr=plan.learning_rate, fused=True)
        steps = plan.epochs * math.ceil(frames / plan.batch)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, max_lr=plan.learning_rate, total_steps=steps, pct_start=0.1
        )
        self.teacher: nn.Module | None = None
        self._best: dict[str, torch.Tensor] = {}
        self._best_loss = math.inf
        self.epochs_without_gain = 0

    def step(self, images: torch.Tensor, targets: torch.Tensor, epoch: int) -> float:
        """Learn from one batch; returns its loss."""
        self._network.train()
        images, targets = images.to(self._device), targets.to(self._device)
        outputs = self._forward(self._network, images, epoch)
        loss = driving_loss(outputs, targets)
        if self.teacher is not None:
            with torch.no_grad():
                taught = self._forward(self.teacher, images, epoch)
            loss = 0.5 * (loss + driving_loss(outputs, taught))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self._schedule.step()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise UserError(f"the loss became {value} in epoch {epoch}: lower the learning rate")
        return value

    def _forward(self, network: nn.Module, images: torch.Tensor, epoch: int) -> torch.Tensor:
        """Run a network; bfloat16 in the convolutions only, the outputs need the precision."""
        if not isinstance(network, PilotNet) or epoch >= self._bfloat16_epochs:
            return network(images)
        with torch.autocast(self._device.type, torch.bfloat16):
            features = network.features(network.normalize(images))
        return network.head(features.float().flatten(1))

    def finish_epoch(
        self, epoch: int, training_loss: float, validation: DataSet, path: Path
    ) -> EpochReport:
        """Validate, keep the best, write the checkpoint."""
        outputs, targets = predict(self._network, validation.frames), validation.targets()
        loss = float(driving_loss(torch.from_numpy(outputs), torch.from_numpy(targets)))
        best = loss < self._best_loss
        if best:
            state = self._network.state_dict()
            self._best = {name: value.cpu().clone() for name, value in state.items()}
            self._best_loss = loss
        self.epochs_without_gain = 0 if best else self.epochs_without_gain + 1
        self._save(epoch, path)
        mse = (validation.command_errors(outputs, JDEROBOT_RANGE) ** 2).mean(axis=0)
        return EpochReport(
            epoch=epoch,
            training_loss=training_loss,
            validation_loss=loss,
            validation_mse=float(((outputs - targets) ** 2).mean(dtype=np.float64)),
            speed_rmse=math.sqrt(mse[0]),
            yaw_rate_rmse=math.sqrt(mse[1]),
            best=best,
        )

    def _save(self, epoch: int, path: Path) -> None:
        buffer = io.BytesIO()
        torch.save(
            {
                "plan": json.dumps(asdict(self._plan)),
                "epoch": epoch,
                "network": self._network.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "schedule": self._schedule.state_dict(),
                "best": self._best,
                "best_loss": self._best_loss,
                "epochs_without_gain": self.epochs_without_gain,
            },
            buffer,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())

    def resume(self, path: Path) -> int:
        """Load a checkpoint; returns the epoch to go on with, 0 if there is none."""
        if not path.is_file():
            return 0
        state = torch.load(path, weights_only=True, map_location=self._device)
        plan, before = asdict(self._plan), json.loads(state["plan"])
        changed = [name for name in plan if name != "threads" and plan[name] != before.get(name)]
        if changed:
            differences = ", ".join(f"{n} {before.get(n)!r}, now {plan[n]!r}" for n in changed)
            raise UserError(
                f"{path} was trained with another plan ({differences}): "
                "train into another folder, or remove it"
            )
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._best, self._best_loss = state["best"], state["best_loss"]
        self.epochs_without_gain = state["epochs_without_gain"]
        return int(state["epoch"]) + 1


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device computes in bfloat16; a CPU without it emulates it slowly."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def driving_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return Huber's loss of normalized outputs (N, 2), the yaw rate weighted more."""
    error = functional.smooth_l1_loss(outputs, targets, beta=_SMALL_ERROR, reduction="none")
    return error[:, 0].mean() + _YAW_RATE_WEIGHT * error[:, 1].mean()


def _frame_weights(data: DataSet, plan: TrainingPlan) -> torch.Tensor:
    """Return how often each frame (N,) is drawn: straights once, sharp bends `bend_weight`."""
    table = data.table
    bend = table["curvature"] if "curvature" in table else table["w"] / table["v"].clip(lower=1.0)
    sharpness = (bend.abs() / _SHARP_CURVATURE).clip(upper=1.0).to_numpy(np.float64)
    return torch.from_numpy(1.0 + (plan.bend_weight - 1.0) * sharpness)
