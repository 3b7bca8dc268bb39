"""The run's graph, said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotnet_brain.runs.graph import NodeSpec, run_graph
from pilotnet_brain.runs.processes import command_line
from pilotnet_brain.runs.spec import RunSpec


def graph(tmp_path: Path, **arguments: object) -> dict[str, NodeSpec]:
    return {spec.name: spec for spec in run_graph(RunSpec(**arguments), tmp_path)}  # type: ignore[arg-type]


def test_a_run_has_its_nodes(tmp_path: Path) -> None:
    nodes = {"simulator", "brain", "metrics", "recorder", "command_guard"}
    assert set(graph(tmp_path)) == nodes
    assert set(graph(tmp_path, guard=False)) == nodes - {"command_guard"}


def test_the_guard_watches_the_nodes_that_say_something(tmp_path: Path) -> None:
    watch = graph(tmp_path, simulator="gz", record=False)["command_guard"].parameters["watch"]
    assert watch == ["brain", "metrics", "gz_bridge"]
    # The simulator waits for the others: it is not the one to name first.
    assert graph(tmp_path)["command_guard"].parameters["watch"][-1] == "simulator"


def test_a_simulator_that_runs_already_is_not_started(tmp_path: Path) -> None:
    assert "simulator" not in graph(tmp_path, simulator="none")


def test_the_embedded_simulators_car_starts_where_it_is_told(tmp_path: Path) -> None:
    parameters = graph(tmp_path, start_arc_length=120.5)["simulator"].parameters
    assert parameters["start_arc_length"] == 120.5


def test_nothing_is_recorded_unless_asked(tmp_path: Path) -> None:
    nodes = graph(tmp_path, record=False)
    assert "recorder" not in nodes
    assert nodes["simulator"].parameters["wait_for"] == ["brain", "metrics"]
    assert nodes["brain"].parameters["wait_for"] == ["metrics"]


def test_the_brain_is_told_what_is_known_of_camera_and_car(tmp_path: Path) -> None:
    parameters = graph(
        tmp_path, actuation_delay=0.05, command_hold=0.05, camera_pose="0.4 0 0.2 0 0 0",
        max_speed=9.0, delay_compensation=False,
    )["brain"].parameters  # fmt: skip
    assert parameters["actuation_delay"] == parameters["command_hold"] == 0.05
    assert parameters["camera_pose"] == "0.4 0 0.2 0 0 0"
    assert parameters["max_speed"] == 9.0
    assert parameters["delay_compensation"] is False


def test_a_person_drives_by_a_node_that_gets_the_terminals_keys(tmp_path: Path) -> None:
    assert "teleop" not in graph(tmp_path)
    nodes = graph(tmp_path, teleop="keyboard", teleop_release="stop")
    assert nodes["teleop"].parameters["device"] == "keyboard"
    assert nodes["teleop"].takes_keys
    assert nodes["brain"].parameters["teleop"] is True
    assert nodes["brain"].parameters["teleop_release"] == "stop"
    assert nodes["recorder"].parameters["teleop"] is True
    expert = graph(tmp_path, teleop="expert", takeover_deviation=0.4, seed=7)["expert"]
    assert expert.parameters["circuit"] == "simple_circuit"
    assert (expert.parameters["takeover_deviation"], expert.parameters["seed"]) == (0.4, 7)
    assert not graph(tmp_path, teleop="joy")["teleop"].takes_keys
    others = graph(tmp_path, teleop="topic")
    assert "teleop" not in others
    assert others["brain"].parameters["teleop"] is True


def test_every_node_speaks_on_the_same_topics(tmp_path: Path) -> None:
    nodes = graph(tmp_path, camera_topic="/car/camera/image_raw", cmd_vel_topic="/car/cmd")
    for spec in nodes.values():
        assert dict(spec.remappings) == {
            "camera/image_raw": "/car/camera/image_raw",
            "camera/camera_info": "/car/camera/camera_info",
            "cmd_vel": "/car/cmd",
            "odom": "/F1ROS/odom",
        }


def test_the_nodes_that_drive_and_measure_run_on_simulated_time(tmp_path: Path) -> None:
    for name, spec in graph(tmp_path).items():
        timed = name not in ("simulator", "command_guard")
        assert spec.parameters.get("use_sim_time", False) == timed


def test_a_namespace_is_every_nodes(tmp_path: Path) -> None:
    for name, spec in graph(tmp_path, namespace="car1").items():
        assert spec.namespace == "car1"
        assert "-r __ns:=/car1 -r camera/image_raw:=camera/image_raw " in " ".join(
            command_line(spec)
        ), name


def test_gazebos_world_has_the_topics_of_the_namespace(tmp_path: Path) -> None:
    gz = run_graph(RunSpec(simulator="gz", namespace="car1"), tmp_path)[0]
    given = dict(zip(gz.arguments[::2], gz.arguments[1::2], strict=True))
    assert given["--camera"] == "/car1/camera/image_raw"
    assert given["--cmd-vel"] == "/car1/cmd_vel"


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


def test_gazebo_sims_world_and_bridge_get_the_runs_topics(tmp_path: Path) -> None:
    asked = RunSpec(simulator="gz", circuit="montreal", camera_topic="/car/image")
    gz = run_graph(asked, tmp_path)[0]
    assert (gz.name, gz.ends_run) == ("gz", True)
    given = dict(zip(gz.arguments[::2], gz.arguments[1::2], strict=True))
    assert given["--circuit"] == "montreal"
    assert (given["--camera"], given["--camera-info"]) == ("/car/image", "/car/camera_info")
    assert given["--folder"] == str(tmp_path.resolve() / "world")


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


@pytest.mark.parametrize(("with_ros", "lockstep"), [(True, False), (True, True), (False, False)])
def test_gazebo_sim_has_one_bridge_and_one_partition(
    with_ros: bool, lockstep: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ros_gz_bridge is taken where it is installed; it holds no physics for the brain."""
    program = tmp_path / "lib" / "ros_gz_bridge" / "parameter_bridge"
    program.parent.mkdir(parents=True)
    if with_ros:
        program.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    run_dir = tmp_path / "20260101-120000-my circuit-qat"
    spec = RunSpec(simulator="gz", lockstep=lockstep, rtf=2.5)
    nodes = {node.name: node for node in run_graph(spec, run_dir)}
    server = nodes["gz"].arguments
    partition = server[server.index("--partition") + 1]
    assert partition == "pilotnet_20260101-120000-my_circuit-qat"
    own = not with_ros or lockstep
    assert ("--ros" in server) != own
    assert ("gz_bridge" in nodes) == own
    if own:
        bridge = nodes["gz_bridge"].parameters
        assert bridge["partition"] == partition
        assert (bridge["lockstep"], bridge["rtf"]) == (lockstep, 2.5)
    # Held for the brain, the physics does not run away from it.
    assert nodes["command_guard"].parameters["rtf"] == (1.0 if lockstep else 2.5)


def test_in_a_world_of_the_users_gazebo_sims_bridge_puts_the_car_on_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "lib" / "ros_gz_bridge" / "parameter_bridge"
    program.parent.mkdir(parents=True)
    program.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    placed = {"circuit": "montreal", "start_arc_length": 20.0, "car_file": "/f1.urdf"}
    nodes = graph(tmp_path, simulator="gz", world="/their.sdf", **placed)
    server = nodes["gz"].arguments
    assert server[server.index("--world") + 1] == "/their.sdf"
    assert "--ros" not in server
    assert nodes["gz_bridge"].parameters.items() >= placed.items()
    # One that runs already is in the partition of the user's environment.
    attached = graph(tmp_path, simulator="gz", attach=True, **placed)
    assert "gz" not in attached
    assert attached["gz_bridge"].parameters.items() >= placed.items()
    assert "partition" not in attached["gz_bridge"].parameters
    assert "gazebo" not in (attached := graph(tmp_path, simulator="gazebo", attach=True))
    assert "gazebo_bridge" in attached


def test_only_this_packages_bridge_holds_the_physics_for_the_brain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotnet_brain.runs.graph.ros_prefixes", lambda: [Path("/opt/ros")])
    held = {
        node.name: node for node in run_graph(RunSpec(simulator="gazebo", lockstep=True), tmp_path)
    }
    assert held["gazebo_bridge"].parameters["lockstep"] is True
    assert not {"--ros", "--lockstep"} & set(held["gazebo"].arguments)
