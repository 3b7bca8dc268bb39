"""What the terminal shows while something is collected or trained."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    """Show where in an epoch the training is."""
    show(f"epoch {epoch + 1}: step {step} of {steps}, loss {loss:.5f}")


def show(text: str) -> None:
    """Rewrite the terminal's line; nothing where the output is a file."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def clear() -> None:
    """Empty the terminal's line."""
    show("")
