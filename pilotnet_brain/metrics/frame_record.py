"""What the brain says about one camera frame, and how that travels on ``brain/frames``.

A frame's numbers are one sensor_msgs/JointState, which every plotting tool takes apart by name:

    header.stamp     the frame's
    header.frame_id  name of the model that had it
    name             NUMBERS, the same in every message
    position         their values; NaN for what the frame did not get to

Bags recorded before this have one diagnostic_msgs/DiagnosticArray a frame with the values as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pilotnet_brain.bags.messages import seconds

OUTCOMES = ("driven", "late", "broken", "failed")
"""What became of a frame. Its place here is the number that travels."""
DEVICES = ("cpu", "cuda")
"""Where the model ran. Its place here is the number that travels."""
_DURATIONS = (
    "preprocess_s", "inference_s", "callback_s", "age_s", "stamp_to_command_s", "compensated_s",
)  # fmt: skip
_LATER = ("compensated_s", "taken_over")
"""Numbers that the first messages of this kind do not have."""
_COMMAND = ("speed", "yaw_rate")
_OUTPUTS = ("output_0", "output_1")
_COUNTERS = ("frames_received", "frames_late", "frames_broken", "frames_failed", "epoch")
NUMBERS = (*_DURATIONS, *_COMMAND, *_OUTPUTS, "outcome", "device", *_COUNTERS, "taken_over")
"""Names of a frame's numbers on ``brain/frames``: SI units, the fields of `FrameRecord`."""
_NAN = math.nan
_LARGEST_COUNT = 2**53
"""Whole numbers beyond it are not all a float's."""
_LONGEST_NAME = 1000
_LONGEST_PROBLEM = 1000


class FrameRecordError(ValueError):
    """A message that is no frame record; the text names the field and its value."""


@dataclass(frozen=True)
class FrameRecord:
    """One frame that reached the brain. Durations in seconds, from the brain's steady clock.

    What a frame did not get to (a broken frame has no model call) is None, never 0.
    The four counters are cumulative since the brain node started, this frame included.
    """

    stamp_s: float
    """The frame's header stamp (simulated time)."""
    preprocess_s: float | None = None
    """Message to network input: conversion, crop, resize, scaling."""
    inference_s: float | None = None
    """The model call with its copies to and from the device."""
    callback_s: float | None = None
    """The whole iteration: from the start of the frame's callback to its command's publication."""
    age_s: float | None = None
    """From the frame's receipt by the process to its command."""
    stamp_to_command_s: float | None = None
    """Simulated time from the frame's stamp to its command, where the clock is fine enough."""
    compensated_s: float | None = None
    """Simulated time from the frame's stamp to the pose from which the model saw the road."""
    speed: float | None = None
    """The network's command, m/s."""
    yaw_rate: float | None = None
    """The network's command, rad/s."""
    outputs: tuple[float, float] | None = None
    """The network's two normalized outputs."""
    model: str = ""
    device: str = ""
    driven: bool = False
    """True when the frame led to a command; it went to the car unless `taken_over`."""
    taken_over: bool = False
    """True when a person's command, or the stop that they asked for, was in force instead."""
    problem: str = ""
    """Why the frame was not driven; begins with ``late``, ``broken`` or ``failed``. On
    ``brain/frames`` that word is all that travels, ``brain/status`` has the text."""
    frames_received: int = 0
    frames_late: int = 0
    frames_broken: int = 0
    frames_failed: int = 0
    """Frames on which the network failed: an error, or outputs that are not finite."""
    epoch: int = 0
    """Grows by one at each backward jump of the clock."""

    def to_numbers(self) -> list[float]:
        """Return the values of `NUMBERS`, in their order."""
        measured = [getattr(self, name) for name in (*_DURATIONS, *_COMMAND)]
        measured += self.outputs or (None, None)
        outcome = "driven" if self.driven else self.problem.partition(":")[0]
        return [
            *(_NAN if value is None else float(value) for value in measured),
            _place(outcome, OUTCOMES),
            _place(self.device, DEVICES),
            *(float(getattr(self, name)) for name in _COUNTERS),
            float(self.taken_over),
        ]


def frame_record(message: Any) -> FrameRecord:
    """Return the record in a message of ``brain/frames``, live or from a bag, old or new.

    Raises:
        FrameRecordError: the message is another's, or damaged.
    """
    if hasattr(message, "status"):
        return _from_texts(message)
    if len(message.name) != len(message.position):
        names, values = len(message.name), len(message.position)
        raise FrameRecordError(f"frame record: {names} names and {values} values")
    numbers = dict(zip(message.name, map(float, message.position), strict=True))
    outcome = _word(numbers, "outcome", OUTCOMES)
    return _record(
        seconds(message.header.stamp),
        lambda name: _number(numbers, name),
        lambda name: _count(numbers, name),
        model=message.header.frame_id,
        device=_word(numbers, "device", DEVICES),
        driven=outcome == "driven",
        problem="" if outcome == "driven" else outcome,
        taken_over=bool(_number(numbers, "taken_over")),
    )


def problem_of(message: Any) -> str:
    """Return why frames are not driven on, by a message of ``brain/status``; empty: they are."""
    texts = {pair.key: pair.value for status in message.status for pair in status.values}
    return texts.get("problem", "")[:_LONGEST_PROBLEM]


def _record(
    stamp_s: float,
    number: Callable[[str], float | None],
    count: Callable[[str], int],
    **said: Any,
) -> FrameRecord:
    if len(said["model"]) > _LONGEST_NAME:
        raise FrameRecordError(f"frame record: a model's name of {len(said['model'])} characters")
    said |= {name: number(name) for name in (*_DURATIONS, *_COMMAND)}
    said |= {name: count(name) for name in _COUNTERS}
    first, second = map(number, _OUTPUTS)
    outputs = None if first is None or second is None else (first, second)
    return FrameRecord(stamp_s, outputs=outputs, **said)


def _place(word: str, words: tuple[str, ...]) -> float:
    return float(words.index(word)) if word in words else _NAN


def _number(numbers: Mapping[str, float], name: str) -> float | None:
    if name not in numbers:
        if name in _LATER:
            return None
        raise FrameRecordError(f"frame record: {name} is missing")
    value = numbers[name]
    return None if math.isnan(value) else value


def _count(numbers: Mapping[str, float], name: str) -> int:
    value = _number(numbers, name)
    if value is None or not value.is_integer() or abs(value) > _LARGEST_COUNT:
        raise FrameRecordError(f"frame record: {name} is {numbers[name]}, not a count")
    return int(value)


def _word(numbers: Mapping[str, float], name: str, words: tuple[str, ...]) -> str:
    """Return the word whose number it is; the empty text for NaN."""
    if _number(numbers, name) is None:
        return ""
    place = _count(numbers, name)
    if not 0 <= place < len(words):
        raise FrameRecordError(f"frame record: {name} is {place}: it must be below {len(words)}")
    return words[place]


# Bags from before the numbers: key -> text.


def _from_texts(message: Any) -> FrameRecord:
    if len(message.status) != 1:
        raise FrameRecordError(f"frame record: {len(message.status)} statuses in one message")
    texts = {pair.key: pair.value for pair in message.status[0].values}
    stamp = _number_of(texts, "stamp_s")
    if stamp is None or not math.isfinite(stamp):
        raise FrameRecordError(f"frame record: stamp_s is {texts['stamp_s']!r}, no time")
    return _record(
        stamp,
        lambda name: _number_of(texts, name),
        # Not counted in those days; the problems' texts still say which frames failed.
        lambda name: 0 if name == "frames_failed" else _count_of(texts, name),
        model=_text(texts, "model"),
        device=_text(texts, "device"),
        driven=_text(texts, "driven") == "true",
        problem=_text(texts, "problem"),
    )


def _text(texts: Mapping[str, str], key: str) -> str:
    if key not in texts:
        raise FrameRecordError(f"frame record: the key {key} is missing")
    return texts[key]


def _number_of(texts: Mapping[str, str], key: str) -> float | None:
    if key in _LATER:
        return None
    text = _text(texts, key)
    try:
        return float(text) if text else None
    except ValueError:
        raise FrameRecordError(f"frame record: {key} is {text!r}, not a number") from None


def _count_of(texts: Mapping[str, str], key: str) -> int:
    text = _text(texts, key)
    try:
        return int(text)
    except ValueError:
        raise FrameRecordError(f"frame record: {key} is {text!r}, not a count") from None
