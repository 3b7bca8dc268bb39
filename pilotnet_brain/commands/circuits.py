"""``pilotnet circuits``: which there are, one of them as a picture, and one found in a world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilotnet_brain.errors import UserError

app = typer.Typer(
    help="The circuits: list them, show one as a picture, or trace one in a world.",
    rich_markup_mode=None,
)


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


@app.command("trace")
def trace(
    source: Annotated[
        Path, typer.Argument(help="Gazebo world file, CSV of x,y, or rosbag of a driven lap.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="CSV to write, a .png next to it. [default: NAME.csv]")
    ] = None,
    car: Annotated[
        str, typer.Option(help="In a world: the model at which the lap starts, by name.")
    ] = "",
    colour: Annotated[
        tuple[int, int, int] | None,
        typer.Option(metavar="RED GREEN BLUE", help="In a world: of the line, 0..255 each."),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="The lap runs the other way round.")
    ] = False,
    against: Annotated[
        str, typer.Option(help="Circuit whose line the traced one is compared with.")
    ] = "",
) -> None:
    """Find the closed centerline of a circuit, check it, and write it as a CSV with its picture.

    In a world it is the painted line that the car stands on, else the middle of the road, seen from
    above. The lap starts at the car. Of a bag or a CSV it is the first closed lap.

    \b
    Examples:
      pilotnet circuits trace my_circuit.world
      pilotnet circuits trace my_circuit.world --car my_car --colour 255 255 0
      pilotnet circuits trace lap.bag --out my_circuit.csv
    """
    from pilotnet_brain.bags.reader import is_bag

    path = Path(f"{source.stem}.csv") if out is None else out
    if path.suffix != ".csv":
        raise UserError(f"--out is {path}: a circuit is written as a .csv")
    picture = path.with_suffix(".png")
    if source.exists() and path.exists() and path.samefile(source):
        raise UserError(f"{path}: would overwrite what is traced: name another with --out")
    if source.suffix.lower() in (".world", ".sdf") or not (is_bag(source) or _is_table(source)):
        _trace_world(source, path, picture, car, colour, reverse)
    else:
        _trace_lap(source, path, picture, reverse)
    if against:
        typer.echo(_distances(path, against))


def _distances(path: Path, against: str) -> str:
    """Return in words how far a circuit's points lie from another's line."""
    import numpy as np

    from pilotnet_brain.circuits.catalogue import load_circuit

    line = load_circuit(against).centerline
    points = load_circuit(path).centerline.points.tolist()
    away = np.array([abs(line.project(x, y).lateral_deviation) for x, y in points])
    return f"{away.mean():.3f} m from {against} on average, {away.max():.3f} m at most"


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".txt", ".tsv")


def _trace_world(
    world: Path,
    path: Path,
    picture: Path,
    car: str,
    colour: tuple[int, int, int] | None,
    reverse: bool,
) -> None:
    from pilotnet_brain.circuits.circuit import write_lap
    from pilotnet_brain.commands.progress import clear, show
    from pilotnet_brain.report.trace_picture import draw_trace
    from pilotnet_brain.report.track_drawing import describe
    from pilotnet_brain.simulation.world_circuit import trace_world

    show(f"looking at {world.name} from above")
    traced = trace_world(world, car, colour, reverse)
    clear()
    found, start = traced.found, traced.start
    red, green, blue = found.colour
    typer.echo(
        f"a {found.kind} of colour {red} {green} {blue}, {found.width_m:.2f} m wide"
        + (f", gaps of up to {found.closed_gaps_m:g} m closed" if found.closed_gaps_m else "")
    )
    typer.echo(describe(traced.circuit))
    if start is not None:
        away = traced.circuit.centerline.project(start.x, start.y).lateral_deviation
        typer.echo(f"starts at {start.name}, which stands {abs(away):.2f} m from the line")
    if traced.missing:
        typer.echo(f"not found, and so not seen: {', '.join(traced.missing)}", err=True)
    write_lap(path, traced.circuit)
    draw_trace(picture, traced.circuit, traced.ground)
    typer.echo(f"{path}, {picture}")


def _trace_lap(source: Path, path: Path, picture: Path, reverse: bool) -> None:
    from pilotnet_brain.circuits.catalogue import load_circuit
    from pilotnet_brain.circuits.circuit import write_lap
    from pilotnet_brain.report.track_drawing import describe, draw_circuit

    circuit = load_circuit(source)
    if reverse:
        circuit = circuit.reversed()
    typer.echo(describe(circuit))
    write_lap(path, circuit)
    typer.echo(f"{path}, {draw_circuit(picture, circuit)}")
