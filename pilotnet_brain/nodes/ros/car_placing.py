"""Puts the car on the start line of a simulator that runs already, through its own services."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger

from pilotnet_brain.bags.messages import set_yaw

_SEEN_WITHIN_S = 2.0
_LOOK_AGAIN_S = 0.1
BRIDGE_RESET = "gazebo_bridge/reset"
SET_ENTITY_STATE = "/gazebo/set_entity_state"


class CarPlacing:
    """Asks whichever service there is: gazebo_ros' set_entity_state, or our bridge's reset.

    Where neither service shows up within 2 s the car stays where it is.

    Args:
        node: whose clients these are.
        car: the car's model name.
        start: x, y (m) and yaw (rad) of the start line.
        on_placed: called once the car stands there.
    """

    def __init__(
        self,
        node: Node,
        car: str,
        start: tuple[float, float, float],
        on_placed: Callable[[], None],
    ) -> None:
        self._node, self._on_placed = node, on_placed
        self._until = time.monotonic() + _SEEN_WITHIN_S
        self._requests: list[tuple[Any, Any]] = [
            (node.create_client(Trigger, BRIDGE_RESET), Trigger.Request())
        ]
        if importlib.util.find_spec("gazebo_msgs") is not None:
            from gazebo_msgs.srv import SetEntityState

            client = node.create_client(SetEntityState, SET_ENTITY_STATE)
            self._requests.append((client, _request(SetEntityState, car, start)))
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_LOOK_AGAIN_S, self._look, clock=steady)

    def _look(self) -> None:
        for client, request in self._requests:
            if client.service_is_ready():
                self._timer.cancel()
                client.call_async(request).add_done_callback(self._on_answer)
                return
        if time.monotonic() > self._until:
            self._timer.cancel()

    def _on_answer(self, future: Any) -> None:
        answer = future.result()
        if answer is not None and answer.success:
            self._on_placed()
        else:
            self._node.get_logger().warning("the car could not be put on the start line")


def _request(service: Any, car: str, start: tuple[float, float, float]) -> Any:
    x, y, yaw = start
    request = service.Request()
    request.state.name = car
    request.state.reference_frame = "world"
    pose = request.state.pose
    pose.position.x, pose.position.y = x, y
    set_yaw(pose.orientation, yaw)
    return request
