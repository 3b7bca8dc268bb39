"""The options of ``pilotnet benchmark`` as the values of a plan's keys, which checks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Value = int | float | str


def listed(text: str | None) -> list[Value] | str | None:
    """Return ``0,1,2`` as numbers; a word, such as ``drawn``, as it is."""
    if text is None:
        return None
    values = [_value(part) for part in text.split(",")]
    return values[0] if len(values) == 1 and isinstance(values[0], str) else values


def repetitions_by_circuit(options: Sequence[str] | None) -> dict[str, Any] | None:
    """Return ``NAME=3`` as 3 repetitions of NAME, ``NAME`` as those that the plan says.

    Raises:
        UserError: a circuit is given twice.
    """
    return None if options is None else _by_name("circuit", options, _value)


def amounts_by_disturbance(options: Sequence[str] | None) -> dict[str, Any] | None:
    """Return ``NAME=50,100`` as two amounts of NAME.

    Raises:
        UserError: a disturbance is given twice.
    """
    return None if options is None else _by_name("disturbance", options, listed)


def _by_name(option: str, texts: Sequence[str], parse: Any) -> dict[str, Any]:
    from pilotnet_brain.errors import UserError

    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if name in values:
            raise UserError(f"--{option} {name} is given twice")
        values[name] = parse(value) if equals else None
    return values


def _value(text: str) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
