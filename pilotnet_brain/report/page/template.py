"""Fills the pages' templates: everything escaped, everything in one file."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.errors import UserError

# viridis, twelve steps: perceptually even, and distinct for the colour-blind. Each stops short of
# the ground it is drawn on, and what is largest stands out most: dark on light, bright on dark.
ON_LIGHT = (
    "#7ad151", "#52c569", "#31b57b", "#20a386", "#20928c", "#26818e", "#2d708e", "#365d8d",
    "#3f4889", "#46337f", "#481b6d", "#440154",
)  # fmt: skip
ON_DARK = (
    "#3b528b", "#32648e", "#2b748e", "#25858e", "#1f958b", "#21a685", "#32b67a", "#52c569",
    "#77d153", "#a5db36", "#d2e21b", "#fde725",
)  # fmt: skip
LEVELS = len(ON_LIGHT)


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Write a page as one HTML file, whole or not at all; return its path.

    Args:
        template: file name in ``templates/``.
        values: that it names; texts are escaped, ``| script_json`` is for data of scripts.

    Raises:
        UserError: the place cannot be written.
    """
    html = (
        _environment().get_template(template).render(on_light=ON_LIGHT, on_dark=ON_DARK, **values)
    )
    try:
        write_atomically(path, html.encode())
    except OSError as problem:
        raise UserError(f"{path}: cannot be written: {problem}") from problem
    return path


def script_json(value: object) -> Markup:
    """Return a value as JSON that may stand in a script element, whatever its texts hold.

    Raises:
        ValueError: a number that JSON cannot express.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    # No end tag, no comment, and no line separator that ends a line in JavaScript only.
    for character in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pilotnet_brain.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["script_json"] = script_json
    return environment
