"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path


def user_path(path: str | Path) -> Path:
    """Return a path with its leading ``~`` or ``~NAME`` replaced by that user's home.

    A name that begins with ``~`` and is no user's (an editor's working copy), or a ``~`` without
    any home, is a file name like others and stays as it is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
