"""A node's parameters, with description, range and choices; and its command line."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from pilotnet_brain.errors import UserError


def declare(
    node: Node,
    name: str,
    default: Any,
    description: str,
    *,
    between: tuple[float, float] | None = None,
    choices: Sequence[str] = (),
    settable: bool = False,
) -> Any:
    """Declare a parameter and return its value.

    Args:
        node: whose parameter it is.
        name: of the parameter.
        default: value where none is given; its type is the parameter's.
        description: what ``ros2 param describe`` and ``--help`` show.
        between: smallest and largest value allowed, for numbers.
        choices: the values allowed, for text; of a parameter that is not settable.
        settable: whether it may be set while the node runs.

    Raises:
        UserError: the value given at start-up is none of the choices.
        rclpy.exceptions.InvalidParameterTypeException, InvalidParameterValueException: it is of
            another type or outside the range.
    """
    descriptor = ParameterDescriptor(description=description, read_only=not settable)
    if choices:
        descriptor.additional_constraints = f"one of {', '.join(choices)}"
    if between is not None:
        low, high = between
        if isinstance(default, int):
            descriptor.integer_range = [
                IntegerRange(from_value=int(low), to_value=int(high), step=1)
            ]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            ]
    value = node.declare_parameter(name, default, descriptor).value
    if choices and value not in choices:
        raise UserError(f"parameter {name} is {value!r}: use one of {', '.join(choices)}")
    return value


def check_command_line(node_class: Any, about: str, args: Sequence[str] | None) -> None:
    """Answer ``--help``, refuse arguments that are not ROS'; either ends the process.

    Args:
        node_class: whose ``_declare_parameters`` declares the parameters; no node is made.
        about: what the executable is, its topics, an example.
        args: the command line without the program (default: the process's).

    Raises:
        SystemExit: 0 after the help, 2 after a refusal.
    """
    words = re.findall("[A-Z][a-z]+", node_class.__name__.removesuffix("Node"))
    parser = argparse.ArgumentParser(
        prog=f"ros2 run pilotnet_brain {'_'.join(words).lower()}",
        usage="%(prog)s [--ros-args [-p PARAMETER:=VALUE] [-r FROM:=TO] ...]",
        description=about,
        epilog=_Listing.of(node_class),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(remove_ros_args(sys.argv if args is None else ["", *args])[1:])


class _Listing:
    """Stands in for a node whose parameters are declared: it only writes them down."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    @classmethod
    def of(cls, node_class: Any) -> str:
        """Return a node's parameters as text."""
        listing = cls()
        node_class._declare_parameters(listing)
        return "\n".join(["Parameters", *listing._lines])

    def declare_parameter(
        self, name: str, default: Any, descriptor: ParameterDescriptor
    ) -> SimpleNamespace:
        """Note a parameter with its default, its range or choices, and its description."""
        shown = str(default).lower() if isinstance(default, bool) else str(default) or "''"
        limits = [descriptor.additional_constraints]
        for one in (*descriptor.integer_range, *descriptor.floating_point_range):
            limits.append(f"{one.from_value:g} to {one.to_value:g}")
        limits.append("" if descriptor.read_only else "may be set at any time")
        notes = "; ".join([f"default {shown}", *filter(None, limits)])
        self._lines += [f"  {name} ({notes})", f"      {descriptor.description}"]
        return SimpleNamespace(value=default)
