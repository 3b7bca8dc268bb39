"""The files that Gazebo opens: whole, well-formed, by the contract, the same car in each."""

from __future__ import annotations

import dataclasses
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.car import RosTopics
from pilotnet_brain.simulation.gazebo.classic_world import bare, write_bare_world, write_ros_world
from pilotnet_brain.simulation.gazebo.sim import write_gz_world
from pilotnet_brain.simulation.gazebo.world import write_car
from pilotnet_brain.simulation.looks import PLAIN, random_looks

WRITERS = [write_bare_world, write_ros_world, write_gz_world]
ROUND = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
CIRCUIT = Circuit("ring", Centerline(10.0 * np.column_stack([np.cos(ROUND), np.sin(ROUND)])))
"""63 m, so that its meshes are written at once."""
TOPICS = RosTopics("/eyes/image", "/eyes/camera_info", "/feet/cmd_vel", "/feet/odom")

Root = ElementTree.Element


def read(path: Path) -> Root:
    return ElementTree.parse(path).getroot()


def car_of(files, folder: str) -> Root:
    return read(files.models / folder / "model.sdf")


def file_of(models: Path, address: str) -> Path:
    """Return the file or folder that Gazebo takes a model:// address for."""
    assert address.startswith("model://")
    return models / address.removeprefix("model://")


@pytest.mark.parametrize("write", WRITERS)
def test_every_address_in_a_world_leads_to_a_file(write: Callable, tmp_path: Path) -> None:
    files = write(CIRCUIT, random_looks(5), tmp_path)
    models = [file_of(files.models, uri.text or "") for uri in read(files.world).iter("uri")]
    assert len(models) == 2
    for model in models:
        config = read(model / "model.config")
        described = read(model / str(config.findtext("sdf")))
        assert described.get("version") == config.find("sdf").get("version")
        for uri in described.iter("uri"):
            mesh = file_of(files.models, uri.text or "")
            assert mesh.is_file()
            if mesh.suffix == ".obj":
                assert mesh.with_suffix(".mtl").is_file()


@pytest.mark.parametrize("write", WRITERS)
def test_the_car_stands_on_the_start_line(write: Callable, tmp_path: Path) -> None:
    files = write(CIRCUIT, PLAIN, tmp_path)
    (car,) = (part for part in read(files.world).iter("include") if part.find("name") is not None)
    assert car.findtext("name") == "f1_renault"
    pose = [float(part) for part in str(car.findtext("pose")).split()]
    x, y, yaw = CIRCUIT.start_pose()
    assert pose == pytest.approx([x, y, 0.0, 0.0, 0.0, yaw], abs=1e-5)


@pytest.mark.parametrize(
    ("write", "folder"),
    [
        (write_bare_world, "pilotnet_car"),
        (write_ros_world, "pilotnet_car_ros"),
        (write_gz_world, "pilotnet_car_gz"),
    ],
)
def test_the_camera_is_the_contract_s(write: Callable, folder: str, tmp_path: Path) -> None:
    sensor = car_of(write(CIRCUIT, PLAIN, tmp_path), folder).find(".//link/sensor")
    assert sensor.findtext("pose") == "0.45 0.04 0.1 0 0 0"
    assert sensor.findtext("update_rate") == "20"
    camera = sensor.find("camera")
    assert camera.findtext("horizontal_fov") == "1.57"
    assert (camera.findtext("image/width"), camera.findtext("image/height")) == ("640", "480")
    assert camera.findtext("image/format") == "R8G8B8"
    assert camera.findtext("clip/far") == "15"


def test_a_world_s_steps_are_those_of_the_embedded_simulator(tmp_path: Path) -> None:
    for write in WRITERS:
        physics = read(write(CIRCUIT, PLAIN, tmp_path).world).find("world/physics")
        assert physics.findtext("max_step_size") == "0.005"


def test_the_bare_car_needs_nothing_of_ros(tmp_path: Path) -> None:
    files = write_bare_world(CIRCUIT, PLAIN, tmp_path)
    roots = [read(files.world), car_of(files, "pilotnet_car")]
    plugins = [plugin.get("filename") for root in roots for plugin in root.iter("plugin")]
    assert plugins == ["libDiffDrivePlugin.so"] * 2


def test_the_ros_car_speaks_on_the_topics_that_are_asked_for(tmp_path: Path) -> None:
    files = write_ros_world(CIRCUIT, PLAIN, tmp_path, TOPICS)
    car = car_of(files, "pilotnet_car_ros")
    assert not list(car.iter("joint"))
    plugins = {plugin.get("filename"): plugin for plugin in car.iter("plugin")}
    assert set(plugins) == {"libgazebo_ros_camera.so", "libgazebo_ros_planar_move.so"}
    targets = {
        element.text.partition(":=")[2] for p in plugins.values() for element in p.iter("remapping")
    }
    assert targets == set(dataclasses.astuple(TOPICS))
    state = read(files.world).find("world/plugin")
    assert state.get("filename") == "libgazebo_ros_state.so"
    assert state.findtext("ros/namespace") == "/gazebo"


def test_gz_s_bridge_joins_every_topic_of_the_car(tmp_path: Path) -> None:
    files = write_gz_world(CIRCUIT, PLAIN, tmp_path, TOPICS)
    entries = {entry["ros_topic_name"]: entry for entry in yaml.safe_load(files.bridge.read_text())}
    assert {"/clock", "/tf", *dataclasses.astuple(TOPICS)} <= set(entries)
    assert entries["/feet/cmd_vel"]["direction"] == "ROS_TO_GZ"
    others = [entry for name, entry in entries.items() if name != "/feet/cmd_vel"]
    assert {entry["direction"] for entry in others} == {"GZ_TO_ROS"}
    said = {
        element.text
        for element in car_of(files, "pilotnet_car_gz").iter()
        if element.tag in ("topic", "odom_topic", "tf_topic")
    }
    heard = {entry["gz_topic_name"] for entry in entries.values()}
    assert said <= heard


def test_every_flavour_is_the_same_car(tmp_path: Path) -> None:
    """Body, mass and collisions; only what Gazebo's own plugin measures is added."""
    shapes = []
    for write, folder in (
        (write_bare_world, "pilotnet_car"),
        (write_ros_world, "pilotnet_car_ros"),
        (write_gz_world, "pilotnet_car_gz"),
    ):
        link = car_of(write(CIRCUIT, PLAIN, tmp_path), folder).find("model/link")
        parts = [p for p in link if p.tag != "sensor" and p.get("name") != "unit_wheel"]
        shapes.append([ElementTree.canonicalize(ElementTree.tostring(p)) for p in parts])
    assert shapes[0] == shapes[1] == shapes[2]


def test_worlds_of_every_flavour_lie_side_by_side(tmp_path: Path) -> None:
    bare = write_bare_world(CIRCUIT, PLAIN, tmp_path / "alone")
    alone = (bare.models / "pilotnet_car" / "model.sdf").read_bytes()
    for write in WRITERS:
        write(CIRCUIT, PLAIN, tmp_path / "together")
    together = tmp_path / "together" / "models"
    assert (together / "pilotnet_car" / "model.sdf").read_bytes() == alone


def test_a_world_without_walls_has_none(tmp_path: Path) -> None:
    files = write_bare_world(CIRCUIT, dataclasses.replace(PLAIN, walls=False), tmp_path)
    road = read(files.models / "pilotnet_ring" / "model.sdf")
    assert [part.get("name") for part in road.iter("collision")] == ["ground"]
    assert "wall" not in [part.get("name") for part in road.iter("visual")]


@settings(max_examples=5, deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_circuit_of_any_name_is_written(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        circuit = dataclasses.replace(CIRCUIT, name=name)
        files = write_bare_world(circuit, PLAIN, Path(folder))
        for path in [files.world, *files.models.glob("*/model.*")]:
            read(path)
        assert all(path.name.isascii() for path in Path(folder).rglob("*"))
        assert files.world.parent == Path(folder)


@pytest.mark.parametrize("write", WRITERS)
def test_a_folder_that_cannot_be_written_is_said(write: Callable, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="taken"):
        write(CIRCUIT, PLAIN, tmp_path / "taken")


def test_the_speed_of_time_is_in_a_world_that_no_bridge_slows_down(tmp_path: Path) -> None:
    files = write_ros_world(CIRCUIT, PLAIN, tmp_path, TOPICS, rtf=0.25)
    physics = read(files.world).find("world/physics")
    assert physics is not None
    step, rate = (
        float(physics.findtext(name)) for name in ("max_step_size", "real_time_update_rate")
    )  # type: ignore[arg-type]
    assert step * rate == pytest.approx(0.25)
    assert float(physics.findtext("real_time_factor")) == 0.25  # type: ignore[arg-type]


@pytest.mark.parametrize("write", WRITERS)
def test_a_circuit_in_far_coordinates_is_refused_with_what_to_subtract(
    write: Callable, tmp_path: Path
) -> None:
    far = CIRCUIT.about((-440290.5, -4474257.2))
    with pytest.raises(UserError, match="4474 km .* subtract 440000 from x and 4474000 from y"):
        write(far, PLAIN, tmp_path)
    assert not list(tmp_path.rglob("*.*"))
    assert write(far.about((440000.0, 4474000.0)), PLAIN, tmp_path).world.is_file()


@pytest.mark.parametrize("write", WRITERS)
def test_the_car_stands_where_on_the_line_it_is_told(tmp_path, write):
    files = write(CIRCUIT, PLAIN, tmp_path, start_arc_length=15.7)
    (pose,) = [
        [float(value) for value in include.findtext("pose").split()]
        for include in read(files.world).iter("include")
        if include.find("pose") is not None
    ]
    # A quarter of the ring is 15.7 m.
    assert pose[:2] == pytest.approx([0.0, 10.0], abs=0.02)
    assert abs(pose[5]) == pytest.approx(np.pi, abs=0.01)


def test_the_cameras_noise_is_the_looks_own(tmp_path: Path) -> None:
    for noise, deviation in ((0.0, None), (0.007 * 255.0, "0.007")):
        write_car(dataclasses.replace(PLAIN, noise=noise), bare(), tmp_path)
        car = ElementTree.parse(tmp_path / bare().car_folder / "model.sdf").getroot()
        assert car.findtext(".//camera/noise/stddev") == deviation
