"""BehaviorMetrics' JSON result of an experiment, as a run's figures.

Keys and meanings are those of JdeRobot's BehaviorMetrics, behavior_metrics/utils/metrics_gazebo.py
and pilot_gazebo.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SAME = {
    "completed_distance": "distance_m",
    "average_speed": "average_speed",
    # It carries the name of an error in metres and is the mean of 1000^d over the reference lap.
    "position_deviation_mae": "position_deviation_score_published",
    "brain_iterations_frequency_real_time": "brain_iteration_frequency",
    "mean_inference_time": "mean_inference_time",
    "suddenness_distance": "suddenness",
    "real_time_factor": "real_time_factor",
    "experiment_total_simulated_time": "simulated_time_s",
    "experiment_total_real_time": "real_time_s",
}
_NEEDED = ("completed_distance", "percentage_completed")


def is_behavior_metrics(results: Mapping[str, Any]) -> bool:
    """Whether a JSON object is the result of one of its experiments."""
    return all(isinstance(results.get(key), int | float) for key in _NEEDED)


def figures_of_behavior_metrics(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return its result as the figures of metrics.json; what it did not measure is None.

    It writes zero for what it did not measure. Its laps are timed in whole seconds, and only where
    the lap was completed, which it says by more than 100 %.
    """
    figures: dict[str, Any] = {ours: results.get(theirs) or None for theirs, ours in _SAME.items()}
    completed = float(results["percentage_completed"])
    lap_s = results.get("lap_seconds")
    gpu = results.get("gpu_inference")
    return figures | {
        "simulator": "BehaviorMetrics",
        "device": None if gpu is None else "gpu" if gpu else "cpu",
        "completion": min(1.0, completed / 100.0),
        "lap_completed": completed > 100.0,
        "lap_times_s": [float(lap_s)] if completed > 100.0 and lap_s else [],
        "ending": "laps done" if completed > 100.0 else "not completed",
    }
