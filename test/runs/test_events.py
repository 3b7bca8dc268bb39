"""What a run's processes tell each other."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.runs.events import (
    DRIVING,
    FILE,
    FOLDER_VARIABLE,
    STOPPING,
    last_reason,
    read_events,
    record_event,
)


def test_events_are_read_in_the_order_in_which_they_were_told(tmp_path: Path) -> None:
    assert read_events(tmp_path) == []
    assert last_reason(tmp_path, STOPPING) is None
    record_event(tmp_path, "metrics", DRIVING)
    record_event(tmp_path, "run", STOPPING, "the brain node ended (SIGKILL)")
    record_event(tmp_path, "run", STOPPING, "stopped by SIGINT")
    assert [event["event"] for event in read_events(tmp_path)] == [DRIVING, STOPPING, STOPPING]
    assert last_reason(tmp_path, STOPPING) == "stopped by SIGINT"
    assert last_reason(tmp_path, DRIVING) == ""


def test_without_a_run_nobody_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    record_event(None, "brain", DRIVING)
    assert read_events(None) == []
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    record_event(None, "brain", DRIVING)
    assert len(read_events(None)) == len(read_events(tmp_path)) == 1


def test_an_event_that_cannot_be_written_holds_nothing_up(tmp_path: Path) -> None:
    record_event(tmp_path / "removed", "run", STOPPING, "the brain node ended")
    assert not (tmp_path / "removed").exists()


def _tell(folder: str, name: str) -> None:
    for number in range(200):
        record_event(Path(folder), name, DRIVING, f"{name} {number} " + "x" * 500)


def test_processes_that_tell_at_once_do_not_mix_their_lines(tmp_path: Path) -> None:
    names = ["brain", "metrics", "simulator"]
    context = multiprocessing.get_context("fork")
    tellers = [context.Process(target=_tell, args=(str(tmp_path), name)) for name in names]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join(60.0)
    events = read_events(tmp_path)
    assert len(events) == 600
    for name in names:
        own = [event["reason"].split()[1] for event in events if event["process"] == name]
        assert own == [str(number) for number in range(200)]


@given(st.binary(max_size=200))
def test_a_damaged_file_is_read_as_far_as_it_is_sound(tmp_path_factory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("run")
    record_event(folder, "run", STOPPING, "before")
    with (folder / FILE).open("ab") as file:
        file.write(data + b"\n")
    record_event(folder, "run", STOPPING, "after")
    reasons = [event.get("reason") for event in read_events(folder, STOPPING)]
    assert reasons[0] == "before" and reasons[-1] == "after"
