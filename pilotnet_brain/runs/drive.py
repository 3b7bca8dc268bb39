"""Drives a spec into a folder: live over ROS 2, or in lock-step in this process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from pilotnet_brain.bags.reader import BagLibraryMissing
from pilotnet_brain.errors import UserError, input_warnings_told_before
from pilotnet_brain.machine import made_by
from pilotnet_brain.metrics.run_metrics import Figures
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.package_share import pilotnet_command
from pilotnet_brain.runs.check import check_run
from pilotnet_brain.runs.events import FAILED, REFUSED, STOPPING, last_reason, record_event
from pilotnet_brain.runs.fast_dds import remove_dead_files
from pilotnet_brain.runs.finish import finish_run
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.graph import run_graph
from pilotnet_brain.runs.processes import RunProcesses, how_it_ended
from pilotnet_brain.runs.signals import StopSignal
from pilotnet_brain.runs.spec import RunSpec


class RunRefused(UserError):  # noqa: N818  (named by what it is)
    """A process of the run cannot take part; it has said why. Nothing was driven or kept."""


class RunIncomplete(UserError):  # noqa: N818  (named by what it is)
    """The run was driven, and its results could not be completed: a full disk, mostly."""


class RunInterrupted(KeyboardInterrupt):
    """This process was told to end the run; what was driven is in the folder.

    Attributes:
        folder: of the run.
        number: of the signal.
    """

    def __init__(self, folder: RunFolder, number: int) -> None:
        super().__init__()
        self.folder, self.number = folder, number


def drive(
    spec: RunSpec,
    path: Path | None = None,
    *,
    on_start: Callable[[RunFolder], object] = lambda folder: None,
    on_progress: Callable[[Figures], object] = lambda figures: None,
    log: str = "",
) -> RunFolder:
    """Drive one run from start to end; return its folder, with metrics.json in it.

    Args:
        spec: of the run.
        path: the run's folder; None: a new one, named by time, under the spec's output.
        on_start: called with the folder once everything is checked.
        on_progress: called with `RunMetrics.progress` once a second of a lock-step run; of a live
            one the metrics node shows it.
        log: name of a file in the folder that takes what the nodes print; empty: the terminal does.

    Raises:
        UserError: something is wrong with the spec; nothing was started.
        RunRefused: a node cannot take part, and has said why; the folder is removed.
        RunIncomplete: the results could not be completed.
        RunInterrupted: SIGINT or SIGTERM ended the run.
    """
    folder = prepare_run(spec, path)
    on_start(folder)
    if spec.in_process:
        number = _drive_in_process(folder, on_progress)
    else:
        with (folder.path / log).open("wb") if log else nullcontext() as output:
            number = _drive_live(folder, output)
    if number is not None:
        raise RunInterrupted(folder, number)
    return folder


def prepare_run(spec: RunSpec, path: Path | None = None) -> RunFolder:
    """Check a spec and make the run's folder, with all that the run is measured by.

    Raises:
        UserError: something is wrong with the spec; nothing was made.
    """
    check_run(spec)
    spec = spec.with_absolute_paths()
    if path is None:
        folder = RunFolder.create(spec.output, spec.circuit, spec.model)
    else:
        folder = RunFolder.make(path)
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    folder.add_to_record(started=started, spec=spec.to_dict(), **made_by())
    # Without the library that reads bags it is the metrics node that keeps the circuit.
    with suppress(BagLibraryMissing), input_warnings_told_before():
        folder.keep_line()
    return folder


def _drive_live(folder: RunFolder, output: IO[bytes] | None) -> int | None:
    """Start the nodes, wait until one ends the run, end the others; return the signal, if any."""
    remove_dead_files()
    nodes = run_graph(folder.spec(), folder.path)
    folder.add_to_record(nodes={node.name: node.parameters for node in nodes})
    processes = RunProcesses(nodes, folder.path, output)
    reason = "the run could not be started"
    try:
        first = processes.run()
        failure = last_reason(folder.path, FAILED)
        reason = reason_of(first, processes.received_signal, failure)
    finally:
        # Results are kept whatever happened, so the metrics node must know why it ends.
        if reason:
            record_event(folder.path, "run", STOPPING, reason)
        processes.stop()
        remove_dead_files()
    if (refusal := last_reason(folder.path, REFUSED)) is not None:
        folder.discard()
        raise RunRefused(refusal)
    complete(folder, reason)
    return processes.received_signal


def _drive_in_process(folder: RunFolder, on_progress: Callable[[Figures], object]) -> int | None:
    """Drive in lock-step and write the figures; return the signal that ended it, if one did."""
    # Brings torch and MuJoCo along, which a live run's nodes import themselves.
    from pilotnet_brain.runs.lockstep_run import drive_spec

    metrics = folder.new_metrics()
    shown = time.monotonic()

    with StopSignal() as stop:

        def keep(row: TrajectoryRow) -> None:
            nonlocal shown
            folder.append_trajectory(row)
            if time.monotonic() - shown >= 1.0:
                shown = time.monotonic()
                on_progress(metrics.progress())
            if stop.number is not None:
                metrics.end(f"stopped by {stop.name}")

        try:
            folder.write_metrics(drive_spec(folder.spec(), metrics, keep))
            folder.close()
        except OSError as problem:
            raise _incomplete(folder, problem) from problem
    return stop.number


def complete(folder: RunFolder, reason: str) -> Figures:
    """Return the figures of a run that has ended, completed as `finish_run` does.

    Raises:
        RunIncomplete: that cannot be done.
    """
    try:
        return finish_run(folder, reason)
    except (UserError, OSError) as problem:
        raise _incomplete(folder, problem) from problem


def _incomplete(folder: RunFolder, problem: Exception) -> RunIncomplete:
    text = f"the results are not complete: {problem}"
    if folder.trajectory_csv.exists():
        text += f"; what was kept: {pilotnet_command()} report {folder.path}"
    return RunIncomplete(text)


def reason_of(
    first: tuple[str, int] | None, received_signal: int | None, failure: str | None = None
) -> str:
    """Return why a run ends before its time, the empty text where it ends as it should.

    Args:
        first: name and exit status of the node that ended first, if one did.
        received_signal: that told the run to end, if one did.
        failure: why a node cannot go on, if one has said so.
    """
    if received_signal is not None:
        return f"stopped by {signal.Signals(received_signal).name}"
    if first is None or first == ("metrics", 0):
        return ""
    name, status = first
    if failure and status:
        return failure
    return f"the {name} node ended ({how_it_ended(status)})"
