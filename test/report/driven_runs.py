"""Run folders of cars that were driven by formula, for the pages."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.metrics.frame_record import FrameRecord
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.spec import RunSpec

SPEED = 12.0
WORST_AT, WORST = 200.0, -0.24
"""Where on the lap the cars of these runs are farthest off the line, m, and how far."""


def one_bump(arc_length: float) -> float:
    """Up to 2 cm to both sides of the line, and once 24 cm to its right."""
    bump = WORST * math.exp(-(((arc_length - WORST_AT) / 6.0) ** 2))
    return 0.02 * math.sin(arc_length / 15.0) * (abs(arc_length - WORST_AT) > 30.0) + bump


def driven_run(
    folder: Path,
    circuit: str | Path = "simple_circuit",
    *,
    model: str = "baseline",
    laps: int = 1,
    deviation: Callable[[float], float] = one_bump,
    until_s: float = 1000.0,
    hz: float = 20.0,
    looks_seed: int = 0,
) -> RunFolder:
    """Write the folder of a run at 12 m/s: trajectory.csv, metrics.json and run.yaml."""
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    driven_on = load_circuit(circuit)
    metrics = RunMetrics(driven_on, Rules(laps=laps))
    line = driven_on.centerline
    tick = 0
    while metrics.ending is None and tick / hz <= until_s:
        time_s = tick / hz
        arc_length = SPEED * time_s % line.length
        x, y = line.position(arc_length)
        heading, lateral = float(line.heading(arc_length)), deviation(arc_length)
        metrics.add_command(time_s, SPEED + 0.5, 0.1)
        metrics.add_frame(_record(time_s, tick, model))
        place = x - lateral * math.sin(heading), y + lateral * math.cos(heading)
        for row in metrics.add_pose(time_s, *map(float, place), heading, SPEED, 0.0):
            run.append_trajectory(row)
        tick += 1
    metrics.end("stopped by SIGINT")
    run.close()
    run.write_metrics(metrics.figures(simulator="mujoco"))
    run.add_to_record(**_record_of_run(str(circuit), model, looks_seed))
    run.keep_circuit(driven_on)
    return run


def _record(time_s: float, tick: int, model: str) -> FrameRecord:
    rng = np.random.default_rng(tick)
    taken = 0.001 + 0.0002 * float(rng.gamma(2.0))
    return FrameRecord(
        stamp_s=time_s, preprocess_s=1e-4, inference_s=taken, callback_s=taken + 4e-4,
        age_s=taken + 1e-3, speed=SPEED, yaw_rate=0.1, outputs=(0.4, 0.5), model=model,
        device="cpu", driven=True, frames_received=tick + 1,
    )  # fmt: skip


def _record_of_run(circuit: str, model: str, looks_seed: int) -> dict[str, Any]:
    return {
        "started": "2026-01-02T03:04:05+00:00",
        "spec": RunSpec(circuit=circuit, model=model, looks_seed=looks_seed).to_dict(),
        "versions": {"python": "3.11.7", "torch": "2.13.0", "rclpy": None},
        "git_commit": "0123456789abcdef",
        "hardware": {"cpu": "a processor", "cores": 2, "gpu": None},
    }
