"""What the terminal shows while a network is trained and while a benchmark is driven."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from pilotnet_brain.benchmark.plan import PlannedRun
    from pilotnet_brain.learning.train import EpochReport


def epoch_line(report: EpochReport) -> str:
    """Return a finished epoch's figures in a line."""
    kept = ", the best so far" if report.best else ""
    return (
        f"epoch {report.epoch + 1}: loss {report.training_loss:.5f}, "
        f"validation {report.validation_loss:.5f} (speed {report.speed_rmse:.2f} m/s, "
        f"yaw rate {report.yaw_rate_rmse:.3f} rad/s rms){kept}"
    )


def show_step(epoch: int, step: int, steps: int, loss: float) -> None:
    """Show the progress of an epoch."""
    show(f"epoch {epoch + 1}: step {step} of {steps}, loss {loss:.5f}")


def show(text: str) -> None:
    """Rewrite the terminal's last line; nothing if the output is a file."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def clear() -> None:
    """Empty the terminal's line."""
    show("")


class BenchmarkProgress:
    """A bar with the time left, and a line for every run that is done.

    Where the output is a file there is no bar, and each line ends with the time left.

    Args:
        console: to show it on.
        done: runs that an earlier start has done.
        work: of each run still to do, by its name, in any unit: the time left follows from it.
    """

    def __init__(self, console: Console, done: int, work: Mapping[str, float]) -> None:
        self._console = console
        self._done = done
        self._total = done + len(work)
        self._work = dict(work)
        self._all_work = sum(work.values())
        self._work_done = 0.0
        self._start = time.monotonic()
        self._bar = _bar(console)
        self._task = self._bar.add_task("", total=self._total, completed=done, left="")

    def __enter__(self) -> BenchmarkProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def add(self, run: PlannedRun, text: str) -> None:
        """Show a run that is done."""
        self._done += 1
        self._work_done += self._work[run.name]
        elapsed_s = time.monotonic() - self._start
        left = f"{duration_text(elapsed_s * (self._all_work / self._work_done - 1.0))} left"
        line = f"[{self._done}/{self._total}] {run}: {text}"
        self._bar.update(self._task, completed=self._done, left=left)
        if not self._console.is_terminal:
            line += f"; {left}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def duration_text(seconds: float) -> str:
    """Return a duration as a person says it."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    if seconds < 5400.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / 3600.0:.1f} h"


def result_text(figures: Mapping[str, Any]) -> str:
    """Return a run's result in a phrase: the lap time, speed and deviation, or why it ended."""
    from pilotnet_brain.report.figures import figure_text, outcome

    parts = [outcome(figures)]
    if figures.get("average_speed") is not None:
        parts.append(figure_text(figures, "average_speed"))
    if figures.get("position_deviation_mae") is not None:
        parts.append(f"{figure_text(figures, 'position_deviation_mae')} off the line")
    return ", ".join(parts)


def _bar(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs,"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        disable=not console.is_terminal,
    )
