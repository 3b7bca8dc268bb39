"""``pilotnet agreement``: the embedded simulator beside a real Gazebo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def agreement(
    circuit: Annotated[str, typer.Argument(help="Name, random-SEED or path.")] = "nurburgring",
    out: Annotated[Path, typer.Option(help="Picture to draw.")] = Path("gazebo_agreement.png"),
    seconds: Annotated[
        float, typer.Option(min=1.0, help="Simulated seconds of the expert's drive.")
    ] = 20.0,
) -> None:
    """Drive alike in the embedded simulator and in Gazebo Classic, and show how far they differ.

    Starts a gzserver of its own. Exit status 1 where a drive differs by more than its bound.

    \b
    Examples:
      pilotnet agreement
      pilotnet agreement many_curves --seconds 60 --out docs/gazebo_agreement.png
    """
    from rich.console import Console
    from rich.table import Table

    from pilotnet_brain.circuits.catalogue import load_circuit
    from pilotnet_brain.evaluation.gazebo_agreement import compare
    from pilotnet_brain.report.agreement_picture import draw_agreement

    loaded = load_circuit(circuit)
    typer.echo("driving in both (under a minute)")
    done = compare(loaded, seconds)
    table = Table("drive", "apart at most, m", "bound, m")
    for comparison in done:
        table.add_row(comparison.name, f"{comparison.apart_m:.4f}", f"{comparison.bound_m:.4f}")
    Console().print(table)
    typer.echo(f"drawn: {draw_agreement(out, loaded, done)}")
    if any(comparison.apart_m > comparison.bound_m for comparison in done):
        raise typer.Exit(1)
