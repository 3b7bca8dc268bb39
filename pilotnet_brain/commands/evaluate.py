"""``pilotnet evaluate``: the models compared offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilotnet_brain.commands.training_progress import clear, show

_TABLE_WIDTH = 110
"""Characters; where the terminal has fewer, lines wrap, and no figure is cut."""


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names or paths; default: the reference and what was made of it."),
    ] = None,
    data: Annotated[Path, typer.Option(help="The test set's folder.")] = Path("datasets/test"),
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; default: the models' folder.")
    ] = None,
    reference: Annotated[
        str, typer.Option(help="The traced float model that ratios refer to.")
    ] = "baseline",
    device: Annotated[str, typer.Option(help="Where the models run: cpu or cuda.")] = "cpu",
    rounds: Annotated[
        int, typer.Option(min=1, help="Of 50 warm calls each, and of 5 at 20 Hz.")
    ] = 20,
) -> None:
    """Compare models offline: size, error on the test set, inference time, sparsity.

    Writes evaluation.csv, .json and .md. Rows of models that are not asked for are kept, so that
    one model can be measured anew. Nothing else should run on the machine meanwhile.

    \b
    Examples:
      pilotnet evaluate                              the baseline and all made from it
      pilotnet evaluate static_quant                 one model anew, the other rows kept
      pilotnet evaluate my/model.pt --out checkpoints/mine
      pilotnet evaluate baseline structured_prune --device cuda
    """
    from rich.console import Console

    from pilotnet_brain.atomic_file import write_atomically
    from pilotnet_brain.driving.model.catalogue import family_of, models_dir, resolve_model
    from pilotnet_brain.errors import UserError
    from pilotnet_brain.learning.dataset import load_dataset
    from pilotnet_brain.learning.offline.row import merge_rows, read_rows, write_rows
    from pilotnet_brain.learning.offline.table import offline_rows
    from pilotnet_brain.learning.offline.timing import TimingPlan
    from pilotnet_brain.report.offline_report import (
        offline_csv,
        offline_markdown,
        offline_tables,
    )

    folder = models_dir() if out is None else out
    earlier = read_rows(folder / "evaluation.json")
    paths = [resolve_model(name) for name in models or family_of(resolve_model(reference))]
    rows = offline_rows(
        paths,
        resolve_model(reference),
        load_dataset(data),
        device=device,
        plan=TimingPlan(rounds=rounds, paced_calls=5 * rounds),
        progress=show,
    )
    clear()
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    for table in offline_tables(rows):
        console.print(table)
    merged = merge_rows(earlier, rows)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_rows(folder / "evaluation.json", merged)
        write_atomically(folder / "evaluation.csv", offline_csv(merged).encode())
        write_atomically(folder / "evaluation.md", offline_markdown(merged).encode())
    except OSError as problem:
        raise UserError(f"{folder}: cannot be written: {problem}") from problem
    typer.echo(f"{len(merged)} rows are in {folder}/evaluation.csv, .json and .md")
