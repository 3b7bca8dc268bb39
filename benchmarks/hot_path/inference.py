"""How long a frame takes to become a command, compared with the same frames through a plain loop.

All loops run in one process, on the same threads and frames, in alternating blocks of warm calls:
the machine's drift falls on all alike, and within a block no network evicts another's weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hot_path.reference_loop import ReferenceLoop
from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Drive, Pilot
from pilotnet_brain.learning.offline.timing import Durations
from pilotnet_brain.machine import cpu_model, load_average

CALLS_PER_BLOCK = 50
WARM_CALLS = 10


@dataclass(frozen=True)
class LoopFigures:
    """What one loop took.

    Attributes:
        name: the model's name, or "reference".
        form: how its network is run, in words.
        device: "cpu" or "cuda".
        preprocessing: crop, resize and scaling to the network's input.
        model_call: the network, with the copies to and from its device.
        path: the whole way from the frame to the command.
        ratio: the path's median over the reference's.
        note: what the user should know, else empty.
    """

    name: str
    form: str
    device: str
    preprocessing: Durations
    model_call: Durations
    path: Durations
    ratio: float
    note: str = ""


@dataclass(frozen=True)
class InferenceBench:
    """All loops' figures, the reference first, and how they were measured.

    ``load`` is the system's load average before the bench began, None where the system does not
    tell it. On a machine busy with other work the figures tell of that work too.
    """

    loops: tuple[LoopFigures, ...]
    threads: int
    blocks: int
    calls_per_block: int
    frames: str
    torch_version: str = torch.__version__
    machine: str = field(default_factory=cpu_model)
    load: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the bench as JSON's types."""
        return asdict(self)


@dataclass
class _Loop:
    name: str
    form: str
    device: str
    note: str
    drive: Callable[[NDArray[np.uint8]], Drive]
    preprocess_s: list[float] = field(default_factory=list)
    inference_s: list[float] = field(default_factory=list)
    path_s: list[float] = field(default_factory=list)

    def run_block(self, frames: NDArray[np.uint8], calls: int) -> None:
        for call in range(-WARM_CALLS, calls):
            frame = frames[call % len(frames)]
            start = time.perf_counter_ns()
            drive = self.drive(frame)
            path_s = (time.perf_counter_ns() - start) * 1e-9
            if call >= 0:
                self.path_s.append(path_s)
                self.preprocess_s.append(drive.preprocess_s)
                self.inference_s.append(drive.inference_s)

    def figures(self, reference_path_s: float) -> LoopFigures:
        path = Durations.of(self.path_s)
        return LoopFigures(
            self.name,
            self.form,
            self.device,
            Durations.of(self.preprocess_s),
            Durations.of(self.inference_s),
            path,
            path.median_s / reference_path_s,
            self.note,
        )


def bench_inference(
    models: Sequence[str | Path],
    reference: str | Path,
    frames: NDArray[np.uint8],
    frames_source: str = "given frames",
    *,
    device: str = "auto",
    threads: int = 1,
    blocks: int = 10,
    calls_per_block: int = CALLS_PER_BLOCK,
    progress: Callable[[int, int], None] | None = None,
) -> InferenceBench:
    """Measure the models' frame -> command paths against the plain loop's.

    Args:
        models: model files.
        reference: the model file that the plain loop runs as it was saved: the traced baseline.
        frames: uint8 (N, 480, 640, 3), RGB; taken in turns.
        frames_source: where the frames come from, in words.
        device: for the models and the reference; see ``load_model``.
        threads: of torch and OpenCV in all loops; the process's own setting comes back after.
        blocks: of warm calls, for each loop; loops take turns block by block.
        calls_per_block: measured calls in a block, after a few that are not.
        progress: called with the number of blocks done and to do.

    Raises:
        ModelError: a file is not fit to drive with.
        ValueError: no frames, no models, or fewer than one block or call.
    """
    if not len(frames) or not models or blocks < 1 or calls_per_block < 1:
        raise ValueError("the bench needs frames, models, blocks and calls")
    load_before = load_average()
    before = torch.get_num_threads(), cv2.getNumThreads()
    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    try:
        loops = [_reference_loop(reference, device), *(_our_loop(m, device) for m in models)]
        for done in range(blocks):
            for loop in loops:
                loop.run_block(frames, calls_per_block)
            if progress is not None:
                progress(done + 1, blocks)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
    reference_s = float(np.median(loops[0].path_s))
    figures = tuple(loop.figures(reference_s) for loop in loops)
    return InferenceBench(
        figures, threads, blocks, calls_per_block, frames_source, load=load_before
    )


def _our_loop(path: str | Path, device: str) -> _Loop:
    model = load_model(path, device)
    pilot = Pilot(model)
    pilot.warm_up()
    return _Loop(model.name, model.form, model.device, model.note, pilot.drive)


def _reference_loop(path: str | Path, device: str) -> _Loop:
    model = load_model(path, device)
    loop = ReferenceLoop(load_as_saved(path), model.record, model.device)
    form = f"plain loop, {model.name} as saved"
    return _Loop("reference", form, model.device, model.note, loop.drive)
