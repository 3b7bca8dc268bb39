"""The benches' figures as tables for the terminal."""

from __future__ import annotations

from rich.table import Table

from pilotnet_brain.evaluation.inference_bench import Durations, InferenceBench


def inference_table(bench: InferenceBench) -> Table:
    """Return the frame -> command figures, one loop a row, in milliseconds."""
    table = Table(
        title="Frame to command, ms: median (p99)",
        caption=(
            f"{bench.blocks} alternating blocks of {bench.calls_per_block} warm calls, "
            f"{bench.threads} thread(s), frames {bench.frames}; torch {bench.torch_version}, "
            f"{bench.machine}"
        ),
    )
    table.add_column("loop")
    for name in ("preprocessing", "model call", "whole path", "over reference"):
        table.add_column(name, justify="right")
    table.add_column("device")
    table.add_column("how")
    for loop in bench.loops:
        table.add_row(
            loop.name,
            _milliseconds(loop.preprocessing),
            _milliseconds(loop.model_call),
            _milliseconds(loop.path),
            f"{loop.ratio:.2f}",
            loop.device,
            f"{loop.form}; {loop.note}" if loop.note else loop.form,
        )
    return table


def _milliseconds(durations: Durations) -> str:
    return f"{durations.median_s * 1e3:.3f} ({durations.p99_s * 1e3:.3f})"
