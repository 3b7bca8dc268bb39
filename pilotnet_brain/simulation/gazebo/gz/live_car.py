"""A car in a running Gazebo Sim, over its transport: its pose, its camera, its motion."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotnet_brain.bags.messages import yaw_of
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import CarState
from pilotnet_brain.simulation.gazebo.camera_frame import CameraFrame, seconds
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.gz.client import GzClient
from pilotnet_brain.simulation.gazebo.gz.discovery import HEARTBEAT_S
from pilotnet_brain.simulation.gazebo.gz.messages import camera_frame, new_message, parse

_FOUND_WITHIN_S = 5.0
_MADE_WITHIN_S = 60.0
"""The server reads the car's meshes first."""
_ANSWER_LIMIT_S, _SCENE_LIMIT_S = 10.0, 2.0
_STEPS_TO_A_POSE = 400
"""At the least: an odometry of 20 Hz, steps of a millisecond, some still without a subscriber."""
_STEP_S, _LOOK_AGAIN_S = 0.1, 0.2
_AT_START_M = 0.5


@dataclass(frozen=True)
class GzTopics:
    """Names of a car's topics in Gazebo."""

    image: str
    cmd_vel: str
    odom: str


class GzCar:
    """One model, known by its name, in the running world; driven by the client's `poll`.

    Args:
        client: of the world's partition.
        name: the car's model.
        topics: the car's.
        on_time: called with simulated time, s, after every step of the physics.
        on_state: called with every pose that the car's odometry publishes.
        on_frame: called with every camera frame.
        start: where it is put, x, y (m) and yaw (rad); None: it stays where it is.
        file: SDF or URDF of the car, for a world that has none: it is put there first.

    Raises:
        GazeboUnreachable: no Gazebo answers, or it loads no world.
        UserError: two servers in the partition; no such car in the world; or it does not publish,
            takes no commands, or is not moved to its start.
    """

    def __init__(
        self,
        client: GzClient,
        name: str,
        topics: GzTopics,
        on_time: Callable[[float], None],
        on_state: Callable[[CarState], None],
        on_frame: Callable[[CameraFrame], None],
        start: tuple[float, float, float] | None = None,
        file: Path | None = None,
    ) -> None:
        self._client, self._name, self._topics = client, name, topics
        self._on_time, self._on_state = on_time, on_state
        self._server, self.world = _the_world(client)
        self._find(file, start or (0.0, 0.0, 0.0))
        self._state: CarState | None = None
        self._time_s = 0.0
        client.subscribe("/clock", "Clock", self._take_clock)
        client.subscribe(topics.odom, "Odometry", self._take_odometry)
        client.subscribe(topics.image, "Image", lambda content: on_frame(camera_frame(content)))
        client.advertise(topics.cmd_vel, "Twist")
        self._check_topics()
        # A server that starts paused has published nothing yet.
        if not self._step_until(lambda: self._state is not None):
            raise UserError(f"{name} in world {self.world} publishes no pose on {topics.odom}")
        self._start = start or (self.state.x, self.state.y, self.state.yaw)
        if start is not None:
            self.reset()
            if not self._step_until(self._is_at_start):
                raise UserError(
                    f"{name} in world {self.world} is not moved to {start[0]:.2f}, {start[1]:.2f}: "
                    f"{topics.odom} is of another car, or not in the world's frame"
                )

    @property
    def time_s(self) -> float:
        """Simulated time, s."""
        return self._time_s

    @property
    def state(self) -> CarState:
        """The car's newest state."""
        assert self._state is not None
        return self._state

    def command(self, speed: float, yaw_rate: float) -> None:
        """Give the car a velocity (m/s, rad/s).

        VelocityControl takes it after the next step, so the car has it from the second one on.
        """
        self._check_alive()
        linear, angular = new_message("Vector3d", x=speed), new_message("Vector3d", z=yaw_rate)
        twist = new_message("Twist", linear=linear, angular=angular)
        self._client.publish(self._topics.cmd_vel, twist)

    def put(self, x: float, y: float, yaw: float) -> None:
        """Put the standing car at a place in the world frame (m, rad)."""
        self.command(0.0, 0.0)
        self._ask("set_pose", _pose((x, y, yaw), name=self._name))

    def reset(self) -> None:
        """Put the car back to its start; time goes on."""
        self.put(*self._start)

    def pause(self, paused: bool) -> None:
        """Hold the world's time, or let it go on."""
        self._ask("control", new_message("WorldControl", pause=paused))

    def step(self, count: int) -> None:
        """Make this many steps of the physics; the world is paused then."""
        self._ask("control", new_message("WorldControl", pause=True, multi_step=count))

    def aim_at(self, rtf: float) -> None:
        """Have the world aim at this many simulated seconds per real second."""
        self._ask("set_physics", new_message("Physics", real_time_factor=rtf))

    def _ask(self, service: str, request: Any) -> None:
        self._check_alive()
        name = f"/world/{self.world}/{service}"
        if not self._client.call(name, request, "Boolean", _ANSWER_LIMIT_S).data:
            raise UserError(f"the Gazebo Sim of world {self.world} refuses {service}")

    def _check_alive(self) -> None:
        if not self._client.is_there(self._server):
            raise GazeboUnreachable(f"the Gazebo Sim of world {self.world} is gone")

    def _find(self, file: Path | None, start: tuple[float, float, float]) -> None:
        """Check that the car is in the world, after putting it there from its file, if need be."""
        service = self._scene_service
        if not self._client.poll_until(
            lambda: bool(self._client.offers("srv").get(service)), _SCENE_LIMIT_S
        ):
            return  # a world without the SceneBroadcaster: the topics will tell
        models = self._models()
        if file is not None and self._name not in models:
            made = {"sdf_filename": str(file), "name": self._name, "pose": _pose(start)}
            self._ask("create", new_message("EntityFactory", **made))
            until = time.monotonic() + _MADE_WITHIN_S
            while self._name not in (models := self._models()) and time.monotonic() < until:
                self._client.poll_until(lambda: False, _LOOK_AGAIN_S)
        if self._name not in models:
            hint = f"it could not make one of {file}" if file else "put one there with car_file"
            raise UserError(
                f"no car {self._name!r} in world {self.world} of the Gazebo Sim in partition "
                f"{self._client.partition}: there are {', '.join(models) or 'no models'}; {hint}"
            )

    @property
    def _scene_service(self) -> str:
        return f"/world/{self.world}/scene/info"

    def _models(self) -> list[str]:
        asked = new_message("Empty")
        scene = self._client.call(self._scene_service, asked, "Scene", _ANSWER_LIMIT_S)
        return sorted(model.name for model in scene.model)

    def _step_until(self, done: Callable[[], bool]) -> bool:
        """Step the world until `done`; return whether that was within the limit."""
        for _ in range(_STEPS_TO_A_POSE):
            before_s = self._time_s
            self.step(1)
            # One after the other, or the time known here falls behind. The first messages may be
            # lost, since a publisher learns of a subscriber late.
            self._client.poll_until(lambda: self._time_s > before_s, _STEP_S)  # noqa: B023
            if done():
                return True
        return self._client.poll_until(done, _ANSWER_LIMIT_S)

    def _is_at_start(self) -> bool:
        return math.dist((self.state.x, self.state.y), self._start[:2]) < _AT_START_M

    def _check_topics(self) -> None:
        wanted = (self._topics.image, self._topics.odom, "/clock")

        def missing() -> list[str]:
            offered = self._client.offers("msg")
            silent = [topic for topic in wanted if not offered.get(topic)]
            taken = self._client.has_subscriber(self._topics.cmd_vel)
            return silent + ([] if taken else [self._topics.cmd_vel])

        if self._client.poll_until(lambda: not missing(), _ANSWER_LIMIT_S):
            return
        offered = ", ".join(sorted(self._client.offers("msg"))) or "none"
        raise UserError(
            f"world {self.world} of the Gazebo Sim in partition {self._client.partition} has no "
            f"{', '.join(missing())} of car {self._name}: its topics are {offered}"
        )

    def _take_clock(self, content: memoryview) -> None:
        self._time_s = seconds(parse("Clock", content).sim)
        self._on_time(self._time_s)

    def _take_odometry(self, content: memoryview) -> None:
        odometry = parse("Odometry", content)
        time_s, pose = seconds(odometry.header.stamp), odometry.pose
        x, y, yaw = pose.position.x, pose.position.y, yaw_of(pose.orientation)
        # Its own twist is a mean over ten poses, and begins with the way from the origin.
        before = self._state or CarState(time_s, x, y, yaw, 0.0, 0.0)
        self._state = before.moved_to(time_s, x, y, yaw)
        self._on_state(self._state)


def _pose(place: tuple[float, float, float], **more: Any) -> Any:
    """Return a Pose of x, y (m) and yaw (rad)."""
    x, y, yaw = place
    turned = new_message("Quaternion", z=math.sin(0.5 * yaw), w=math.cos(0.5 * yaw))
    return new_message(
        "Pose", position=new_message("Vector3d", x=x, y=y), orientation=turned, **more
    )


def _the_world(client: GzClient) -> tuple[str, str]:
    """Return the server's process and its world's name, once one has loaded its world.

    Raises:
        GazeboUnreachable: none does.
        UserError: there are two.
    """

    def worlds() -> dict[str, str]:
        return {
            one.process: name.split("/")[2]
            for name, offered in client.offers("srv").items()
            if name.startswith("/world/") and name.endswith("/control")
            for one in offered
        }

    if not client.poll_until(lambda: bool(worlds()), _FOUND_WITHIN_S):
        raise GazeboUnreachable(f"no Gazebo Sim answers in partition {client.partition}")
    # Each says once a second that it is there.
    client.poll_until(lambda: len(worlds()) > 1, 1.1 * HEARTBEAT_S)
    if len(worlds()) > 1:
        raise UserError(
            f"two Gazebo Sim servers in partition {client.partition} (worlds "
            f"{', '.join(sorted(worlds().values()))}): end one, or set GZ_PARTITION"
        )
    return next(iter(worlds().items()))
