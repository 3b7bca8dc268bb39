"""Time this package's own hot path: ``make bench``.

Frame -> command next to a plain reference loop, frames over DDS, the embedded simulator, laps in
lock-step. ``--help`` has the options.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from hot_path import tables
from hot_path.inference import bench_inference
from hot_path.lockstep import bench_lockstep
from hot_path.simulator import bench_simulator
from hot_path.transport import bench_transport
from hot_path.views import bench_views
from rich.console import Console

from pilotnet_brain.circuits.catalogue import circuit_names
from pilotnet_brain.driving.model.catalogue import model_names, resolve_model
from pilotnet_brain.errors import USER_ERROR, UserError
from pilotnet_brain.simulation.mujoco.example_frames import example_frames


def bench(
    model: Annotated[
        list[str] | None, typer.Option(help="Name or path; give it more than once for several.")
    ] = None,
    reference: Annotated[
        str, typer.Option(help="The model that the plain reference loop runs.")
    ] = "baseline",
    device: Annotated[str, typer.Option(help="Where the models run: auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Of torch and OpenCV, in all loops.")] = 1,
    blocks: Annotated[int, typer.Option(min=1, help="Of 50 calls each, taken in turns.")] = 10,
    transport: Annotated[
        bool, typer.Option(help="Also send frames over DDS between two processes.")
    ] = True,
    simulator: Annotated[
        bool, typer.Option(help="Also time the embedded simulator in lock-step.")
    ] = True,
    lockstep: Annotated[
        bool, typer.Option(help="Also time laps of an int8 model in lock-step.")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="JSON file for the figures.")] = None,
) -> None:
    """Time frame -> command next to a plain loop, other views, frames over DDS, simulator, laps.

    The reference loop does what BehaviorMetrics' brain does with the same frames: OpenCV crop and
    resize, a PIL image, a float tensor, the traced model, numpy.

    \b
    Examples:
      benchmarks/bench.py                                   the shipped models
      benchmarks/bench.py --model my/model.pt --device cuda
      benchmarks/bench.py --no-transport --no-simulator --no-lockstep --out bench.json
    """
    frames, what = example_frames()
    figures = bench_inference(
        [resolve_model(name) for name in model or model_names()],
        resolve_model(reference),
        frames,
        what,
        device=device,
        threads=threads,
        blocks=blocks,
    )
    Console().print(tables.inference_table(figures))
    costs = bench_views(list(frames), blocks)
    Console().print(tables.views_table(costs))
    measured: dict[str, Any] = {
        "inference": figures.to_dict(),
        "views": [asdict(cost) for cost in costs],
    }
    if transport:
        rows = bench_transport()
        Console().print(tables.transport_table(rows))
        measured["transport"] = [row.to_dict() for row in rows]
    if simulator:
        speeds = bench_simulator(circuit_names())
        Console().print(tables.simulator_table(speeds))
        measured["simulator"] = [asdict(speed) for speed in speeds]
    if lockstep:
        laps = bench_lockstep(circuit_names())
        Console().print(tables.lockstep_table(laps))
        measured["lockstep"] = [asdict(lap) for lap in laps]
    if out is not None:
        out.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    try:
        typer.run(bench)
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(USER_ERROR)
