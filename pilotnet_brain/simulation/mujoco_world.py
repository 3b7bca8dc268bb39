"""A circuit and its looks as a MuJoCo model."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation import car, surface_textures
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.looks import Looks
from pilotnet_brain.simulation.road_strips import Strip, ribbon, wall, wall_boxes

CHUNK_M = 16.0
"""Length of the pieces that the road is drawn in: only those near the car are sent to draw."""
HIDDEN_GROUP = 5
"""Geom group that is never drawn: what collides, and what is out of sight."""
CAMERA_NAME = "camera"
CAR_BODY = "base_link"
_WALL_THICKNESS_M = 0.2
# The car's velocity is set anew before every step: a soft wall would be pushed through.
_STIFF_CONTACT = (2.0 * TIME_STEP_S, 1.0)
_HARD_CONTACT = (0.99, 0.999, 0.001, 0.5, 2.0)
_SKY_BANDS = 24
_WHITE, _BLACK = (0.92, 0.92, 0.92), (0.06, 0.06, 0.06)


def build_world(circuit: Circuit, looks: Looks) -> mujoco.MjModel:
    """Return the compiled model: road, line, verge, walls, sky, light, and the car on it.

    The car is a body with two slides and a hinge in the world frame, so its generalized position
    is x (m), y (m), yaw (rad). Drawn pieces of the road are geoms named ``chunk-K-...``, K counted
    from the start line every `CHUNK_M`.
    """
    spec = mujoco.MjSpec()
    spec.modelname = circuit.name
    _set_options(spec)
    _add_light(spec, looks)
    _add_materials(spec, looks)
    # Geoms are drawn in this order. What lies on top comes first, so that what it hides is not
    # shaded at all: a software renderer pays by the pixel.
    _add_road(spec, circuit, looks)
    _add_ground(spec, circuit)
    if looks.walls:
        _add_wall_collisions(spec, circuit, looks)
    _add_car(spec, looks)
    return spec.compile()


def chunk_count(circuit: Circuit) -> int:
    """Return in how many pieces the circuit's road is drawn."""
    return max(1, round(circuit.centerline.length / CHUNK_M))


def _set_options(spec: mujoco.MjSpec) -> None:
    spec.option.timestep = TIME_STEP_S
    spec.option.gravity = [0.0, 0.0, 0.0]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    # Distances in the visual settings are multiples of the extent: 1 makes them metres.
    spec.stat.extent = 1.0
    spec.stat.center = [0.0, 0.0, 0.0]
    spec.visual.map.znear = car.CAMERA_NEAR_M
    spec.visual.map.zfar = car.CAMERA_FAR_M
    # Multisampling costs a software renderer two thirds of its frame rate.
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = 0
    visual = spec.visual.global_
    visual.offwidth, visual.offheight = car.CAMERA_WIDTH, car.CAMERA_HEIGHT


def _add_light(spec: mujoco.MjSpec, looks: Looks) -> None:
    spec.visual.headlight.active = 1
    spec.visual.headlight.ambient = [looks.ambient] * 3
    spec.visual.headlight.diffuse = [0.0] * 3
    spec.visual.headlight.specular = [0.0] * 3
    level = math.cos(looks.sun_elevation)
    spec.worldbody.add_light(
        name="sun",
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        dir=[
            -level * math.cos(looks.sun_azimuth),
            -level * math.sin(looks.sun_azimuth),
            -math.sin(looks.sun_elevation),
        ],
        diffuse=[looks.sun] * 3,
        ambient=[0.0] * 3,
        specular=[0.0] * 3,
        castshadow=False,
    )


def _add_materials(spec: mujoco.MjSpec, looks: Looks) -> None:
    rng = np.random.default_rng(looks.texture_seed)
    strength = looks.texture_strength
    grained = surface_textures.grained
    pictures = {
        "verge": grained(looks.verge, strength, rng),
        "asphalt": grained(looks.asphalt, strength, rng),
        "line": grained(looks.line, 0.4 * strength, rng),
        "wall": surface_textures.wall_face(looks, rng),
        "chequer": surface_textures.chequered(_WHITE, _BLACK, 16, 4),
        "stripe": surface_textures.even(_WHITE),
        "edge": surface_textures.even(looks.edge_lines or _WHITE),
        "kerb": surface_textures.two_tone(*(looks.kerbs or (_WHITE, _BLACK))),
    }
    for name, picture in pictures.items():
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
    low, high = circuit.centerline.points.min(axis=0), circuit.centerline.points.max(axis=0)
    middle, half = 0.5 * (low + high), 0.5 * float((high - low).max()) + 30.0
    spec.worldbody.add_geom(
        name="verge",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[middle[0], middle[1], 0.0],
        size=[half, half, 1.0],
        material="verge",
        contype=0,
        conaffinity=0,
    )


def _add_road(spec: mujoco.MjSpec, circuit: Circuit, looks: Looks) -> None:
    line = circuit.centerline
    count = chunk_count(circuit)
    length = line.length / count
    half = circuit.asphalt_half_width * looks.asphalt_width_scale
    paint = 0.5 * circuit.line_width * looks.line_width_scale
    _add_crossings(spec, circuit, looks, half)
    for k in range(count):
        begin, end = k * length, (k + 1) * length
        _add_strip(spec, k, "line", ribbon(line, begin, end, -paint, paint, 0.004), 1.0)
        for name, side in (("left", 1.0), ("right", -1.0)):
            if looks.walls:
                face = wall(line, begin, end, side * half, circuit.wall_height)
                _add_strip(spec, k, "wall", face, 16.0, name)
            if looks.edge_lines:
                inner, outer = sorted((side * (half - 0.2), side * (half - 0.1)))
                edge = ribbon(line, begin, end, inner, outer, 0.003)
                _add_strip(spec, k, "edge", edge, 1.0, name)
            if looks.kerbs and np.abs(line.curvature(np.array([begin, end]))).max() > 0.05:
                inner, outer = sorted((side * (half - 0.45), side * half))
                kerb = ribbon(line, begin, end, inner, outer, 0.002)
                _add_strip(spec, k, "kerb", kerb, 1.0, name)
        _add_strip(spec, k, "asphalt", ribbon(line, begin, end, -half, half, 0.001), 2.0 * half)


def _add_crossings(spec: mujoco.MjSpec, circuit: Circuit, looks: Looks, half: float) -> None:
    """Bands across the road, under the line as on JdeRobot's circuits, or over it."""
    line, count = circuit.centerline, chunk_count(circuit)
    rng = np.random.default_rng([looks.texture_seed, 1])
    bands = [(0.0, "chequer", 1.0)] if looks.start_line else []
    for _ in range(rng.poisson(looks.crossings * line.length / 1000.0)):
        kind = str(rng.choice(["chequer", "stripe", "kerb"]))
        bands.append((float(rng.uniform(0.0, line.length)), kind, float(rng.uniform(0.15, 1.5))))
    for number, (begin, kind, width) in enumerate(bands):
        height = 0.005 if rng.random() < 0.3 else 0.0025
        band = ribbon(line, begin, begin + width, -half, half, height)
        texture = band.texture - [0.0, begin]
        chunk = int(begin / line.length * count) % count
        strip = Strip(band.vertices, band.faces, texture)
        _add_strip(spec, chunk, kind, strip, width, f"band{number}")


def _add_strip(
    spec: mujoco.MjSpec, chunk: int, material: str, strip: Strip, repeat: float, part: str = ""
) -> None:
    """Add a drawn surface; its texture repeats every `repeat` metres along the way."""
    name = f"chunk-{chunk}-{material}{part and '-' + part}"
    texture = strip.texture / [1.0, repeat]
    mesh = spec.add_mesh(name=name)
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    mesh.uservert = strip.vertices.ravel()
    mesh.userface = strip.faces.ravel()
    mesh.usertexcoord = texture.ravel()
    spec.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        material=material,
        contype=0,
        conaffinity=0,
    )


def _add_wall_collisions(spec: mujoco.MjSpec, circuit: Circuit, looks: Looks) -> None:
    half = circuit.asphalt_half_width * looks.asphalt_width_scale
    for side in (1.0, -1.0):
        for x, y, yaw, half_length in wall_boxes(
            circuit.centerline, side * half, _WALL_THICKNESS_M
        ):
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[x, y, 0.5 * circuit.wall_height],
                quat=[math.cos(0.5 * yaw), 0.0, 0.0, math.sin(0.5 * yaw)],
                size=[half_length, 0.5 * _WALL_THICKNESS_M, 0.5 * circuit.wall_height],
                group=HIDDEN_GROUP,
                friction=[0.0, 0.0, 0.0],
                condim=1,
                solref=_STIFF_CONTACT,
                solimp=_HARD_CONTACT,
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
        group=HIDDEN_GROUP,
        friction=[0.0, 0.0, 0.0],
        condim=1,
        solref=_STIFF_CONTACT,
        solimp=_HARD_CONTACT,
    )
    mount = {
        "pos": np.add(car.CAMERA_POSITION, looks.camera_offset),
        "quat": _camera_quaternion(looks),
    }
    fovy = math.degrees(car.camera_vertical_fov())
    body.add_camera(name=CAMERA_NAME, fovy=fovy, **mount)
    _add_sky(spec, body, mount, looks)


def _add_sky(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, mount: dict[str, object], looks: Looks
) -> None:
    """Hang the sky before the camera, as far as it sees, from below the horizon upwards.

    MuJoCo's own sky is a cube map: its sampling takes a software renderer a third of a frame, and
    its faces hide what lies farther away than 9 m. These are bands of one colour each.
    """
    far, wide = 0.997 * car.CAMERA_FAR_M, 1.1 * car.CAMERA_FAR_M
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
            contype=0,
            conaffinity=0,
            **mount,
        )


def _camera_quaternion(looks: Looks) -> list[float]:
    """Return the camera's attitude (w, x, y, z): looking along x, up along z, then its errors."""
    quaternion = np.zeros(4)
    # MuJoCo's cameras look along -z with y up.
    axes = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    mujoco.mju_mat2Quat(quaternion, axes.ravel())
    for axis, angle in (
        ([1.0, 0.0, 0.0], looks.camera_roll),
        ([0.0, 1.0, 0.0], looks.camera_pitch),
        ([0.0, 0.0, 1.0], looks.camera_yaw),
    ):
        turn, turned = np.zeros(4), np.zeros(4)
        mujoco.mju_axisAngle2Quat(turn, np.array(axis), angle)
        mujoco.mju_mulQuat(turned, turn, quaternion)
        quaternion = turned
    return quaternion.tolist()
