"""The laps of a proof: on circuits kept for it, the same from any number of processes, kept."""

import shutil

import pytest

from pilotnet_brain.benchmark import closed_loop
from pilotnet_brain.benchmark.closed_loop import Lap, drive_laps, series, summary
from pilotnet_brain.benchmark.lap_store import LapStore
from pilotnet_brain.benchmark.sweep import PLAIN_LOOKS
from pilotnet_brain.circuits.catalogue import UnknownCircuitError, circuit_names, is_held_out
from pilotnet_brain.cli import main
from pilotnet_brain.driving.model.catalogue import read_manifest
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.recipe import Recipe, worlds_of


def figures(completed=True, speed=12.0, deviation=0.01, worst=0.1):
    return {
        "lap_completed": completed,
        "completion": 1.0 if completed else 0.25,
        "average_speed": speed,
        "position_deviation_mae": deviation,
        "position_deviation_max": worst,
        "position_deviation_score": 1.1,
    }


def test_the_series_are_what_the_proof_asks_for():
    laps = series()
    assert [lap.circuit for lap in laps["plain"]] == circuit_names()
    assert {lap.circuit for lap in laps["looks"]} == {"simple_circuit", "montreal", "montmelo"}
    assert len(laps["looks"]) == len(set(laps["looks"])) == 9
    assert all(lap.looks_seed != PLAIN_LOOKS for lap in laps["looks"])
    assert len({lap.circuit for lap in laps["unseen"]}) == 20
    assert len({lap.looks_seed for lap in laps["unseen"]}) == 20


def test_no_circuit_and_no_look_of_it_was_trained_on():
    worlds = worlds_of(Recipe(40_000, 1)) + worlds_of(Recipe(4_000, 2, random_share=1.0))
    laps = [lap for name in ("looks", "unseen") for lap in series()[name]]
    assert all(is_held_out(lap.circuit) for lap in laps)
    assert not {world.circuit for world in worlds} & {lap.circuit for lap in laps}
    assert not {world.looks_seed for world in worlds} & {lap.looks_seed for lap in laps}


def test_a_summary_counts_every_lap():
    whole = summary(
        {
            Lap("random-101", 101): figures(speed=10.0, deviation=0.01, worst=0.2),
            Lap("random-102", 102): figures(False, speed=8.0, deviation=0.05, worst=1.5),
        }
    )
    assert (whole["laps"], whole["finished"]) == (2, 1)
    assert whole["average_speed"] == pytest.approx(9.0)
    assert whole["position_deviation_mae"] == pytest.approx(0.03)
    assert whole["position_deviation_max"] == 1.5
    assert whole["not_finished"] == ["random-102, looks 102"]
    assert whole["circuits"] == ["random-101", "random-102"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_laps_are_the_same_to_the_bit_from_any_number_of_processes(tiny_file, jobs):
    laps = [Lap("nurburgring"), Lap("nurburgring", 2), Lap("random-101", 101)]
    found = dict(drive_laps(tiny_file, laps, jobs, time_limit_s=1.5))
    again = dict(drive_laps(tiny_file, laps, 1, time_limit_s=1.5))
    assert found == again
    assert set(found) == set(laps)
    assert not any(figures["lap_completed"] for figures in found.values())
    assert found[laps[0]] != found[laps[1]]


def test_an_unknown_circuit_is_refused_before_anything_is_driven(tiny_file):
    with pytest.raises(UnknownCircuitError, match="monaco"):
        next(drive_laps(tiny_file, [Lap("nurburgring"), Lap("monaco")], 1))


def test_laps_are_kept_for_the_file_that_drove_them(tmp_path):
    path = tmp_path / "laps.json"
    LapStore(path).add("a", "1234", Lap("montreal", 2), figures())
    LapStore(path).add("a", "1234", Lap("montreal"), figures(speed=9.0))
    LapStore(path).add("b", "99", Lap("montmelo"), figures())
    assert LapStore(path).laps("a", "1234") == {
        Lap("montreal", 2): figures(),
        Lap("montreal"): figures(speed=9.0),
    }
    assert LapStore(path).laps("a", "5678") == {}
    LapStore(path).add("a", "5678", Lap("montreal"), figures())
    assert LapStore(path).laps("a", "1234") == {}
    assert set(LapStore(path).laps("b", "99")) == {Lap("montmelo")}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"models": {"a": 3}}', "[" * 20_000])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    (tmp_path / "laps.json").write_text(text)
    with pytest.raises(UserError, match=r"laps\.json"):
        LapStore(tmp_path / "laps.json")


def test_a_car_that_never_set_off_has_no_speed():
    parked = figures(False, speed=None, deviation=None, worst=None)
    one = summary({Lap("montmelo"): parked, Lap("montreal"): figures(speed=10.0)})
    assert (one["finished"], one["average_speed"]) == (1, 10.0)
    none = summary({Lap("montmelo"): parked})
    assert (none["average_speed"], none["position_deviation_max"]) == (None, None)


@pytest.fixture
def short_laps(monkeypatch):
    """Four laps of a second in three series; the laps that were asked for are noted."""
    laps = {
        "plain": [Lap("nurburgring")],
        "looks": [Lap("nurburgring", 1), Lap("nurburgring", 2)],
        "unseen": [Lap("random-101", 101)],
    }
    driven = []

    def drive(path, laps, jobs):
        driven.extend(laps)
        return drive_laps(path, laps, jobs, time_limit_s=1.0)

    monkeypatch.setattr(closed_loop, "series", lambda: laps)
    monkeypatch.setattr(closed_loop, "drive_laps", drive)
    return laps, driven


def test_a_proof_goes_on_where_it_was_and_its_figures_are_in_the_manifest(
    tiny_file, tmp_path, short_laps, capsys
):
    laps, driven = short_laps
    model = tmp_path / "mine.pt"
    shutil.copy(tiny_file, model)
    assert main(["models", "prove", str(model), "--series", "looks", "--jobs", "1"]) == 0
    assert main(["models", "prove", str(model), "--jobs", "1"]) == 0
    assert driven == laps["looks"] + laps["plain"] + laps["unseen"]
    scores = read_manifest(tmp_path)["mine"].scores
    assert set(scores) == {"nurburgring", "looks", "unseen"}
    assert scores["looks"]["laps"] == 2
    assert scores["unseen"]["circuits"] == ["random-101"]
    assert "0 of 2 laps completed" in capsys.readouterr().out
    assert set(
        LapStore(tmp_path / "laps.json").laps("mine", read_manifest(tmp_path)["mine"].sha256)
    ) == {lap for group in laps.values() for lap in group}


def test_an_unknown_series_is_refused(tiny_file, capsys):
    assert main(["models", "prove", str(tiny_file), "--series", "rain"]) == 2
    assert "plain, looks, unseen" in capsys.readouterr().err
