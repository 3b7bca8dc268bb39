"""What a Gazebo world shows: the meshes and shapes of its models, Classic's and Gazebo Sim's alike.

Read are <include>, <model>, <link>, <visual> and <light> of SDF (http://sdformat.org/spec), with
their poses, scales and materials. Models that can move (the car) are left out, except for where
they stand.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from trimesh.visual import TextureVisuals

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.sdf import read_world, read_xml
from pilotnet_brain.simulation.scene import Placed, Scene, SceneMesh

_PATH_VARIABLES = (
    "GAZEBO_MODEL_PATH", "GZ_SIM_RESOURCE_PATH", "IGN_GAZEBO_RESOURCE_PATH", "GAZEBO_RESOURCE_PATH",
)  # fmt: skip
_GREY = (0.7, 0.7, 0.7)
_WHITE = (1.0, 1.0, 1.0)
_LARGEST_FILE = 512 * 2**20
_MOST_FACES = 3_000_000
_PLANE_M = 100.0
_MOVING_PARTS = ("joint", "plugin", "sensor")
_COLLADA_UNIT = re.compile(rb"""<unit\b[^>]*\bmeter\s*=\s*["']([^"']+)["']""")
_SCRIPT_TEXTURE = re.compile(r"^\s*texture\s+(\S+)", re.MULTILINE)
_SCRIPT_COLOUR = re.compile(r"^\s*diffuse\s+(\S+)\s+(\S+)\s+(\S+)", re.MULTILINE)
_DEEPEST = 16
"""Models in models."""
Transform = NDArray[np.float64]


@dataclass
class _Reading:
    """What is gathered while a world is read."""

    folders: list[Path]  #: where models are looked for
    meshes: list[SceneMesh] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    movable: list[Placed] = field(default_factory=list)
    lights: list[Element] = field(default_factory=list)
    faces: int = 0


def read_scene(world: Path) -> Scene:
    """Return what a world file shows of what stands still.

    Models are looked for where Gazebo looks (GAZEBO_MODEL_PATH, GZ_SIM_RESOURCE_PATH), and in the
    folders around the world file. What is not found is named in the scene.

    Raises:
        UserError: the file cannot be read, holds no world, or nothing of it is drawn.
    """
    _, element = read_world(world)
    reading = _Reading(_model_folders(world))
    _read_models(element, np.eye(4), world.parent, reading, 0)
    reading.lights.extend(element.findall("light"))
    if not reading.meshes:
        missing = f"; not found: {', '.join(reading.missing[:5])}" if reading.missing else ""
        raise UserError(
            f"{world}: nothing in it is drawn{missing}. GAZEBO_MODEL_PATH or GZ_SIM_RESOURCE_PATH "
            "must name the folders of its models"
        )
    ambient = _colour(element.findtext("scene/ambient", "")) or (0.4, 0.4, 0.4)
    sun, direction = _sun(reading.lights)
    return Scene(
        meshes=tuple(reading.meshes),
        missing=tuple(dict.fromkeys(reading.missing)),
        ambient=float(np.mean(ambient)),
        sun=sun,
        sun_direction=direction,
        movable=tuple(reading.movable),
    )


def _model_folders(world: Path) -> list[Path]:
    """Return where a world's models may be, nearest last."""
    folders = [Path(part) for name in _PATH_VARIABLES for part in _split(os.environ.get(name, ""))]
    for above in [world.resolve().parent, *world.resolve().parents[1:3]]:
        folders += [above, above / "models"]
    folders += [Path(part) / "share" for part in _split(os.environ.get("AMENT_PREFIX_PATH", ""))]
    return list(dict.fromkeys(folders))


def _split(paths: str) -> list[str]:
    return [part for part in paths.split(os.pathsep) if part]


def _read_models(
    parent: Element, placed: Transform, folder: Path, reading: _Reading, depth: int
) -> None:
    """Read the models in a world or a model, and those that it includes."""
    for include in parent.findall("include"):
        _read_include(include, placed, folder, reading, depth)
    for model in parent.findall("model"):
        _read_model(
            model, placed @ _pose(model), model.get("name", "model"), folder, reading, depth
        )


def _read_include(
    include: Element, placed: Transform, folder: Path, reading: _Reading, depth: int
) -> None:
    uri = include.findtext("uri", "").strip()
    found = _find(uri, folder, reading.folders)
    file = _model_file(found) if found is not None else None
    pose = placed @ _pose(include)
    name = include.findtext("name", "").strip() or uri.rstrip("/").rpartition("/")[2]
    if file is None or depth >= _DEEPEST:
        if not uri.rstrip("/").endswith("/sun"):  # Gazebo's own: the default light says the same
            reading.missing.append(uri)
            reading.movable.append(_placed(name, pose))
        return
    try:
        root = read_xml(file)
    except (OSError, ParseError, ValueError):
        reading.missing.append(f"{uri} (damaged)")
        return
    reading.lights.extend(root.findall("light"))
    for model in root.findall("model"):
        own = _pose(model) if include.find("pose") is None else np.eye(4)
        static = include.findtext("static")
        _read_model(model, pose @ own, name, file.parent, reading, depth + 1, static)


def _read_model(
    model: Element,
    placed: Transform,
    name: str,
    folder: Path,
    reading: _Reading,
    depth: int,
    static: str | None = None,
) -> None:
    if not _stands_still(model, static):
        reading.movable.append(_placed(name, placed))
        return
    for link in model.findall("link"):
        on_link = placed @ _pose(link)
        for visual in link.findall("visual"):
            part = f"{name}/{visual.get('name', 'visual')}"
            for mesh in _visual(visual, on_link @ _pose(visual), part, folder, reading):
                reading.faces += len(mesh.faces)
                if reading.faces > _MOST_FACES:
                    raise UserError(
                        f"{part}: the world shows more than {_MOST_FACES / 1e6:.0f} million "
                        "triangles: leave out what does not lie at the road"
                    )
                reading.meshes.append(mesh)
    _read_models(model, placed, folder, reading, depth + 1)


def _stands_still(model: Element, static: str | None) -> bool:
    said = static or model.findtext("static")
    if said is not None:
        return said.strip().lower() in ("1", "true")
    return not any(model.find(f".//{part}") is not None for part in _MOVING_PARTS)


def _model_file(folder: Path) -> Path | None:
    """Return the SDF file of a model folder, that which its model.config names."""
    if folder.is_file():
        return folder
    try:
        sdf = read_xml(folder / "model.config").findtext("sdf", "").strip()
    except (OSError, ParseError, ValueError):
        sdf = ""
    return next((path for name in (sdf, "model.sdf") if name and (path := folder / name).is_file()),
                None)  # fmt: skip


def _find(uri: str, folder: Path, folders: list[Path]) -> Path | None:
    """Return the file or folder that an address in a world names."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        scheme, rest = "", uri
    if scheme == "file" or (not scheme and rest.startswith("/")):
        candidates = [Path(f"/{rest.lstrip('/')}"), folder / rest]
    elif scheme in ("", "model", "package"):
        candidates = [*([folder / rest] if not scheme else []), *(base / rest for base in folders)]
    else:
        return None
    return next((path for path in candidates if path.exists()), None) if rest else None


def _visual(
    visual: Element, placed: Transform, name: str, folder: Path, reading: _Reading
) -> Iterator[SceneMesh]:
    geometry = visual.find("geometry")
    if geometry is None:
        return
    material = _Material.of(visual.find("material"), folder, reading)
    mesh = geometry.find("mesh")
    if mesh is not None:
        yield from _mesh_file(mesh, placed, name, folder, reading, material)
        return
    shape = _shape(geometry)
    if shape is not None:
        shape.apply_transform(placed)
        yield _scene_mesh(shape, name, material)


def _mesh_file(
    mesh: Element,
    placed: Transform,
    name: str,
    folder: Path,
    reading: _Reading,
    material: _Material,
) -> Iterator[SceneMesh]:
    uri = mesh.findtext("uri", "").strip()
    path = _find(uri, folder, reading.folders)
    if path is None or not path.is_file():
        reading.missing.append(uri)
        return
    scale = np.diag([*_numbers(mesh.findtext("scale", "1 1 1"), 3, 1.0), 1.0])
    only = mesh.findtext("submesh/name", "").strip()
    for part, geometry in load_meshes(path):
        if only and only not in part:
            continue
        copy = geometry.copy()
        copy.apply_transform(placed @ scale)
        yield _scene_mesh(copy, f"{name}/{part}", material)


@cache
def load_meshes(path: Path) -> list[tuple[str, trimesh.Trimesh]]:
    """Return the named meshes in a COLLADA, OBJ, STL or glTF file, m, as Gazebo reads it.

    Raises:
        UserError: it cannot be read.
    """
    size = path.stat().st_size
    if size > _LARGEST_FILE:
        raise UserError(f"{path}: {size / 2**20:.0f} MiB: meshes of up to 512 MiB are read")
    try:
        loaded: Any = trimesh.load_scene(path, process=False)
        placed = [(str(part.metadata.get("name", "")), part) for part in loaded.dump()]
    except Exception as problem:  # its readers raise anything for a damaged file
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise UserError(f"{path}: cannot be read as a mesh: {reason[:200]}") from problem
    unit = _collada_unit(path)
    meshes = [(part, mesh) for part, mesh in placed if isinstance(mesh, trimesh.Trimesh)]
    for _, mesh in meshes:
        mesh.apply_scale(unit)
    return meshes


def _collada_unit(path: Path) -> float:
    """Return a COLLADA file's unit in metres, which trimesh leaves to the caller."""
    if path.suffix.lower() != ".dae":
        return 1.0
    with path.open("rb") as file:
        found = _COLLADA_UNIT.search(file.read(65536))
    try:
        return float(found[1]) if found else 1.0
    except ValueError:
        return 1.0


def _shape(geometry: Element) -> trimesh.Trimesh | None:
    """Return a visual's plane, box, cylinder or sphere."""
    if (plane := geometry.find("plane")) is not None:
        width, height = _numbers(plane.findtext("size", ""), 2, _PLANE_M)
        corners = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]
        vertices = 0.5 * np.array(corners) * [width, height, 0.0]
        return trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], process=False)
    if (box := geometry.find("box")) is not None:
        return trimesh.creation.box(_numbers(box.findtext("size", ""), 3, 1.0))
    if (cylinder := geometry.find("cylinder")) is not None:
        radius = _numbers(cylinder.findtext("radius", ""), 1, 0.5)[0]
        length = _numbers(cylinder.findtext("length", ""), 1, 1.0)[0]
        return trimesh.creation.cylinder(radius, length, sections=24)
    if (sphere := geometry.find("sphere")) is not None:
        return trimesh.creation.icosphere(2, _numbers(sphere.findtext("radius", ""), 1, 0.5)[0])
    return None


@dataclass(frozen=True)
class _Material:
    """What a visual's <material> says; it takes the place of the mesh's own."""

    colour: tuple[float, float, float] | None = None
    picture: NDArray[np.uint8] | None = None

    @classmethod
    def of(cls, material: Element | None, folder: Path, reading: _Reading) -> _Material:
        if material is None:
            return cls()
        name = material.findtext("script/name", "").strip()
        if name:
            for uri in material.findall("script/uri"):
                text = _script(_find((uri.text or "").strip(), folder, reading.folders), name)
                if text is not None:
                    return cls(_script_colour(text), _script_picture(text, folder))
            return cls(_BUILT_IN.get(name.rpartition("/")[2]))
        albedo = material.findtext("pbr/metal/albedo_map", "").strip()
        if albedo and (path := _find(albedo, folder, reading.folders)) is not None:
            return cls(None, _read_picture(path))
        return cls(_colour(material.findtext("diffuse", "")))


_BUILT_IN = {
    "Grey": (0.7, 0.7, 0.7), "DarkGrey": (0.175, 0.175, 0.175), "White": (1.0, 1.0, 1.0),
    "FlatBlack": (0.1, 0.1, 0.1), "Black": (0.0, 0.0, 0.0), "Red": (1.0, 0.0, 0.0),
    "Green": (0.0, 1.0, 0.0), "Blue": (0.0, 0.0, 1.0), "Yellow": (1.0, 1.0, 0.0),
    "Orange": (1.0, 0.5088, 0.0468), "Purple": (1.0, 0.0, 1.0), "Turquoise": (0.0, 1.0, 1.0),
}  # fmt: skip
"""The plain colours among Gazebo Classic's own materials."""


def _script(place: Path | None, name: str) -> str | None:
    """Return the text of a material in an OGRE script, or in a folder of scripts."""
    if place is None:
        return None
    for file in sorted(place.glob("*.material")) if place.is_dir() else [place]:
        text = file.read_text(encoding="utf-8", errors="replace")
        found = re.search(rf"^\s*material\s+{re.escape(name)}\b", text, re.MULTILINE)
        if found:
            rest = text[found.end() :]
            end = re.search(r"^\s*material\s", rest, re.MULTILINE)
            return rest[: end.start()] if end else rest
    return None


def _script_colour(text: str) -> tuple[float, float, float] | None:
    found = _SCRIPT_COLOUR.search(text)
    return _colour(" ".join(found.groups())) if found else None


def _script_picture(text: str, folder: Path) -> NDArray[np.uint8] | None:
    found = _SCRIPT_TEXTURE.search(text)
    if found is None:
        return None
    places = [folder / "materials" / "textures" / found[1], folder / found[1]]
    path = next((place for place in places if place.is_file()), None)
    return None if path is None else _read_picture(path)


@cache
def _read_picture(path: Path) -> NDArray[np.uint8] | None:
    from PIL import Image

    try:
        return np.asarray(Image.open(path).convert("RGB"), np.uint8)
    except (OSError, ValueError):
        return None


def _scene_mesh(mesh: trimesh.Trimesh, name: str, material: _Material) -> SceneMesh:
    texture, picture, colour = _look(mesh.visual)
    if material.colour is not None or material.picture is not None:
        picture, colour = material.picture, material.colour or _WHITE
    return SceneMesh(
        name=name,
        vertices=np.asarray(mesh.vertices, np.float64),
        faces=np.asarray(mesh.faces, np.int32),
        colour=colour if picture is None else _WHITE,
        texture=texture if picture is not None else None,
        picture=picture if texture is not None else None,
    )


def _look(
    visual: Any,
) -> tuple[NDArray[np.float64] | None, NDArray[np.uint8] | None, tuple[float, float, float]]:
    """Return the texture coordinates, the picture and the colour of a mesh."""
    if not isinstance(visual, TextureVisuals):
        if visual is None or not visual.defined:
            return None, None, _GREY
        return None, None, _channels(visual.main_color)
    material = visual.material
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    picture = None if image is None else np.asarray(image.convert("RGB"), np.uint8)
    texture = None if visual.uv is None else np.asarray(visual.uv, np.float64)[:, :2]
    return texture, picture, _channels(material.main_color)


def _channels(colour: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) / 255.0 for value in np.asarray(colour)[:3])
    return red, green, blue


def _sun(lights: list[Element]) -> tuple[float, tuple[float, float, float]]:
    """Return the brightest directional light: its strength, 0..1, and its rays' direction."""
    best, direction = 0.0, (-0.5, 0.1, -0.9)
    for light in lights:
        if light.get("type") != "directional":
            continue
        strength = float(np.mean(_colour(light.findtext("diffuse", "")) or (0.8, 0.8, 0.8)))
        if strength > best:
            x, y, z = _numbers(light.findtext("direction", "-0.5 0.1 -0.9"), 3, 0.0)
            best, direction = strength, (x, y, z)
    return (best if lights else 0.8), direction


def _pose(element: Element) -> Transform:
    """Return the transform of an element's <pose>, the identity without one."""
    x, y, z, roll, pitch, yaw = _numbers(element.findtext("pose", ""), 6, 0.0)
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_euler("xyz", [roll, pitch, yaw]).as_matrix()
    transform[:3, 3] = x, y, z
    return transform


def _placed(name: str, transform: Transform) -> Placed:
    x, y, z = transform[:3, 3].tolist()
    return Placed(name, x, y, z, float(np.arctan2(transform[1, 0], transform[0, 0])))


def _colour(text: str) -> tuple[float, float, float] | None:
    values = text.split()
    if len(values) < 3:
        return None
    red, green, blue = (min(max(value, 0.0), 1.0) for value in _numbers(text, 3, 0.7))
    return red, green, blue


def _numbers(text: str, count: int, default: float) -> list[float]:
    """Return the numbers in a text, as many as asked for; what is missing or no number: default."""
    numbers = []
    for word in text.split()[:count]:
        try:
            numbers.append(float(word))
        except ValueError:
            numbers.append(default)
    return [number if np.isfinite(number) else default for number in numbers] + [default] * (
        count - len(numbers)
    )
