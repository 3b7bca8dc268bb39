"""Drive laps with a network and measure them: ``ros2 launch pilotnet_brain drive.launch.py``.

The nodes, their parameters and remappings are `pilotnet_brain.runs.graph`'s, as for
``pilotnet drive``; any node that ends, ends the run. ``--show-args`` lists the arguments.

    ros2 launch pilotnet_brain drive.launch.py
    ros2 launch pilotnet_brain drive.launch.py circuit:=montreal laps:=2 record_camera:=true
    ros2 launch pilotnet_brain drive.launch.py simulator:=none camera_topic:=/car/image_raw
"""

import sys
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.dds_profile import other_terminals
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.graph import ARGUMENTS, Argument, NodeSpec, RunPlan
from pilotnet_brain.runs.live import prepare_run, reason_of, show_results, was_refused
from pilotnet_brain.runs.parent_process import leader_environment
from pilotnet_brain.runs.stop_reason import write_stop_reason

_SWITCH = {"true": True, "1": True, "false": False, "0": False}


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
    try:
        _refuse_unknown_arguments(context.argv)
        plan = RunPlan(**{argument.name: _value(context, argument) for argument in ARGUMENTS})
        folder, specs = prepare_run(plan)
    except UserError as error:
        # launch shows the text of an exception in one line and starts nothing.
        raise RuntimeError(str(error)) from error
    run = _Run(plan, folder, specs)
    said = [f"results in {folder.path}", other_terminals()]
    return [*(LogInfo(msg=text) for text in said if text), *(run.node(spec) for spec in specs)]


class _Run:
    """The run's nodes, and what is to do when one of them and when the last of them has ended."""

    def __init__(self, plan: RunPlan, folder: RunFolder, specs: list[NodeSpec]) -> None:
        self._plan, self._folder = plan, folder
        self._running = {spec.name for spec in specs}
        self._reason = ""
        self._first: tuple[str, int] | None = None

    def node(self, spec: NodeSpec) -> Node:
        """Return the launch action that starts a node."""

        def on_exit(
            event: ProcessExited, context: LaunchContext
        ) -> list[LaunchDescriptionEntity] | None:
            self._running.discard(spec.name)
            actions = None
            if spec.ends_run and not context.is_shutdown:
                self._first = spec.name, event.returncode
                self._reason = reason_of(self._first, None)
                if self._reason:
                    write_stop_reason(self._folder.path, self._reason)
                actions = [Shutdown(reason=self._reason or "the run is over")]
            if not self._running:
                self._end()
            return actions

        return Node(
            package=spec.package,
            executable=spec.executable,
            name=spec.name,
            parameters=[spec.parameters],
            remappings=spec.remappings,
            arguments=spec.arguments,
            additional_env=spec.environment | leader_environment(),
            output="screen",
            on_exit=on_exit,
        )

    def _end(self) -> None:
        """Keep the results, or none of a run that was refused; tell launch if the run failed."""
        if was_refused(self._first, self._folder):
            self._folder.discard()
        elif show_results(self._folder, self._plan, self._reason or "launch was stopped"):
            return
        if self._first is not None:
            # Ends launch with exit status 1; Ctrl-C, after which no node was the first, with 0.
            raise RuntimeError(self._reason or "the laps were not completed")


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


def _refuse_unknown_arguments(given: list[str]) -> None:
    """Refuse mistyped names, which launch would ignore.

    Only where this file is the one launched: in a larger launch the others are its own.
    """
    if not any(Path(word).name == Path(__file__).name for word in sys.argv):
        return
    known = [argument.name for argument in ARGUMENTS]
    for word in given:
        name, assigned, _ = word.partition(":=")
        if assigned and name not in known:
            raise UserError(f"unknown argument {name!r}: there are {', '.join(known)}")


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
