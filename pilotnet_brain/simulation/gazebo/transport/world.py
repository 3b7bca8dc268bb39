"""What is asked of, and said to, the world of a running Gazebo Classic."""

from __future__ import annotations

import time
from typing import Any

from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.transport.client import GazeboClient
from pilotnet_brain.simulation.gazebo.transport.messages import new_message, parse

_ANSWER_LIMIT_S = 10.0
_ASK_AGAIN_S = 0.5


def aim_world_at(client: GazeboClient, rtf: float) -> None:
    """Have the world aim at this many simulated seconds per real second.

    Raises:
        GazeboUnreachable: it does not say how long its steps are, or takes no settings.
    """
    physics = parse("Physics", ask(client, "physics_info", "").serialized_data)
    settings = client.advertise("~/physics", "Physics")
    if not client.poll_until(lambda: bool(settings.subscribers), _ANSWER_LIMIT_S):
        raise GazeboUnreachable(f"the Gazebo at {client.address} takes no settings of its physics")
    rate = rtf / physics.max_step_size
    client.publish(settings, new_message("Physics", real_time_update_rate=rate))


def await_running(client: GazeboClient, limit_s: float) -> bool:
    """Return whether the world is loaded and runs (or is paused), waiting for it.

    A gzserver that is asked about its physics while it still loads the world ends on an assertion.
    """
    told: set[bool] = set()
    client.subscribe("~/world_stats", "WorldStatistics", lambda _: told.add(True))
    return client.poll_until(lambda: bool(told), limit_s)


def ask(client: GazeboClient, request: str, data: str) -> Any:
    """Return the world's answer to a request.

    Raises:
        GazeboUnreachable: no answer came.
    """
    number = time.monotonic_ns() % 2**31
    answers: list[Any] = []

    def take(message: memoryview) -> None:
        response = parse("Response", message)
        if response.id == number:
            answers.append(response)

    client.subscribe("~/response", "Response", take)
    requests = client.advertise("~/request", "Request")
    client.poll_until(lambda: bool(requests.subscribers), _ANSWER_LIMIT_S)
    message = new_message("Request", id=number, request=request, data=data)
    until = time.monotonic() + _ANSWER_LIMIT_S
    while time.monotonic() < until:
        # Repeated: a request to a Gazebo that is still starting, or whose answer leaves before our
        # subscription has arrived, is lost silently.
        client.publish(requests, message)
        if client.poll_until(lambda: bool(answers), _ASK_AGAIN_S):
            return answers[0]
    raise GazeboUnreachable(f"the Gazebo at {client.address} answers no {request}")
