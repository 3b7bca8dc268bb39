"""``pilotnet video``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def video(
    run: Annotated[Path, typer.Argument(help="A run's folder; runs/latest is the newest.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File: .mp4, or .webp or .gif for a page; default run.mp4 in the run."),
    ] = None,
    from_s: Annotated[
        float, typer.Option("--from", min=0.0, help="Where in the run it begins, s.")
    ] = 0.0,
    until_s: Annotated[
        float | None, typer.Option("--until", help="Where it ends, s; default with the run.")
    ] = None,
    fps: Annotated[int, typer.Option(min=1, max=60, help="Pictures a second.")] = 20,
    width: Annotated[int, typer.Option(min=160, max=1280, help="Of a picture, pixels.")] = 1280,
) -> None:
    """Make a video of a run: camera, commands, map and running figures, at true speed.

    Seconds are simulated ones since the run's first pose. The camera's frames are those of the bag
    where --record-camera recorded them; else the embedded simulator draws them anew.

    \b
    Examples:
      pilotnet video runs/latest                       writes runs/latest/run.mp4
      pilotnet video runs/latest --from 10 --until 18 --out bend.mp4
      pilotnet video runs/latest --from 10 --until 18 --fps 10 --width 640 --out drive.webp
    """
    import signal
    import time

    from pilotnet_brain.commands.training_progress import clear, show
    from pilotnet_brain.report.video.make_video import write_video
    from pilotnet_brain.runs.folder import RunFolder

    # Told to end, it leaves no half file either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()

    def show_progress(done: int, count: int) -> None:
        left_s = (time.monotonic() - began) / done * (count - done)
        show(f"video: {done} of {count} pictures, {left_s:.0f} s left")

    try:
        path = write_video(
            RunFolder.open(run),
            out,
            from_s=from_s,
            until_s=until_s,
            fps=fps,
            width=width,
            on_picture=show_progress,
        )
    finally:
        clear()
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
