"""One run from start to end without ``ros2 launch``: what ``pilotnet drive`` does."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pilotnet_brain.runs.graph import NodeSpec, RunPlan, checked_plan, run_graph
from pilotnet_brain.errors import FAILED, SUCCESS, USER_ERROR, UserError
from pilotnet_brain.runs.dds_profile import other_terminals
from pilotnet_brain.runs.processes import RunProcesses, how_it_ended
from pilotnet_brain.runs.run_video import make_video
from pilotnet_brain.runs.fastdds_files import remove_dead_files
from pilotnet_brain.runs.standstill import Standstill
from pilotnet_brain.runs.stop_reason import take_stop_reason, write_stop_reason
from pilotnet_brain.runs.finish import finish_run
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.machine import run_record

_GAZEBOS = ("gazebo", "gz")


@dataclass(frozen=True)
class RunEnd:
    """How the nodes of a run ended.

    Attributes:
        reason: why the run ended before its time, empty where it ended as it should.
        refused: whether a node refused the run before it began: there is nothing to keep.
        received_signal: that told this process to end the run, if one did.
        killed: names of the nodes that had to be killed.
    """

    reason: str
    refused: bool
    received_signal: int | None
    killed: list[str]


def live_run(plan: RunPlan) -> int:
    """Drive one run from start to end, show its table, and return its exit status.

    Raises:
        UserError: something is wrong with the plan; nothing was started.
    """
    folder, specs = prepare_run(plan)
    print(f"{plan.circuit} with {plan.model}: results in {folder.path}", flush=True)
    if hint := other_terminals():
        print(hint, flush=True)
    end = run_nodes(folder, specs)
    if end.reason and end.received_signal is None and not end.refused:
        print(f"error: {end.reason}", file=sys.stderr, flush=True)
    if end.killed:
        killed = ", ".join(end.killed)
        print(f"killed, since they did not end: {killed}", file=sys.stderr, flush=True)
    if end.refused:
        folder.discard()
        return USER_ERROR
    completed = show_results(folder, plan, end.reason)
    if end.received_signal is not None:
        return 128 + end.received_signal
    return SUCCESS if completed else FAILED


def prepare_run(plan: RunPlan, path: Path | None = None) -> tuple[RunFolder, list[NodeSpec]]:
    """Check a plan, make the run's folder with run.yaml in it, and clear what dead runs left.

    Args:
        plan: of the run.
        path: the run's folder; None: a new one, named by time, under the plan's output.

    Raises:
        UserError: something is wrong with the plan; nothing was made.
    """
    checked_plan(plan)
    remove_dead_files()
    if path is None:
        folder = RunFolder.create(plan.output, plan.circuit, plan.model)
    else:
        folder = RunFolder.make(path)
    specs = run_graph(plan, folder.path)
    nodes = {spec.name: spec.parameters for spec in specs}
    folder.write_run_record(run_record({**plan.as_dict(), "nodes": nodes}))
    return folder, specs


def run_nodes(
    folder: RunFolder,
    specs: Sequence[NodeSpec],
    output: IO[bytes] | None = None,
    patience_s: float | None = None,
) -> RunEnd:
    """Start a run's nodes, wait until one of them ends the run, and end the others.

    Args:
        folder: of the run.
        specs: what to start.
        output: takes what the nodes print; None: as this process's own.
        patience_s: real seconds without a new row of the driven line after which the run is
            ended all the same; None: no such limit.
    """
    processes = RunProcesses(specs, output)
    reason, first = "the run could not be started", None
    try:
        still = Standstill(folder.trajectory_csv, math.inf if patience_s is None else patience_s)
        first = processes.run(still)
        reason = reason_of(first, processes.received_signal)
        if first is None and processes.received_signal is None:
            reason = f"nothing went on for {still.patience_s:g} s of real time"
    finally:
        # Results are kept whatever happened, so the metrics node must know why it ends.
        if reason:
            write_stop_reason(folder.path, reason)
        killed = processes.stop()
    return RunEnd(reason, was_refused(first, folder), processes.received_signal, killed)


def reason_of(first: tuple[str, int] | None, received_signal: int | None) -> str:
    """Return why a run ends before its time, the empty text where it ends as it should.

    Args:
        first: name and exit status of the node that ended first, if one did.
        received_signal: that told the run to end, if one did.
    """
    if received_signal is not None:
        return f"stopped by {signal.Signals(received_signal).name}"
    if first is None or first == ("metrics", 0):
        return ""
    name, status = first
    return f"the {name} node ended ({how_it_ended(status)})"


def was_refused(first: tuple[str, int] | None, folder: RunFolder) -> bool:
    """Whether a node refused the run, which it does before it begins: there is nothing to keep.

    What the folder holds by then is the driving of another run in the same ROS domain, if any. Only
    a Gazebo, which has no part in ROS, says by the same status that it cannot go on in mid-run.

    Args:
        first: name and exit status of the node that ended first, if one did.
        folder: of the run.
    """
    if first is None or first[1] != USER_ERROR:
        return False
    return first[0] not in _GAZEBOS or not folder.has_driving()


def show_results(folder: RunFolder, plan: RunPlan, reason: str) -> bool:
    """Complete the results where the metrics node could not, print their table, make the video.

    Returns:
        Whether the asked laps were driven.
    """
    from pilotnet_brain.report.figures import run_table
    from pilotnet_brain.report.tables import print_tables

    try:
        figures = finish_run(folder, reason, laps=plan.laps, simulator=plan.simulator)
    except (UserError, OSError) as problem:
        print(f"error: the results are not complete: {problem}", file=sys.stderr, flush=True)
        return False
    # Read by the metrics node, unless it was the one that died.
    take_stop_reason(folder.path)
    print_tables(run_table(figures))
    if plan.record_video and figures.get("completion") is not None:
        # Only now: encoding would have taken the run's own processors.
        make_video(folder.path)
    print(f"results in {folder.path}; on one page: pilotnet report {folder.path}", flush=True)
    return bool(figures.get("lap_completed"))
