"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pilotnet_brain.atomic_file import write_atomically


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_text_or_bytes_with_the_mode_of_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        for content in ("21 °C\n", b"\x00\xff"):
            write_atomically(tmp_path / "file", content)
            assert (tmp_path / "file").stat().st_mode & 0o777 == mode
            written = (tmp_path / "file").read_bytes()
            assert written == (content.encode() if isinstance(content, str) else content)
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        write_atomically(tmp_path / "taken", "text")
    with pytest.raises(OSError):
        write_atomically(tmp_path / "missing" / "file", "text")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_threads_that_write_the_same_file_do_not_mix(tmp_path: Path) -> None:
    texts = [str(number) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda text: write_atomically(tmp_path / "file", text), texts * 4))
    assert (tmp_path / "file").read_text() in texts
