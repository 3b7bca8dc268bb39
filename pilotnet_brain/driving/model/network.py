"""What a pilot drives with: a model ready to run, whatever runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.model.record import ModelRecord


class NetworkFailure(Exception):  # noqa: N818  (named by what it is)
    """The network gave no usable output: the car must be stopped."""


class Network(Protocol):
    """A network with the buffers of its input; one thread at a time may call it."""

    def fill(self, pixels: NDArray[np.uint8]) -> None:
        """Take input pixels, uint8 (height, width, 3), scaled to 0..1."""

    def run(self) -> tuple[float, float]:
        """Return the normalized speed and yaw rate for the pixels that it was filled with.

        The copies to and from its device are part of it.

        Raises:
            NetworkFailure: it could not be run (the GPU was lost, no memory).
        """


@dataclass(frozen=True, kw_only=True)
class Model(ABC):
    """A model file, checked and ready to drive with."""

    record: ModelRecord  #: what the file says of itself (JdeRobot's format if it says nothing)
    path: Path  #: the file
    sha256: str  #: of the file's bytes, in hexadecimal
    device: str  #: "cpu" or "cuda"
    quantized: bool  #: it runs int8 kernels
    form: str  #: how it is run, e.g. "frozen, input norm folded, channels last"
    #: what the user should know, e.g. why it runs on another device than asked; or empty
    note: str = ""

    @property
    def name(self) -> str:
        """The model's name: the record's, or the file's where it has no record."""
        return self.record.name

    @abstractmethod
    def network(self) -> Network:
        """Return a network of it, with new buffers."""


def error_line(error: BaseException) -> str:
    """Return the cause of a runtime's error in one line: its first sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # torch's interpreter puts the cause last, under the traceback of TorchScript.
    causes = [line for line in lines if line.startswith(("RuntimeError:", "builtins."))]
    line = (causes or lines or [type(error).__name__])[0]
    # What follows is torch's advice to its own developers.
    return line.partition(". ")[0][:300]
