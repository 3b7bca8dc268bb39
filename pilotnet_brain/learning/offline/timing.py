"""How long one frame takes through a network: warm, on one thread and on all, and paced.

All networks are timed in one process, in turns of warm blocks: the machine's drift falls on all
alike, and within a block no network evicts another's weights from the cache. Paced at the camera's
rate, a call finds the caches as driving leaves them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.cuda_form import Network
from pilotnet_brain.driving.model.file import Model, ModelRecord, load_as_saved
from pilotnet_brain.driving.preprocess import scale_input
from pilotnet_brain.learning.offline.durations import Durations
from pilotnet_brain.simulation.car import CAMERA_HZ

WARM_CALLS = 10


@dataclass(frozen=True)
class InferenceTimes:
    """One network's times: on one thread, on all of the processor's, and paced on one thread.

    Of one call, copies to and from the device counted.
    """

    one_thread: Durations
    all_threads: Durations
    paced: Durations


@dataclass(frozen=True)
class TimingPlan:
    """How much to time.

    Attributes:
        rounds: turns that every network gets.
        calls: measured calls in a turn, after a few that are not.
        paced_calls: calls at the camera's rate, in one turn.
    """

    rounds: int = 20
    calls: int = 50
    paced_calls: int = 100


class TimedNetwork:
    """A network with the input that it wants, filled anew for every call as driving does.

    Args:
        network: on the device.
        device: "cpu" or "cuda".
        input_shape: (height, width, 3) of its input pixels.
        channels_last: the memory layout that it wants its input in.
        batch: the buffer that the network reads, if it has one of its own.
    """

    def __init__(
        self,
        network: Network,
        device: str,
        input_shape: tuple[int, int, int],
        channels_last: bool,
        batch: torch.Tensor | None = None,
    ) -> None:
        self._network = network
        host = torch.empty((1, *input_shape), pin_memory=device == "cuda")
        self._scaled = host.numpy()
        self._pixels = host.permute(0, 3, 1, 2)
        self._host = self._pixels
        if not channels_last:
            self._host = torch.empty(self._pixels.shape, pin_memory=device == "cuda")
        self._batch = self._host
        if batch is not None:
            self._batch = batch
        elif device != "cpu":
            self._batch = self._host.to(device, copy=True)

    def call(self, frame: NDArray[np.uint8]) -> float:
        """Run the network on a frame's input pixels; returns the seconds it took."""
        scale_input(frame, self._scaled[0])
        if self._host is not self._pixels:
            self._host.copy_(self._pixels)
        begin = time.perf_counter_ns()
        if self._batch is not self._host:
            self._batch.copy_(self._host, non_blocking=True)
        self._network(self._batch).tolist()
        return (time.perf_counter_ns() - begin) * 1e-9


def as_driven(model: Model) -> TimedNetwork:
    """Return a model as the brain runs it."""
    shape = model.record.input_format.input_shape
    return TimedNetwork(model.module, model.device, shape, model.channels_last, model.batch)


def as_published(path: Path, record: ModelRecord, device: str) -> TimedNetwork:
    """Return a model file's traced network as it was saved, its input contiguous.

    Raises:
        ModelError: the file is not fit to drive with.
    """
    shape = record.input_format.input_shape
    return TimedNetwork(load_as_saved(path).to(device), device, shape, channels_last=False)


def time_networks(
    load: Callable[[], Sequence[TimedNetwork]],
    frames: NDArray[np.uint8],
    plan: TimingPlan = TimingPlan(),  # noqa: B008  (frozen)
    progress: Callable[[str], None] | None = None,
) -> list[InferenceTimes]:
    """Time networks against each other; the process's number of threads comes back after.

    Args:
        load: loads the networks that take turns, always the same ones. It is called for one
            thread and for all, because int8 weights are packed for the number of threads at load:
            packed for two and run on one, a network takes 1.6 times as long.
        frames: uint8 (N, height, width, 3): their input pixels, taken in turns.
        plan: how much to time.
        progress: told what is being timed.
    """
    before = torch.get_num_threads()
    tell = progress or (lambda text: None)
    try:
        with torch.inference_mode():
            torch.set_num_threads(1)
            networks = load()
            one = _in_turns(networks, frames, plan, lambda text: tell(f"one thread, {text}"))
            paced = _paced(networks, frames, plan, tell)
            torch.set_num_threads(all_threads())
            every = _in_turns(load(), frames, plan, lambda text: tell(f"all threads, {text}"))
    finally:
        torch.set_num_threads(before)
    return [InferenceTimes(*times) for times in zip(one, every, paced, strict=True)]


def all_threads() -> int:
    """Return how many threads this process may run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_turns(
    networks: Sequence[TimedNetwork],
    frames: NDArray[np.uint8],
    plan: TimingPlan,
    tell: Callable[[str], None],
) -> list[Durations]:
    seconds: list[list[float]] = [[] for _ in networks]
    for turn in range(plan.rounds):
        tell(f"round {turn + 1} of {plan.rounds}")
        for network, taken in zip(networks, seconds, strict=True):
            for call in range(-WARM_CALLS, plan.calls):
                took = network.call(frames[call % len(frames)])
                if call >= 0:
                    taken.append(took)
    return [Durations.of(taken) for taken in seconds]


def _paced(
    networks: Sequence[TimedNetwork],
    frames: NDArray[np.uint8],
    plan: TimingPlan,
    tell: Callable[[str], None],
) -> list[Durations]:
    found = []
    for number, network in enumerate(networks, start=1):
        tell(f"paced at {CAMERA_HZ:g} Hz, network {number} of {len(networks)}")
        for call in range(WARM_CALLS):
            network.call(frames[call % len(frames)])
        taken = []
        due = time.perf_counter()
        for call in range(plan.paced_calls):
            due += 1.0 / CAMERA_HZ
            time.sleep(max(0.0, due - time.perf_counter()))
            taken.append(network.call(frames[call % len(frames)]))
        found.append(Durations.of(taken))
    return found
