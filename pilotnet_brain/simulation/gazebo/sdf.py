"""SDF, the XML that Gazebo's worlds and models are written in (http://sdformat.org/spec)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.etree.ElementTree import Element

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.errors import UserError

_TAG = re.compile(rb"""<!--.*?-->|<!\[CDATA\[.*?]]>|<\w(?:"[^"]*"|'[^']*'|[^"'<>])*>""", re.DOTALL)
_VALUE = re.compile(rb""""[^"]*"|'[^']*'|(=\s*)([^\s"'<>]+?)(?=\s|/?>)""")
"""A quoted value in a tag, or one without quotes and the = before it."""

FRICTIONLESS = "<surface><friction><ode><mu>0</mu><mu2>0</mu2></ode></friction></surface>"


def row(*numbers: float) -> str:
    """Return numbers to a micrometre, without an exponent that some parsers trip over."""
    return " ".join(f"{number:.6f}".rstrip("0").rstrip(".") for number in numbers)


def write_sdf(path: Path, version: str, content: str) -> None:
    """Write an element as a whole SDF document of a version, as "1.6"; raises as `write_xml`."""
    write_xml(path, ElementTree.fromstring(f'<sdf version="{version}">{content}</sdf>'))


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


def read_world(path: Path) -> tuple[Element, Element]:
    """Return a world file's root element, and its <world>.

    Raises:
        UserError: the file cannot be read, or holds no world.
    """
    try:
        root = read_xml(path)
    except (OSError, ElementTree.ParseError, ValueError) as problem:
        raise UserError(f"{path}: cannot be read as a world file: {problem}") from problem
    world = root.find("world")
    if world is None:
        raise UserError(f"{path}: not a Gazebo world file: it has no <world>")
    return root, world


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
