"""``pilotnet dataset``: what is in a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pilotnet_brain.learning.dataset_summary import DataSetSummary

app = typer.Typer(help="Data sets: show what is in one.", rich_markup_mode=None)


@app.callback()
def _datasets() -> None:
    """Keep ``show`` a command of its own, though it is the only one."""


@app.command("show")
def show_dataset(
    folder: Annotated[Path, typer.Argument(help="Of the data set; JdeRobot's work too.")],
    out: Annotated[
        Path | None, typer.Option(help="Picture to write (.png); default: FOLDER's name here.")
    ] = None,
) -> None:
    """Count a data set's frames, worlds, recoveries and directions, and draw their balance.

    \b
    Examples:
      pilotnet dataset show datasets/train
      pilotnet dataset show datasets/test --out test.png
    """
    from pilotnet_brain.errors import UserError
    from pilotnet_brain.learning.dataset import load_dataset
    from pilotnet_brain.learning.dataset_summary import read_recipe, summarize
    from pilotnet_brain.report.dataset_picture import draw_dataset

    data = load_dataset(folder)
    if not len(data):
        raise UserError(f"{folder}: the data set holds no frames; collect it again")
    summary = summarize(data, read_recipe(folder))
    lines = _lines(summary)
    for line in lines:
        typer.echo(line)
    name = folder.resolve().name
    path = out or Path(f"{name}.png")
    try:
        draw_dataset(path, data, name, " · ".join(lines[:4]))
    except OSError as problem:
        raise UserError(f"{path}: cannot be written: {problem}") from problem
    typer.echo(path)


def _lines(summary: DataSetSummary) -> list[str]:
    worlds = "" if summary.worlds is None else f" from {summary.worlds} worlds"
    lines = [f"{summary.frames} frames{worlds}"]
    if summary.recoveries is not None:
        lines.append(f"{summary.recoveries:.0%} taken off the line, on the way back")
    if summary.left_bends is not None and summary.right_bends is not None:
        lines.append(f"{summary.left_bends:.0%} in left bends, {summary.right_bends:.0%} in right")
    if summary.plain_looks is not None:
        lines.append(f"{summary.plain_looks:.0%} in the plain look")
    for name, count in (summary.circuits or {}).items():
        lines.append(f"  {name:<24} {count:>6} frames")
    return lines
