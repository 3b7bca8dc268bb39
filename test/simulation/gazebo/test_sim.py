"""Starting Gazebo Sim: what can be said before, and that nothing outlives it.

Gazebo Sim is in no package registry: shell scripts stand in its place here.
"""

from __future__ import annotations

import os
import select
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.sim import (
    COMPLAINTS,
    GzPlan,
    GzServer,
    check_gz,
    gz_commands,
    gz_environment,
)

PLAN = GzPlan(Path("x.sdf"), Path("/models"), Path("bridge.yaml"), with_ros=True)


def executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a Gazebo Sim and its bridge that wait until they are ended."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "ros"))
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "GZ_PARTITION"):
        monkeypatch.delenv(variable, raising=False)
    waits = f'echo "$GZ_PARTITION $GZ_SIM_RESOURCE_PATH $@" > {tmp_path}/$(basename $0).log'
    executable(tmp_path / "gz", f'[ "$2" = --versions ] && echo 8.6.0 && exit\n{waits}\nsleep 100')
    executable(bridge(tmp_path), f"{waits}\nexec sleep 100")
    return tmp_path


def bridge(machine: Path) -> Path:
    return machine / "ros" / "lib" / "ros_gz_bridge" / "parameter_bridge"


def test_a_machine_without_gz_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match="simulator gz: gz is not installed: install Gazebo Sim.*ros-gz"
    ):
        check_gz(gui=False)


def test_the_gz_of_gazebo_classic_is_not_taken_for_gazebo_sim(machine: Path) -> None:
    check_gz(gui=False)
    # As Gazebo Classic 11's answers.
    executable(machine / "gz", "echo 'Invalid arguments' >&2; exit 255")
    with pytest.raises(UserError, match="this machine's gz is not Gazebo Sim's"):
        check_gz(gui=False)


def test_a_missing_bridge_is_named(machine: Path) -> None:
    bridge(machine).unlink()
    check_gz(gui=False)  # this package has a bridge
    with pytest.raises(UserError, match="ros_gz_bridge is not on AMENT_PREFIX_PATH: install"):
        GzServer(PLAN)


def test_its_window_needs_a_display(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="set DISPLAY"):
        check_gz(gui=True)
    monkeypatch.setenv("DISPLAY", ":0")
    check_gz(gui=True)


def test_the_server_draws_without_a_display_and_the_window_is_asked_for() -> None:
    (server,) = gz_commands(PLAN)
    assert {"-s", "-r", "--headless-rendering", "x.sdf"} <= set(server)
    (paused,) = gz_commands(replace(PLAN, with_ros=False))
    assert set(server) - set(paused) == {"-r"}
    assert gz_commands(replace(PLAN, gui=True))[1:] == [["gz", "sim", "-g"]]


def test_it_is_reached_on_loopback_only_unless_told_otherwise() -> None:
    of_a_run = replace(PLAN, partition="mine")
    given = gz_environment(of_a_run, {"GZ_TRANSPORT_TOPIC_STATISTICS": "1", "GZ_PARTITION": "x"})
    assert (given["GZ_IP"], given["GZ_PARTITION"]) == ("127.0.0.1", "mine")
    assert "GZ_TRANSPORT_TOPIC_STATISTICS" not in given
    assert gz_environment(PLAN, {"GZ_IP": "192.0.2.1", "GZ_PARTITION": "x"})["GZ_IP"] == "192.0.2.1"


def test_server_and_bridge_run_in_a_partition_of_their_own_until_told_to_end(
    machine: Path,
) -> None:
    logs = [machine / "gz.log", machine / "parameter_bridge.log"]
    server = GzServer(PLAN)
    # Told once both have said what they were given.
    assert server.run(lambda: all(log.exists() and log.read_text() for log in logs)) == ""
    of_server, of_bridge = (log.read_text().split() for log in logs)
    assert of_server[:2] == of_bridge[:2] == [f"pilotnet_{os.getpid()}", "/models"]
    assert of_bridge[-1] == "config_file:=bridge.yaml"


def test_a_bridge_that_dies_ends_the_server_too(machine: Path) -> None:
    child, seen = machine / "child", machine / "seen"
    # gz is a script that may have started the server as a child.
    executable(machine / "gz", f"sleep 100 & echo $! > {child}; wait")
    executable(bridge(machine), f"while [ ! -e {seen} ]; do sleep 0.05; done; exit 3")
    server = GzServer(PLAN)
    handles: list[int] = []

    def never() -> bool:
        if not handles and child.exists() and (number := child.read_text().strip()):
            handles.append(os.pidfd_open(int(number)))
            seen.touch()
        return False

    assert server.run(never) == "ros_gz_bridge ended with status 3"
    # Readable once the process has ended.
    assert select.select(handles, [], [], 10.0)[0] == handles
    os.close(handles[0])


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (
            "\x1b[1;31m[Err] [Server.cc:86] \x1b[0m\x1b[1;31mError Code \x1b[0m14: "
            '[/sdf/world[@name="default"]/include[0]/uri:/w/own.sdf:L1]: Msg: '
            "\x1b[0m\x1b[1;31mUnable to find uri[model://no_such_kerb]\x1b[0m",
            "the world needs model://no_such_kerb, which is not on GZ_SIM_RESOURCE_PATH",
        ),
        (
            "[Err] [Server.cc:86] Error Code 1: Msg: Unable to read file: [/w/own.sdf]",
            "gz sim cannot load the world file /w/own.sdf",
        ),
        (
            "[Err] [SystemLoader.cc:92] Failed to load system plugin [gz-sim-sensors-system] : "
            "Could not find shared library.",
            "gz sim has no gz-sim-sensors-system",
        ),
        (
            "[Err] [Ogre2RenderEngine.cc:1299] Unable to create the rendering window after [11] "
            "attempts.",
            "gz sim has no OpenGL",
        ),
        (
            '#12   Object "/lib/OGRE/RenderSystem_GL3Plus.so", at 0x7f8f, in dllStartPlugin',
            "gz sim has no OpenGL",
        ),
    ],
)
def test_what_gz_sim_cannot_go_on_after_is_explained(line: str, meaning: str) -> None:
    """Lines of gz-sim 8.14."""
    explanation = COMPLAINTS.explained(line)
    assert explanation is not None
    assert explanation.startswith(meaning)


@pytest.mark.parametrize(
    "line",
    [
        "[Err] [SystemLoader.cc:92] Failed to load system plugin [their-clouds-system] : Could not "
        "find shared library.",
        "[Msg] Loading SDF world file[/w/own.sdf].",
    ],
)
def test_what_gz_sim_survives_is_not_taken_for_the_end(line: str) -> None:
    assert COMPLAINTS.explained(line) is None


def test_a_server_that_cannot_go_on_is_ended_with_the_reason(machine: Path) -> None:
    executable(machine / "gz", "echo 'Msg: Unable to read file: [x.sdf]'; exec sleep 100")
    with pytest.raises(UserError, match="gz: gz sim cannot load the world file x.sdf"):
        GzServer(replace(PLAN, with_ros=False)).run(lambda: False)


def test_the_last_words_of_a_server_that_ends_are_passed_on(machine: Path) -> None:
    executable(machine / "gz", "echo 'out of memory'; exit 3")
    ended = GzServer(replace(PLAN, with_ros=False)).run(lambda: False)
    assert ended == "gz sim ended with status 3; its last line: out of memory"
