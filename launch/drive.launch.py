"""Drive laps with a network and measure them: ``ros2 launch pilotnet_brain drive.launch.py``.

The nodes, their parameters and remappings are `pilotnet_brain.runs.graph`'s, as for
``pilotnet drive``; any node that ends, ends the run. ``--show-args`` lists the arguments.

    ros2 launch pilotnet_brain drive.launch.py
    ros2 launch pilotnet_brain drive.launch.py circuit:=montreal laps:=2 record_camera:=true
    ros2 launch pilotnet_brain drive.launch.py simulator:=none camera_topic:=/car/image_raw

Included in another launch file, the end of the run ends the run's nodes; the others go on.
"""

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    Shutdown,
)
from launch.events import matches_action
from launch.events.process import ProcessExited, ShutdownProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from pilotnet_brain.errors import UserError, input_warnings_to
from pilotnet_brain.report.after_run import show_run
from pilotnet_brain.runs.drive import complete, prepare_run, reason_of
from pilotnet_brain.runs.events import (
    FAILED,
    REFUSED,
    STOPPING,
    last_reason,
    process_environment,
    record_event,
)
from pilotnet_brain.runs.fast_dds import other_terminals, remove_dead_files
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.graph import NodeSpec, run_graph
from pilotnet_brain.runs.preset import spec_of
from pilotnet_brain.runs.signals import leader_environment
from pilotnet_brain.runs.spec import ARGUMENTS, Argument

_SWITCH = {"true": True, "1": True, "false": False, "0": False}
_SIMILAR = 0.8
"""How alike the names of arguments must be for one to be taken for the other, mistyped."""


def generate_launch_description() -> LaunchDescription:
    """Return the run's arguments and, once their values are known, its nodes."""
    declared: list[LaunchDescriptionEntity] = [
        DeclareLaunchArgument(
            argument.name,
            default_value=_as_text(argument.default),
            description=argument.description,
        )
        for argument in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    said: list[str] = []
    try:
        if _is_launched_itself():
            _refuse_unknown_arguments(context.argv)
        spec = spec_of({argument.name: _value(context, argument) for argument in ARGUMENTS})
        if spec.in_process:
            raise UserError(
                "lockstep with simulator mujoco needs no ROS: pilotnet drive --lockstep"
            )
        with input_warnings_to(lambda text: said.append(f"warning: {text}")):
            folder = prepare_run(spec)
    except UserError as error:
        # launch shows the text of an exception in one line and starts nothing.
        raise RuntimeError(str(error)) from error
    remove_dead_files()
    nodes = run_graph(folder.spec(), folder.path)
    folder.add_to_record(nodes={node.name: node.parameters for node in nodes})
    run = _Run(folder)
    said += [f"results in {folder.path}", other_terminals()]
    if not _is_launched_itself():
        said += _mistyped_perhaps(context.launch_configurations)
    return [*(LogInfo(msg=text) for text in said if text), *(run.node(node) for node in nodes)]


class _Run:
    """The run's nodes, and what is to do when one of them and when the last of them has ended."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._running: dict[str, Node] = {}
        self._first: tuple[str, int] | None = None

    def node(self, spec: NodeSpec) -> Node:
        """Return the launch action that starts a node."""

        def on_exit(
            event: ProcessExited, context: LaunchContext
        ) -> list[LaunchDescriptionEntity] | None:
            del self._running[spec.name]
            actions = None
            if spec.ends_run and self._first is None and not context.is_shutdown:
                self._first = spec.name, event.returncode
                failure = last_reason(self._folder.path, FAILED)
                actions = self._end_the_others(reason_of(self._first, None, failure))
            if not self._running:
                self._end()
            return actions

        self._running[spec.name] = Node(
            package=spec.package,
            executable=spec.executable,
            name=spec.name,
            namespace=spec.namespace or None,
            parameters=[spec.parameters],
            remappings=spec.remappings,
            arguments=spec.arguments,
            additional_env=spec.environment
            | leader_environment()
            | process_environment(self._folder.path),
            output="screen",
            on_exit=on_exit,
        )
        return self._running[spec.name]

    def _end_the_others(self, reason: str) -> list[LaunchDescriptionEntity]:
        if reason:
            record_event(self._folder.path, "run", STOPPING, reason)
        if _is_launched_itself():
            return [Shutdown(reason=reason or "the run is over")]
        return [
            EmitEvent(event=ShutdownProcess(process_matcher=matches_action(node)))
            for node in self._running.values()
        ]

    def _end(self) -> None:
        """Keep the results, or none of a run that was refused; tell launch if the run failed."""
        remove_dead_files()
        problem = last_reason(self._folder.path, REFUSED)
        if problem is not None:
            self._folder.discard()
        else:
            try:
                reason = last_reason(self._folder.path, STOPPING)
                complete(self._folder, reason or "launch was stopped")
                problem = None if show_run(self._folder) else "the laps were not completed"
            except (UserError, OSError) as error:
                problem = str(error)
        if problem and self._first is not None and _is_launched_itself():
            # Ends launch with exit status 1; Ctrl-C, after which no node was the first, with 0.
            raise RuntimeError(problem)


def _is_launched_itself() -> bool:
    """Return whether this file is the one launched, and not included in another one."""
    return any(Path(word).name == Path(__file__).name for word in sys.argv)


def _value(context: LaunchContext, argument: Argument) -> Any:
    """Return an argument's value in the type of its default."""
    text = LaunchConfiguration(argument.name).perform(context).strip()
    if isinstance(argument.default, bool):
        if text.lower() not in _SWITCH:
            raise UserError(f"{argument.name} is {text!r}: use true or false")
        return _SWITCH[text.lower()]
    try:
        return type(argument.default)(text)
    except ValueError:
        kind = "whole number" if isinstance(argument.default, int) else "number"
        raise UserError(f"{argument.name} is {text!r}: it must be a {kind}") from None


def _refuse_unknown_arguments(argv: list[str]) -> None:
    """Refuse mistyped names on the command line, which launch would ignore."""
    known = [argument.name for argument in ARGUMENTS]
    for name in (word.partition(":=")[0] for word in argv if ":=" in word):
        if name not in known:
            similar = difflib.get_close_matches(name, known, 1, _SIMILAR)
            there_is = f"did you mean {similar[0]}?" if similar else f"there are {', '.join(known)}"
            raise UserError(f"unknown argument {name!r}: {there_is}")


def _mistyped_perhaps(given: Mapping[str, str]) -> list[str]:
    """Return a warning for each argument of an including file that looks like one of this file's.

    It may be that file's and meant so: it is not refused.
    """
    known = [argument.name for argument in ARGUMENTS]
    return [
        f"warning: {name!r} is not one of {Path(__file__).name}: did you mean {similar[0]}?"
        for name in given
        if name not in known and (similar := difflib.get_close_matches(name, known, 1, _SIMILAR))
    ]


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
