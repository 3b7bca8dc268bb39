"""Files that are written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file by the data; a reader sees the old file or the new one, never a part.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; the old file stays.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as part:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            beside.unlink()
        raise
