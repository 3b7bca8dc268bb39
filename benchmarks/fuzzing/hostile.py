"""Hostile ROS 2 messages and bytes, drawn at random from a seed."""

from __future__ import annotations

import math
import random
from importlib import import_module
from typing import Any

from rclpy.serialization import serialize_message
from rosidl_parser.definition import (
    AbstractNestedType,
    AbstractString,
    Array,
    BasicType,
    NamespacedType,
)

_FLOATS = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e39, 1e18, -1.0, 0.0, -0.0)
_FLOATS_32 = (math.nan, math.inf, -math.inf, 3e38, -3e38, 1e-45, -1.0, 0.0)
_TEXTS = (
    "", "\0", "rgb8", "bgr8", "nv12", "mono16", "jpeg", "brain: driving", "../../etc", "%s%n",
    "\N{REPLACEMENT CHARACTER}" * 9, "\N{PILE OF POO}", "\r\n\033[2J", "nan", "-1",
)  # fmt: skip
_LENGTHS = (0, 1, 2, 7, 300)
_LONG = (20_000, 400_000)
_LARGEST = 2_000_000
"""Bytes of a sequence: DDS keeps room for the largest message of each topic as long as it lives."""
_INVALID_UTF8 = b"\xff\xc0\x80\xfe"
_MARK = "QZQZ"
"""Stands in a text where `damaged_bytes` writes bytes that are not UTF-8; as long as those."""


def spoil(message: Any, rng: random.Random, share: float) -> None:
    """Give a share of a message's fields hostile values, in place; nested messages too."""
    fields = message.get_fields_and_field_types()
    for name, kind in zip(fields, message.SLOT_TYPES, strict=True):
        value = getattr(message, name)
        if isinstance(kind, NamespacedType):
            spoil(value, rng, share)
        elif rng.random() < share:
            setattr(message, name, _hostile(kind, value, rng))
        elif isinstance(kind, AbstractNestedType) and isinstance(kind.value_type, NamespacedType):
            for element in value:
                spoil(element, rng, share)


def damaged_bytes(message: Any, rng: random.Random) -> bytes:
    """Return a message in CDR, cut, flipped, extended, with absurd lengths or broken texts."""
    data = bytearray(serialize_message(message))
    while (at := data.find(_MARK.encode())) >= 0:
        data[at : at + len(_INVALID_UTF8)] = _INVALID_UTF8
    how = rng.choice(("cut", "flip", "flip", "length", "more", "texts", "noise", "header"))
    if how == "cut":
        del data[rng.randrange(len(data)) :]
    elif how == "flip":
        for _ in range(rng.choice((1, 3, 30))):
            data[_place(data, rng)] ^= 1 << rng.randrange(8)
    elif how == "length":
        at = 4 + 4 * rng.randrange(max(1, min(len(data), 400) // 4 - 1))
        data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x10"))
    elif how == "more":
        data += rng.randbytes(rng.choice((1, 100, 10_000)))
    elif how == "noise":
        data[4:] = rng.randbytes(rng.choice((0, 4, 50, 5000)))
    elif how == "header":
        data[: rng.choice((1, 2, 4))] = rng.randbytes(4)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """Return an index, mostly at the front, where the lengths are."""
    return rng.randrange(min(len(data), rng.choice((8, 64, 400, len(data)))))


def _hostile(kind: Any, value: Any, rng: random.Random) -> Any:
    if isinstance(kind, BasicType):
        return _number(kind.typename, rng)
    if isinstance(kind, AbstractString):
        return _text(rng)
    if isinstance(kind, Array):
        return [_element(kind.value_type, rng) for _ in range(kind.size)]
    if isinstance(kind, AbstractNestedType):
        return _sequence(kind.value_type, value, rng)
    return value


def _sequence(kind: Any, value: Any, rng: random.Random) -> Any:
    if isinstance(kind, BasicType) and kind.typename in ("uint8", "octet"):
        if rng.random() < 0.5:  # cut, or too long by a little
            data = bytes(value)
            return data[: rng.randrange(len(data) + 1)] + rng.randbytes(rng.choice((0, 1, 3)))
        return rng.randbytes(rng.choice((*_LENGTHS, *_LONG)))
    count = rng.choice(_LENGTHS)
    if not isinstance(kind, NamespacedType) and rng.random() < 0.02:
        count = _LONG[0]
    if count > len(_FLOATS):  # equal elements: random ones would take long to make
        element = _element(kind, rng)
        return [element] * min(count, _LARGEST // _size(element))
    return [_element(kind, rng) for _ in range(count)]


def _element(kind: Any, rng: random.Random) -> Any:
    if isinstance(kind, NamespacedType):
        message = getattr(import_module(".".join(kind.namespaces)), kind.name)()
        spoil(message, rng, 0.5)
        return message
    return _hostile(kind, None, rng)


def _size(element: Any) -> int:
    if isinstance(element, str):
        return 1 + len(element)
    return len(serialize_message(element)) if hasattr(element, "SLOT_TYPES") else 8


def _number(kind: str, rng: random.Random) -> Any:
    if kind in ("double", "float"):
        common = _FLOATS if kind == "double" else _FLOATS_32
        return rng.choice((*common, rng.uniform(-100.0, 100.0)))
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "octet":
        return rng.randbytes(1)
    bits = int(kind.lstrip("uint"))
    low, high = (
        (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )
    return rng.choice((low, high, high // 2, min(1, high), 0, rng.randint(low, high)))


def _text(rng: random.Random) -> str:
    if rng.random() < 0.03:
        return "x" * rng.choice(_LONG)
    if rng.random() < 0.2:
        return f"a{_MARK}b"
    return rng.choice((*_TEXTS, "".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(20))))
