"""The folder of a benchmark whose runs were driven by formula."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from driven_runs import driven_run

from pilotnet_brain.benchmark.plan import PlannedRun
from pilotnet_brain.benchmark.row import row_of
from pilotnet_brain.benchmark.summary import BY_CIRCUIT, BY_MODEL, summarize
from pilotnet_brain.runs.spec import RunSpec

OFF_THE_ROAD = "left the road: 1.62 m off the line, 98.0 m from the start line, t = 8.17 s"
LATENCIES = (50.0, 100.0, 200.0)


def driven_benchmark(folder: Path, models: Mapping[str, float]) -> Path:
    """Write results.json and runs/ of models, each with its constant deviation, m.

    Every model drives simple_circuit twice, and montreal once, which it does not finish; and under
    three latencies in lock-step, the longest of which throws it off the road.
    """
    rows = []
    for model, deviation in models.items():
        for circuit, repetition in (("simple_circuit", 0), ("simple_circuit", 1), ("montreal", 0)):
            planned = PlannedRun(RunSpec(model=model, circuit=circuit), repetition)
            run = driven_run(
                folder / "runs" / planned.name, circuit, model=model,
                deviation=lambda _, d=deviation, r=repetition: d + 0.002 * r,
                until_s=8.0 if circuit == "montreal" else 1000.0,
            )  # fmt: skip
            figures: dict[str, Any] = run.read_metrics() or {}
            if circuit == "montreal":
                figures |= {"ending": OFF_THE_ROAD}
            rows.append(row_of(planned, figures, folder=f"runs/{planned.name}", sha256=None))
        rows.extend(_disturbed(model, deviation))
    results = {
        "plan": {"mode": "live", "simulator": "mujoco", "laps": 1, "models": list(models)},
        "machine": {"hardware": {"cpu": "a processor", "cores": 2}, "versions": {"torch": "2.13"}},
        "published": [],
        "rows": rows,
        "summary": summarize(rows, BY_CIRCUIT),
        "totals": summarize(rows, BY_MODEL),
    }
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def _disturbed(model: str, deviation: float) -> list[dict[str, Any]]:
    rows = []
    for latency in LATENCIES:
        finished = latency < 200.0
        disturbance = f"latency={latency:g}"
        spec = RunSpec(model=model, lockstep=True, disturbance=disturbance)
        figures = {
            "lap_completed": finished, "laps": int(finished), "laps_asked": 1,
            "ending": "laps done" if finished else OFF_THE_ROAD, "average_speed": 12.0,
            "lap_times_s": [35.7] if finished else [],
            "position_deviation_mae": deviation * (1.0 + latency / 100.0),
        }  # fmt: skip
        rows.append(row_of(PlannedRun(spec), figures, folder=None, sha256=None))
    return rows
