"""SDF, the XML that Gazebo's worlds and models are written in (http://sdformat.org/spec)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element

from pilotnet_brain.atomic_file import write_atomically

_TAG = re.compile(rb"""<!--.*?-->|<!\[CDATA\[.*?]]>|<\w(?:"[^"]*"|'[^']*'|[^"'<>])*>""", re.DOTALL)
_VALUE = re.compile(rb""""[^"]*"|'[^']*'|(=\s*)([^\s"'<>]+?)(?=\s|/?>)""")
"""A quoted value in a tag, or one without quotes and the = before it."""

Content = Element | str | bool | float | Iterable[float]


def tag(element_name: str, /, *content: Content, **attributes: str) -> Element:
    """Return an element with child elements or one value in it.

    Args:
        element_name: its name.
        content: elements, or one text, truth value, number or row of numbers.
        attributes: of the element.
    """
    element = ElementTree.Element(element_name, attributes)
    for part in content:
        if isinstance(part, Element):
            element.append(part)
        else:
            element.text = _text(part)
    return element


def document(version: str, content: Element) -> Element:
    """Return a whole SDF document of a version, as "1.6"."""
    return tag("sdf", content, version=version)


def read_xml(path: Path) -> Element:
    """Return a file's root element; attribute values without quotes pass, as Gazebo takes them.

    Raises:
        OSError: the file cannot be read.
        ParseError: it is no XML.
    """
    data = path.read_bytes()
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError:
        return ElementTree.fromstring(_TAG.sub(_with_quotes, data))


def _with_quotes(tag_found: re.Match[bytes]) -> bytes:
    text = tag_found[0]
    if text.startswith(b"<!"):
        return text
    return _VALUE.sub(
        lambda value: value[0] if value[2] is None else b'%b"%b"' % value.groups(), text
    )


def write_xml(path: Path, root: Element) -> None:
    """Write a document, indented, replacing the file as a whole.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    ElementTree.indent(root)
    data = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    write_atomically(path, data + b"\n")


def _text(value: str | bool | float | Iterable[float]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Iterable):
        return " ".join(_number(part) for part in value)
    return _number(value)


def _number(value: float) -> str:
    """Return a number without an exponent that some parsers trip over, to a micrometre."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
