"""What the brain says about one camera frame, and how that travels in ``brain/frames``.

The message is a diagnostic_msgs/DiagnosticArray with one status a frame; the status' ``values`` are
the key -> text mapping made here, so that the node that writes it, the node that reads it and the
bag reader share one definition.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

STATUS_NAME = "brain/frame"
"""``name`` of the DiagnosticStatus that carries a record."""


class FrameRecordError(ValueError):
    """A mapping that is no frame record; the text names the key and the value."""


@dataclass(frozen=True)
class FrameRecord:
    """One frame that reached the brain. Durations in seconds, from the brain's steady clock.

    What a frame did not get to (a broken frame has no model call) is None, never 0.
    The three counters are cumulative since the brain node started, this frame included.
    """

    stamp_s: float
    """The frame's header stamp (simulated time)."""
    preprocess_s: float | None = None
    """Message to network input: conversion, crop, resize, scaling."""
    inference_s: float | None = None
    """The model call with its copies to and from the device."""
    callback_s: float | None = None
    """The whole iteration: from the begin of the frame's callback to its command's publication."""
    age_s: float | None = None
    """From the frame's receipt by the process to its command."""
    stamp_to_command_s: float | None = None
    """Simulated time from the frame's stamp to its command, where the clock is fine enough."""
    speed: float | None = None
    """The command, m/s."""
    yaw_rate: float | None = None
    """The command, rad/s."""
    outputs: tuple[float, float] | None = None
    """The network's two normalized outputs."""
    model: str = ""
    device: str = ""
    driven: bool = False
    """True when the command published for this frame is the network's own."""
    problem: str = ""
    """Why the frame was not driven by; begins with ``late`` or ``broken`` for those counters."""
    frames_received: int = 0
    frames_late: int = 0
    frames_broken: int = 0
    epoch: int = 0
    """Grows by one at each backward jump of the clock."""

    def to_values(self) -> dict[str, str]:
        """The record as key -> text: floats with all their digits, None as the empty text."""
        names = [field.name for field in fields(self) if field.name != "outputs"]
        values = {name: _to_text(getattr(self, name)) for name in names}
        first, second = self.outputs if self.outputs is not None else (None, None)
        values["output_0"], values["output_1"] = _to_text(first), _to_text(second)
        return values

    @classmethod
    def from_values(cls, values: Mapping[str, str]) -> FrameRecord:
        """The record that `to_values` wrote; unknown keys are left alone.

        Raises FrameRecordError when a key is missing or its text has no such value.
        """
        first, second = (_optional_number(values, f"output_{i}") for i in (0, 1))
        stamp = _optional_number(values, "stamp_s")
        if stamp is None or not math.isfinite(stamp):
            raise FrameRecordError(f"frame record: stamp_s is {values.get('stamp_s')!r}, no time")
        return cls(
            stamp_s=stamp,
            preprocess_s=_optional_number(values, "preprocess_s"),
            inference_s=_optional_number(values, "inference_s"),
            callback_s=_optional_number(values, "callback_s"),
            age_s=_optional_number(values, "age_s"),
            stamp_to_command_s=_optional_number(values, "stamp_to_command_s"),
            speed=_optional_number(values, "speed"),
            yaw_rate=_optional_number(values, "yaw_rate"),
            outputs=None if first is None or second is None else (first, second),
            model=_text(values, "model"),
            device=_text(values, "device"),
            driven=_text(values, "driven") == "true",
            problem=_text(values, "problem"),
            frames_received=_count(values, "frames_received"),
            frames_late=_count(values, "frames_late"),
            frames_broken=_count(values, "frames_broken"),
            epoch=_count(values, "epoch"),
        )


def _to_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value
    # float() first: repr of a numpy scalar names its type.
    return repr(float(value))  # type: ignore[arg-type]


def _text(values: Mapping[str, str], key: str) -> str:
    try:
        return values[key]
    except KeyError:
        raise FrameRecordError(f"frame record: the key {key} is missing") from None


def _optional_number(values: Mapping[str, str], key: str) -> float | None:
    text = _text(values, key)
    if text == "":
        return None
    try:
        return float(text)
    except ValueError:
        raise FrameRecordError(f"frame record: {key} is {text!r}, not a number") from None


def _count(values: Mapping[str, str], key: str) -> int:
    text = _text(values, key)
    try:
        return int(text)
    except ValueError:
        raise FrameRecordError(f"frame record: {key} is {text!r}, not a count") from None
