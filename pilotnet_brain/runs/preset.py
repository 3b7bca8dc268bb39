"""Presets: a run's arguments for somebody else's car, as YAML, under a name or a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import share_dir
from pilotnet_brain.runs.spec import ARGUMENTS, RunSpec
from pilotnet_brain.user_path import user_path

_DEFAULTS = {argument.name: argument.default for argument in ARGUMENTS}


def spec_of(arguments: Mapping[str, Any]) -> RunSpec:
    """Return the spec of a run's arguments; those that have their default take the preset's value.

    Raises:
        UserError: as RunSpec; or the preset is unknown, or holds something else than arguments.
    """
    given = dict(arguments)
    if preset := given.get("preset", ""):
        for name, value in read_preset(preset).items():
            if given.get(name, _DEFAULTS[name]) == _DEFAULTS[name]:
                given[name] = value
    return RunSpec(**given)


def read_preset(name: str) -> dict[str, Any]:
    """Return a preset's arguments by name.

    Args:
        name: of a preset in config/presets, or the path of a YAML file.

    Raises:
        UserError: there is no such preset, it cannot be read, or holds something else.
    """
    shipped = {path.stem: path for path in sorted((share_dir() / "config/presets").glob("*.yaml"))}
    path = shipped.get(name, user_path(name))
    if not path.is_file():
        known = ", ".join(shipped)
        raise UserError(f"unknown preset {name!r}: use one of {known}, or the path of a YAML file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise UserError(f"preset {path}: cannot be read: {problem}") from problem
    if not isinstance(values, dict):
        raise UserError(f"preset {path}: it must have lines of ARGUMENT: VALUE")
    return {str(key): _checked(path, str(key), value) for key, value in values.items()}


def _checked(path: Path, name: str, value: Any) -> Any:
    if name not in _DEFAULTS or name == "preset":
        raise UserError(f"preset {path}: {name!r} is no argument of a run (pilotnet drive --help)")
    kind = type(_DEFAULTS[name])
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise UserError(f"preset {path}: {name} is {value!r}: it must be of type {kind.__name__}")
    return value
