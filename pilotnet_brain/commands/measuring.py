"""``pilotnet bench`` and ``pilotnet metrics``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer


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
    from pilotnet_brain.metrics.reference_lap import read_reference_lap
    from pilotnet_brain.runs.from_bag import BagTopics, run_from_bag

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
    from pilotnet_brain.runs.folder import RunFolder

    path = bag.expanduser().resolve()
    for folder in (path, path.parent):
        if (folder / "run.yaml").is_file():
            return RunFolder.open(folder).parameters()
    return {}
