"""The published figures, against the sentences that say them."""

from __future__ import annotations

from pilotnet_brain.driving.model.catalogue import read_manifest
from pilotnet_brain.metrics.published_figures import published_on, published_runs


def test_the_best_published_on_the_simple_circuit() -> None:
    runs = [run for run in published_on(["simple_circuit"]) if run["finished"]]
    assert max(run["average_speed"] or 0.0 for run in runs) == 8.84
    assert min(run["position_deviation_score_published"] or 1e9 for run in runs) == 4.61
    assert min(run["mean_inference_time"] or 1e9 for run in runs) == 0.0023


def test_what_did_not_finish_has_no_figures() -> None:
    unfinished = [run for run in published_runs() if not run["finished"]]
    assert {run["ours"] for run in unfinished} == {"baseline", "dynamic_quant", "static_quant"}
    assert all(run["average_speed"] is None for run in unfinished)


def test_counterparts_are_shipped_models() -> None:
    assert {run["ours"] for run in published_runs()} - {""} <= set(read_manifest())


def test_circuits_without_published_runs_have_none() -> None:
    assert published_on(["montmelo", "random-3"]) == []
    assert [run["circuit"] for run in published_on(["montreal"])] == ["montreal"]
