"""What dead runs left in /dev/shm goes; what lives stays."""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotnet_brain.runs import fast_dds as shared_memory
from pilotnet_brain.runs.fast_dds import remove_dead_files

DEAD = "fastrtps_0123456789abcdef"
ALIVE = "fastrtps_fedcba9876543210"


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files as settled at once."""
    monkeypatch.setattr(shared_memory, "_SETTLING_S", -1.0)


@pytest.fixture
def lock() -> Iterator[list[int]]:
    """Descriptors to close at the end: their locks are held until then."""
    held: list[int] = []
    yield held
    for descriptor in held:
        os.close(descriptor)


def make_segment(directory: Path, name: str) -> None:
    (directory / name).write_bytes(b"\0" * 4096)
    (directory / f"{name}_el").touch()


def test_a_dead_segment_goes_and_a_locked_one_stays(tmp_path: Path, lock: list[int]) -> None:
    make_segment(tmp_path, DEAD)
    make_segment(tmp_path, ALIVE)
    lock.append(os.open(tmp_path / f"{ALIVE}_el", os.O_RDWR))
    fcntl.flock(lock[0], fcntl.LOCK_EX)
    assert sorted(remove_dead_files(tmp_path)) == [DEAD, f"{DEAD}_el"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [ALIVE, f"{ALIVE}_el"]


def test_a_segment_that_a_process_maps_stays(tmp_path: Path) -> None:
    make_segment(tmp_path, ALIVE)
    with (tmp_path / ALIVE).open("r+b") as file, mmap.mmap(file.fileno(), 0):
        assert remove_dead_files(tmp_path) == []
    assert (tmp_path / ALIVE).exists()


def test_a_dead_port_goes_with_its_companions(tmp_path: Path, lock: list[int]) -> None:
    for port in (7410, 7412):
        for name in (f"fastrtps_port{port}", f"fastrtps_port{port}_el",
                     f"sem.fastrtps_port{port}_mutex"):  # fmt: skip
            (tmp_path / name).touch()
    lock.append(os.open(tmp_path / "fastrtps_port7412_el", os.O_RDWR))
    fcntl.flock(lock[0], fcntl.LOCK_EX)
    removed = remove_dead_files(tmp_path)
    assert sorted(removed) == [
        "fastrtps_port7410", "fastrtps_port7410_el", "sem.fastrtps_port7410_mutex"
    ]  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 3


def test_other_files_are_not_touched(tmp_path: Path) -> None:
    names = {"sem.loky-1", "fastrtps_notes", "psm_1234", f"{DEAD}x_el"}
    for name in names:
        (tmp_path / name).touch()
    assert remove_dead_files(tmp_path) == []
    assert {p.name for p in tmp_path.iterdir()} == names


def test_files_of_another_user_are_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_segment(tmp_path, DEAD)
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    assert remove_dead_files(tmp_path) == []


def test_a_fresh_file_is_left_to_settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "_SETTLING_S", 60.0)
    make_segment(tmp_path, DEAD)
    assert time.time() - (tmp_path / DEAD).stat().st_ctime < 60.0
    assert remove_dead_files(tmp_path) == []


def test_no_directory_is_no_error(tmp_path: Path) -> None:
    assert remove_dead_files(tmp_path / "none") == []
