"""``pilotnet compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pilotnet_brain.report.compare.sides import Side


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders, folders of runs, benchmarks, BehaviorMetrics' JSON."),
    ],
    circuit: Annotated[
        str | None,
        typer.Option(help="Where BehaviorMetrics' results were driven; they do not say."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for compare.md, compare.csv and a picture a circuit."),
    ] = None,
) -> None:
    """Lay runs side by side, and tell whether they differ by more than their spread.

    A run's folder is one side. A folder of runs, a benchmark (each model on each circuit) or a
    folder of BehaviorMetrics' JSON results gives sides with repetitions, which have a spread.
    Differences are from the first side, or from the first one with the same model: two benchmarks
    are compared model by model. BehaviorMetrics' position_deviation_mae is the published
    score, and stands beside that.

    \b
    Examples:
      pilotnet compare runs/A runs/B
      pilotnet compare benchmarks/monday benchmarks/tuesday --out compared
      pilotnet compare runs/latest 20220217-113000.json --out compared
    """
    from rich.console import Console

    from pilotnet_brain.report.compare import tables
    from pilotnet_brain.report.compare.sides import sides_by_circuit

    by_circuit = sides_by_circuit(runs, circuit)
    console = Console(highlight=False)
    for name, sides in by_circuit.items():
        console.print(tables.values_table(name, sides))
        console.print(tables.differences_table(sides))
    console.print(tables.METHOD)
    if any(map(tables.without_spread, by_circuit.values())):
        console.print(tables.NO_SPREAD)
    if out is not None:
        _write(out, by_circuit)
        typer.echo(f"{out}: compare.md, compare.csv and the pictures")


def _write(out: Path, by_circuit: dict[str, list[Side]]) -> None:
    from pilotnet_brain.atomic_file import write_atomically
    from pilotnet_brain.circuits.catalogue import load_circuit
    from pilotnet_brain.errors import UserError
    from pilotnet_brain.report.compare import tables
    from pilotnet_brain.report.compare.picture import draw_comparison

    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = {}
        for name, sides in by_circuit.items():
            picture = f"{Path(name).stem}.png"
            if draw_comparison(out / picture, load_circuit(name), sides):
                pictures[name] = picture
        texts = {
            "compare.md": tables.markdown(by_circuit, pictures),
            "compare.csv": tables.comma_separated(by_circuit),
        }
        for file, text in texts.items():
            write_atomically(out / file, text.encode())
    except OSError as problem:
        raise UserError(f"{out}: cannot be written ({problem}); choose another --out") from problem
