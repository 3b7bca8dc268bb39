"""An executor for a node whose frames must not wait: services run beside everything else."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from rclpy.executors import (
    ExternalShutdownException,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.service import Service


class ServicesAsideExecutor(SingleThreadedExecutor):
    """Runs service calls (parameters, lifecycle) in their own thread, the rest in the caller's.

    A service may take long, such as loading another model. rclpy's MultiThreadedExecutor would
    allow for that too, but it hands every callback from thread to thread, 200 clock messages a
    second included: each hand-over waits for the interpreter's lock, and a frame took 20 ms
    instead of 3.
    """

    def __init__(self) -> None:
        super().__init__()
        self._aside = ThreadPoolExecutor(1)
        self._running: list[Future[object]] = []

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Handle the next callback, waiting for it at most `timeout_sec`; raises what it raises."""
        for call in [call for call in self._running if call.done()]:
            self._running.remove(call)
            call.result()
        entity: object
        try:
            handler, entity, _node = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        except (ShutdownException, ExternalShutdownException, TimeoutException):
            return
        if isinstance(entity, Service):
            self._running.append(self._aside.submit(_finish, handler))
        else:
            _finish(handler)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Let go of the nodes; a service call that still runs is not waited for."""
        self._aside.shutdown(wait=False, cancel_futures=True)
        return bool(super().shutdown(timeout_sec))


def _finish(handler: object) -> None:
    """Run an rclpy task and raise what its callback raised."""
    handler()  # type: ignore[operator]
    problem = handler.exception()  # type: ignore[attr-defined]
    if problem is not None:
        raise problem
