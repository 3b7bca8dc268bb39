"""The video of a run that has ended, made by its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pilotnet_brain.runs.parent_process import end_with_parent
from pilotnet_brain.package_share import share_dir


def make_video(run: Path) -> bool:
    """Make run.mp4 in a run's folder, showing progress; return whether that succeeded.

    That process reports errors in the terminal itself. Ctrl-C ends it, too.

    Args:
        run: the run's folder.
    """
    print(f"making the video {run / 'run.mp4'}", flush=True)
    try:
        made = subprocess.run(
            [*_pilotnet(), "report", str(run), "--video"],
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
            check=False,
        )
    except KeyboardInterrupt:
        return False
    return made.returncode == 0


def _pilotnet() -> list[str]:
    """Return the command to start.

    ``ros2 launch`` runs on ROS' own Python, which need not have what draws and encodes; the
    installed program starts with the Python that built the package.
    """
    installed = share_dir().parent.parent / "lib" / "pilotnet_brain" / "pilotnet"
    return [str(installed)] if installed.is_file() else [sys.executable, "-m", "pilotnet_brain.cli"]
