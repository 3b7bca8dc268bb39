"""The pilotnet command: its help, its errors, its light start."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from pilotnet_brain import __version__
from pilotnet_brain.circuits.catalogue import circuit_names
from pilotnet_brain.cli import main
from pilotnet_brain.learning.optimize import METHODS
from pilotnet_brain.runs.spec import ARGUMENTS

COMMANDS = (
    "drive", "swap", "benchmark", "report", "models", "data", "train", "optimize", "learn",
    "circuits", "world",
)  # fmt: skip
GROUPS = {
    "models": ("list", "inspect", "time", "export", "sign", "card"),
    "data": ("collect", "from-bag", "show"),
    "circuits": ("list", "show", "trace"),
}
ROOT = Path(__file__).parent.parent


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n  {command} " in text


def test_help_fits_on_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= 80 for line in lines)


def test_there_are_these_verbs_and_each_group_says_what_is_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.split("Commands:")[1].splitlines()
    assert {line.split()[0] for line in listed if line[:3].strip()} == set(COMMANDS)
    for group, commands in GROUPS.items():
        assert main([group, "--help"]) == 0
        text = capsys.readouterr().out
        assert all(f"\n  {command} " in text for command in commands)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["collect", "datasets/x"], "pilotnet data collect"),
        (["dataset", "show", "x"], "pilotnet data show"),
        (["evaluate"], "pilotnet models time"),
        (["export", "baseline"], "pilotnet models export"),
        (["models", "score", "baseline"], "pilotnet benchmark proof"),
        (["models", "prove", "all"], "pilotnet benchmark proof"),
        (["bench"], "make bench"),
        (["agreement"], "make test-gazebo"),
        (["video", "runs/latest"], "pilotnet report RUN --video"),
        (["compare", "a", "b"], "pilotnet report RUN RUN"),
        (["metrics", "lap.bag"], "pilotnet report BAG"),
    ],
)
def test_an_old_name_is_answered_with_the_new_one(
    old: list[str], new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(old) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and new in line


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pilotnet {__version__}\n"
    manifest = ElementTree.parse(ROOT / "package.xml")
    assert manifest.findtext("version") == __version__
    assert f'version="{__version__}"' in (ROOT / "setup.py").read_text()


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in GROUPS])
def test_help_teaches_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"  pilotnet {command} " in capsys.readouterr().out.split("Examples:")[1]


def test_optimizes_help_names_every_method(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimize", "--help"]) == 0
    text = capsys.readouterr().out
    for method in (*METHODS, "all"):
        assert f"\n    {method} " in text


def test_without_a_command_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_drive_takes_every_argument_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    main(["drive", "--help"])
    text = capsys.readouterr().out
    for argument in ARGUMENTS:
        assert f"--{argument.name.replace('_', '-')}" in text


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["nonsense"], COMMANDS),
        (["circuits", "nonsense"], ("list", "show")),
        (["drive", "--circiut", "montreal"], ("--circuit", "--laps", "--record-camera")),
        (["drive", "--circuit", "nowhere"], tuple(circuit_names())),
        (["drive", "--model", "nothing"], ("nothing", "models:")),
        (["drive", "--device", "tpu"], ("auto", "cpu", "cuda")),
        (["drive", "--simulator", "gazebo9"], ("mujoco", "none")),
        (["drive", "--laps", "0"], ("laps",)),
        (["drive", "--laps", "many"], ("--laps", "--help")),
        (["circuits", "show", "nowhere"], tuple(circuit_names())),
        (["models", "inspect", "nothing"], ("nothing",)),
        (["report", "no/such.bag", "--circuit", "montreal"], ("no/such.bag",)),
        (["report", "--fps", "20"], ("--fps", "--help")),
        (["optimize", "nonsense"], (*METHODS, "all")),
        (["optimize", "qat", "--baseline", "no.pt"], ("no.pt",)),
        (
            ["train", "no/such/set", "--validation", "no/such/set", "--out", "x.pt"],
            ("no/such/set",),
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    arguments: list[str],
    names: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    for name in names:
        assert name in lines[0]
    assert not list(tmp_path.iterdir()), "something was started or written"


@pytest.mark.parametrize("role", ["learn", "validate"])
def test_training_with_a_test_circuits_frames_is_refused(
    role: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, circuit in (("mine", "nurburgring"), ("test", "montreal")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dataset.json").write_text(json.dumps({"circuits": [circuit]}))
    sets = [
        str(tmp_path / name) for name in (("test", "mine") if role == "learn" else ("mine", "test"))
    ]
    assert main(["train", sets[0], "--validation", sets[1], "--out", str(tmp_path / "x.pt")]) == 2
    assert "montreal (dataset.json), which is for testing" in capsys.readouterr().err


def test_circuits_lists_all_with_their_role(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["circuits"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    for name in circuit_names():
        assert rows[name].endswith(("test", "training"))
    assert "429 m" in rows["simple_circuit"]


def test_circuits_show_draws_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "seven.png"
    assert main(["circuits", "show", "random-7", "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import json, sys; from pilotnet_brain.cli import main; main(['--help']); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(json.loads(run.stdout.splitlines()[-1]))
    assert not loaded & {"torch", "mujoco", "rclpy", "numpy", "scipy", "matplotlib", "pandas"}
