"""Changes the model of a running brain, for machines without ``ros2 param set``."""

from __future__ import annotations

import os
import time

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient

from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes.ros.graph import full_name
from pilotnet_brain.nodes.ros.process import refused_start
from pilotnet_brain.runs.fast_dds import NO_IMAGES, dds_environment
from pilotnet_brain.runs.ros_environment import check_text
from pilotnet_brain.user_path import user_path

_BRAINS_TOPIC = "/brain/frames"
"""Ending of the name of the topic that only brains publish."""
_DISCOVERY_S = 3.0
_SETTLED_S = 0.7
"""After the first brain was found, a second one is given this long to show up."""
_POLL_S = 0.05


def swap_model(model: str, namespace: str = "", timeout_s: float = 60.0) -> str:
    """Let a running brain drive with another model; return the brain's full name.

    It loads and tests the model while the old one drives on, and changes between two frames.

    Args:
        model: a name of models/manifest.json or the path of a model file.
        namespace: of the brain, or its full name; needed only where several brains run.
        timeout_s: seconds for the brain to load the model and answer.

    Raises:
        UserError: no brain runs here, several do and none was named, or the brain refused.
    """
    path = user_path(model)
    # The brain may run in another folder.
    value = str(path.resolve()) if path.suffix and path.is_file() else model
    check_text("model", value)
    os.environ.update(dds_environment(NO_IMAGES))
    context = Context()
    with refused_start():
        rclpy.init(args=[], context=context)  # the command line is pilotnet's
        node = Node("pilotnet_swap", context=context)
    try:
        brain = _the_brain(node, namespace)
        _set_model(node, brain, value, timeout_s)
    finally:
        node.destroy_node()
        context.try_shutdown()
    return brain


def _the_brain(node: Node, namespace: str) -> str:
    """Return the full name of the only brain, or of the one in a namespace."""
    found: list[str] = []
    until = time.monotonic() + _DISCOVERY_S
    while time.monotonic() < until:
        brains = [name for name in _brains(node) if _is_in(name, namespace)]
        if brains and not found:
            until = min(until, time.monotonic() + _SETTLED_S)
        found = brains
        time.sleep(_POLL_S)
    if not found:
        where = f" in namespace {namespace}" if namespace else ""
        reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE") or (
            f"ROS_LOCALHOST_ONLY={os.environ.get('ROS_LOCALHOST_ONLY', '0')}"
        )
        raise UserError(
            f"no brain runs{where} in ROS_DOMAIN_ID {os.environ.get('ROS_DOMAIN_ID') or 0} "
            f"(discovery range {reach}): start one, or set both as in the brain's terminal"
        )
    if len(found) > 1:
        raise UserError(f"several brains run: {', '.join(found)}; name one of them")
    return found[0]


def _brains(node: Node) -> list[str]:
    topics = [name for name, _ in node.get_topic_names_and_types() if name.endswith(_BRAINS_TOPIC)]
    publishers = [info for topic in topics for info in node.get_publishers_info_by_topic(topic)]
    names = {full_name(info.node_namespace, info.node_name) for info in publishers}
    return sorted(name for name in names if "_UNKNOWN_" not in name)


def _is_in(brain: str, namespace: str) -> bool:
    asked = f"/{namespace.strip('/')}"
    return not namespace or brain == asked or brain.rpartition("/")[0] == asked.rstrip("/")


def _set_model(node: Node, brain: str, model: str, timeout_s: float) -> None:
    client = AsyncParameterClient(node, brain)
    if not client.wait_for_services(timeout_sec=_DISCOVERY_S):
        raise UserError(f"{brain} does not answer: its parameter services were not found")
    executor = SingleThreadedExecutor(context=node.context)
    answer = client.set_parameters([Parameter("model", value=model)])
    executor.add_node(node)
    executor.spin_until_future_complete(answer, timeout_s)
    executor.shutdown()
    response = answer.result() if answer.done() else None
    if response is None:
        raise UserError(f"{brain} has not answered within {timeout_s:g} s")
    (result,) = response.results
    if not result.successful:
        raise UserError(f"{brain} refused {model}: {result.reason}")
