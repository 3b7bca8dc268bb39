"""Reads a benchmark's plan: strictly, with errors that name the key and what there is."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pilotnet_brain.benchmark.plan import DRAWN, LARGEST_SEED, BenchmarkPlan
from pilotnet_brain.circuits.catalogue import circuit_names
from pilotnet_brain.driving.model import DEVICES
from pilotnet_brain.driving.model.catalogue import read_manifest
from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import share_dir

MODES = ("live", "lockstep")
SIMULATORS = ("mujoco", "gazebo", "gz")
ALL = "all"
MOST_RUNS = 100_000
_LARGEST_FILE_BYTES = 2**20
_MOST_REPETITIONS = 10_000
_RANGE = re.compile(r"random-(\d{1,9})\.\.(?:random-)?(\d{1,9})")

Values = Mapping[str, Any]
Parser = Callable[[str, Any], Any]


class PlanError(UserError):
    """A plan that is none; the text names the file, the key, the value and what there is."""


def find_plan(name_or_path: str) -> Path:
    """Return the file of a plan: a path, or the name of one that comes with the package.

    Raises:
        PlanError: neither; lists the names there are.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    shipped = {file.stem: file for file in sorted((share_dir() / "benchmarks").glob("*.yaml"))}
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise PlanError(
        f"no plan {name_or_path!r}: no such file, and no plan of that name; plans: "
        f"{', '.join(shipped) or 'none'}"
    )


def read_values(path: Path) -> dict[str, Any]:
    """Return what a plan's YAML file says, unchecked: `plan_of` checks it.

    Raises:
        PlanError: the file cannot be read, is no YAML mapping, or says a key twice.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise PlanError(f"{path}: larger than 1 MB: this is no benchmark's plan")
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506
    except OSError as problem:
        raise PlanError(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as problem:
        raise PlanError(f"{path}: not YAML: {' '.join(str(problem).split())}") from problem
    if not isinstance(values, dict):
        raise PlanError(f"{path}: must hold keys and values; the keys are {', '.join(_PARSERS)}")
    return values


def plan_of(values: Values) -> BenchmarkPlan:
    """Return the plan that a mapping of keys says; what it leaves out is filled in.

    ``repetitions`` counts for the circuits that do not say a number of their own. Live repetitions
    are the same drive again, from the start line in the plain look, unless looks or start points
    are asked for; in lock-step, where that would be the same to the bit, both are drawn.

    Raises:
        PlanError: an unknown key, or a value that is not one of its key's.
        UserError: the manifest of the models cannot be read.
    """
    for key in values:
        if key not in _PARSERS:
            raise PlanError(f"unknown key {_shown(key)}; there are {', '.join(_PARSERS)}")
    parsed = {key: parse(key, values[key]) for key, parse in _PARSERS.items() if key in values}
    repetitions = parsed.pop("repetitions", 1)
    parsed.setdefault("mode", "live")
    live = parsed["mode"] == "live"
    parsed.setdefault("simulator", "mujoco")
    parsed.setdefault("models", tuple(read_manifest()))
    parsed["circuits"] = {
        name: number or repetitions
        for name, number in parsed.get("circuits", dict.fromkeys(circuit_names())).items()
    }
    parsed.setdefault("looks", (0,) if live else DRAWN)
    parsed.setdefault("start_points", (0.0,) if live else DRAWN)
    plan = BenchmarkPlan(**parsed)
    _check_together(plan)
    return plan


def write_plan(plan: BenchmarkPlan) -> str:
    """Return the plan as the text of a YAML file."""
    return yaml.safe_dump(plan.as_dict(), sort_keys=False, allow_unicode=True)


def _check_together(plan: BenchmarkPlan) -> None:
    if plan.mode == "live" and plan.disturbances:
        raise PlanError("disturbances need mode lockstep")
    if plan.mode == "lockstep" and plan.simulator != "mujoco":
        raise PlanError(f"simulator {plan.simulator} needs mode live; lock-step drives in mujoco")
    if plan.mode == "lockstep" and plan.device == "cuda":
        raise PlanError("device cuda needs mode live; lock-step drives on the CPU")
    if plan.simulator != "mujoco" and plan.start_points != (0.0,):
        raise PlanError("start_points need simulator mujoco: Gazebo's car starts on the start line")
    amounts = 1 + sum(len(amounts) for amounts in plan.disturbances.values())
    runs = sum(plan.circuits.values()) * len(plan.models) * amounts
    if runs > MOST_RUNS:
        raise PlanError(f"{runs} runs are more than {MOST_RUNS}: ask for less at a time")


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is said twice, of which YAML's own takes the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {_shown(key)} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _one_of(*known: str) -> Parser:
    def parse(key: str, value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise _wrong(key, value, f"one of {', '.join(known)}")
        return value

    return parse


def _whole(low: int, high: int) -> Parser:
    def parse(key: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _wrong(key, value, f"a whole number from {low} to {high}")
        return value

    return parse


def _number(low: float, high: float) -> Parser:
    def parse(key: str, value: Any) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
            or not math.isfinite(value)
        ):
            raise _wrong(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    return parse


def _yes_or_no(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, value, "true or false")
    return value


def _name(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value or not value.isprintable():
        raise _wrong(key, value, "a name or a path")
    return value


def _folder(key: str, value: Any) -> str:
    return "" if value == "" else _name(key, value)


def _models(key: str, value: Any) -> tuple[str, ...]:
    if value == ALL:
        return tuple(read_manifest())
    return tuple(
        _unlike(key, [_name(key, item) for item in _several(key, value, "names or paths")])
    )


def _circuits(key: str, value: Any) -> dict[str, int | None]:
    """Return the repetitions by circuit, None where the plan's own number counts."""
    if value == ALL:
        return dict.fromkeys(circuit_names())
    if isinstance(value, Mapping) and value:
        parse = _whole(1, _MOST_REPETITIONS)
        numbers = {
            _name(key, name): None if number is None else parse(f"{key}: {name}", number)
            for name, number in value.items()
        }
    else:
        numbers = {_name(key, item): None for item in _unlike(key, _several(key, value, "names"))}
    spread = {c: number for name, number in numbers.items() for c in _circuits_of(key, name)}
    if len(spread) != sum(len(_circuits_of(key, name)) for name in numbers):
        raise PlanError(f"{key}: a circuit is there twice")
    return spread


def _circuits_of(key: str, name: str) -> list[str]:
    """Return the circuits of a name: several for ``random-1001..1100``."""
    if (spread := _RANGE.fullmatch(name)) is None:
        return [name]
    first, last = int(spread[1]), int(spread[2])
    if not first <= last <= first + _MOST_REPETITIONS:
        raise _wrong(key, name, "random-FIRST..LAST, of at most 10000 circuits")
    return [f"random-{seed}" for seed in range(first, last + 1)]


def _drawn_or(parse: Parser) -> Parser:
    def parse_several(key: str, value: Any) -> Any:
        if value == DRAWN:
            return DRAWN
        return tuple(parse(key, item) for item in _several(key, value, f"numbers, or {DRAWN}"))

    return parse_several


def _disturbances(key: str, value: Any) -> dict[str, tuple[float, ...]]:
    if value == ALL:
        from pilotnet_brain.runs.disturbances import DISTURBANCES

        value = dict.fromkeys(DISTURBANCES)
    if not isinstance(value, Mapping):
        raise _wrong(key, value, "disturbances with their amounts, as in latency: [50, 100]")
    return {_name(key, name): _amounts(f"{key}: {name}", name, a) for name, a in value.items()}


def _amounts(key: str, name: str, value: Any) -> tuple[float, ...]:
    """Return the amounts; where none are said, those that the disturbance comes with."""
    if value is None:
        from pilotnet_brain.runs.disturbances import find_disturbance

        known = find_disturbance(name)
        # The undisturbed run is driven anyway.
        return tuple(amount for amount in known.amounts if amount != known.none)
    amount = _number(-1e6, 1e6)
    return tuple(_unlike(key, [amount(key, item) for item in _several(key, value, "amounts")]))


def _several(key: str, value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise _wrong(key, value, f"a list of {what}")
    return value


def _unlike(key: str, items: Sequence[Any]) -> Sequence[Any]:
    for index, item in enumerate(items):
        if item in items[:index]:
            raise PlanError(f"{key}: {_shown(item)} is there twice")
    return items


def _wrong(key: str, value: Any, must: str) -> PlanError:
    return PlanError(f"{key} is {_shown(value)}: it must be {must}")


def _shown(value: Any) -> str:
    """Return a value as text, cut short: a hostile file's may be without end."""
    try:
        return reprlib.repr(value)
    except (RecursionError, ValueError):
        return f"of type {type(value).__name__}"


_PARSERS: dict[str, Parser] = {
    "mode": _one_of(*MODES),
    "simulator": _one_of(*SIMULATORS),
    "models": _models,
    "circuits": _circuits,
    "repetitions": _whole(1, _MOST_REPETITIONS),
    "looks": _drawn_or(_whole(0, LARGEST_SEED)),
    "start_points": _drawn_or(_number(0.0, 1e6)),
    "seed": _whole(0, LARGEST_SEED),
    "disturbances": _disturbances,
    "laps": _whole(1, 10_000),
    "time_limit": _number(0.1, 1e6),
    "device": _one_of(*DEVICES),
    "record": _yes_or_no,
    "reference_laps": _folder,
}
KEYS = tuple(_PARSERS)
"""Of a plan's file, in the order of its documentation."""
