"""A ``~`` that is a home is replaced; one that is part of a file's name is not."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

import pytest

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.cli import main
from pilotnet_brain.package_share import share_dir
from pilotnet_brain.user_path import user_path

LAP = share_dir() / "pilotnet_brain" / "circuits" / "data" / "montreal.csv"


def no_user(_: object) -> pwd.struct_passwd:
    raise KeyError("no such user")


def test_a_home_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/driver")
    assert user_path("~/laps/a.csv") == Path("/home/driver/laps/a.csv")
    assert user_path(Path("~")) == Path("/home/driver")
    assert user_path("laps/~a.csv") == Path("laps/~a.csv")


@pytest.mark.parametrize("name", ["~montreal.csv", "~$lap.csv", "~no_such_user/lap.csv"])
def test_a_file_name_that_begins_with_a_tilde_stays(name: str) -> None:
    assert user_path(name) == Path(name)


def test_without_any_home_a_tilde_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_user)
    assert user_path("~/lap.csv") == Path("~/lap.csv")


@pytest.mark.skipif(not LAP.is_file(), reason="needs the package's sources")
def test_such_a_file_is_read_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(LAP, "~montreal.csv")
    assert load_circuit("~montreal.csv").name == "~montreal"
    assert main(["circuits", "show", "~montreal.csv", "--out", "shown.png"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["circuits", "show", "~none.csv"],
        ["models", "inspect", "~none.pt"],
        ["report", "~none"],
        ["report", "~none.bag", "--circuit", "montreal"],
        ["report", "~none", "~other"],
        ["benchmark", "~none.yaml"],
        ["drive", "--circuit", "~none.csv"],
        ["drive", "--model", "~none.pt"],
        ["drive", "--reference-lap", "~none.csv"],
    ],
    ids=" ".join,
)
def test_one_that_is_missing_is_named_in_one_line(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "~none" in line
    assert os.listdir() == []
