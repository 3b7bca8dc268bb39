"""How long one frame takes through a network: warm, on one thread and on all, and paced.

All networks are timed in one process, in rounds of warm calls: the machine's drift affects all
alike, and within a round no network evicts another's weights from the cache. Paced at the camera's
rate, a call finds the caches as driving leaves them.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.driving.model.network import Network
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torch_network import NetworkInput, TorchNetwork
from pilotnet_brain.simulation.car import CAMERA_HZ

WARM_CALLS = 10


@dataclass(frozen=True)
class Durations:
    """Median and 99th percentile of one step, in seconds."""

    median_s: float
    p99_s: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Durations:
        """Return those of measured seconds; at least one."""
        median, p99 = np.percentile(seconds, [50.0, 99.0]).tolist()
        return cls(median, p99)


@dataclass(frozen=True)
class InferenceTimes:
    """The times of one call, copies to and from the device included."""

    one_thread: Durations  #: warm, on one thread
    all_threads: Durations  #: warm, on all threads of the processor
    paced: Durations  #: at the camera's rate, on one thread

    def figures(self) -> dict[str, Any]:
        """Return the times by the names of an evaluation's row, seconds."""
        return {
            "inference_median_s": self.one_thread.median_s,
            "inference_p99_s": self.one_thread.p99_s,
            "inference_all_median_s": self.all_threads.median_s,
            "inference_all_p99_s": self.all_threads.p99_s,
            "inference_paced_median_s": self.paced.median_s,
            "inference_paced_p99_s": self.paced.p99_s,
        }


@dataclass(frozen=True)
class TimingPlan:
    """How much to time."""

    rounds: int = 20  #: of every network
    calls: int = 50  #: measured calls in a round, after a few that are not
    paced_calls: int = 100  #: calls at the camera's rate, in one round


def as_published(path: Path, record: ModelRecord, device: str) -> Network:
    """Return a model file's traced network as it was saved, its input contiguous.

    Raises:
        ModelError: the file is not fit to drive with.
    """
    buffers = NetworkInput(device, record.input_format.input_shape, channels_last=False)
    return TorchNetwork(path.name, load_as_saved(path).to(device), buffers)


def time_networks(
    load: Callable[[], Sequence[Network]],
    frames: NDArray[np.uint8],
    plan: TimingPlan = TimingPlan(),  # noqa: B008  (frozen)
    progress: Callable[[str], None] | None = None,
) -> list[InferenceTimes]:
    """Time networks against each other; the process's number of threads is restored.

    Args:
        load: loads the networks, always the same ones. It is called for one thread and for all,
            because int8 weights are packed for the number of threads at load: packed for two and
            run on one, a network takes 1.6 times as long.
        frames: uint8 (N, height, width, 3): their input pixels, one after the other.
        progress: called with what is being timed.
    """
    before = torch.get_num_threads()
    tell = progress or (lambda text: None)
    try:
        torch.set_num_threads(1)
        networks = load()
        one = warm_times(networks, frames, plan, tell)
        paced = paced_times(networks, frames, plan, tell)
        torch.set_num_threads(all_threads())
        every = warm_times(load(), frames, plan, tell, "all threads")
    finally:
        torch.set_num_threads(before)
    return [InferenceTimes(*times) for times in zip(one, every, paced, strict=True)]


def warm_times(
    networks: Sequence[Network],
    frames: NDArray[np.uint8],
    plan: TimingPlan,
    tell: Callable[[str], None],
    what: str = "one thread",
) -> list[Durations]:
    """Return the networks' times in rounds of warm calls, as ``time_networks`` takes them."""
    return _timed(what, networks, frames, plan.rounds, plan.calls, tell)


def paced_times(
    networks: Sequence[Network],
    frames: NDArray[np.uint8],
    plan: TimingPlan,
    tell: Callable[[str], None],
) -> list[Durations]:
    """Return the networks' times at the camera's rate, as ``time_networks`` takes them."""
    rate = f"paced at {CAMERA_HZ:g} Hz"
    return _timed(rate, networks, frames, 1, plan.paced_calls, tell, 1.0 / CAMERA_HZ)


def all_threads() -> int:
    """Return how many threads this process may run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _timed(
    what: str,
    networks: Sequence[Network],
    frames: NDArray[np.uint8],
    rounds: int,
    calls: int,
    tell: Callable[[str], None],
    period_s: float = 0.0,
) -> list[Durations]:
    """Time every network in each round, one call a period at the most."""
    seconds: list[list[float]] = [[] for _ in networks]
    for round_, number in itertools.product(range(rounds), range(len(networks))):
        tell(f"{what}, round {round_ + 1} of {rounds}, network {number + 1} of {len(networks)}")
        seconds[number] += _calls(networks[number], frames, calls, period_s)
    return [Durations.of(taken) for taken in seconds]


def _calls(network: Network, frames: NDArray[np.uint8], count: int, period_s: float) -> list[float]:
    """Return the seconds that calls took, after a few warm ones; one call a period at the most."""
    for call in range(WARM_CALLS):
        _call(network, frames[call % len(frames)])
    taken = []
    due = time.perf_counter()
    for call in range(count):
        due += period_s
        if (early_s := due - time.perf_counter()) > 0.0:
            time.sleep(early_s)
        taken.append(_call(network, frames[call % len(frames)]))
    return taken


def _call(network: Network, frame: NDArray[np.uint8]) -> float:
    """Run a network on a frame's input pixels; returns the seconds it took."""
    network.fill(frame)
    start = time.perf_counter_ns()
    network.run()
    return (time.perf_counter_ns() - start) * 1e-9
