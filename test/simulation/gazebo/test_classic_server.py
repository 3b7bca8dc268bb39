"""Starting Gazebo: what can be said before, and what gzserver's own words mean."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.classic_server import (
    COMPLAINTS,
    GazeboServer,
    ServerPlan,
    check_gazebo,
    ros_prefixes,
    server_command,
    server_environment,
)


def on_path(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an executable shell script on PATH."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    monkeypatch.setenv("GAZEBO_MASTER_URI", f"http://127.0.0.1:{port}")
    return port


# As gzserver 11.1 says them, colours included.
@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (
            "\x1b[1;31m[Err] [Master.cc:95] \x1b[0m\x1b[1;31mEXCEPTION: \x1b[0m\x1b[1;31mUnable to "
            "start server[bind: Address already in use]. There is probably another Gazebo process "
            "running.",
            "GAZEBO_MASTER_URI",
        ),
        ("Error Code 12 Msg: Unable to find uri[model://no_such_thing]", "model://no_such_thing"),
        (
            "\x1b[1;31m[Err] [Server.cc:392] \x1b[0m\x1b[1;31mCould not open file[\x1b[0m\x1b[1;31m"
            "nowhere.world\x1b[0m\x1b[1;31m]",
            "nowhere.world",
        ),
        ("\x1b[1;31m[Err] [RenderEngine.cc:744] \x1b[0mCan't open display: \x1b[0m", "xvfb-run"),
        ("[Wrn] [RenderEngine.cc:87] Unable to create X window. Rendering will be disabled", "DIS"),
        ("\x1b[1;31m[Err] [RenderEngine.cc:759] \x1b[0mUnable to create glx visual", "OpenGL"),
        (
            "[Err] [Plugin.hh:178] Failed to load plugin libgazebo_ros_planar_move.so: "
            "libgazebo_ros_planar_move.so: cannot open shared object file: No such file or "
            "directory",
            "--scenery",
        ),
        ("X Error of failed request:  GLXBadContext", "OpenGL"),
    ],
)
def test_what_gzserver_cannot_go_on_after_is_explained(line: str, meaning: str) -> None:
    explanation = COMPLAINTS.explained(line)
    assert explanation is not None
    assert meaning in explanation
    assert "\n" not in explanation


@pytest.mark.parametrize(
    "line",
    [
        "[Err] [OpenAL.cc:84] Unable to open audio device[default]",
        "[Wrn] [Publisher.cc:136] Queue limit reached for topic /gazebo/default/pose/local/info",
        "[Wrn] [ModelDatabase.cc:212] Unable to connect to model database using "
        "[//database.config]. Only locally installed models will be available.",
        "[Msg] Publicized address: 127.0.0.1",
        "[Err] [Plugin.hh:178] Failed to load plugin libgazebo_ros_sound.so: cannot open",
        "libGL error: failed to load driver: nouveau",
    ],
)
def test_what_it_goes_on_after_is_left_alone(line: str) -> None:
    assert COMPLAINTS.explained(line) is None


def test_a_machine_without_gazebo_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="gzserver is not installed: install Gazebo Classic 11"):
        check_gazebo(gui=False)


def test_a_port_that_is_taken_is_named_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    on_path(tmp_path, "gzserver", "exit 0", monkeypatch)
    check_gazebo(gui=False)
    with (
        socket.create_server(("127.0.0.1", free_port)),
        pytest.raises(UserError, match=f"already runs at 127.0.0.1:{free_port}.*attach"),
    ):
        check_gazebo(gui=False)


def test_gzclient_needs_a_display(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    on_path(tmp_path, "gzserver", "exit 0", monkeypatch)
    with pytest.raises(UserError, match="gzclient is not installed"):
        check_gazebo(gui=True)
    on_path(tmp_path, "gzclient", "exit 0", monkeypatch)
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError, match="set DISPLAY"):
        check_gazebo(gui=True)


def test_gazebo_ros_is_found_where_ament_has_it(tmp_path: Path) -> None:
    ros, workspace = tmp_path / "ros", tmp_path / "workspace"
    index = ros / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    environment = {"AMENT_PREFIX_PATH": f"{workspace}:{ros}"}
    assert ros_prefixes(environment) == []
    (index / "gazebo_ros").touch()
    assert ros_prefixes(environment) == [ros]
    plan = ServerPlan(Path("x.world"), (Path("/models"),), with_ros=True)
    assert server_environment(plan, environment)["GAZEBO_PLUGIN_PATH"] == str(ros / "lib")


def test_the_search_paths_of_a_user_stay_behind_ours() -> None:
    plan = ServerPlan(Path("x.world"), (Path("/ours"),))
    environment = server_environment(plan, {"GAZEBO_MODEL_PATH": "/theirs"})
    assert environment["GAZEBO_MODEL_PATH"] == "/ours:/theirs"
    assert environment["GAZEBO_MODEL_DATABASE_URI"] == ""


def test_gazebo_ros_gets_its_plugins_and_a_clock_of_200_hz() -> None:
    command = server_command(ServerPlan(Path("x.world"), with_ros=True, lockstep=True))
    assert "--lockstep" in command
    assert "libgazebo_ros_init.so" in command
    assert command[-3:] == ["--ros-args", "--param", "publish_rate:=200.0"]
    assert "--ros-args" not in server_command(ServerPlan(Path("x.world")))


def test_a_gzserver_that_cannot_go_on_is_ended_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "echo 'Error Code 12 Msg: Unable to find uri[model://kerb]'; exec sleep 100"
    on_path(tmp_path, "gzserver", words, monkeypatch)
    server = GazeboServer(ServerPlan(Path("x.world")))
    with pytest.raises(UserError, match="needs model://kerb.*GAZEBO_MODEL_PATH"):
        server.run(lambda: False)


def test_a_gzserver_that_hangs_on_its_way_out_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, "gzserver", "trap '' INT; while :; do sleep 0.1; done", monkeypatch)
    assert GazeboServer(ServerPlan(Path("x.world"))).run(lambda: True) == -9


def test_a_gzclient_that_fails_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    on_path(tmp_path, "gzserver", "exec sleep 100", monkeypatch)
    on_path(tmp_path, "gzclient", "exit 134", monkeypatch)
    told: list[str] = []

    def told_to_end() -> bool:
        told.append(capfd.readouterr().err)
        return "".join(told) != ""

    assert GazeboServer(ServerPlan(Path("x.world"), gui=True)).run(told_to_end) == -2
    assert "gzclient ended with status 134: the run goes on without it" in "".join(told)


def test_the_last_words_of_a_gzserver_that_ended_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "gzserver: symbol lookup error: libsome.so: undefined symbol: f"
    on_path(tmp_path, "gzserver", f"echo begins; echo '{words}'; echo; exit 127", monkeypatch)
    server = GazeboServer(ServerPlan(Path("x.world")))
    assert server.run(lambda: False) == 127
    assert server.last_words == words
