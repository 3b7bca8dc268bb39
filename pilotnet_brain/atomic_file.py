"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace a file in one step: a reader sees the old file or the new one, never a part.

    Args:
        path: of the file; its folder exists. The new file has the mode that the umask gives.
        content: bytes, or text, which is written as UTF-8.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; the old file stays.
    """
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
