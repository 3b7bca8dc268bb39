"""Plans as files: what they say is what is driven, and nothing else passes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.benchmark.check import check_plan
from pilotnet_brain.benchmark.plan_file import (
    KEYS,
    PlanError,
    find_plan,
    plan_of,
    read_values,
    write_plan,
)
from pilotnet_brain.driving.model import DEVICES
from pilotnet_brain.package_share import share_dir
from pilotnet_brain.runs.spec import SIMULATORS

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.dates(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return path


SHIPPED = sorted(path.stem for path in (share_dir() / "benchmarks").glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_plans_are_plans_of_what_is_there(name):
    plan = plan_of(read_values(find_plan(name)))
    check_plan(plan)
    assert plan.runs()


def test_plans_are_shipped():
    assert {"live", "robustness", "disturbances", "delay", "proof"} == set(SHIPPED)


def test_a_plan_that_is_nowhere_is_refused_with_those_there_are():
    with pytest.raises(PlanError, match="no plan 'lvie': .*live, proof, robustness"):
        find_plan("lvie")


def test_a_plan_takes_every_simulator_that_a_run_starts_itself_and_every_device():
    for simulator in set(SIMULATORS) - {"none"}:
        assert plan_of({"simulator": simulator}).simulator == simulator
    for device in DEVICES:
        assert plan_of({"device": device}).device == device


def test_a_plan_that_is_written_is_read_as_the_same(tmp_path):
    plan = plan_of({
        "mode": "lockstep", "models": ["qat", "a b/mine.pt"], "circuits": {"montreal": 2, "x": 1},
        "looks": "drawn", "start_points": [0, 12.5], "disturbances": {"noise": [1, 2.5]},
        "laps": 2, "time_limit": 30, "seed": 7, "reference_laps": "/laps",
    })  # fmt: skip
    assert plan_of(read_values(written(tmp_path, write_plan(plan)))) == plan


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), ANYTHING, max_size=4))
def test_whatever_is_asked_is_a_plan_or_an_error_of_one_short_line(values: dict[str, Any]):
    try:
        plan = plan_of(values)
    except PlanError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        assert any(key in str(error) for key in (*KEYS, "runs", "values"))
    else:
        assert plan.laps >= 1 and 0.0 < plan.time_limit < math.inf
        assert plan_of(plan.as_dict()) == plan


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.text("models: all\n[]{}&*!|>-?\"'#%@,0123456789.").map(str.encode)
    | ANYTHING.map(lambda value: yaml.dump({"models": value}).encode())
)
def test_whatever_a_file_holds_is_values_or_an_error_that_names_the_file(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("hostile") / "plan.yaml"
    path.write_bytes(content)
    try:
        plan_of(read_values(path))
    except PlanError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": ["qat"]}, "unknown key 'model'; there are circuits, repetitions, looks"),
        ({"mode": "fast"}, "mode is 'fast': it must be 'live' or 'lockstep'"),
        ({"simulator": "gazebo9"}, "it must be 'mujoco', 'gazebo' or 'gz'"),
        ({"models": "qat"}, "models is 'qat': it must be 'all' or a valid list"),
        ({"models": []}, "models is []"),
        ({"models": ["qat", "qat"]}, "models: 'qat' is there twice"),
        ({"models": [3]}, "models is 3: it must be a valid string"),
        ({"models": [""]}, "models is '': it must be a name or a path"),
        ({"circuits": {"montreal": 0}}, "circuits: montreal is 0: it must be greater than"),
        ({"circuits": {"montreal": True}}, "circuits: montreal is True: it must be a valid int"),
        ({"circuits": ["random-1..3", "random-2"]}, "circuits: random-2 is there twice"),
        ({"circuits": ["random-9..3"]}, "random-FIRST..LAST"),
        ({"looks": [-1]}, "looks is -1"),
        ({"looks": [1.5]}, "looks is 1.5"),
        ({"looks": "plain"}, "looks is 'plain': it must be 'drawn' or 'of_circuit' or a "),
        ({"start_points": [float("nan")]}, "start_points is nan"),
        ({"laps": 0}, "laps is 0"),
        ({"time_limit": float("inf")}, "time_limit is inf"),
        ({"record": "yes please"}, "record is 'yes please': it must be a valid boolean"),
        ({"disturbances": ["noise"]}, "disturbances"),
        ({"series": {"a": {"looks": [1.5]}}}, "series: a: looks is 1.5"),
        ({"series": {"a": {"lock": 1}}}, "series: a: lock is 1: it must be left out"),
        ({"series": {"a": {}}, "circuits": ["montreal"]}, "circuits: say them in each series"),
        ({"mode": "lockstep", "disturbances": {"noise": 3}}, "disturbances: noise is 3"),
        ({"disturbances": {"noise": [3]}}, "disturbances need mode lockstep"),
        ({"disturbance": "latency=50"}, "disturbances need mode lockstep"),
        (
            {"mode": "lockstep", "disturbance": "latency=50", "disturbances": {"latency": [9.0]}},
            "give one of them",
        ),
        ({"mode": "lockstep", "simulator": "gazebo"}, "simulator gazebo needs mode live"),
        ({"mode": "lockstep", "device": "cuda"}, "device cuda needs mode live"),
        ({"simulator": "gazebo", "start_points": [5]}, "start_points need simulator mujoco"),
        ({"circuits": {"montreal": 10_000}, "models": list("abcdefghijk")}, "110000 runs"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_what_there_is(values, said):
    with pytest.raises(PlanError) as error:
        plan_of(values)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: [qat]\nmodels: [baseline]\n", "the key 'models' is there twice"),
        ("circuits: {montreal: 1, montreal: 2}\n", "the key 'montreal' is there twice"),
        ("- qat\n", "must hold keys and values"),
        ("", "must hold keys and values"),
        ("models: [qat\n", "not YAML"),
        ("models: !!python/object/apply:os.system [id]\n", "not YAML"),
        ("? [a]\n: 1\n", "a key must be a word"),
        ("a: &a [*a]\n", "unknown key 'a'"),
        ("models: &a [*a]\n", "models"),
        ("[" * 5000, "not YAML"),
        ("models: \x00\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(PlanError) as error:
        plan_of(read_values(written(tmp_path, text)))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_without_end_is_not_read(tmp_path):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in itertools.pairwise("abcdefghij")
    )
    with pytest.raises(PlanError):
        plan_of(read_values(written(tmp_path, bomb + "models: *j\n")))
    with pytest.raises(PlanError, match="larger than 1 MB"):
        read_values(written(tmp_path, "#" * 2**20 + "\nlaps: 1\n"))
    with pytest.raises(PlanError, match="cannot be read"):
        read_values(tmp_path / "missing.yaml")
