"""A car in a running Gazebo, over Gazebo's own transport: its pose, its camera, its motion."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pilotnet_brain.bags.messages import yaw_of
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import TIME_STEP_S, CarState
from pilotnet_brain.simulation.gazebo.camera_frame import CameraFrame
from pilotnet_brain.simulation.gazebo.car import HINGE_DISTANCE_M
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.transport.client import GazeboClient
from pilotnet_brain.simulation.gazebo.transport.messages import camera_frame, new_message, parse
from pilotnet_brain.simulation.gazebo.transport.world import aim_world_at, ask

_WORLD_LIMIT_S = 60.0
"""A gzserver that was just started loads its world's meshes first."""
_ANSWER_LIMIT_S = 10.0
_SETTLED_S = 1e-6
"""Two states closer in simulated time than this are the same."""


class LiveCar:
    """One model, known by its name, in the running world; driven by the client's `poll`.

    `on_time` is called with simulated time (s) and `on_state` with the car's state after every step
    of the physics, `on_frame` with every camera frame.

    Raises:
        GazeboUnreachable: the Gazebo went away, or loads no world.
        UserError: the car is not in the world, has no camera, or nothing in it takes commands.
    """

    def __init__(
        self,
        client: GazeboClient,
        name: str,
        on_time: Callable[[float], None],
        on_state: Callable[[CarState], None],
        on_frame: Callable[[CameraFrame], None],
    ) -> None:
        self._client, self._name = client, name
        self._on_time, self._on_state = on_time, on_state
        if not client.poll_until(lambda: client.world is not None, _WORLD_LIMIT_S):
            raise GazeboUnreachable(f"the Gazebo at {client.address} has loaded no world")
        self._state = self._first_state()
        client.subscribe("~/pose/local/info", "PosesStamped", self._take_poses)
        client.subscribe(
            self._camera_topic(), "ImageStamped", lambda message: on_frame(camera_frame(message))
        )
        self._commands = client.advertise(f"~/{name}/vel_cmd", "Pose")
        self._control = client.advertise("~/world_control", "WorldControl")
        self._await_takers()

    @property
    def state(self) -> CarState:
        """The car's newest state."""
        return self._state

    @property
    def time_s(self) -> float:
        """Simulated time, s."""
        return self._state.time_s

    @property
    def world(self) -> str | None:
        """The world's name."""
        return self._client.world

    def command(self, speed: float, yaw_rate: float) -> None:
        """Give the car a velocity (m/s, rad/s); it has it from the next step on.

        DiffDrivePlugin makes two joints' velocities of a linear and an angular one; here the first
        is the car's speed, and the hinge's is half their `HINGE_DISTANCE_M` apart.
        """
        turn = 2.0 * (speed - yaw_rate) / HINGE_DISTANCE_M
        self._client.publish(
            self._commands,
            new_message(
                "Pose",
                position=new_message("Vector3d", x=speed, y=0.0, z=0.0),
                orientation=new_message(
                    "Quaternion", x=0.0, y=0.0, z=math.sin(0.5 * turn), w=math.cos(0.5 * turn)
                ),
            ),
        )

    def reset(self) -> None:
        """Put the car (and everything else) back to where the world began, time to 0.

        Raises:
            GazeboUnreachable: the world is not reset.
        """
        self.command(0.0, 0.0)
        before_s = self._state.time_s
        self._say_to_world(reset=new_message("WorldReset", all=True))
        # The state of time 0 may be lost on its way: any earlier one will do.
        went_back_to = max(0.5 * TIME_STEP_S, before_s)
        if not self._client.poll_until(lambda: self._state.time_s < went_back_to, _ANSWER_LIMIT_S):
            raise GazeboUnreachable(f"the Gazebo at {self._client.address} resets no world")

    def pause(self, paused: bool) -> None:
        """Hold the world's time, or let it go on."""
        self._say_to_world(pause=paused)

    def step(self, count: int) -> None:
        """Make this many steps of the physics in a paused world."""
        self._say_to_world(multi_step=count)

    def seed(self, seed: int) -> None:
        """Seed the world's random numbers."""
        self._say_to_world(seed=seed)

    def aim_at(self, rtf: float) -> None:
        """Have the world aim at this many simulated seconds per real second."""
        aim_world_at(self._client, rtf)

    def _say_to_world(self, **control: Any) -> None:
        self._client.publish(self._control, new_message("WorldControl", **control))

    def _await_takers(self) -> None:
        offered = (self._commands, self._control)
        if self._client.poll_until(lambda: all(o.subscribers for o in offered), _ANSWER_LIMIT_S):
            return
        raise UserError(
            f"nothing in the Gazebo at {self._client.address} takes the commands of {self._name} "
            f"({self._commands.topic}): the car needs the joints and plugins of pilotnet world's"
        )

    def _first_state(self) -> CarState:
        """Ask where the car is: a car that stands is not in the poses that Gazebo publishes."""
        answer = ask(self._client, "entity_info", self._name)
        if answer.type != "gazebo.msgs.Model":
            models = parse("Model_V", ask(self._client, "entity_list", "").serialized_data).models
            names = ", ".join(sorted(model.name for model in models)) or "nothing"
            raise UserError(
                f"no car {self._name!r} in the world {self._client.world!r} of the Gazebo at "
                f"{self._client.address}: there are {names}"
            )
        pose = parse("Model", answer.serialized_data).pose
        return CarState(0.0, pose.position.x, pose.position.y, yaw_of(pose.orientation), 0.0, 0.0)

    def _camera_topic(self) -> str:
        """Return the topic of the car's camera, once its sensor runs."""
        prefix = f"/gazebo/{self._client.world}/{self._name}/"

        def topics() -> list[str]:
            return sorted(
                topic
                for topic, message_type in self._client.published.items()
                if topic.startswith(prefix) and message_type == "ImageStamped"
            )

        if not self._client.poll_until(lambda: bool(topics()), _ANSWER_LIMIT_S):
            raise UserError(
                f"{self._name} in the Gazebo at {self._client.address} has no running camera: "
                "its world needs a <sensor type='camera'> on the car, and gzserver a display "
                "(DISPLAY, xvfb-run) with OpenGL to draw"
            )
        return topics()[0]

    def _take_poses(self, message: memoryview) -> None:
        poses = parse("PosesStamped", message)
        time_s = poses.time.sec + poses.time.nsec * 1e-9
        if abs(time_s - self._state.time_s) < _SETTLED_S:
            return
        pose = next((pose for pose in poses.pose if pose.name == self._name), None)
        if pose is None:
            self._state = replace(self._state, time_s=time_s, speed=0.0, yaw_rate=0.0)
        else:
            place = pose.position
            self._state = self._state.moved_to(time_s, place.x, place.y, yaw_of(pose.orientation))
        self._on_time(time_s)
        self._on_state(self._state)
