"""``pilotnet bench`` and ``pilotnet metrics``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer


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
    """Time frame -> command beside a plain reference loop, frames over DDS, simulator and laps.

    The reference loop does what BehaviorMetrics' brain does with the same frames: OpenCV crop and
    resize, a PIL image, a float tensor, the traced model, numpy.

    \b
    Examples:
      pilotnet bench                                      the shipped models
      pilotnet bench --model my/model.pt --device cuda
      pilotnet bench --no-transport --no-simulator --no-lockstep --out bench.json
    """
    from rich.console import Console

    from pilotnet_brain.driving.model_catalogue import model_names, resolve_model
    from pilotnet_brain.evaluation.bench_frames import bench_frames
    from pilotnet_brain.evaluation.inference_bench import bench_inference
    from pilotnet_brain.report.bench_table import inference_table, transport_table

    paths = [resolve_model(name) for name in model or model_names()]
    frames, source = bench_frames()
    figures = bench_inference(
        paths,
        resolve_model(reference),
        frames,
        device=device,
        threads=threads,
        blocks=blocks,
        frames_source=source,
    )
    Console().print(inference_table(figures))
    measured: dict[str, Any] = {"inference": figures.to_dict()}
    if transport:
        from pilotnet_brain.nodes.transport_bench import bench_transport

        rows = bench_transport()
        Console().print(transport_table(rows))
        measured["transport"] = [row.to_dict() for row in rows]
    if simulator:
        measured["simulator"] = _bench_simulator()
    if lockstep:
        measured["lockstep"] = _bench_lockstep()
    if out is not None:
        out.write_text(json.dumps(measured, indent=1) + "\n")


def _bench_simulator() -> list[dict[str, Any]]:
    from dataclasses import asdict

    from rich.console import Console

    from pilotnet_brain.circuits.catalogue import circuit_names
    from pilotnet_brain.evaluation.simulator_bench import bench_simulator
    from pilotnet_brain.report.bench_table import simulator_table

    speeds = bench_simulator(circuit_names())
    Console().print(simulator_table(speeds))
    return [asdict(speed) for speed in speeds]


def _bench_lockstep() -> list[dict[str, Any]]:
    from dataclasses import asdict

    from rich.console import Console

    from pilotnet_brain.circuits.catalogue import circuit_names
    from pilotnet_brain.evaluation.lockstep_bench import bench_lockstep
    from pilotnet_brain.report.bench_table import lockstep_table

    speeds = bench_lockstep(circuit_names())
    Console().print(lockstep_table(speeds))
    return [asdict(speed) for speed in speeds]


def metrics(
    bag: Annotated[Path, typer.Argument(help="Bag (ROS 1 or ROS 2), or a run's folder.")],
    circuit: Annotated[
        str | None, typer.Option(help="Name, random-SEED or path; default the run's.")
    ] = None,
    laps: Annotated[
        int | None,
        typer.Option(min=0, help="Laps of the run; 0: all in the bag; default the run's, or 1."),
    ] = None,
    reference_lap: Annotated[
        Path | None, typer.Option(help="CSV or bag, for the published deviation score.")
    ] = None,
    odom_topic: Annotated[
        str | None, typer.Option(help="Odometry; default /F1ROS/odom or the only one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for the figures.")] = None,
) -> None:
    """Measure the run in a rosbag as the live metrics node does.

    Of a run's folder the circuit, the laps, the time limit and the reference lap are known.

    \b
    Examples:
      pilotnet metrics runs/latest
      pilotnet metrics lap.bag --circuit simple_circuit --reference-lap perfect_lap.bag
      pilotnet metrics runs/latest/bag --circuit montreal --out again.json
    """
    from pilotnet_brain.circuits.catalogue import load_circuit
    from pilotnet_brain.errors import UserError
    from pilotnet_brain.metrics.bag import BagTopics, run_from_bag
    from pilotnet_brain.metrics.reference_lap import read_reference_lap

    asked = _asked_of(bag)
    circuit = circuit or asked.get("circuit")
    if circuit is None:
        raise UserError(f"{bag}: say where it was driven, with --circuit")
    reference = reference_lap or asked.get("reference_lap")
    topics = BagTopics.of_run(asked)
    run = run_from_bag(
        bag,
        load_circuit(circuit),
        asked.get("laps", 1) if laps is None else laps,
        topics=replace(topics, odometry=odom_topic) if odom_topic else topics,
        reference_lap=read_reference_lap(reference) if reference else None,
        time_limit_s=asked.get("time_limit") or None,
        simulator=asked.get("simulator"),
    )
    for warning in run.warnings:
        typer.echo(f"warning: {warning}", err=True)
    text = json.dumps(run.figures, indent=1)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n")


def _asked_of(bag: Path) -> dict[str, Any]:
    """Return what was asked of the run whose folder this is, or whose bag; else nothing."""
    from pilotnet_brain.report.run_folder import RunFolder

    path = bag.expanduser().resolve()
    for folder in (path, path.parent):
        if (folder / "run.yaml").is_file():
            return RunFolder.open(folder).parameters()
    return {}
