"""Another's world keeps all that is seen, and gets the car of the contract for its own."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.car import Flavour, RosTopics
from pilotnet_brain.simulation.gazebo.classic_world import bare, with_gazebo_ros
from pilotnet_brain.simulation.gazebo.scenery import write_world_with_our_car
from pilotnet_brain.simulation.gazebo.sim import gz_flavour

CIRCUIT = load_circuit("simple_circuit")
THEIRS = """<?xml version="1.0"?>
<sdf version="1.4">
  <world name="race">
    <include><uri>model://sun</uri></include>
    <include><uri>model://their_circuit</uri><pose>0 0 0 0 0 0</pose></include>
    <include><uri>model://f1_renault/</uri><pose>53.46 -10.7 0 0 0 3</pose></include>
    <model name="bystander"><static>true</static></model>
    <physics type="ode"><max_step_size>0.01</max_step_size></physics>
    <plugin name="state" filename="libgazebo_ros_state.so"/>
    <plugin name="clouds" filename="libTheirClouds.so"/>
    <scene><sky><clouds><speed>12</speed></clouds></sky></scene>
  </world>
</sdf>
"""


def world_of(tmp_path: Path, text: str = THEIRS, car: str = "f1_renault", flavour=bare, start=None):
    scenery = tmp_path / "race.world"
    scenery.write_text(text)
    files = write_world_with_our_car(scenery, car, CIRCUIT, tmp_path / "out", flavour(), start)
    return files, ElementTree.parse(files.world).getroot().find("world")


def gz() -> Flavour:
    return gz_flavour(RosTopics())


@pytest.mark.parametrize("flavour", [bare, with_gazebo_ros, gz])
def test_our_car_stands_on_the_start_line_instead_of_theirs(tmp_path, flavour):
    files, world = world_of(tmp_path, flavour=flavour)
    included = {include.findtext("uri"): include for include in world.findall("include")}
    car_uri = f"model://{flavour().car_folder}"
    assert set(included) == {"model://sun", "model://their_circuit", car_uri}
    pose = [float(value) for value in included[car_uri].findtext("pose").split()]
    x, y, yaw = CIRCUIT.start_pose()
    assert pose == pytest.approx([x, y, 0.0, 0.0, 0.0, yaw], abs=1e-6)
    assert included[car_uri].findtext("name") == "f1_renault"
    assert (files.models / flavour().car_folder / "model.sdf").is_file()


def test_what_is_seen_stays_and_what_drives_is_ours(tmp_path):
    _, world = world_of(tmp_path)
    assert world.find("scene/sky/clouds/speed").text == "12"
    assert world.find("model").get("name") == "bystander"
    assert [plugin.get("filename") for plugin in world.findall("plugin")] == ["libTheirClouds.so"]
    (physics,) = world.findall("physics")
    assert float(physics.findtext("max_step_size")) == 0.005
    assert world.get("name") == "default"


def test_a_car_is_found_by_its_name_too(tmp_path):
    _, world = world_of(tmp_path, car="bystander")
    assert world.find("model") is None


def test_a_car_that_is_not_there_lists_what_is(tmp_path):
    with pytest.raises(UserError, match="'car'.*bystander, f1_renault, sun, their_circuit"):
        world_of(tmp_path, car="car")


def test_the_world_itself_is_never_overwritten(tmp_path):
    scenery = tmp_path / "race.world"
    scenery.write_text(THEIRS)
    with pytest.raises(UserError, match="choose another folder"):
        write_world_with_our_car(scenery, "f1_renault", CIRCUIT, tmp_path, bare())
    assert scenery.read_text() == THEIRS


HERE = "<pose>53.46 -10.7 0 0 0 3</pose>"


@pytest.mark.parametrize(
    ("pose", "away"),
    [
        ("0 0.7 0.004 0 0 -1.57", "24 m"),
        ("267.4 -52.4 0.004 0 0 3.14", "214 m"),
        ("56.2 -10.7 0 0 0 0", "3 m"),
    ],
)
def test_a_world_whose_road_lies_elsewhere_is_refused(tmp_path, pose, away):
    """By how far from our line its own car stands."""
    theirs = THEIRS.replace(HERE, f"<pose>{pose}</pose>")
    with pytest.raises(UserError) as refused:
        world_of(tmp_path, theirs)
    told = str(refused.value)
    assert "race.world: its car f1_renault stands at" in told
    assert f", {away} from the line of simple_circuit" in told
    assert "--start X Y YAW" in told and "\n" not in told
    _, world = world_of(tmp_path, theirs, start=(0.0, 0.7, -1.57))
    poses = {part.findtext("name"): part.findtext("pose") for part in world.findall("include")}
    assert poses["f1_renault"] == "0 0.7 0 0 0 -1.57"


@pytest.mark.parametrize("pose", ["", "<pose/>", "<pose>here</pose>", "<pose>nan 0 0 0 0 0</pose>"])
def test_a_car_without_a_place_says_nothing_of_the_road(tmp_path, pose):
    assert world_of(tmp_path, THEIRS.replace(HERE, pose))


def test_the_place_in_a_saved_world_is_that_of_its_state(tmp_path):
    """Gazebo puts a model where the state of that name says, also ours if that stayed."""
    state = """<state world_name="race"><sim_time>3 0</sim_time><model name="bystander"/>
        <model name="f1_renault"><pose>{} 0 0 0 3</pose></model></state></world>"""
    _, world = world_of(tmp_path, THEIRS.replace("</world>", state.format("53.4 -20")))
    assert [model.get("name") for model in world.findall("state/model")] == ["bystander"]
    with pytest.raises(UserError, match="stands at 267 -52"):
        world_of(tmp_path, THEIRS.replace("</world>", state.format("267 -52")))


@pytest.mark.parametrize("text", ["", "<sdf/>", "<sdf><model name='f1_renault'/></sdf>", "\x00"])
def test_what_is_no_world_is_refused(tmp_path, text):
    with pytest.raises(UserError, match=r"race\.world"):
        world_of(tmp_path, text)


def test_a_world_with_values_without_quotes_is_read_as_gazebo_does(tmp_path):
    loose = THEIRS.replace(
        '<world name="race">',
        '<!-- <a b=c> --><world name=race><gui fullscreen=1 title="a=b c=d"></gui>'
        "<light type = 'point' name=lamp/>",
    )
    _, world = world_of(tmp_path, loose)
    assert world.find("gui").attrib == {"fullscreen": "1", "title": "a=b c=d"}
    assert world.find("light").attrib == {"type": "point", "name": "lamp"}
    assert world.find("model").get("name") == "bystander"


@given(junk=st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_line(tmp_path_factory, junk):
    scenery = tmp_path_factory.mktemp("scenery") / "race.world"
    scenery.write_bytes(junk)
    with pytest.raises(UserError) as refused:
        write_world_with_our_car(scenery, "f1_renault", CIRCUIT, scenery.parent / "out", bare())
    assert "\n" not in str(refused.value)


def test_gazebo_sims_systems_are_added_where_the_world_lacks_them(tmp_path):
    theirs = THEIRS.replace(
        '<plugin name="state" filename="libgazebo_ros_state.so"/>',
        '<plugin filename="gz-sim-sensors-system" name="gz::sim::systems::Sensors">'
        "<render_engine>ogre</render_engine></plugin>",
    )
    _, world = world_of(tmp_path, theirs, flavour=gz)
    systems = [plugin.get("name").rpartition(":")[2] for plugin in world.findall("plugin")]
    assert sorted(systems) == ["Physics", "SceneBroadcaster", "Sensors", "UserCommands", "clouds"]
    assert world.find("plugin/render_engine").text == "ogre"
