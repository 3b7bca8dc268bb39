"""The figures that BehaviorMetrics and DeepLearningStudio published, for comparison with ours.

Of laps in Gazebo with optimized PilotNets, on a GTX 1050. The score is BehaviorMetrics' "position
deviation MAE", which is not a mean absolute error: only our
``position_deviation_score_published`` compares with it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

DEVICE = "GTX 1050"


@dataclass(frozen=True)
class PublishedRun:
    """One published row; what was not published is None. Keys as in our metrics.json.

    Attributes:
        method: as it was published.
        ours: the shipped model made by the same method, empty where there is none.
        circuit: our name of it.
        finished: whether the lap was driven to its end.
        average_speed: m/s.
        position_deviation_score_published: without unit, 1 is a perfect lap.
        brain_iteration_frequency: Hz, of real time.
        mean_inference_time: s.
        device: that the network ran on.
    """

    method: str
    ours: str
    circuit: str
    finished: bool
    average_speed: float | None = None
    position_deviation_score_published: float | None = None
    brain_iteration_frequency: float | None = None
    mean_inference_time: float | None = None
    device: str = DEVICE


_SIMPLE = "simple_circuit"

PUBLISHED = (
    PublishedRun("TensorFlow baseline", "baseline", _SIMPLE, True, 8.39, 7.41, 5.6, 0.124),
    PublishedRun("TensorFlow-TensorRT, the best", "", _SIMPLE, True, 8.54, 5.06, 73.4, 0.0063),
    PublishedRun("PyTorch baseline", "baseline", _SIMPLE, False),
    PublishedRun("PyTorch dynamic quantization", "dynamic_quant", _SIMPLE, False),
    PublishedRun("PyTorch static quantization", "static_quant", _SIMPLE, False),
    PublishedRun("PyTorch QAT", "qat", _SIMPLE, True, 7.94, 11.5, 26.5, 0.0188),
    PublishedRun("PyTorch local prune", "local_prune", _SIMPLE, True, 7.74, 14.2, 32.6, 0.0027),
    PublishedRun("PyTorch global prune", "global_prune", _SIMPLE, True, 7.73, 17.0, 42.9, 0.0023),
    PublishedRun(
        "PyTorch prune + quantization", "prune_quant", _SIMPLE, True, 8.84, 4.61, 34.4, 0.0125
    ),
    PublishedRun("TensorFlow-TensorRT", "", "montreal", True, 10.23, 6.02),
)
"""On Montreal nothing else finished."""


def published_on(circuits: Collection[str]) -> list[PublishedRun]:
    """Return the published runs on any of the circuits, in the order of publication."""
    return [run for run in PUBLISHED if run.circuit in circuits]
