"""Presets: whose values count, and what is refused."""

from pathlib import Path

import pytest

from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import share_dir
from pilotnet_brain.runs.preset import read_preset, spec_of
from pilotnet_brain.runs.spec import ARGUMENTS, RunSpec

SHIPPED = [path.stem for path in (share_dir() / "config/presets").glob("*.yaml")]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_preset_is_a_run_and_is_named_in_the_help(name: str) -> None:
    spec = spec_of({"preset": name})
    for argument, value in read_preset(name).items():
        assert getattr(spec, argument) == value
    (preset,) = (argument for argument in ARGUMENTS if argument.name == "preset")
    assert name in preset.description


def test_what_is_given_counts_more_than_the_preset(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("car: theirs\nodom_topic: /theirs/odom\nrtf: 2\nlockstep: true\n")
    spec = spec_of({"preset": str(mine), "odom_topic": "/mine/odom", "rtf": 1.0})
    assert (spec.car, spec.odom_topic, spec.rtf, spec.lockstep) == (
        "theirs",
        "/mine/odom",
        2.0,
        True,
    )
    assert spec_of({}) == RunSpec()


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="unknown preset 'jderobot': use one of jderobot_classic"):
        spec_of({"preset": "jderobot"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- car\n", "it must have lines of ARGUMENT: VALUE"),
        ("topic: /odom\n", "'topic' is no argument of a run"),
        ("preset: other\n", "'preset' is no argument of a run"),
        ("laps: many\n", "laps is 'many': it must be of type int"),
        ("car: [\n", "cannot be read"),
        ("lockstep: 1\n", "lockstep is 1: it must be of type bool"),
    ],
)
def test_a_file_that_is_no_preset_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="mine.yaml: ") as refused:
        spec_of({"preset": str(path)})
    assert reason in str(refused.value)
