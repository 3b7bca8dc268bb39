"""The embedded simulator: a car on a circuit, stepped and rendered in lock-step, without ROS."""

from __future__ import annotations

import ctypes
import math
import os

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.centerline import wrap_angle
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.car import TIME_STEP_S, CarState
from pilotnet_brain.simulation.looks import PLAIN, Looks

# MuJoCo chooses its OpenGL when it is imported; off screen on any machine means EGL.
os.environ.setdefault("MUJOCO_GL", "egl")

try:
    import mujoco
except (RuntimeError, ImportError, AttributeError, OSError, ctypes.ArgumentError) as problem:
    raise UserError(
        f"MuJoCo cannot render off screen ({problem}): install EGL with "
        "'apt-get install libegl1 libopengl0 libgl1-mesa-dri' (Debian, Ubuntu), or set "
        "MUJOCO_GL to 'osmesa' or 'glfw' where one of those is there"
    ) from problem

from pilotnet_brain.simulation.mujoco.scene_geoms import PIECE
from pilotnet_brain.simulation.mujoco.world import (
    CAMERA_NAME,
    HIDDEN_GROUP,
    build_scenery,
    build_world,
)
from pilotnet_brain.simulation.scene import Scenery

__all__ = ["TIME_STEP_S", "MujocoSimulator"]

# The camera sees 15 m; it sits half a metre ahead.
_DRAWN_AHEAD_M = car.CAMERA_FAR_M + 2.0


class MujocoSimulator:
    """One car on one circuit. All poses are in the circuit's coordinates, however far away it lies.

    The car follows its last command at once: its velocity is set before every step, and only walls
    change it. Nothing here knows real time.

    Args:
        circuit: the road; with a scenery, only where the car starts.
        looks: what is seen; of a scenery's, the light, the sky and the camera.
        scenery: a world that others made, drawn instead of the circuit's road.

    Raises:
        UserError: there is no EGL to render with; names the packages.
    """

    def __init__(
        self, circuit: Circuit, looks: Looks = PLAIN, scenery: Scenery | None = None
    ) -> None:
        self.circuit = circuit
        self.looks = looks
        self._origin = circuit.local_origin
        local = circuit.about(self._origin)
        if scenery is None:
            self._model = build_world(local, looks)
        else:
            self._model = build_scenery(local, looks, scenery, self._origin)
        self._data = mujoco.MjData(self._model)
        try:
            self._renderer = mujoco.Renderer(
                self._model, car.CAMERA_HEIGHT, car.CAMERA_WIDTH, max_geom=self._model.ngeom + 100
            )
        except Exception as problem:  # PyOpenGL and MuJoCo raise a dozen kinds here.
            raise UserError(
                f"no off-screen OpenGL ({problem}): install it with "
                "'apt-get install libegl1 libopengl0 libgl1-mesa-dri' (Debian, Ubuntu)"
            ) from problem
        self._pieces = _pieces(self._model)
        self._noise = np.random.default_rng([looks.texture_seed, 2])
        self._speed = self._yaw_rate = 0.0
        self.reset()

    def reset(
        self, arc_length: float = 0.0, lateral: float = 0.0, heading_error: float = 0.0
    ) -> CarState:
        """Put the car at a standstill on the circuit, at time 0.

        The arc length (m) counts from the start line; it stands `lateral` (m) left of the line and
        turned by `heading_error` (rad) to the left of its direction.
        """
        mujoco.mj_resetData(self._model, self._data)
        line = self.circuit.centerline
        heading = float(line.heading(arc_length))
        x, y = line.position(arc_length) - self._origin
        self._data.qpos[:] = (
            x - lateral * math.sin(heading),
            y + lateral * math.cos(heading),
            heading + heading_error,
        )
        self.command(0.0, 0.0)
        mujoco.mj_forward(self._model, self._data)
        return self.state

    def command(self, speed: float, yaw_rate: float) -> None:
        """Drive with this speed (m/s) and yaw rate (rad/s, left positive) from now on."""
        self._speed, self._yaw_rate = speed, yaw_rate

    def step(self) -> CarState:
        """Advance by `TIME_STEP_S` and return the new state."""
        # Half the step's turn: the straight step then is the chord of the arc being driven.
        heading = self._data.qpos[2] + 0.5 * TIME_STEP_S * self._yaw_rate
        self._data.qvel[:] = (
            self._speed * math.cos(heading),
            self._speed * math.sin(heading),
            self._yaw_rate,
        )
        mujoco.mj_step(self._model, self._data)
        return self.state

    @property
    def state(self) -> CarState:
        """The car's true state now; its speed is the actual one, not the commanded."""
        x, y, yaw = self._data.qpos.tolist()
        vx, vy, yaw_rate = self._data.qvel.tolist()
        return CarState(
            time_s=self._data.time,
            x=x + self._origin[0],
            y=y + self._origin[1],
            yaw=wrap_angle(yaw),
            speed=vx * math.cos(yaw) + vy * math.sin(yaw),
            yaw_rate=yaw_rate,
        )

    def render(self, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Return what the camera sees now: RGB uint8 (480, 640, 3), written into `out` if given."""
        frame = np.empty((car.CAMERA_HEIGHT, car.CAMERA_WIDTH, 3), np.uint8) if out is None else out
        # Positions after mj_step are those before its last advance.
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        self._draw_only_what_is_near()
        self._renderer.update_scene(self._data, camera=CAMERA_NAME)
        self._renderer.render(out=frame)
        if self.looks.blur > 0.0:
            cv2.GaussianBlur(frame, (0, 0), self.looks.blur, dst=frame)
        if self.looks.noise > 0.0:
            _add_noise(frame, self.looks.noise, self._noise)
        return frame

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def __enter__(self) -> MujocoSimulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _draw_only_what_is_near(self) -> None:
        away = self._data.geom_xpos[self._pieces, :2] - self._data.qpos[:2]
        # Pieces do not move; a geom's bounding radius is about its middle.
        near = np.hypot(*away.T) - self._model.geom_rbound[self._pieces] < _DRAWN_AHEAD_M
        self._model.geom_group[self._pieces] = np.where(near, 0, HIDDEN_GROUP)


def _pieces(model: mujoco.MjModel) -> NDArray[np.int64]:
    """Return the ids of the geoms that are drawn only near the car."""
    named = [geom for geom in range(model.ngeom) if model.geom(geom).name.startswith(PIECE)]
    return np.array(named, dtype=np.int64)


def _add_noise(frame: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> None:
    """Add the sensor's noise in place: a drawn tile, laid at a random place, as cheap as can be."""
    height, width, channels = frame.shape
    tile = rng.normal(0.0, sigma, (64, width, channels)).astype(np.int16)
    noise = np.roll(np.tile(tile, (-(-height // 64), 1, 1))[:height], rng.integers(width), axis=1)
    np.clip(frame + noise, 0, 255, out=frame, casting="unsafe")
