"""Declares a node's parameters with description and range."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node


def declare(
    node: Node,
    name: str,
    default: Any,
    description: str,
    *,
    between: tuple[float, float] | None = None,
    settable: bool = False,
) -> Any:
    """Declare a parameter and return its value.

    Args:
        node: whose parameter it is.
        name: of the parameter.
        default: value where none is given; its type is the parameter's.
        description: what ``ros2 param describe`` shows.
        between: smallest and largest value allowed, for numbers.
        settable: whether it may be set while the node runs.

    Raises:
        rclpy.exceptions.InvalidParameterTypeException, InvalidParameterValueException: the value
            given at start-up is of another type or outside the range.
    """
    descriptor = ParameterDescriptor(description=description, read_only=not settable)
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
    return node.declare_parameter(name, default, descriptor).value
