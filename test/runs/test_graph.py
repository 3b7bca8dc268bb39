"""The run's graph, said once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pilotnet_brain.runs.graph import (
    ARGUMENTS,
    NodeSpec,
    RunPlan,
    checked_plan,
    run_graph,
)
from pilotnet_brain.bags import reader as bag_messages
from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import share_dir

OTHER_LAP = str(share_dir() / "pilotnet_brain" / "circuits" / "data" / "nurburgring.csv")


def graph(tmp_path: Path, **arguments: object) -> dict[str, NodeSpec]:
    return {spec.name: spec for spec in run_graph(RunPlan(**arguments), tmp_path)}  # type: ignore[arg-type]


def test_a_run_has_its_four_nodes(tmp_path: Path) -> None:
    assert set(graph(tmp_path)) == {"simulator", "brain", "metrics", "recorder"}


def test_a_simulator_that_runs_already_is_not_started(tmp_path: Path) -> None:
    assert "simulator" not in graph(tmp_path, simulator="none")


def test_the_embedded_simulators_car_starts_where_it_is_told(tmp_path: Path) -> None:
    parameters = graph(tmp_path, start_arc_length=120.5)["simulator"].parameters
    assert parameters["start_arc_length"] == 120.5


@pytest.mark.parametrize("arguments", [{"start_arc_length": -1.0}, {"start_arc_length": 1e999}])
def test_a_start_that_is_no_place_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(UserError, match="start_arc_length"):
        RunPlan(**arguments)  # type: ignore[arg-type]


def test_a_start_elsewhere_is_refused_where_no_simulator_takes_it() -> None:
    with pytest.raises(UserError, match="only simulator mujoco"):
        RunPlan(simulator="gazebo", start_arc_length=10.0)


def test_nothing_is_recorded_unless_asked(tmp_path: Path) -> None:
    nodes = graph(tmp_path, record=False)
    assert "recorder" not in nodes
    assert nodes["simulator"].parameters["wait_for"] == ["brain", "metrics"]


def test_every_node_speaks_on_the_same_topics(tmp_path: Path) -> None:
    nodes = graph(tmp_path, camera_topic="/car/camera/image_raw", cmd_vel_topic="/car/cmd")
    for spec in nodes.values():
        assert dict(spec.remappings) == {
            "camera/image_raw": "/car/camera/image_raw",
            "camera/camera_info": "/car/camera/camera_info",
            "cmd_vel": "/car/cmd",
            "odom": "/F1ROS/odom",
        }


def test_every_node_but_the_simulator_runs_on_simulated_time(tmp_path: Path) -> None:
    for name, spec in graph(tmp_path).items():
        assert spec.parameters.get("use_sim_time", False) == (name != "simulator")


def test_only_who_publishes_images_gets_the_large_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(variable, raising=False)
    profiles = {
        name: Path(spec.environment["FASTRTPS_DEFAULT_PROFILES_FILE"]).name
        for name, spec in graph(tmp_path).items()
    }
    assert profiles.pop("simulator") == "dds_images.xml"
    assert set(profiles.values()) == {"dds.xml"}


def test_results_go_to_the_runs_folder(tmp_path: Path) -> None:
    nodes = graph(tmp_path)
    assert nodes["metrics"].parameters["run_dir"] == str(tmp_path)
    assert nodes["recorder"].parameters["bag"] == str(tmp_path / "bag")


def test_a_circuit_by_path_reaches_the_nodes_as_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.csv").write_text("x,y\n")
    monkeypatch.chdir(tmp_path)
    nodes = graph(tmp_path, circuit="mine.csv")
    assert nodes["simulator"].parameters["circuit"] == str(tmp_path / "mine.csv")
    assert graph(tmp_path, circuit="montreal")["metrics"].parameters["circuit"] == "montreal"


@pytest.mark.parametrize(
    "arguments",
    [
        {"device": "gpu"},
        {"simulator": "webots"},
        {"pose_source": "gps"},
        {"laps": 0},
        {"rtf": 0.0},
        {"rtf": float("nan")},
        {"looks_seed": -1},
        {"time_limit": -1.0},
        {"camera_topic": "a topic"},
        {"cmd_vel_topic": ""},
        {"odom_topic": "/car/2nd"},
        {"odom_topic": "/car//odom"},
        {"odom_topic": "/my__car/odom"},
    ],
)
def test_an_argument_that_cannot_be_is_refused_by_name(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(arguments))):
        RunPlan(**arguments)  # type: ignore[arg-type]


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
        checked_plan(RunPlan(**arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments", [{"world": "own.sdf"}, {"lockstep": True}, {"pose_source": "model_states"}]
)
def test_what_only_gazebo_classic_takes_is_refused_for_gazebo_sim(
    arguments: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotnet_brain.runs.graph.find_spec", lambda _: True)
    with pytest.raises(UserError, match=f"{next(iter(arguments))}.*Gazebo Classic"):
        checked_plan(RunPlan(simulator="gz", **arguments))  # type: ignore[arg-type]


def test_gazebo_sims_world_and_bridge_get_the_runs_topics(tmp_path: Path) -> None:
    plan = RunPlan(simulator="gz", circuit="montreal", camera_topic="/car/image")
    gz = run_graph(plan, tmp_path)[0]
    assert (gz.name, gz.ends_run) == ("gz", True)
    given = dict(zip(gz.arguments[::2], gz.arguments[1::2], strict=True))
    assert given["--circuit"] == "montreal"
    assert (given["--camera"], given["--camera-info"]) == ("/car/image", "/car/camera_info")
    assert given["--folder"] == str(tmp_path.resolve() / "world")


def test_model_states_without_gazebo_msgs_are_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "gazebo_msgs", None)
    with pytest.raises(UserError, match="install it, or use odom"):
        checked_plan(RunPlan(pose_source="model_states"))


def test_every_argument_is_described() -> None:
    assert len(ARGUMENTS) > 10
    for argument in ARGUMENTS:
        assert argument.description[0].isupper()
        assert getattr(RunPlan(), argument.name) == argument.default


def test_a_bag_that_only_the_nodes_can_read_is_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lap.bag").write_bytes(b"#ROSBAG V2.0")
    monkeypatch.setattr(bag_messages, "find_spec", lambda name: None)
    plan = RunPlan(circuit=str(tmp_path / "lap.bag"))
    assert checked_plan(plan) == plan


@pytest.mark.parametrize(
    ("present", "given"),
    [
        (None, ""),
        ("/usr/lib/python3/dist-packages/cv2/qt/plugins", ""),
        ("/home/me/qt/plugins", None),  # the user's own stays
    ],
)
def test_windows_are_not_sent_to_opencvs_qt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: str | None, given: str | None
) -> None:
    variable = "QT_QPA_PLATFORM_PLUGIN_PATH"
    monkeypatch.delenv(variable, raising=False)
    if present:
        monkeypatch.setenv(variable, present)
    nodes = graph(tmp_path, simulator="gazebo", gui=True, rviz=True)
    for name in ("gazebo", "rviz2"):
        assert nodes[name].environment.get(variable) == given
