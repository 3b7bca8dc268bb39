"""The life of a node's process: signals, spinning, exit status.

rclpy shuts its context down at the first SIGINT or SIGTERM, before a node could publish a last
zero command; so the nodes handle both signals themselves.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import Executor
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from pilotnet_brain.errors import USER_ERROR, UserError, input_warnings_to
from pilotnet_brain.nodes.ros.executor import NodeExecutor
from pilotnet_brain.runs.events import REFUSED, record_event
from pilotnet_brain.runs.fast_dds import NO_IMAGES, dds_environment
from pilotnet_brain.runs.signals import StopSignal, end_with_leader

_LONGEST_WAIT_S = 0.1


class RunningNode(Protocol):
    """What `run` needs of a node."""

    exit_status: int | None
    """Set by the node when it is done; `run` returns it."""

    def on_stop(self, reason: str) -> None:
        """Leave everything in order: the process was asked to end."""

    def destroy_node(self) -> object: ...


def run(
    make_node: Callable[[], RunningNode],
    args: Sequence[str] | None = None,
    spin: Callable[[RunningNode, Executor, StopSignal], None] | None = None,
    make_executor: Callable[[], Executor] = NodeExecutor,
    dds_profile: str = NO_IMAGES,
) -> int:
    """Run one node until it is done or the process is asked to end; return the exit status.

    Args:
        make_node: makes the node; a UserError there is printed as one line (status 2).
        args: command line (default: the process's).
        spin: works until the node's `exit_status` is set or the signal came (default:
            `spin_until_done`).
        make_executor: makes the executor.
        dds_profile: of the process, for a node that was started by hand (`ros2 run`): a run's
            nodes find theirs in the environment.
    """
    stop = StopSignal()
    end_with_leader()
    os.environ.update(dds_environment(dds_profile))
    node: RunningNode | None = None
    executor: Executor | None = None
    warnings_shown = contextlib.ExitStack()
    try:
        with refused_start():
            rclpy.init(
                args=None if args is None else list(args), signal_handler_options=_NO_SIGNALS
            )
            log = get_logger(Path(sys.argv[0]).name)
            warnings_shown.enter_context(input_warnings_to(log.warning))
            executor = make_executor()
            node = make_node()
        _spare_the_garbage_collector()
        executor.add_node(node)  # type: ignore[arg-type]
        (spin or spin_until_done)(node, executor, stop)
        if stop.number is not None:
            node.on_stop(signal.Signals(stop.number).name)
            return 0
        return node.exit_status or 0
    except (UserError, InvalidParameterTypeException, InvalidParameterValueException) as problem:
        return refuse(problem)
    except Exception as problem:
        # Whatever it was, the car must not drive on with the last command.
        if node is not None:
            with contextlib.suppress(Exception):
                node.on_stop(f"{type(problem).__name__}: {problem}")
        if not isinstance(problem, OSError):
            raise
        # A full disk, mostly: said in one line, like every end.
        print(f"error: {Path(sys.argv[0]).name}: {problem}", file=sys.stderr, flush=True)
        return 1
    finally:
        warnings_shown.close()
        if executor is not None:
            executor.shutdown(timeout_sec=1.0)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


@contextlib.contextmanager
def refused_start() -> Iterator[None]:
    """Turn what ROS 2 raises when it cannot start (a peer that is unknown) into a UserError."""
    try:
        yield
    except (_rclpy.RCLError, _rclpy.UnknownROSArgsError) as problem:
        cause = str(problem).partition(", at /")[0].strip()
        raise UserError(f"ROS 2 cannot start: {cause}") from problem
    except UnicodeEncodeError as problem:
        raise UserError(
            f"ROS 2 cannot start: {problem.object!r} on the command line is not UTF-8; rename it"
        ) from problem


def refuse(problem: object) -> int:
    """Say why this process cannot take part in its run; return its exit status."""
    print(f"error: {problem}", file=sys.stderr, flush=True)
    record_event(None, Path(sys.argv[0]).name, REFUSED, str(problem))
    return USER_ERROR


def _spare_the_garbage_collector() -> None:
    """Leave what is loaded by now out of every later garbage collection.

    rclpy's executors leave cycles behind at every turn, and each full collection then walks through
    all that torch or MuJoCo brought along: 40 ms at a time, which frames had to wait for.
    """
    gc.collect()
    gc.freeze()


def spin_until_done(node: RunningNode, executor: Executor, stop: StopSignal) -> None:
    """Handle the node's callbacks until it is done or the process is asked to end."""
    while stop.number is None and node.exit_status is None:
        # Python sees a signal only between two waits.
        executor.spin_once(timeout_sec=_LONGEST_WAIT_S)


_NO_SIGNALS = SignalHandlerOptions.NO
