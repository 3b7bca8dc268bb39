"""A run as a video: what the camera saw, with the map, the commands and the figures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.report.cameras import camera_of
from pilotnet_brain.report.run_data import driven_rows
from pilotnet_brain.report.video.file import check_length, video_file
from pilotnet_brain.report.video.picture import WIDTH, VideoPicture, moments, picture_times
from pilotnet_brain.runs.folder import RunFolder

FPS = 20
_OUTCOME_S = 1.5
"""How long the last picture stays, with how the run ended."""


def write_video(
    folder: RunFolder,
    out: Path | None = None,
    *,
    from_s: float = 0.0,
    until_s: float | None = None,
    fps: int = FPS,
    width: int = WIDTH,
    on_picture: Callable[[int, int], None] = lambda done, count: None,
) -> Path:
    """Write the video of a run, at true speed by the simulated clock.

    The camera's frames are those of the bag where they were recorded; otherwise the embedded
    simulator redraws them from the driven poses, as the picture says.

    Args:
        out: of the video, .mp4, .webp or .gif; None: ``run.mp4`` in the run's folder.
        from_s: where in the run it starts, simulated s since the first pose.
        until_s: where it ends; None: with the run.
        fps: pictures a second.
        width: of a picture, pixels; its height is nine sixteenths of that.
        on_picture: called after every picture with the number of pictures done and of all.

    Returns:
        The path of the video.

    Raises:
        UserError: nothing was driven (in that stretch), the circuit is no longer there, the
            video cannot be written, or there is no OpenGL to redraw with.
    """
    path = folder.path / "run.mp4" if out is None else out
    rows = _driven(folder)
    times = picture_times(rows, from_s, until_s, fps)
    circuit = folder.circuit()
    figures = folder.read_metrics() or {}
    end_s = float(rows[-1, 0])
    held = 0
    if figures and (until_s is None or rows[0, 0] + until_s >= end_s):
        # The pictures' times need not meet the end, in which the lap becomes full.
        held = round(_OUTCOME_S * fps)
        times = np.append(times, end_s)
    laps = figures.get("laps_asked")
    rules = Rules(laps=laps if isinstance(laps, int) else 0)
    run_at = moments(rows, circuit, rules, times)
    count = len(times) - 1 + held if held else len(times)
    size = (width // 2 * 2, width * 9 // 32 * 2)
    check_length(path, size, count)
    with (
        closing(camera_of(folder, circuit, float(rows[0, 0]))) as camera,
        video_file(path, size, fps) as add,
    ):
        pictures = VideoPicture(circuit, rows, figures, camera.caption)
        for done in range(1, count + 1):
            if done <= len(times):
                moment = next(run_at)
                picture = pictures.draw(moment, camera.frame_at(moment.pose))
                if held and done == len(times):
                    picture = pictures.with_outcome(picture)
                picture = _resized(picture, size)
            add(picture)
            on_picture(done, count)
    return path


def _driven(folder: RunFolder) -> NDArray[np.float64]:
    """Return the rows of the run's last drive."""
    if not folder.trajectory_csv.exists():
        raise UserError(
            f"{folder.path}: no trajectory.csv in it, so there is nothing to show; give the folder "
            "of a run (runs/latest is the newest)"
        )
    rows = driven_rows(folder)
    if len(rows) < 2:
        raise UserError(f"{folder.trajectory_csv}: nothing was driven, so there is nothing to show")
    return rows


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
