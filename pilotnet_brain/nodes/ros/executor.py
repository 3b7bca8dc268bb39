"""Executors that keep a node running through what others send; services may get their own thread.

An error in a callback of the node's own ends it. One in a service call does not, nor one in what
rclpy itself does with a message: its time source raises at a /clock of negative time, its parameter
services at a value of an unknown type. Those are logged.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import (
    ExternalShutdownException,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription

_LOG_AGAIN_S = 1.0


class NodeExecutor(SingleThreadedExecutor):
    """Runs every callback in the caller's thread."""

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Handle the next callback, waiting for it at most `timeout_sec`.

        Raises what it raises, unless it is a service's or rclpy's own.
        """
        entity: object
        node: Any
        try:
            handler, entity, node = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        except (ShutdownException, ExternalShutdownException, TimeoutException):
            return
        self._run(handler, entity, node)

    def _run(self, handler: Any, entity: object, node: Any) -> None:
        handler()
        if problem := handler.exception():
            _tell(problem, entity, node)


class ServiceThreadExecutor(NodeExecutor):
    """Runs service calls (parameters, lifecycle) in their own thread, the rest in the caller's.

    A service call may take long: it loads another model. rclpy's MultiThreadedExecutor would allow
    for that too, but it hands every callback from thread to thread, 200 clock messages a second
    included: each time the next thread waits for the GIL, and a frame took 20 ms instead of 3.
    """

    def __init__(self) -> None:
        super().__init__()
        self._service_thread = ThreadPoolExecutor(1)
        self._running: list[tuple[Future[None], Callable[[BaseException], None]]] = []

    def add_node(self, node: Node) -> bool:
        """Add a node; the services that it has by now get their own callback group.

        In the node's default group they would block its other members, its /clock among them.
        """
        group = MutuallyExclusiveCallbackGroup()
        for service in node.services:
            service.callback_group = group
            group.add_entity(service)
        return bool(super().add_node(node))

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """As `NodeExecutor.spin_once`; a service call is only begun."""
        self._log_failures()
        super().spin_once(timeout_sec)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Release the nodes; a service call that is still running is not waited for."""
        self._service_thread.shutdown(wait=False, cancel_futures=True)
        return bool(super().shutdown(timeout_sec))

    def _run(self, handler: Any, entity: object, node: Any) -> None:
        if not isinstance(entity, Service):
            super()._run(handler, entity, node)
            return
        call = self._service_thread.submit(_finish, handler)
        self._running.append((call, lambda problem: _tell(problem, entity, node)))

    def _log_failures(self) -> None:
        for done in [running for running in self._running if running[0].done()]:
            self._running.remove(done)
            call, tell = done
            if problem := call.exception():
                tell(problem)


def _finish(handler: Any) -> None:
    """Run an rclpy task and raise what its callback raised."""
    handler()
    if problem := handler.exception():
        raise problem


def _tell(problem: BaseException, entity: object, node: Any) -> None:
    """Log an error that must not end the node; raise any other."""
    if isinstance(entity, Service):
        text = f"a call of {entity.srv_name} failed"
    elif isinstance(entity, Subscription) and _is_of_rclpy(entity.callback):
        text = f"a message on {entity.topic_name} is left out"
    else:
        raise problem
    node.get_logger().error(f"{text}: {problem}", throttle_duration_sec=_LOG_AGAIN_S)


def _is_of_rclpy(callback: object) -> bool:
    return str(getattr(callback, "__module__", "")).partition(".")[0] == "rclpy"
