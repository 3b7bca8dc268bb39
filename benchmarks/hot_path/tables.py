"""The benches' figures as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rich.table import Table

from hot_path.inference import InferenceBench
from hot_path.lockstep import LockstepSpeed
from hot_path.views import ViewCost
from pilotnet_brain.learning.offline.timing import Durations


class SimulatorRow(Protocol):
    """One circuit's figures, as ``evaluation.simulator_bench`` measures them."""

    @property
    def circuit(self) -> str: ...
    @property
    def frames_per_s(self) -> float: ...
    @property
    def frame_s_p50(self) -> float: ...
    @property
    def frame_s_p99(self) -> float: ...


class TransportRow(Protocol):
    """One rate's figures, as ``nodes.transport_bench`` measures them."""

    @property
    def rate_hz(self) -> float: ...
    @property
    def published_rate_hz(self) -> float: ...
    @property
    def frames_published(self) -> int: ...
    @property
    def frames_lost(self) -> int: ...
    @property
    def age_p50_s(self) -> float | None: ...
    @property
    def age_p99_s(self) -> float | None: ...
    @property
    def publish_p50_s(self) -> float: ...
    @property
    def publish_p99_s(self) -> float: ...


def inference_table(bench: InferenceBench) -> Table:
    """Return the frame -> command figures, one loop a row, in milliseconds."""
    how = [
        f"{loop.name}: {loop.device}, {loop.form}{'; ' if loop.note else ''}{loop.note}"
        for loop in bench.loops
    ]
    measured = (
        f"{bench.blocks} alternating blocks of {bench.calls_per_block} warm calls, "
        f"{bench.threads} thread(s), frames {bench.frames}; torch {bench.torch_version}, "
        f"{bench.machine}"
    )
    if bench.load is not None:
        measured += f", load average before {bench.load:.1f}"
    table = Table(
        title="Frame to command, ms: median (p99)",
        caption="\n".join([*how, measured]),
        caption_justify="left",
    )
    table.add_column("loop")
    for name in ("preprocessing", "model call", "whole path", "of reference"):
        table.add_column(name, justify="right")
    for loop in bench.loops:
        table.add_row(
            loop.name,
            _milliseconds(loop.preprocessing),
            _milliseconds(loop.model_call),
            _milliseconds(loop.path),
            f"{loop.ratio:.2f}",
        )
    return table


def views_table(costs: Sequence[ViewCost]) -> Table:
    """Return the cost of other views than the model's own, one a row, in milliseconds."""
    table = Table(title="Frame to network input, ms: median (p99)")
    table.add_column("view")
    table.add_column("preprocessing", justify="right")
    table.add_column("more than plain", justify="right")
    plain = costs[0].preprocessing.median_s
    for cost in costs:
        more = 1e3 * (cost.preprocessing.median_s - plain)
        table.add_row(cost.view, _milliseconds(cost.preprocessing), f"{more:+.3f}")
    return table


def _milliseconds(durations: Durations) -> str:
    return f"{durations.median_s * 1e3:.3f} ({durations.p99_s * 1e3:.3f})"


def transport_table(figures: Sequence[TransportRow]) -> Table:
    """Return the figures of frames over DDS, one rate a row."""
    table = Table(
        title="640x480 frames over DDS, between two processes",
        caption="age: from the stamp to the receiver's callback; median (p99)",
    )
    for name in ("rate, Hz", "kept, Hz", "frames", "lost", "age, ms", "publish call, ms"):
        table.add_column(name, justify="right")
    for row in figures:
        if row.age_p50_s is None or row.age_p99_s is None:
            age = "-"
        else:
            age = _milliseconds(Durations(row.age_p50_s, row.age_p99_s))
        table.add_row(
            f"{row.rate_hz:g}",
            f"{row.published_rate_hz:.1f}",
            str(row.frames_published),
            str(row.frames_lost),
            age,
            _milliseconds(Durations(row.publish_p50_s, row.publish_p99_s)),
        )
    return table


def simulator_table(figures: Sequence[SimulatorRow]) -> Table:
    """Return the lock-step simulator's pace, one circuit a row."""
    table = Table(
        title="The embedded simulator in lock-step, 640x480 at 20 Hz",
        caption="a frame: ten steps of 5 ms and one rendering; median (p99)",
    )
    for name in ("circuit", "frames/s", "a frame, ms"):
        table.add_column(name, justify="left" if name == "circuit" else "right")
    for row in figures:
        table.add_row(
            row.circuit,
            f"{row.frames_per_s:.0f}",
            _milliseconds(Durations(row.frame_s_p50, row.frame_s_p99)),
        )
    return table


def lockstep_table(figures: Sequence[LockstepSpeed]) -> Table:
    """Return the pace of whole laps in lock-step, one circuit a row."""
    table = Table(
        title="Laps in lock-step, times real time per core",
        caption="simulator, network and metrics in one process of one thread; of the simulated "
        "seconds\nthe median (slowest hundredth); and over the processor's time of the whole run",
    )
    for name in ("circuit", "model", "simulated, s", "times real time", "times CPU time"):
        left = name in ("circuit", "model")
        table.add_column(name, justify="left" if left else "right")
    for row in figures:
        table.add_row(
            row.circuit,
            row.model,
            f"{row.simulated_s:.1f}",
            f"{row.times_real_time_p50:.1f} ({row.times_real_time_p1:.1f})",
            f"{row.times_cpu_time:.1f}",
        )
    return table
