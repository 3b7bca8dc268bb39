"""The files that moving pictures are written to: MP4 by PyAV, WebP and GIF by Pillow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.errors import UserError

Picture = NDArray[np.uint8]
"""RGB (H, W, 3)."""
_GATHERED = (".webp", ".gif")
SUFFIXES = (".mp4", *_GATHERED)
_ANIMATION_BYTES = 10**9
_MP4_OPTIONS = {"crf": "21", "preset": "veryfast"}


def check_length(path: Path, size: tuple[int, int], count: int) -> None:
    """Refuse a .webp or .gif whose pictures would not fit into memory, where they are gathered.

    Args:
        size: width and height of its pictures, pixels.

    Raises:
        UserError: says what would fit.
    """
    room = _ANIMATION_BYTES // (3 * size[0] * size[1])
    if path.suffix.lower() in _GATHERED and count > room:
        raise UserError(
            f"{path}: {count} pictures are too many for a {path.suffix} {size[0]} pixels wide, "
            f"which takes {room}: choose a stretch with --from and --until, a smaller --width or "
            "--fps, or .mp4"
        )


@contextmanager
def video_file(path: Path, size: tuple[int, int], fps: int) -> Iterator[Callable[[Picture], None]]:
    """Give a function that adds a picture; the file is there, whole, once all were added.

    Whatever interrupts the writing, Ctrl-C too, leaves neither half a file nor the old one changed.

    Args:
        path: its suffix chooses the form: .mp4, .webp or .gif.
        size: width and height of the pictures, pixels; both even, as H.264 wants them.
        fps: pictures a second.

    Raises:
        UserError: another suffix, or a place that cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: a video's name ends with one of {', '.join(SUFFIXES)}")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    writer = _mp4 if path.suffix.lower() == ".mp4" else _animation
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writer(part, path.suffix.lower()[1:], size, fps) as add:
            yield add
        os.replace(part, path)
    except OSError as problem:
        raise UserError(
            f"{path}: the video cannot be written ({problem.strerror or problem}); "
            "choose another place with --out"
        ) from problem
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _mp4(
    part: Path, form: str, size: tuple[int, int], fps: int
) -> Iterator[Callable[[Picture], None]]:
    import av

    # faststart: a browser shows the video before it has all of it.
    with av.open(str(part), "w", format=form, options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options=_MP4_OPTIONS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"

        def add(picture: Picture) -> None:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))

        yield add
        container.mux(stream.encode())


@contextmanager
def _animation(
    part: Path, form: str, size: tuple[int, int], fps: int
) -> Iterator[Callable[[Picture], None]]:
    from PIL import Image

    pictures: list[Image.Image] = []
    yield lambda picture: pictures.append(Image.fromarray(picture))
    if not pictures:
        return
    # In whole units of the form (GIF: hundredths), without drifting from true speed.
    unit_ms = 10 if form == "gif" else 1
    starts = np.round(np.arange(len(pictures) + 1) * 1000.0 / fps / unit_ms) * unit_ms
    durations = np.diff(starts).astype(int).tolist()
    options = {"quality": 62, "method": 4} if form == "webp" else {"optimize": True}
    pictures[0].save(
        part, form, save_all=True, append_images=pictures[1:], duration=durations, loop=0,
        **options,
    )  # fmt: skip
