"""``pilotnet circuits show`` says where the picture lies and never takes another file's place."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_bags import write_split

from pilotnet_brain.cli import main


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_picture_has_a_name_of_its_own_and_replaces_nothing_unasked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    picture = Path("simple_circuit-circuit.png")
    assert main(["circuits", "show", "simple_circuit"]) == 0
    assert capsys.readouterr().out == f"{picture}\n"
    picture.write_bytes(b"somebody's")
    assert main(["circuits", "show", "simple_circuit"]) == 2
    assert f"--out {picture}" in capsys.readouterr().err
    assert picture.read_bytes() == b"somebody's"
    assert main(["circuits", "show", "simple_circuit", "--out", str(picture)]) == 0
    assert picture.stat().st_size > 10_000


def test_a_damaged_bag_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_split(Path("lap"), 2)
    assert main(["circuits", "show", str(bag)]) == 0
    assert capsys.readouterr().err == ""
    (bag / "metadata.yaml").unlink()
    for _ in range(2):
        assert main(["circuits", "show", str(bag), "--out", "lap.png"]) == 0
        told = capsys.readouterr().err
        assert told.startswith("warning: lap: the bag was not closed properly")
        assert told.count("\n") == 1


def test_a_format_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["circuits", "show", "simple_circuit", "--out", "x.word"]) == 2
    assert "x.word" in capsys.readouterr().err
    assert not Path("x.word").exists()
