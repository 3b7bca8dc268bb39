"""Forms of a network on CUDA: float16, and a CUDA graph that replays all its kernels at once.

For one small picture most of the time on a GPU goes into starting kernels. A graph starts them
together: a copy in, one replay, a copy out. Which form wins depends on the GPU, so the fastest is
chosen at load by measuring (`fastest`).

Float16 and the choice run on any device and are tested on the CPU. The capture was never run: the
project was written on machines without a GPU. A form that fails there is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

Network = Callable[[torch.Tensor], torch.Tensor]
"""From float32 (1, 3, height, width), 0..1, to float32 (1, 2), both on the network's device."""

FLOAT16_TOLERANCE = 5e-3
"""Of normalized outputs, where float16 runs: it keeps 11 bits, five parts in 10,000 of each value,
and rounds in every layer. 0.09 m/s of speed, 0.07 rad/s of yaw rate."""
_WARM_UP_CALLS = 10
_BLOCKS, _CALLS_PER_BLOCK = 4, 25


@dataclass(frozen=True)
class Form:
    """One way to run a network.

    Attributes:
        network: runs it.
        name: what was done to it, in words.
        channels_last: the memory layout that it wants its input in.
        batch: the buffer it reads, to be filled in place; None: it takes any tensor.
    """

    network: Network
    name: str
    channels_last: bool
    batch: torch.Tensor | None = None


class HalfPrecision:
    """A network whose weights and sums are float16, with float32 at both ends.

    Args:
        module: converted with ``half()`` already.
    """

    def __init__(self, module: Network) -> None:
        self._module = module

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the outputs, float32 (1, 2)."""
        return self._module(batch.half()).float()


class GraphReplay:
    """A network on CUDA whose kernels were captured once and are replayed for every frame.

    Args:
        network: on CUDA, of fixed shapes; it allocates nothing of its own from call to call.
        batch: an input on CUDA; its shape and layout are those of every later one.

    Raises:
        RuntimeError: a kernel of the network cannot be captured.
    """

    def __init__(self, network: Network, batch: torch.Tensor) -> None:
        self.batch = batch.clone(memory_format=torch.preserve_format)
        self._graph = torch.cuda.CUDAGraph()
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode():
            with torch.cuda.stream(beside):
                for _ in range(_WARM_UP_CALLS):  # TorchScript settles, kernels are chosen
                    network(self.batch)
            torch.cuda.current_stream().wait_stream(beside)
            # Other threads of the brain may use CUDA meanwhile.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._output = network(self.batch)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the outputs, float32 (1, 2), valid until the next call."""
        if batch is not self.batch:
            self.batch.copy_(batch)
        self._graph.replay()
        return self._output


def with_graphs(forms: Sequence[Form], batch: torch.Tensor) -> list[Form]:
    """Return the forms and, of each that can be captured, the CUDA graph."""
    found = list(forms)
    for form in forms:
        try:
            replay = GraphReplay(form.network, batch)
        except RuntimeError:
            continue
        found.append(Form(replay, f"{form.name}, CUDA graph", form.channels_last, replay.batch))
    return found


def fastest(
    forms: Sequence[Form],
    batch: torch.Tensor,
    device: str,
    clock: Callable[[], float] = time.perf_counter,
) -> Form:
    """Return the form that is fastest on a batch, copies in and out counted.

    The forms take turns in blocks of warm calls; the lowest median wins.

    Args:
        forms: at least one.
        batch: an input on the host, float32 (1, 3, height, width).
        device: "cpu" or "cuda", where the networks are.
        clock: seconds.
    """
    times: list[list[float]] = [[] for _ in forms]
    with torch.inference_mode():
        for _ in range(_BLOCKS):
            for form, taken in zip(forms, times, strict=True):
                for call in range(-_WARM_UP_CALLS, _CALLS_PER_BLOCK):
                    begin = clock()
                    to = batch.to(device) if form.batch is None else form.batch.copy_(batch)
                    form.network(to).tolist()
                    if call >= 0:
                        taken.append(clock() - begin)
    return forms[int(np.argmin([np.median(taken) for taken in times]))]
