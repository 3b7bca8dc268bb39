"""A scene seen from straight above: a map of the colours of what lies on the ground."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.scene import Scene

# As in simulator.py.
os.environ.setdefault("MUJOCO_GL", "egl")
import mujoco  # noqa: E402

from pilotnet_brain.simulation.mujoco.scene_geoms import add_scene  # noqa: E402

_TILE_PIXELS = 1024
_MOST_PIXELS = 400_000_000
_CEILING_M = 1.0
"""What is higher above the road (a bridge, a tree, a stand) is not drawn."""
_FLOOR_M = 3.0
_LIGHT = """
<mujoco>
  <statistic extent="1" center="0 0 0"/>
  <visual>
    <global offwidth="{tile}" offheight="{tile}" orthographic="true" fovy="{side}"/>
    <map znear="0.01" zfar="{depth}"/>
    <quality offsamples="0" shadowsize="0"/>
    <headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/>
    <rgba haze="0 0 0 1"/>
  </visual>
</mujoco>"""


@dataclass(frozen=True)
class GroundMap:
    """Colours by place. Row 0 is the northern edge: y falls along the rows."""

    pixels: NDArray[np.uint8]  #: (rows, columns, 3), RGB; black where there is nothing
    west: float  #: x of the outer edge of column 0, m
    north: float  #: y of the outer edge of row 0, m
    metres_per_pixel: float

    def place(self, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places (N, 2), m, of pixels; whole numbers are the middles of pixels."""
        x = self.west + (columns + 0.5) * self.metres_per_pixel
        y = self.north - (rows + 0.5) * self.metres_per_pixel
        return np.stack([x, y], axis=-1)

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Return the column and the row of a place, m."""
        return (
            (x - self.west) / self.metres_per_pixel - 0.5,
            (self.north - y) / self.metres_per_pixel - 0.5,
        )


def ground_map(
    scene: Scene,
    area: tuple[float, float, float, float],
    height: float,
    metres_per_pixel: float = 0.05,
) -> GroundMap:
    """Return a map of a scene's ground, in its own colours, without light.

    Args:
        area: west, south, east, north, m.
        height: of the road, m; what is a metre above it is left out.
        metres_per_pixel: of the map.

    Raises:
        UserError: the area is too large for a map.
    """
    west, south, east, north = area
    columns = int(np.ceil((east - west) / metres_per_pixel))
    rows = int(np.ceil((north - south) / metres_per_pixel))
    if columns * rows > _MOST_PIXELS:
        raise UserError(
            f"the area is {east - west:.0f} m by {north - south:.0f} m: too large for a map of "
            f"{metres_per_pixel} m a pixel"
        )
    side = _TILE_PIXELS * metres_per_pixel
    spec = mujoco.MjSpec.from_string(
        _LIGHT.format(tile=_TILE_PIXELS, side=side, depth=_CEILING_M + _FLOOR_M)
    )
    add_scene(spec, scene.meshes, (0.0, 0.0, height))
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.orthographic = 1
    camera.azimuth, camera.elevation, camera.distance = 90.0, -90.0, _CEILING_M
    pixels = np.zeros((rows, columns, 3), np.uint8)
    with mujoco.Renderer(model, _TILE_PIXELS, _TILE_PIXELS, max_geom=model.ngeom + 100) as renderer:
        for top in range(0, rows, _TILE_PIXELS):
            for left in range(0, columns, _TILE_PIXELS):
                x = west + (left + 0.5 * _TILE_PIXELS) * metres_per_pixel
                y = north - (top + 0.5 * _TILE_PIXELS) * metres_per_pixel
                camera.lookat[:] = x, y, 0.0
                renderer.update_scene(data, camera)
                tile = renderer.render()
                part = pixels[top : top + _TILE_PIXELS, left : left + _TILE_PIXELS]
                part[...] = tile[: part.shape[0], : part.shape[1]]
    return GroundMap(pixels, west, north, metres_per_pixel)
