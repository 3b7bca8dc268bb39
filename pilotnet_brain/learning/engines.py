"""Which of torch's quantization engines runs an int8 network, and which runs it fastest here."""

from __future__ import annotations

import statistics
import time
import warnings

import torch

from pilotnet_brain.driving.model.file import QUANTIZED_TOLERANCE
from pilotnet_brain.driving.model.torchscript import freeze, load_bytes, save_bytes

_ROUNDS, _BLOCK = 5, 50


def engines_by_speed(network: torch.jit.ScriptModule, image: torch.Tensor) -> tuple[str, ...]:
    """Return the engines that run the network and agree with it, the fastest here first.

    Timed on one thread, in turns of warm blocks, so that the machine's drift falls on all alike.

    Args:
        network: int8 TorchScript.
        image: float32 (1, 3, 66, 200), 0..1.
    """
    before, threads = torch.backends.quantized.engine, torch.get_num_threads()
    torch.set_num_threads(1)
    data = save_bytes(network, {})
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            # It keeps the eighth bit of dynamic ranges: better, not worse.
            warnings.filterwarnings("ignore", "Currently, qnnpack incorrectly ignores reduce_range")
            expected = network(image)
            runners = {}
            for engine in torch.backends.quantized.supported_engines:
                loaded = _loaded(data, engine)
                if loaded is not None and _agrees(loaded, image, expected):
                    runners[engine] = loaded
            medians: dict[str, list[float]] = {engine: [] for engine in runners}
            for _ in range(_ROUNDS):
                for engine, loaded in runners.items():
                    medians[engine].append(_median_call(loaded, image))
    finally:
        torch.backends.quantized.engine = before
        torch.set_num_threads(threads)
    return tuple(sorted(medians, key=lambda engine: statistics.median(medians[engine])))


def _loaded(data: bytes, engine: str) -> torch.jit.ScriptModule | None:
    """Return the network with its weights packed for an engine, or None where that cannot be."""
    try:
        torch.backends.quantized.engine = engine
        return freeze(load_bytes(data))
    except RuntimeError:
        return None


def _agrees(network: torch.jit.ScriptModule, image: torch.Tensor, expected: torch.Tensor) -> bool:
    try:
        return float((network(image) - expected).abs().max()) <= QUANTIZED_TOLERANCE
    except RuntimeError:
        return False


def _median_call(network: torch.jit.ScriptModule, image: torch.Tensor) -> float:
    """Return the median duration of a call, s, in one block of them."""
    durations = []
    for _ in range(_BLOCK):
        begin = time.perf_counter()
        network(image)
        durations.append(time.perf_counter() - begin)
    return statistics.median(durations)
