"""What a person is shown once a run has ended: the table, the picture, the video, the folder."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from pilotnet_brain.end_with_parent import end_with_parent
from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import installed_command, pilotnet_command
from pilotnet_brain.runs.events import KILLED, STOPPING, last_reason, read_events
from pilotnet_brain.runs.folder import RunFolder


def show_run(folder: RunFolder) -> bool:
    """Print a run's table and where its results are; draw and film what was asked and is missing.

    Returns:
        Whether the asked laps were driven.
    """
    from rich.console import Console

    from pilotnet_brain.report.figures import run_table, warning_lines
    from pilotnet_brain.report.lap_picture import draw_lap

    reason = last_reason(folder.path, STOPPING)
    if reason and not reason.startswith("stopped by"):
        print(f"error: {reason}", file=sys.stderr, flush=True)
    if killed := [event["process"] for event in read_events(folder.path, KILLED)]:
        told = f"killed, since they did not end: {', '.join(killed)}"
        print(told, file=sys.stderr, flush=True)
    figures = folder.read_metrics() or {}
    if not folder.lap_png.exists() and folder.trajectory_csv.exists():
        try:
            draw_lap(folder)
        except UserError as problem:
            print(f"no lap.png: {problem}", file=sys.stderr, flush=True)
    Console().print(run_table(figures))
    for line in warning_lines(figures):
        print(line, flush=True)
    if folder.spec().record_video and figures.get("completion") is not None:
        # Only now: encoding would have taken the run's own processors.
        _make_video(folder.path)
    print(f"results in {folder.path}", flush=True)
    print(f"on one page: {pilotnet_command()} report {folder.path}", flush=True)
    return bool(figures.get("lap_completed"))


def _make_video(run: Path) -> None:
    """Make run.mp4 in a process that Ctrl-C ends too; what goes wrong, that process says.

    ``ros2 launch`` runs on ROS' own Python, which need not have what draws and encodes; the
    installed program starts with the Python that built the package.
    """
    print(f"making the video {run / 'run.mp4'}", flush=True)
    installed = installed_command()
    program = [str(installed)] if installed else [sys.executable, "-m", "pilotnet_brain.cli"]
    with contextlib.suppress(KeyboardInterrupt):  # the results are there, and their place is said
        subprocess.run(
            [*program, "report", str(run), "--video"],
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
            check=False,
        )
