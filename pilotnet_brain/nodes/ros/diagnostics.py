"""Diagnostic messages from plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

OK = DiagnosticStatus.OK
WARN = DiagnosticStatus.WARN
ERROR = DiagnosticStatus.ERROR
ENDING = "ending"
"""What a node says last, before it is busy with its end."""


def source(node: Any, name: str = "") -> str:
    """Return how a node is called in diagnostics: by its name, within its namespace if it has one.

    Args:
        node: the node itself.
        name: of another node in its namespace.
    """
    return f"{node.get_namespace()}/{name or node.get_name()}".lstrip("/")


def diagnostic_array(
    stamp: Time, name: str, level: bytes, message: str, values: Mapping[str, Any]
) -> DiagnosticArray:
    """Return a message with one status; a value of None becomes the empty text."""
    status = DiagnosticStatus(level=level, name=name, message=message, hardware_id="pilotnet_brain")
    status.values = [
        KeyValue(key=key, value="" if value is None else str(value))
        for key, value in values.items()
    ]
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array
