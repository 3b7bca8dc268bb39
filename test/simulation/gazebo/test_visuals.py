"""What a world file shows: poses, scales, materials, included models; what is missing is named."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.visuals import read_scene

BOX = "<visual name='v'>{more}<geometry><box><size>2 4 6</size></box></geometry></visual>"


def world_of(folder: Path, text: str) -> Path:
    path = folder / "their.world"
    path.write_text(f"<sdf version='1.6'><world name='w'>{text}</world></sdf>")
    return path


def model(visual: str, more: str = "<static>true</static>", name: str = "thing") -> str:
    return f"<model name='{name}'>{more}<link name='l'>{visual}</link></model>"


def test_poses_of_model_link_and_visual_add_up(tmp_path):
    pose = "<pose>1 2 3 0 0 1.5707963</pose>"
    text = model(BOX.format(more="<pose>10 0 0 0 0 0</pose>"), f"<static>1</static>{pose}")
    (mesh,) = read_scene(world_of(tmp_path, text)).meshes
    # Turned left by 90 degrees, 10 m forward is 10 m along y, and the box lies across.
    assert mesh.vertices.min(axis=0) == pytest.approx([-1.0, 11.0, 0.0], abs=1e-6)
    assert mesh.vertices.max(axis=0) == pytest.approx([3.0, 13.0, 6.0], abs=1e-6)
    assert mesh.name == "thing/v"


@pytest.mark.parametrize(
    ("material", "colour"),
    [
        ("<material><diffuse>0.2 0.4 0.6 1</diffuse></material>", (0.2, 0.4, 0.6)),
        ("<material><script><name>Gazebo/Red</name></script></material>", (1.0, 0.0, 0.0)),
    ],
)
def test_materials_have_their_colours(tmp_path, material, colour):
    text = model(BOX.format(more=material))
    assert read_scene(world_of(tmp_path, text)).meshes[0].colour == pytest.approx(colour)


def obj_model(folder: Path, scale: str = "1 1 1") -> str:
    """Write a model folder with a textured OBJ; return its <include>."""
    meshes = folder / "models" / "road" / "meshes"
    meshes.mkdir(parents=True)
    Image.fromarray(np.full((4, 4, 3), (10, 200, 30), np.uint8)).save(meshes / "green.png")
    (meshes / "road.mtl").write_text("newmtl green\nmap_Kd green.png\n")
    (meshes / "road.obj").write_text(
        "mtllib road.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nusemtl green\n"
        "f 1/1 2/2 3/3\n"
    )
    (folder / "models" / "road" / "model.sdf").write_text(
        "<sdf version='1.6'><model name='road'><static>true</static><link name='l'>"
        f"<visual name='v'><geometry><mesh><uri>model://road/meshes/road.obj</uri><scale>{scale}</scale></mesh>"
        "</geometry></visual></link></model></sdf>"
    )
    return "<include><uri>model://road</uri><pose>5 0 0 0 0 0</pose></include>"


def test_a_mesh_file_keeps_its_texture_and_is_scaled(tmp_path):
    scene = read_scene(world_of(tmp_path, obj_model(tmp_path, "2 2 2")))
    (mesh,) = scene.meshes
    assert mesh.vertices.max(axis=0) == pytest.approx([7.0, 2.0, 0.0])
    assert mesh.texture is not None and mesh.texture.shape == (3, 2)
    assert mesh.picture is not None and tuple(mesh.picture[0, 0]) == (10, 200, 30)
    assert scene.missing == ()


def test_models_are_found_on_gazebos_path(tmp_path, monkeypatch):
    include = obj_model(tmp_path / "elsewhere")
    (tmp_path / "here" / "deep" / "deeper").mkdir(parents=True)
    path = world_of(tmp_path / "here" / "deep" / "deeper", include)
    with pytest.raises(UserError, match=r"nothing in it is drawn; not found: model://road"):
        read_scene(path)
    monkeypatch.setenv("GAZEBO_MODEL_PATH", str(tmp_path / "elsewhere" / "models"))
    assert len(read_scene(path).meshes) == 1


def test_what_can_move_is_not_drawn_and_says_where_it_stands(tmp_path):
    car = model(BOX.format(more=""), "<pose>3 4 0.5 0 0 2</pose><plugin name='p'/>", "my_car")
    missing = "<include><uri>model://f1</uri><pose>1 2 0 0 0 -1</pose></include>"
    sun = "<include><uri>model://sun</uri></include>"
    scene = read_scene(world_of(tmp_path, model(BOX.format(more="")) + car + missing + sun))
    assert [mesh.name for mesh in scene.meshes] == ["thing/v"]
    by_name = {place.name: place for place in scene.movable}
    assert by_name["my_car"][1:] == pytest.approx((3.0, 4.0, 0.5, 2.0))
    assert by_name["f1"][1:] == pytest.approx((1.0, 2.0, 0.0, -1.0))
    assert scene.missing == ("model://f1",)


def test_collada_in_inches_is_read_in_metres(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    text = trimesh.creation.box((1.0, 1.0, 1.0)).export(file_type="dae").decode()
    # pycollada writes no unit; inches are SketchUp's.
    assert "<unit" not in text or 'meter="1' in text
    head, _, tail = text.partition("<asset>")
    meshes = tmp_path / "box.dae"
    tail = tail.partition("</asset>")[2]
    meshes.write_text(f'{head}<asset><unit name="inch" meter="0.0254"/></asset>{tail}')
    visual = f"<visual name='v'><geometry><mesh><uri>{meshes}</uri></mesh></geometry></visual>"
    (mesh,) = read_scene(world_of(tmp_path, model(visual))).meshes
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([0.0254] * 3)


def test_the_brightest_sun_is_the_light(tmp_path):
    lights = "".join(
        f"<light name='{n}' type='directional'><diffuse>{d} {d} {d} 1</diffuse>"
        f"<direction>{x} 0 -1</direction></light>"
        for n, d, x in (("weak", 0.2, 1), ("strong", 0.6, -1))
    )
    ambient = "<scene><ambient>0.5 0.5 0.5 1</ambient></scene>"
    scene = read_scene(world_of(tmp_path, model(BOX.format(more="")) + lights + ambient))
    assert scene.sun == pytest.approx(0.6)
    assert scene.sun_direction == (-1.0, 0.0, -1.0)
    assert scene.ambient == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "cannot be read as a world file"), ("<sdf/>", "has no <world>"), ("nonsense", "cannot")],
)
def test_what_is_no_world_is_refused(tmp_path, text, reason):
    path = tmp_path / "x.world"
    path.write_text(text)
    with pytest.raises(UserError, match=reason):
        read_scene(path)
    with pytest.raises(UserError, match="cannot be read as a world file"):
        read_scene(tmp_path / "none.world")


@settings(max_examples=40)
@given(st.text(max_size=12), st.text(max_size=12), st.binary(max_size=40))
def test_hostile_values_are_read_or_refused(tmp_path_factory, pose, uri, mesh):
    folder = tmp_path_factory.mktemp("w")
    (folder / "m.obj").write_bytes(mesh)
    clean = [t.replace("&", "").replace("<", "").replace("]]>", "") for t in (pose, uri)]
    path = world_of(
        folder,
        model(f"<visual name='v'><pose>{clean[0]}</pose><geometry><mesh>"
              f"<uri>{clean[1]}</uri></mesh></geometry></visual>")
        + model("<visual name='v'><geometry><mesh><uri>m.obj</uri></mesh></geometry></visual>")
        + model(BOX.format(more=f"<pose>{clean[0]}</pose>")),
    )  # fmt: skip
    try:
        for mesh_read in read_scene(path).meshes:
            assert all(map(math.isfinite, mesh_read.vertices.ravel().tolist()))
    except UserError as refused:
        assert str(refused)
