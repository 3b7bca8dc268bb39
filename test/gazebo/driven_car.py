"""A car that a test drives in a real Gazebo: what it did, and what its camera saw."""

from __future__ import annotations

from gazebo_server import PATIENCE_S, GazeboServer

from pilotnet_brain.simulation.car import CarState
from pilotnet_brain.simulation.gazebo.camera_frame import CameraFrame
from pilotnet_brain.simulation.gazebo.car import CAR_NAME
from pilotnet_brain.simulation.gazebo.transport.client import GazeboClient
from pilotnet_brain.simulation.gazebo.transport.live_car import LiveCar


class DrivenCar:
    """Collects the car's states and frames.

    Attributes:
        frames: all since the start.
    """

    def __init__(self, server: GazeboServer) -> None:
        self.frames: list[CameraFrame] = []
        self._states: list[CarState] = []
        self._client = GazeboClient("127.0.0.1", server.port)
        self._car = LiveCar(self._client, CAR_NAME, lambda _: None, self._states.append, self._keep)

    def await_frames(self, count: int) -> None:
        """Wait until the camera has sent this many frames."""
        assert self._client.poll_until(lambda: len(self.frames) >= count, PATIENCE_S)

    def drive(self, speed: float, yaw_rate: float, seconds: float) -> list[CarState]:
        """Command a velocity (m/s, rad/s); return the states of that much simulated time."""
        self._car.command(speed, yaw_rate)
        self._states.clear()

        def driven() -> bool:
            states = self._states
            return bool(states) and states[-1].time_s - states[0].time_s >= seconds

        assert self._client.poll_until(driven, PATIENCE_S)
        return list(self._states)

    def close(self) -> None:
        self._client.close()

    def _keep(self, frame: CameraFrame) -> None:
        # The pixels are valid in this call only.
        self.frames.append(CameraFrame(frame.time_s, frame.pixels.copy()))
