"""``pilotnet report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[
        Path, typer.Argument(help="Folder of a run, or of a benchmark (pilotnet benchmark --out).")
    ] = Path("runs/latest"),
) -> None:
    """Show a run or a benchmark on one page: report.html in its folder, for any browser.

    \b
    A run's page: the lap on the map coloured by deviation or speed, speed, deviation and
    commands over arc length, the brain's times, the camera at the largest deviation, all
    figures, the published ones beside ours, machine and versions.
    A benchmark's page: its table, every run's map, disturbance curves, links to the
    pages of the runs, which are written where they are missing.
    A page is one file and needs no network: send it to whom you like.

    \b
    Examples:
      pilotnet report                     the newest run
      pilotnet report runs/benchmark      a benchmark, and all its runs
    """
    from pilotnet_brain.commands.training_progress import clear, show
    from pilotnet_brain.report.page.benchmark import (
        is_benchmark,
        write_benchmark_page,
        write_missing_run_pages,
    )
    from pilotnet_brain.report.page.run import write_run_page
    from pilotnet_brain.runs.folder import RunFolder

    if not is_benchmark(folder):
        typer.echo(write_run_page(RunFolder.open(folder)))
        return
    try:
        write_missing_run_pages(
            folder, lambda done, count: show(f"report: {done} of {count} pages of runs")
        )
    finally:
        clear()
    typer.echo(write_benchmark_page(folder))
