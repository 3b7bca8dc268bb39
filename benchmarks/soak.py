"""Drive for hours in one live run, and see whether it costs more than a short one: ``make soak``.

Memory and processor time of every process, the bag, and the figures. ``--help`` has the options.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from long_run.processes import Sample, Usage, sample, usage_of
from long_run.results import Verdict, judge, table

from pilotnet_brain.errors import USER_ERROR, UserError
from pilotnet_brain.runs.drive import RunInterrupted, drive
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.spec import RunSpec

ROOT = Path(__file__).parent.parent
_EVERY_S = 10.0


class Sampler(threading.Thread):
    """Samples this process's children each 10 s from when the car drives."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self._folder: RunFolder | None = None
        self._over = threading.Event()

    def begin(self, folder: RunFolder) -> None:
        """Begin with a run's start."""
        self._folder = folder
        self.start()

    def end(self) -> None:
        """Take no more samples."""
        self._over.set()
        if self._folder is not None:
            self.join()

    def run(self) -> None:
        """Sample until the end."""
        while not self._over.wait(_EVERY_S):
            # One that reads its line for lap.png or ends is not driving any more.
            figures = (self._folder and self._folder.read_metrics()) or {}
            if figures.get("ending") is None and self._drives():
                self.samples.append(sample())
                print(self.samples[-1].line(self.samples[0]), flush=True)

    def _drives(self) -> bool:
        return self._folder is not None and self._folder.trajectory_csv.exists()


def soak(
    minutes: Annotated[float, typer.Option(min=1.0, help="Simulated minutes to drive.")] = 120.0,
    model: Annotated[str, typer.Option(help="Name or path.")] = "static_quant",
    circuit: Annotated[str, typer.Option(help="Name or path.")] = "simple_circuit",
    output: Annotated[
        Path | None, typer.Option(help="Keep the run here; else it is removed.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Markdown file for the table.")] = ROOT
    / "docs/results/soak.md",
) -> None:
    """Drive one long live run; exit status 1 where it costs more at its end, or lost something.

    \b
    Examples:
      benchmarks/soak.py                      two hours
      benchmarks/soak.py --minutes 8 --output runs/soak
    """
    with tempfile.TemporaryDirectory() as temporary:
        verdict = _drive(minutes, model, circuit, output or Path(temporary))
    text = table(verdict)
    print(text)
    out.write_text(text)
    sys.exit(1 if verdict.broken else 0)


def _drive(minutes: float, model: str, circuit: str, output: Path) -> Verdict:
    spec = RunSpec(
        circuit=circuit, model=model, laps=10000, time_limit=60.0 * minutes, output=str(output)
    )
    sampler = Sampler()
    try:
        folder = drive(spec, on_start=sampler.begin, log="nodes.log")
    except RunInterrupted as interrupted:
        folder = interrupted.folder
    finally:
        sampler.end()
    return judge(folder, _usage(sampler.samples))


def _usage(samples: Sequence[Sample]) -> list[Usage]:
    if len(samples) < 5:
        raise UserError("soak: the car drove for less than a minute; the run's nodes.log says why")
    return usage_of(samples)


if __name__ == "__main__":
    try:
        typer.run(soak)
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(USER_ERROR)
