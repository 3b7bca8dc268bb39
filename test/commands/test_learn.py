"""``pilotnet learn``: the steps in their order, taken up where they stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pilotnet_brain.benchmark.plan_file import plan_of, read_values
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import write_lap
from pilotnet_brain.cli import main
from pilotnet_brain.commands.learn import Settings, _steps
from pilotnet_brain.driving.model.archive import read_record
from pilotnet_brain.driving.model.catalogue import models_dir, read_manifest
from pilotnet_brain.simulation.gazebo.classic_world import write_bare_world
from pilotnet_brain.simulation.looks import PLAIN

SMALL = ["--frames", "160", "--keep", "160", "--epochs", "1", "--laps", "0"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bare_world(load_circuit("random-3"), PLAIN, tmp_path_factory.mktemp("world")).world


def test_from_a_world_to_models_and_their_laps(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    assert main(["learn", str(world), "--out", str(out), *SMALL]) == 0
    assert "[8/8] its int8 model" in capsys.readouterr().out
    for made in (
        f"{world.stem}.csv",
        f"{world.stem}.png",
        f"{world.stem}.pt",
        f"{world.stem}_int8.pt",
    ):
        assert (out / made).is_file(), made
    assert read_record(out / f"{world.stem}.pt").method == "fine-tuned"

    # Again: nothing is made twice, and other arguments do not mix with what is there.
    changed = {path: path.stat().st_mtime_ns for path in out.glob("*.pt")}
    assert main(["learn", str(world), "--out", str(out), *SMALL]) == 0
    assert changed == {path: path.stat().st_mtime_ns for path in out.glob("*.pt")}
    assert main(["learn", str(world), "--out", str(out), *SMALL, "--seed", "2"]) == 2
    assert "was made with other arguments" in capsys.readouterr().err


def test_the_laps_are_a_plan_of_the_models_before_and_after(tmp_path: Path) -> None:
    write_lap(tmp_path / "their.csv", load_circuit("random-3"))
    settings = Settings("their.world", "", "", "baseline.pt", 320, 320, epochs=1, laps=2, seed=1)
    *_, last, card = _steps(tmp_path, "their", settings)
    assert card.arguments[:2] == ("models", "card")
    assert last.arguments[:2] == ("benchmark", str(tmp_path / "laps.yaml"))
    plan = plan_of(read_values(tmp_path / "laps.yaml"))
    assert [Path(model).stem for model in plan.models] == [
        "baseline", "static_quant", "their", "their_int8",
    ]  # fmt: skip
    assert plan.series["world"].world == "their.world"
    assert len(plan.runs()) == 4 * (2 + 2)


def test_of_a_bag_the_frames_are_labelled_by_the_expert(tmp_path: Path) -> None:
    bag = tmp_path / "laps.mcap"
    bag.touch()
    write_lap(tmp_path / "laps.csv", load_circuit("random-3"))
    settings = Settings(str(bag), "", "", "baseline.pt", 320, 320, epochs=1, laps=2, seed=1)
    steps = list(_steps(tmp_path, "laps", settings))
    line, world = str(tmp_path / "laps.csv"), str(tmp_path / "data/world")
    assert steps[0].arguments == ("circuits", "trace", str(bag), "--out", line)
    assert steps[3].arguments == (
        "data", "from-bag", str(bag), "--circuit", line, "--out", world
    )  # fmt: skip
    trained = steps[4].arguments
    assert trained.count("--validation") == 1
    assert not any("check_world" in word for step in steps for word in step.arguments)
    plan = plan_of(read_values(tmp_path / "laps.yaml"))
    assert plan.series["world"].world == ""


def test_in_a_running_simulator_the_line_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = tmp_path / "lap.csv"
    write_lap(line, load_circuit("random-3"))
    settings = Settings(
        str(line), "", "", "baseline.pt", 320, 160, epochs=1, laps=0, seed=1,
        simulator="none", preset="jderobot_classic",
    )  # fmt: skip
    collects = [step.arguments for step in _steps(tmp_path, "lap", settings)][1:5]
    live = ("--simulator", "none", "--preset", "jderobot_classic")
    assert [arguments[-4:] == live for arguments in collects] == [True, False, True, False]
    assert main(["learn", str(line), "--out", str(tmp_path / "out")]) == 2
    assert "a line alone shows no road" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_step_that_fails_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.world"
    empty.write_text("<sdf version='1.6'><world name='w'/></sdf>")
    assert main(["learn", str(empty), "--out", str(tmp_path / "mine")]) == 2
    assert "nothing in it is drawn" in capsys.readouterr().err
    int8 = str(models_dir() / "static_quant.pt")
    assert main(["learn", str(empty), "--out", str(tmp_path / "b"), "--from", int8]) == 2
    assert "give the trained baseline" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
    assert main(["learn", str(tmp_path / "none.world")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_the_card_has_the_models_of_the_folder(tmp_path: Path) -> None:
    """The laps of the models before are there for comparison: they are no files of the folder."""
    settings = Settings("their.world", "", "", "baseline.pt", 320, 320, epochs=1, laps=2, seed=1)
    model = tmp_path / "their.pt"
    shutil.copy(models_dir() / "baseline.pt", model)
    assert main(["models", "sign", str(model)]) == 0
    *_, laps, card = _steps(tmp_path, "their", settings)
    folder = Path(laps.arguments[-1])
    folder.mkdir()
    lap = {"finished": True, "completion": 1.0, "average_speed": 12.5,
           "position_deviation_mae": 0.0125, "position_deviation_max": 0.1, "circuit": "c",
           "position_deviation_score": 1.1, "lap_completed": True, "looks_seed": 0}  # fmt: skip
    sha256 = read_manifest(tmp_path)["their"].sha256
    rows = [
        lap | {"series": series, "model": name, "model_sha256": sha256}
        for series in ("world", "before")
        for name in ("static_quant", str(model))
    ]
    (folder / "results.json").write_text(json.dumps({"rows": rows}))
    assert main(list(card.arguments)) == 0
    text = (tmp_path / "README.md").read_text()
    assert "| their | 1 of 1, 0.013 m | 1 of 1, 0.013 m |" in text
    assert "| static_quant | 1 of 1, 0.013 m |" in text
    assert "static_quant.pt" not in text
    assert "`their.world`" in text
