"""The forms that a network can be run in on a device: frozen, float16, as a CUDA graph.

On a GPU most of the time for one small picture goes into starting kernels. A CUDA graph starts them
together: a copy in, one replay, a copy out. Which form is fastest depends on the GPU, so it is
measured at load (`fastest`). A form that fails on a GPU is left out.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.archive import ModelArchive, ModelError
from pilotnet_brain.driving.model.network import error_line
from pilotnet_brain.driving.model.self_test import Outputs, largest_difference
from pilotnet_brain.driving.model.torch_self_test import (
    TorchFunction,
    network_batch,
    run_on_frames,
)
from pilotnet_brain.driving.model.torchscript import (
    convolve_channels_last,
    fold_input_norm,
    freeze,
    load_bytes,
)

FLOAT16_TOLERANCE = 5e-3
"""Of normalized outputs where float16 runs: it keeps 11 bits, five parts in 10,000 of each value,
and rounds in every layer. 0.09 m/s of speed, 0.07 rad/s of yaw rate."""
_WARM_UP_CALLS = 10
_BLOCKS, _CALLS_PER_BLOCK = 4, 25


@dataclass(frozen=True)
class Runnable:
    """A network in one form."""

    #: takes float32 (1, 3, height, width), 0..1; gives float32 (1, 2), both on its device
    module: TorchFunction
    form: str  #: what was done to the network, e.g. "frozen, input norm folded, channels last"
    channels_last: bool  #: the memory layout that ``module`` wants its input in
    #: the buffer that ``module`` reads, to be filled in place; None: it takes any tensor
    batch: torch.Tensor | None = None


_Runnable = TypeVar("_Runnable", bound=Runnable)


def runnable_forms(
    archive: ModelArchive,
    as_saved: torch.jit.ScriptModule,
    frames: NDArray[np.uint8],
    expected: Outputs,
    device: str,
    tolerance: float,
) -> list[Runnable]:
    """Return the forms that a network can be run in on the device.

    A network that cannot be frozen, or gives other outputs then, is run as it was saved.

    Args:
        archive: the model file.
        as_saved: its network, not optimized; it may be moved to the device.
        frames: uint8 (N, height, width, 3): input pixels to run it on.
        expected: the outputs on them of the network as it was saved.
        device: "cpu" or "cuda".
        tolerance: of the outputs; float16's is at least ``FLOAT16_TOLERANCE``.

    Raises:
        ModelError: no form runs on the device, or every one gives other outputs there.
    """
    path = archive.path
    if device == "cuda":
        # TensorFloat-32 rounds to 10 bits, and gains nothing on one small picture.
        torch.backends.cudnn.allow_tf32 = False
    try:
        # A second copy: the first stays as it is, whatever moving and freezing do.
        frozen = _frozen(load_bytes(archive.data).to(device))
        outputs = run_on_frames(path, frozen.module, frames, device, channels_last=True)
        if largest_difference(outputs, expected) <= tolerance:
            if device == "cpu":
                return [frozen]
            return _cuda_forms(archive, frozen, frames, expected, tolerance)
        reason = "frozen, it gives other outputs"
    except (ModelError, RuntimeError) as error:
        reason = error_line(error)
    try:
        module = as_saved.to(device)
    except RuntimeError as error:
        raise ModelError(f"{path}: cannot be run on {device}: {error_line(error)}") from error
    outputs = run_on_frames(path, module, frames, device, channels_last=False)
    if largest_difference(outputs, expected) > tolerance:
        raise ModelError(
            f"{path}: its outputs on {device} differ from those on the CPU; use device cpu"
        )
    return [Runnable(module, f"as saved ({reason})", channels_last=False)]


def _frozen(module: torch.jit.ScriptModule) -> Runnable:
    """Return a module, on its device and in its precision, as it runs fastest there."""
    frozen = freeze(module)
    folded = fold_input_norm(frozen)
    convolve_channels_last(frozen)
    form = "frozen, input norm folded" if folded else "frozen"
    return Runnable(frozen, f"{form}, channels last", channels_last=True)


def half_precision(archive: ModelArchive, device: str) -> Runnable:
    """Return a float model file's network with float16 weights and sums, float32 at both ends.

    Raises:
        RuntimeError: it does not take float16.
    """
    frozen = _frozen(load_bytes(archive.data).to(device).half())
    return replace(
        frozen,
        module=lambda batch: frozen.module(batch.half()).float(),
        form=f"{frozen.form}, float16",
    )


def _cuda_forms(
    archive: ModelArchive,
    float32: Runnable,
    frames: NDArray[np.uint8],
    expected: Outputs,
    tolerance: float,
) -> list[Runnable]:
    """Return float32, float16 and their CUDA graphs, as far as they pass the self-test."""
    batch = network_batch(frames[0], "cuda", channels_last=True)
    candidates = [(form, tolerance) for form in with_graphs([float32], batch)]
    with contextlib.suppress(RuntimeError):  # a network that does not take float16
        half = with_graphs([half_precision(archive, "cuda")], batch)
        candidates += [(form, max(tolerance, FLOAT16_TOLERANCE)) for form in half]
    passed = []
    for form, allowed in candidates:
        with contextlib.suppress(ModelError):
            outputs = run_on_frames(archive.path, form.module, frames, "cuda", channels_last=True)
            if largest_difference(outputs, expected) <= allowed:
                passed.append(form)
    return passed


class GraphReplay:
    """A network on CUDA whose kernels were captured once and are replayed for every frame.

    Args:
        network: on CUDA, of fixed shapes; it allocates nothing from call to call.
        batch: an input on CUDA; its shape and layout are those of every later one.

    Raises:
        RuntimeError: a kernel of the network cannot be captured.
    """

    def __init__(self, network: TorchFunction, batch: torch.Tensor) -> None:
        self.batch = batch.clone(memory_format=torch.preserve_format)
        self._graph = torch.cuda.CUDAGraph()
        side_stream = torch.cuda.Stream()
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode():
            with torch.cuda.stream(side_stream):
                for _ in range(_WARM_UP_CALLS):  # TorchScript settles, kernels are chosen
                    network(self.batch)
            torch.cuda.current_stream().wait_stream(side_stream)
            # Other threads of the brain may use CUDA meanwhile.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._output = network(self.batch)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the outputs, float32 (1, 2), valid until the next call."""
        if batch is not self.batch:
            self.batch.copy_(batch)
        self._graph.replay()
        return self._output


def with_graphs(forms: Sequence[Runnable], batch: torch.Tensor) -> list[Runnable]:
    """Return the forms and the CUDA graph of each one that can be captured."""
    found = list(forms)
    for form in forms:
        with contextlib.suppress(RuntimeError):
            replay = GraphReplay(form.module, batch)
            name = f"{form.form}, CUDA graph"
            found.append(Runnable(replay, name, form.channels_last, replay.batch))
    return found


def fastest(
    forms: Sequence[_Runnable],
    batch: torch.Tensor,
    device: str,
    clock: Callable[[], float] = time.perf_counter,
) -> _Runnable:
    """Return the form with the lowest median time on a batch, copies in and out included.

    The forms, at least one, take turns in blocks of warm calls. The batch is float32 (1, 3, height,
    width), on the host; the networks are on the device, "cpu" or "cuda"; the clock gives seconds.
    """
    times: list[list[float]] = [[] for _ in forms]
    with torch.inference_mode():
        for _ in range(_BLOCKS):
            for form, taken in zip(forms, times, strict=True):
                for call in range(-_WARM_UP_CALLS, _CALLS_PER_BLOCK):
                    start = clock()
                    to = batch.to(device) if form.batch is None else form.batch.copy_(batch)
                    form.module(to).tolist()
                    if call >= 0:
                        taken.append(clock() - start)
    return forms[int(np.argmin([np.median(taken) for taken in times]))]
