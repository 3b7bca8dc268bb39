"""``pilotnet circuits``: which circuits there are, and one of them as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilotnet_brain.errors import UserError

app = typer.Typer(help="The circuits: list them, or show one as a picture.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _circuits(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_circuits()


@app.command("list")
def list_circuits() -> None:
    """List the shipped circuits: lap, tightest radius, road width, and what each is for.

    Circuits of the role "test" were never trained on. Also: random-SEED (a circuit drawn at random,
    e.g. random-7), or the path of a CSV of x,y or of a rosbag of one lap.
    """
    import numpy as np

    from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit

    typer.echo(f"{'circuit':<16}{'lap':>9}{'tightest':>11}{'road':>8}  role")
    for name in circuit_names():
        circuit = load_circuit(name)
        line = circuit.centerline
        stations = np.arange(0.0, line.length, 0.25)
        radius = 1.0 / float(np.abs(line.curvature(stations)).max())
        width = 2.0 * circuit.asphalt_half_width
        typer.echo(
            f"{name:<16}{line.length:>7.0f} m{radius:>9.1f} m{width:>6.2f} m  {circuit.role}"
        )
    typer.echo("also: random-SEED, or the path of a CSV of x,y or of a rosbag of one lap")


@app.command("show")
def show_circuit(
    circuit: Annotated[str, typer.Argument(help="Name, random-SEED or path.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Picture to write: .png, .svg or .pdf. [default: NAME-circuit.png]"),
    ] = None,
) -> None:
    """Draw a circuit as a picture: the road, the line, the start and the driving direction.

    \b
    Examples:
      pilotnet circuits show montreal
      pilotnet circuits show random-7 --out seven.png
      pilotnet circuits show my_lap.csv
    """
    from pilotnet_brain.circuits.catalogue import load_circuit
    from pilotnet_brain.report.track_drawing import draw_circuit

    loaded = load_circuit(circuit)
    picture = out or Path(f"{loaded.name}-circuit.png")
    if out is None and picture.exists():
        raise UserError(f"{picture} exists: to draw it again, name it: --out {picture}")
    typer.echo(draw_circuit(picture, loaded))
