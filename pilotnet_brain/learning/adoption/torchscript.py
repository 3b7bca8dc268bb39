"""TorchScript of any input layout and outputs, wrapped into the model file's contract."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pilotnet_brain.driving.model.archive import read_archive
from pilotnet_brain.driving.model.file import save_model
from pilotnet_brain.driving.model.network import error_line
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torch_self_test import network_batch
from pilotnet_brain.driving.model.torchscript import (
    devices_written_into,
    freeze,
    load_bytes,
    save_bytes,
    write_device,
)
from pilotnet_brain.learning.adoption.meaning import AdoptionError, Given, Meaning, Number
from pilotnet_brain.learning.export import trace

_DTYPES = (torch.float32, torch.float16, torch.uint8)


@dataclass(frozen=True)
class _Input:
    """How a network takes a picture."""

    dtype: torch.dtype
    channels_first: bool
    meaning: Meaning

    def of(self, image: torch.Tensor) -> torch.Tensor:
        """Return a batch float32 (1, 3, height, width), 0..1, as the network takes it."""
        if self.dtype == torch.uint8:
            image = (image * 255.0).round().to(torch.uint8)
        else:
            if (self.meaning.low, self.meaning.high) != (0.0, 1.0):
                image = image * (self.meaning.high - self.meaning.low) + self.meaning.low
            image = image.to(self.dtype)
        return image if self.channels_first else image.permute(0, 2, 3, 1).contiguous()

    def __str__(self) -> str:
        return (
            f"{str(self.dtype).removeprefix('torch.')} {'NCHW' if self.channels_first else 'NHWC'}"
        )


class _Adopted(nn.Module):
    """A network between its own input and the outputs of the contract."""

    def __init__(
        self,
        network: torch.jit.ScriptModule,
        taken: _Input,
        numbers: tuple[Number | None, Number],
        fixed: float,
    ) -> None:
        super().__init__()
        self.network, self._taken, self._numbers, self._fixed = network, taken, numbers, fixed

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        outputs = _by_key(self.network(self._taken.of(image)))
        chosen = [
            torch.full((1,), self._fixed)
            if number is None
            else outputs[number.key].reshape(-1)[number.place : number.place + 1].float()
            for number in self._numbers
        ]
        return torch.stack(chosen, dim=1)


def adopt_torchscript(
    source: Path,
    out: Path,
    record: ModelRecord,
    meaning: Meaning,
    frames: NDArray[np.uint8],
) -> str:
    """Write a TorchScript network as a model file; returns in words how it was taken.

    A device that is written into its code becomes the CPU. Arguments and errors are
    those of ``adopt``.
    """
    try:
        network = load_bytes(read_archive(source).data)
    except RuntimeError as error:
        raise AdoptionError(f"{source}: torch cannot load it: {error_line(error)}") from error
    written = devices_written_into(network) - {"cpu"}
    if written:
        frozen = freeze(network)
        write_device(frozen, "cpu")
        network = load_bytes(save_bytes(frozen, {}))  # torch wraps no network frozen in memory
    batch = network_batch(frames[0], "cpu", channels_last=False)
    taken, outputs = _tried(source, network, batch, meaning)
    given = [Given(key, value.numel()) for key, value in outputs.items()]
    numbers = meaning.commands(source, given)
    fixed = 0.0 if numbers[0] is not None else meaning.fixed_output(record.output_range)
    adopted = _Adopted(network, taken, numbers, fixed).eval()
    save_model(out, trace(adopted, record.input_format), record, frames)
    device = f", {', '.join(sorted(written))} in its code made cpu" if written else ""
    return meaning.in_words(f"{taken}{device}", numbers)


def _tried(
    source: Path, network: torch.jit.ScriptModule, batch: torch.Tensor, meaning: Meaning
) -> tuple[_Input, dict[int | str, torch.Tensor]]:
    """Return the first kind of input that the network takes, and its outputs."""
    problem = ""
    for dtype, channels_first in itertools.product(_DTYPES, (True, False)):
        taken = _Input(dtype, channels_first, meaning)
        try:
            with torch.inference_mode():
                return taken, _by_key(network(taken.of(batch)))
        except AdoptionError as refusal:
            raise AdoptionError(f"{source}: {refusal}") from None
        except Exception as error:  # whatever torch raises, it does not take this input
            problem = problem or error_line(error)
    height, width = batch.shape[2:]
    raise AdoptionError(
        f"{source}: it takes no picture of {width}x{height} in any layout (say --size): {problem}"
    )


def _by_key(outputs: Any) -> dict[int | str, torch.Tensor]:
    """Return a network's outputs by name, or by place."""
    if isinstance(outputs, torch.Tensor):
        outputs = (outputs,)
    items = outputs.items() if isinstance(outputs, Mapping) else enumerate(outputs)
    found = dict(items)
    for key, value in found.items():
        if not isinstance(value, torch.Tensor):
            raise AdoptionError(f"its output {key!r} is no tensor but {type(value).__name__}")
    return found
