"""A node's command line, and how an end is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.drive import reason_of
from pilotnet_brain.runs.events import KILLED, REFUSED, last_reason, read_events
from pilotnet_brain.runs.graph import NodeSpec
from pilotnet_brain.runs.processes import RunProcesses, command_line, how_it_ended


def spec(**changes: object) -> NodeSpec:
    values = {
        "executable": "brain", "name": "brain", "parameters": {}, "remappings": [],
        "environment": {},
    }  # fmt: skip
    return NodeSpec(**{**values, **changes})  # type: ignore[arg-type]


def test_a_node_is_started_with_its_parameters_and_remappings() -> None:
    parameters = {"model": "a b", "laps": 2, "rtf": 1.0, "record": True, "peers": ["x"], "none": ""}
    command = command_line(spec(parameters=parameters, remappings=[("odom", "/car/odom")]))
    assert command[:4] == [sys.executable, "-m", "pilotnet_brain.executables", "brain"]
    assert "odom:=/car/odom" in command
    assert {
        'model:="a b"', "laps:=2", "rtf:=1.0", "record:=true", 'peers:=["x"]', 'none:=""'
    } <= set(command)  # fmt: skip


@given(value=st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.text(max_size=9)))
@example(value="/tmp/🏎 car/a\nb\x7f\x85\u2028\ufeff'\".pt")
def test_any_text_reaches_a_node_in_printable_characters(value: str | list[str]) -> None:
    *_, word = command_line(spec(parameters={"model": value}))
    name, _, text = word.partition(":=")
    assert (name, yaml.safe_load(text)) == ("model", value)
    assert text.isascii() and text.isprintable()


def test_an_executable_of_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(UserError, match="no_such_program"):
        command_line(spec(executable="no_such_program", package="some_package"))


def test_an_end_is_told_in_words() -> None:
    assert how_it_ended(-9) == "SIGKILL"
    assert how_it_ended(3) == "exit status 3"
    assert reason_of(("metrics", 0), None) == ""
    assert reason_of(("brain", -9), None) == "the brain node ended (SIGKILL)"
    assert reason_of(("command_guard", 1), None, "the brain is silent") == "the brain is silent"
    assert reason_of(("metrics", 0), None, "no pose came") == ""
    assert reason_of(None, 2) == "stopped by SIGINT"


def test_what_hangs_on_its_way_out_is_killed_and_an_event_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = {"hang": "trap '' TERM; echo waiting; while :; do sleep 0.1; done", "end": "exit 3"}
    for name, script in programs.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("pilotnet_brain.runs.processes._KILL_AFTER_S", 0.5)
    nodes = [spec(package="other", executable=name, name=name) for name in programs]
    with (tmp_path / "nodes.log").open("wb") as log:
        processes = RunProcesses(nodes, tmp_path, log)
        assert processes.run() == ("end", 3)
        assert processes.received_signal is None
        processes.stop()
    assert (tmp_path / "nodes.log").read_text() == "waiting\n"
    assert [event["process"] for event in read_events(tmp_path, KILLED)] == ["hang"]


def test_a_process_finds_the_runs_folder_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tell"
    program.write_text(f"#!{sys.executable}\nfrom pilotnet_brain.runs.events import *\n"
                       "record_event(None, 'tell', REFUSED, 'no such camera')\n")  # fmt: skip
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    processes = RunProcesses([spec(package="other", executable="tell", name="tell")], tmp_path)
    assert processes.run() == ("tell", 0)
    assert last_reason(tmp_path, REFUSED) == "no such camera"
