"""An executor for a node whose frames must not wait: its services run in a second thread."""

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


class ServiceThreadExecutor(SingleThreadedExecutor):
    """Runs service calls (parameters, lifecycle) in their own thread, the rest in the caller's.

    A service call may take long: it loads another model. rclpy's MultiThreadedExecutor would allow
    for that too, but it hands every callback from thread to thread, 200 clock messages a second
    included: each time the next thread waits for the GIL, and a frame took 20 ms instead of 3.

    An error in a service call is logged; the node keeps running.
    """

    def __init__(self) -> None:
        super().__init__()
        self._service_thread = ThreadPoolExecutor(1)
        self._running: list[tuple[Future[object], Callable[[], Any]]] = []

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
        """Handle the next callback, waiting for it at most `timeout_sec`.

        Raises what it raises, unless it is a service's.
        """
        self._log_failures()
        entity: object
        node: Any
        try:
            handler, entity, node = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        except (ShutdownException, ExternalShutdownException, TimeoutException):
            return
        if isinstance(entity, Service):
            self._running.append((self._service_thread.submit(_finish, handler), node.get_logger))
        else:
            _finish(handler)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Release the nodes; a service call that is still running is not waited for."""
        self._service_thread.shutdown(wait=False, cancel_futures=True)
        return bool(super().shutdown(timeout_sec))

    def _log_failures(self) -> None:
        for done in [running for running in self._running if running[0].done()]:
            self._running.remove(done)
            call, logger = done
            if problem := call.exception():
                logger().error(f"a service call failed: {problem}")


def _finish(handler: object) -> None:
    """Run an rclpy task and raise what its callback raised."""
    handler()  # type: ignore[operator]
    problem = handler.exception()  # type: ignore[attr-defined]
    if problem is not None:
        raise problem
