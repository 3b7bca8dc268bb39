"""What every program of the package does first: output, directory and caches that can be used."""

from __future__ import annotations

import atexit
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from pilotnet_brain.errors import UserError
from pilotnet_brain.user_path import user_path


def prepare_process() -> None:
    """Let this process and its children print and write, whatever environment they were given.

    Output that nobody reads any more, or that its encoding lacks a character of, ends nothing; logs
    and caches go to a temporary folder where their own cannot be written (no HOME, mostly).

    Raises:
        UserError: the working directory was removed.
    """
    _open_closed_streams()
    sys.stdout, sys.stderr = map(_lasting, (sys.stdout, sys.stderr), (1, 2))
    os.environ.update(_places_to_write(os.environ))
    try:
        os.getcwd()
    except OSError as problem:
        raise UserError(
            f"the working directory cannot be used ({problem.strerror}): it was removed, mostly; "
            "cd to one that is there"
        ) from problem


def _open_closed_streams() -> None:
    """Open what the caller closed (``>&-``): the run's files would take the streams' numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


class _Output(io.FileIO):
    """Output that goes on to /dev/null once its reader is gone (``| head``)."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return memoryview(data).nbytes


def _lasting(stream: TextIO | None, number: int) -> TextIO:
    """Return a standard stream that neither a reader's end nor a character makes fail."""
    if stream is not None and stream not in (sys.__stdout__, sys.__stderr__):
        return stream  # redirected within this process, or prepared already
    encoding, errors = (None, None) if stream is None else (stream.encoding, stream.errors)
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(number, "w", closefd=False)),
        encoding=encoding,
        errors="replace" if errors in (None, "strict", "surrogateescape") else errors,
        line_buffering=True,
    )


def _places_to_write(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that give logs and caches a place, where they have none."""
    home = environment.get("HOME") or os.devnull

    def place(variable: str, otherwise: str | Path) -> Path:
        return user_path(environment.get(variable) or otherwise)

    # As ROS 2, Mesa and matplotlib look for them.
    places = {
        "ROS_LOG_DIR": place("ROS_LOG_DIR", place("ROS_HOME", f"{home}/.ros") / "log"),
        "XDG_CACHE_HOME": place("XDG_CACHE_HOME", f"{home}/.cache"),
        "MPLCONFIGDIR": place(
            "MPLCONFIGDIR", place("XDG_CONFIG_HOME", f"{home}/.config") / "matplotlib"
        ),
    }
    missing = [name for name, folder in places.items() if not _can_be_written(folder)]
    if not missing:
        return {}
    try:
        scratch = tempfile.mkdtemp(prefix="pilotnet-")
    except OSError:
        return {}  # nowhere: who needs a place says so
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return {name: os.path.join(scratch, name.lower()) for name in missing}


def _can_be_written(folder: Path) -> bool:
    """Return whether files can be made in a folder, or the folder itself."""
    try:
        present = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryFile(dir=present):
            return True
    except OSError:
        return False
