"""A circuit and its looks as a MuJoCo model."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.looks import Looks
from pilotnet_brain.simulation.mujoco.scene_geoms import PIECE, add_scene
from pilotnet_brain.simulation.road import (
    WALL_THICKNESS_M,
    Surface,
    asphalt_half_width,
    ground_square,
    road_surfaces,
    surface_pictures,
    wall_boxes,
)
from pilotnet_brain.simulation.scene import Scenery

HIDDEN_GROUP = 5
"""Geom group that is never drawn: what collides, and what is out of sight."""
CAMERA_NAME = "camera"
CAR_BODY = "base_link"
# The car's velocity is set again before every step: a soft wall would be pushed through.
_SOLID = {
    "group": HIDDEN_GROUP,
    "friction": [0.0, 0.0, 0.0],
    "condim": 1,
    "solref": (2.0 * TIME_STEP_S, 1.0),
    "solimp": (0.99, 0.999, 0.001, 0.5, 2.0),
}
_ONLY_SEEN = {"contype": 0, "conaffinity": 0}
_SKY_BANDS = 24


def build_world(circuit: Circuit, looks: Looks) -> mujoco.MjModel:
    """Return the compiled model: road, line, verge, walls, sky, light, and the car on it.

    The car is a body with two slides and a hinge in the world frame, so its generalized position
    is x (m), y (m), yaw (rad). Drawn pieces are geoms whose names begin with `PIECE`, so that only
    those near the car are sent to draw.
    """
    spec = _empty_world(circuit, looks)
    _add_materials(spec, looks)
    # Geoms are drawn in this order. What lies on top comes first, so that what it hides is not
    # shaded: a software renderer pays by the pixel.
    for surface in road_surfaces(circuit, looks):
        _add_surface(spec, surface)
    _add_ground(spec, circuit)
    if looks.walls:
        _add_wall_collisions(spec, circuit, looks)
    _add_car(spec, looks)
    return spec.compile()


def build_scenery(
    circuit: Circuit, looks: Looks, scenery: Scenery, origin: tuple[float, float]
) -> mujoco.MjModel:
    """Return the compiled model of a world that others made, with the car in it.

    Of the looks count the light, the sky and the camera. Nothing collides: the car drives through
    walls.

    Args:
        circuit: in coordinates that count from `origin`.
        looks: light and camera.
        scenery: what is seen.
        origin: x and y of the model's origin in the scene, m.
    """
    spec = _empty_world(circuit, looks)
    add_scene(spec, scenery.scene.meshes, (*origin, scenery.road_height))
    _add_car(spec, looks)
    return spec.compile()


def _empty_world(circuit: Circuit, looks: Looks) -> mujoco.MjSpec:
    spec = mujoco.MjSpec.from_string(_settings_and_sun(looks))
    spec.modelname = circuit.name
    spec.visual.headlight.active = 1
    return spec


def _settings_and_sun(looks: Looks) -> str:
    """Return as MJCF what does not depend on the circuit."""
    x, y, z = looks.sun_direction
    # Distances in the visual settings are multiples of the extent: 1 makes them metres.
    # Multisampling costs a software renderer two thirds of its frame rate.
    return f"""
    <mujoco>
      <option timestep="{TIME_STEP_S}" gravity="0 0 0" integrator="Euler"/>
      <statistic extent="1" center="0 0 0"/>
      <visual>
        <global offwidth="{car.CAMERA_WIDTH}" offheight="{car.CAMERA_HEIGHT}"/>
        <map znear="{car.CAMERA_NEAR_M}" zfar="{car.CAMERA_FAR_M}"/>
        <quality offsamples="0" shadowsize="0"/>
        <headlight ambient="{f"{looks.ambient} " * 3}" diffuse="0 0 0" specular="0 0 0"/>
      </visual>
      <worldbody>
        <light name="sun" type="directional" dir="{x} {y} {z}"
          diffuse="{f"{looks.sun} " * 3}" ambient="0 0 0" specular="0 0 0" castshadow="false"/>
      </worldbody>
    </mujoco>"""


def _add_materials(spec: mujoco.MjSpec, looks: Looks) -> None:
    for name, picture in surface_pictures(looks).items():
        height, width, channels = picture.shape
        texture = spec.add_texture(
            name=name,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            width=width,
            height=height,
            nchannel=channels,
        )
        texture.data = picture.tobytes()
        material = spec.add_material(name=name, specular=0.0, shininess=0.0)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    spec.material("verge").texrepeat = [400.0, 400.0]


def _add_ground(spec: mujoco.MjSpec, circuit: Circuit) -> None:
    x, y, half = ground_square(circuit)
    spec.worldbody.add_geom(
        name="verge",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[x, y, 0.0],
        size=[half, half, 1.0],
        material="verge",
        **_ONLY_SEEN,
    )


def _add_surface(spec: mujoco.MjSpec, surface: Surface) -> None:
    name = f"{PIECE}{surface.chunk}-{surface.material}{surface.part and '-' + surface.part}"
    strip = surface.strip
    mesh = spec.add_mesh(name=name)
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    mesh.uservert = strip.vertices.ravel()
    mesh.userface = strip.faces.ravel()
    mesh.usertexcoord = strip.texture.ravel()
    spec.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        material=surface.material,
        **_ONLY_SEEN,
    )


def _add_wall_collisions(spec: mujoco.MjSpec, circuit: Circuit, looks: Looks) -> None:
    half = asphalt_half_width(circuit, looks)
    for side in (1.0, -1.0):
        for x, y, yaw, half_length in wall_boxes(circuit.centerline, side * half, WALL_THICKNESS_M):
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[x, y, 0.5 * circuit.wall_height],
                quat=[math.cos(0.5 * yaw), 0.0, 0.0, math.sin(0.5 * yaw)],
                size=[half_length, 0.5 * WALL_THICKNESS_M, 0.5 * circuit.wall_height],
                **_SOLID,
            )


def _add_car(spec: mujoco.MjSpec, looks: Looks) -> None:
    body = spec.worldbody.add_body(name=CAR_BODY)
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    body.add_joint(name="x", type=slide, axis=[1, 0, 0])
    body.add_joint(name="y", type=slide, axis=[0, 1, 0])
    body.add_joint(name="yaw", type=hinge, axis=[0, 0, 1])
    body.add_geom(
        name="chassis",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[0.0, 0.0, 0.5 * car.CAR_HEIGHT_M],
        size=[0.5 * car.CAR_LENGTH_M, 0.5 * car.CAR_WIDTH_M, 0.5 * car.CAR_HEIGHT_M],
        mass=10.0,
        **_SOLID,
    )
    mount = {
        "pos": np.add(car.CAMERA_POSITION, looks.camera_offset),
        "quat": _camera_quaternion(looks),
    }
    fovy = math.degrees(car.camera_vertical_fov(looks.camera_fov))
    body.add_camera(name=CAMERA_NAME, fovy=fovy, **mount)
    _add_sky(spec, body, mount, looks)


def _add_sky(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, mount: dict[str, object], looks: Looks
) -> None:
    """Hang the sky before the camera, as far as it sees, from below the horizon upwards.

    MuJoCo's own sky is a cube map: its sampling takes a software renderer a third of a frame, and
    its faces hide what lies farther away than 9 m. These are bands of one colour each.
    """
    far, wide = 0.997 * car.CAMERA_FAR_M, 2.0 * car.CAMERA_FAR_M
    edges = np.concatenate([[-1.5], np.linspace(0.5, 0.85 * car.CAMERA_FAR_M, _SKY_BANDS)])
    horizon, zenith = (np.asarray(colour) for colour in looks.sky)
    for band, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        share = band / (_SKY_BANDS - 1)
        name = f"sky-{band}"
        colour = [*((1.0 - share) * horizon + share * zenith), 1.0]
        # The ambient light brings it up to its own colour.
        emission = max(0.0, 1.0 - looks.ambient)
        spec.add_material(name=name, rgba=colour, emission=emission, specular=0.0)
        mesh = spec.add_mesh(name=name)
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        corners = [(-wide, low, -far), (wide, low, -far), (wide, high, -far), (-wide, high, -far)]
        mesh.uservert = np.ravel(corners)
        mesh.userface = [0, 1, 2, 0, 2, 3]
        body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            material=name,
            mass=0.0,
            **_ONLY_SEEN,
            **mount,
        )


def _camera_quaternion(looks: Looks) -> list[float]:
    """Return the camera's attitude (w, x, y, z): looking along x, up along z, then its errors."""
    # MuJoCo's cameras look along -z with y up.
    axes = Rotation.from_matrix([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    errors = [looks.camera_roll, looks.camera_pitch, looks.camera_yaw]
    x, y, z, w = (Rotation.from_euler("xyz", errors) * axes).as_quat().tolist()
    return [w, x, y, z]
