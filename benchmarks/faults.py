"""Inject faults into live runs, and check what must hold: ``make faults``.

Each fault happens to a real run over DDS. The car must be told to stand within a bound, the
results be kept and right up to the fault, the run end with the reason, and nothing be left behind.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from fault_campaign.faults import all_faults
from fault_campaign.trial import Fault, Trial

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.errors import FAILED, SUCCESS
from pilotnet_brain.machine import made_by
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment

Result = tuple[Fault, list[str], float]


def faults(
    only: Annotated[str, typer.Option(help="Only faults with this text in their name.")] = "",
    out: Annotated[Path | None, typer.Option(help="Markdown file for the table.")] = None,
    domain: Annotated[int, typer.Option(help="ROS_DOMAIN_ID of the runs.")] = 95,
) -> None:
    """Inject each fault into a run, and print what held.

    \b
    Examples:
      benchmarks/faults.py                        all of them (40 minutes)
      benchmarks/faults.py --only "brain SIG"
      benchmarks/faults.py --out benchmarks/fault_campaign/results.md
    """
    os.environ.update(dds_environment(IMAGE_PUBLISHER))
    chosen = [fault for fault in all_faults() if only in f"{fault.name}, {fault.when}"]
    results: list[Result] = []
    try:
        with tempfile.TemporaryDirectory(prefix="pilotnet_faults_") as root:
            for number, fault in enumerate(chosen, 1):
                begin = time.monotonic()
                trial = Trial(fault, Path(root) / str(number), domain)
                problems = trial.run()
                results.append((fault, problems, time.monotonic() - begin))
                if out is not None:
                    write_atomically(out, _markdown(results).encode())
                verdict = "; ".join(problems) or "held"
                typer.echo(f"{number}/{len(chosen)}  {fault.name}, {fault.when}: {verdict}")
                if problems:
                    typer.echo(trial.log()[-1500:])
    except KeyboardInterrupt:
        typer.echo("stopped")
    held = sum(not problems for _, problems, _ in results)
    typer.echo(f"{held} of {len(results)} faults: everything held")
    raise typer.Exit(SUCCESS if held == len(chosen) else FAILED)


def _markdown(results: list[Result]) -> str:
    held = sum(not problems for _, problems, _ in results)
    origin = made_by()
    lines = [
        f"# Faults: in {held} of {len(results)} everything held",
        "",
        ", ".join(str(value) for value in origin.values()) + ".",
        "",
        "| fault | when | car stands within, s | held | run took, s |",
        "| --- | --- | ---: | --- | ---: |",
    ]
    for fault, problems, took_s in results:
        bound = "-" if fault.stop_s is None else f"{fault.stop_s:g}"
        verdict = "; ".join(problems).replace("|", "/") or "all"
        lines.append(f"| {fault.name} | {fault.when} | {bound} | {verdict} | {took_s:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(faults)
