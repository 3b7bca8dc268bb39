"""The figures that BehaviorMetrics and DeepLearningStudio published, for comparison with ours."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

PublishedRun = dict[str, Any]
"""One published row; published.yaml says what its keys are. What was not published is None."""


@cache
def published_runs() -> list[PublishedRun]:
    """Return all published runs, in the order of publication."""
    text = files("pilotnet_brain.metrics").joinpath("published.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text))


def published_on(circuits: Collection[str]) -> list[PublishedRun]:
    """Return the published runs on any of the circuits, in the order of publication."""
    return [run for run in published_runs() if run["circuit"] in circuits]
