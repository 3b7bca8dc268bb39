"""What can be asked of a run, and what is refused before anything starts."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from pilotnet_brain.bags import reader
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import write_centerline
from pilotnet_brain.driving.model.catalogue import models_dir
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.package_share import share_dir
from pilotnet_brain.runs import check
from pilotnet_brain.runs.check import check_run
from pilotnet_brain.runs.spec import ARGUMENTS, RunSpec, parse_disturbance
from pilotnet_brain.runs.topics import topics_of

OTHER_LAP = str(share_dir() / "pilotnet_brain" / "circuits" / "data" / "nurburgring.csv")


@pytest.mark.parametrize("arguments", [{"start_arc_length": -1.0}, {"start_arc_length": 1e999}])
def test_a_start_that_is_no_place_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(UserError, match="start_arc_length"):
        RunSpec(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [
    {"simulator": "none"},
    {"simulator": "gazebo", "world": "their.world"},
])  # fmt: skip
def test_a_start_elsewhere_is_refused_in_a_world_that_is_not_made_for_the_run(
    arguments: dict[str, str],
) -> None:
    with pytest.raises(UserError, match="start_arc_length is 10: the car is not put elsewhere"):
        RunSpec(start_arc_length=10.0, **arguments)  # type: ignore[arg-type]
    assert RunSpec(simulator="gz", start_arc_length=10.0).start_arc_length == 10.0


def test_paths_are_made_absolute_and_names_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.csv").write_text("x,y\n")
    monkeypatch.chdir(tmp_path)
    spec = RunSpec(circuit="mine.csv", model="qat").with_absolute_paths()
    assert spec.circuit == str(tmp_path / "mine.csv")
    assert spec.model == "qat"


@pytest.mark.parametrize(
    "arguments",
    [
        {"device": "gpu"},
        {"runtime": "tensorrt"},
        {"simulator": "webots"},
        {"pose_source": "gps"},
        {"laps": 0},
        {"waiting_limit": -1.0},
        {"stall_limit": float("nan")},
        {"seed": -1},
        {"disturbance": "latency=100"},
        {"disturbance": "latency=much", "lockstep": True},
        {"rtf": 0.0},
        {"rtf": float("nan")},
        {"looks_seed": -1},
        {"time_limit": -1.0},
        {"camera_topic": "a topic"},
        {"cmd_vel_topic": "/"},
        {"namespace": "car 1"},
        {"use_sim_time": False},
        {"odom_topic": "/car/2nd"},
        {"odom_topic": "/car//odom"},
        {"odom_topic": "/my__car/odom"},
        {"actuation_delay": -0.1},
        {"command_hold": 2.0},
        {"command_lag": float("nan")},
        {"camera_pose": "0.45 0.04"},
        {"camera_pose": "0 0 -1 0 0 0"},
        {"camera_fov": 4.0},
        {"max_speed": -1.0},
        {"teleop": "mouse"},
        {"teleop_release": "pause", "teleop": "topic"},
        {"teleop_release": "stop"},
        {"takeover_deviation": 0.4},
        {"takeover_deviation": -0.4, "teleop": "expert"},
    ],
)
def test_an_argument_that_cannot_be_is_refused_by_name(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(arguments))):
        RunSpec(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"circuit": "monza"}, "simple_circuit"),
        ({"model": "no_such_model"}, "no_such_model"),
        ({"reference_lap": "/no/such.csv"}, "/no/such.csv"),
        ({"reference_lap": OTHER_LAP, "circuit": "montreal"}, "of another circuit"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_starts(
    arguments: dict[str, str], text: str
) -> None:
    with pytest.raises(UserError, match=text):
        check_run(RunSpec(**arguments))  # type: ignore[arg-type]


def test_what_only_gazebo_classic_takes_is_refused_for_gazebo_sim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pilotnet_brain.runs.check.find_spec", lambda _: True)
    with pytest.raises(UserError, match="model_states is Gazebo Classic's"):
        check_run(RunSpec(simulator="gz", pose_source="model_states"))


@pytest.mark.parametrize(
    ("simulator", "there", "script", "hint"),
    [
        ("gz", "gzserver", "exit 0", "this machine has Gazebo Classic: simulator gazebo"),
        ("gazebo", "gz", "echo 8.14.0", "this machine has Gazebo Sim: simulator gz"),
    ],
)
def test_where_only_the_other_gazebo_is_installed_the_message_says_so(
    simulator: str, there: str, script: str, hint: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / there).write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / there).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=f"is not installed.*; {hint}"):
        check_run(RunSpec(simulator=simulator))


@pytest.mark.parametrize("simulator", ["mujoco", "gazebo", "gz"])
def test_a_missing_world_file_is_named(simulator: str) -> None:
    with pytest.raises(UserError, match=r"world no\.world: there is no such file"):
        check_run(RunSpec(simulator=simulator, world="no.world"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"simulator": "none"}, "with simulator none the world is there already"),
        ({"looks_seed": 3}, "it has its own looks"),
    ],
)
def test_a_world_where_it_means_nothing_is_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=f"world: .*{reason}"):
        RunSpec(world="their.world", **arguments)


def test_a_world_without_a_road_under_the_circuit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.world"
    path.write_text(
        "<sdf version='1.6'><world name='w'><model name='g'><static>1</static><link name='l'>"
        "<visual name='v'><geometry><plane><size>5 5</size></plane></geometry></visual></link>"
        "</model></world></sdf>"
    )
    with pytest.raises(UserError, match="nothing lies under 100% of the circuit montreal"):
        check_run(RunSpec(circuit="montreal", world=str(path)))


@pytest.mark.parametrize(
    "arguments",
    [
        {"attach": True},
        {"attach": True, "simulator": "gz", "world": "own.sdf"},
        {"car_file": "f1.urdf", "simulator": "gazebo"},
    ],
)
def test_what_belongs_to_gazebo_is_refused_elsewhere(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"attach(:| is)|car_file is for simulator gz"):
        RunSpec(**arguments)


@pytest.mark.parametrize("simulator", ["gazebo", "gz"])
def test_a_circuit_too_far_away_for_gazebo_is_refused_before_anything_starts(
    simulator: str, tmp_path: Path
) -> None:
    path = tmp_path / "utm.csv"
    write_centerline(path, load_circuit("random-7").about((-440290.5, -4474257.2)))
    with pytest.raises(UserError, match="circuit utm lies 4474 km from the origin"):
        check_run(RunSpec(circuit=str(path), simulator=simulator))


def test_model_states_without_gazebo_msgs_are_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "gazebo_msgs", None)
    with pytest.raises(UserError, match="install it, or use odom"):
        check_run(RunSpec(pose_source="model_states"))


def test_topics_that_are_not_given_are_jderobots_or_those_of_the_namespace() -> None:
    topics = ("camera_topic", "cmd_vel_topic", "odom_topic")
    plain, car = RunSpec(), RunSpec(namespace="car1", cmd_vel_topic="/cmd")
    f1 = ["/F1ROS/cameraL/image_raw", "/F1ROS/cmd_vel", "/F1ROS/odom"]
    assert [getattr(plain, topic) for topic in topics] == f1
    assert [getattr(car, topic) for topic in topics] == ["camera/image_raw", "/cmd", "odom"]
    assert RunSpec.from_dict(car.to_dict()) == car


def test_every_argument_is_described() -> None:
    assert len(ARGUMENTS) > 10
    for argument in ARGUMENTS:
        assert argument.description[0].isupper()
        # Filled in, by the simulator, by teleop and by the namespace.
        filled_in = argument.name in ("waiting_limit", "off_road_limit")
        if not filled_in and not argument.name.endswith("_topic"):
            assert getattr(RunSpec(), argument.name) == argument.default


def test_a_bag_that_only_the_nodes_can_read_is_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lap.bag").write_bytes(b"#ROSBAG V2.0")
    monkeypatch.setattr(reader, "find_spec", lambda name: None)
    check_run(RunSpec(circuit=str(tmp_path / "lap.bag")))


def test_a_car_that_waits_for_a_person_may_wait_longer() -> None:
    assert RunSpec(teleop="topic").waiting_limit == 10.0
    assert RunSpec(teleop="topic", teleop_release="stop").waiting_limit == 60.0


def test_a_person_may_leave_the_road_for_longer() -> None:
    alone, with_person = RunSpec().rules(), RunSpec(teleop="keyboard").rules()
    assert (alone.off_road_s, alone.scraping_s) == (1.0, 3.0)
    assert (with_person.off_road_s, with_person.scraping_s) == (10.0, 10.0)
    assert RunSpec(teleop="keyboard", off_road_limit=2.0).rules().off_road_s == 2.0


def test_the_rules_of_a_run_follow_from_its_spec() -> None:
    assert RunSpec(laps=3).rules() == Rules(laps=3, waiting_s=10.0)
    # A car in Gazebo stands while the brain is still loading.
    assert RunSpec(simulator="gazebo").rules().waiting_s == 60.0
    limits = {"waiting_limit": 5.0, "standing_limit": 6.0, "off_road_limit": 7.0, "time_limit": 8.0}
    assert RunSpec(simulator="gz", **limits).rules() == Rules(
        off_road_s=7.0, standing_s=6.0, waiting_s=5.0, time_limit_s=8.0
    )


def test_a_spec_is_the_same_after_a_journey_through_a_file() -> None:
    spec = RunSpec(circuit="montreal", lockstep=True, disturbance="latency=50", waiting_limit=7.0)
    assert RunSpec.from_dict({**spec.to_dict(), "of_a_later_version": 1}) == spec


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"disturbance": "rain=3"}, "unknown disturbance 'rain'"),
        ({"disturbance": "latency=-5"}, "latency of -5 ms"),
        ({"disturbance": "latency"}, "latency of nan ms"),
    ],
)
def test_a_disturbance_that_cannot_be_is_refused(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_run(RunSpec(lockstep=True, **arguments))


def test_a_disturbance_has_a_name_and_an_amount() -> None:
    assert parse_disturbance("camera_yaw=-2.5") == ("camera_yaw", -2.5)


@pytest.mark.parametrize(
    "arguments",
    [{"device": "cuda"}, {"record_camera": True}, {"camera_pose": "tf"}, {"teleop": "topic"}],
)
def test_what_a_run_in_one_process_cannot_have_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(arguments))}.*lock-step"):
        RunSpec(lockstep=True, **arguments)  # type: ignore[arg-type]


def test_a_model_of_the_users_is_tested_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its archive is sound and its record, too: only loading shows that it cannot be driven."""
    loaded = []

    def load(path: Path, device: str, runtime: str) -> None:
        loaded.append(path)
        raise UserError("its outputs are not finite")

    monkeypatch.setattr(check, "load_model", load)
    mine = tmp_path / "mine.pt"
    shutil.copy(models_dir() / "tiny_quant.pt", mine)
    with pytest.raises(UserError, match="its outputs are not finite"):
        check_run(RunSpec(model=str(mine)))
    assert loaded == [mine]
    # A shipped one was tested when it was signed: a run need not wait for torch's import.
    check_run(RunSpec(model="tiny_quant"))
    assert loaded == [mine]


def test_a_runtime_that_is_not_for_the_models_file_is_refused_before_anything_starts() -> None:
    with pytest.raises(UserError, match="openvino runs no TorchScript file: export it"):
        check_run(RunSpec(model="tiny_quant", runtime="openvino"))


@pytest.mark.parametrize(
    ("changes", "roles"),
    [
        ({"odom_topic": "/F1ROS/cmd_vel"}, ("odom_topic", "cmd_vel_topic")),
        ({"odom_topic": "F1ROS/cmd_vel"}, ("odom_topic", "cmd_vel_topic")),
        ({"camera_topic": "/F1ROS/odom"}, ("odom_topic", "camera_topic")),
        ({"camera_topic": "/car/image", "cmd_vel_topic": "/car/camera_info"}, ("camera_info",)),
        ({"camera_topic": "/car/camera_info"}, ("camera_info", "camera_topic")),
        ({"cmd_vel_topic": "/clock"}, ("cmd_vel_topic", "/clock")),
        ({"odom_topic": "brain/frames"}, ("odom_topic", "brain/frames")),
        ({"cmd_vel_topic": "/key_vel"}, ("cmd_vel_topic", "/key_vel")),
    ],
)
def test_two_roles_on_one_topic_are_refused(
    changes: dict[str, str], roles: tuple[str, ...]
) -> None:
    with pytest.raises(UserError) as refused:
        RunSpec(**changes)  # type: ignore[arg-type]
    assert all(role in str(refused.value) for role in roles)


def test_every_topic_of_the_nodes_is_one_role() -> None:
    for namespace in ("", "car1"):
        topics = topics_of(RunSpec(namespace=namespace))
        del topics["cmd_vel"]
        for name in (*topics.values(), "/clock", "/tf"):
            with pytest.raises(UserError, match="name another"):
                RunSpec(namespace=namespace, cmd_vel_topic=name)
