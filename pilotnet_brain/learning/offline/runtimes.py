"""The same networks in every installed runtime: TorchScript in torch, ONNX in the others."""

from __future__ import annotations

import importlib.util
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.onnx_session import SESSIONS
from pilotnet_brain.learning.offline import first_command
from pilotnet_brain.learning.offline.timing import Durations, TimingPlan, paced_times, warm_times
from pilotnet_brain.learning.onnx_export import export_onnx

_PROCESSES = 3
"""That are started for a median."""


@dataclass(frozen=True)
class RuntimeRow:
    """A model in a runtime, on one thread of the CPU."""

    model: str  #: its name
    runtime: str  #: "torch", "onnxruntime" or "openvino"
    file_bytes: int  #: of the TorchScript or ONNX file
    warm: Durations  #: of the network in warm calls
    paced: Durations  #: at the camera's rate
    first_command_s: float  #: from a process's start to its first command
    memory_bytes: int  #: the most that process needed


def compare_runtimes(
    models: Sequence[Path],
    frames: NDArray[np.uint8],
    plan: TimingPlan = TimingPlan(),  # noqa: B008  (frozen)
    progress: Callable[[str], None] | None = None,
) -> list[RuntimeRow]:
    """Measure TorchScript files in torch, and their ONNX in the other runtimes, in one process.

    Args:
        models: TorchScript files.
        frames: uint8 (N, height, width, 3): their input pixels, one after the other.
        plan: how much to time.
        progress: called with what is being done.

    Raises:
        ModelError: a file is not fit to drive with.
        OnnxError: it cannot be exported.
    """
    tell = progress or (lambda text: None)
    runtimes = [name for name in SESSIONS if importlib.util.find_spec(name) is not None]
    before = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        files: list[tuple[str, str, Path]] = []
        for path in models:
            files.append((path.stem, "torch", path))
            if runtimes:
                tell(f"exporting {path.stem}")
                export_onnx(path, Path(folder) / f"{path.stem}.onnx", frames)
            files += [(path.stem, name, Path(folder) / f"{path.stem}.onnx") for name in runtimes]
        try:
            networks = [load_model(path, "cpu", 1, name).network() for _, name, path in files]
            warm = warm_times(networks, frames, plan, tell)
            paced = paced_times(networks, frames, plan, tell)
        finally:
            torch.set_num_threads(before)
        rows = []
        for (model, runtime, path), *times in zip(files, warm, paced, strict=True):
            tell(f"start of {model} in {runtime}")
            starts = [first_command.measure(path, runtime) for _ in range(_PROCESSES)]
            seconds = statistics.median(start.seconds for start in starts)
            memory = round(statistics.median(start.memory_bytes for start in starts))
            size = path.stat().st_size
            rows.append(RuntimeRow(model, runtime, size, times[0], times[1], seconds, memory))
    return rows
