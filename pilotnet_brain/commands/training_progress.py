"""What the terminal shows: one line of progress, and tables whose figures are never cut off."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from pilotnet_brain.learning.train import EpochReport


_WIDEST = 1000
"""Characters that a line of a table may have; a terminal that has fewer wraps it."""


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


def print_tables(tables: Iterable[Table]) -> None:
    """Print tables at full width, whatever the terminal's: lines wrap, no figure is cut off."""
    from rich.console import Console

    console = Console()
    terminal = console.width
    for table in tables:
        console.width = _WIDEST
        console.width = max(terminal, console.measure(table).maximum)
        console.print(table)
