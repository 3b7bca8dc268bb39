"""The laps that show that a model drives are on circuits and looks that training never drew."""

import csv
import json
import shutil

import pytest
from benchmark_rows import row

from pilotnet_brain.benchmark.plan_file import find_plan, plan_of, read_values
from pilotnet_brain.benchmark.proof import read_rows, scores_of, summary
from pilotnet_brain.circuits.catalogue import circuit_names, is_held_out
from pilotnet_brain.cli import main
from pilotnet_brain.driving.model.catalogue import models_dir, read_manifest
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.recipe import Recipe, worlds_of
from pilotnet_brain.simulation.looks import random_looks

RUNS = plan_of({**read_values(find_plan("proof")), "models": ["qat"]}).runs()
SPECS = {
    series: [run.spec for run in RUNS if run.series == series]
    for series in dict.fromkeys(run.series for run in RUNS)
}
DRAWN = SPECS["looks"] + SPECS["unseen"] + SPECS["another_car"]


def test_the_series_are_what_the_proof_asks_for():
    assert [spec.circuit for spec in SPECS["plain"]] == circuit_names()
    assert {spec.looks_seed for spec in SPECS["plain"]} == {0}
    assert {spec.circuit for spec in SPECS["looks"]} == {"simple_circuit", "montmelo"}
    assert len(SPECS["looks"]) == len(set(SPECS["looks"])) == 6
    assert all(spec.looks_seed for spec in SPECS["looks"])
    assert len({spec.circuit for spec in SPECS["unseen"]}) == 20
    assert [spec.looks_seed for spec in SPECS["unseen"]] == list(range(101, 121))
    assert len({spec.circuit for spec in SPECS["another_car"] + SPECS["unseen"]}) == 40
    assert len(set(SPECS["another_car"])) == len({s.seed for s in SPECS["another_car"]}) == 20
    for delay in ("100", "200", "300"):
        of_delay = SPECS[f"delay_{delay}"]
        assert [spec.circuit for spec in of_delay] == circuit_names()
        assert {spec.disturbance for spec in of_delay} == {f"latency={delay}"}
    assert all(random_looks(spec.looks_seed).line is None for spec in SPECS["no_line_unseen"])
    assert len(RUNS) == 85
    assert all(spec.start_arc_length == 0.0 for specs in SPECS.values() for spec in specs)


def test_no_circuit_and_no_look_of_it_was_trained_on():
    worlds = worlds_of(Recipe(48_000, 11)) + worlds_of(Recipe(4_000, 12, random_share=1.0))
    worlds += worlds_of(Recipe(40_000, 14)) + worlds_of(Recipe(4_000, 15, random_share=1.0))
    assert all(is_held_out(spec.circuit) for spec in DRAWN)
    assert not {world.circuit for world in worlds} & {spec.circuit for spec in DRAWN}
    assert not {world.looks_seed for world in worlds} & {spec.looks_seed for spec in DRAWN}


def lap(series, circuit, looks=0, finished=True, speed=12.0, deviation=0.01, worst=0.1, **more):
    figures = {"average_speed": speed, "position_deviation_mae": deviation}
    figures |= {"position_deviation_max": worst, "completion": 1.0 if finished else 0.25, **more}
    return row("qat", circuit, finished=finished, **figures) | {
        "series": series, "looks_seed": looks,
    }  # fmt: skip


def test_a_summary_counts_every_lap():
    whole = summary([
        lap("unseen", "random-101", 101, speed=10.0, deviation=0.01, worst=0.2),
        lap("unseen", "random-102", 102, False, speed=8.0, deviation=0.05, worst=1.5),
    ])  # fmt: skip
    assert (whole["laps"], whole["finished"]) == (2, 1)
    assert whole["average_speed"] == pytest.approx(9.0)
    assert whole["position_deviation_mae"] == pytest.approx(0.03)
    assert whole["position_deviation_max"] == 1.5
    assert whole["not_finished"] == ["random-102, looks 102"]
    assert whole["circuits"] == ["random-101", "random-102"]
    assert whole["looks_seeds"] == [101, 102]


def test_a_car_that_never_set_off_has_no_speed():
    parked = lap("looks", "montmelo", 1, False, speed=None, deviation=None, worst=None)
    one = summary([parked, lap("looks", "montreal", 1, speed=10.0)])
    assert (one["finished"], one["average_speed"]) == (1, 10.0)
    none = summary([parked])
    assert (none["average_speed"], none["position_deviation_max"]) == (None, None)


def test_a_models_scores_are_its_plain_laps_by_circuit_and_the_other_series_as_one():
    rows = [lap("plain", "montreal"), lap("looks", "montreal", 1), lap("looks", "montreal", 2)]
    ((name, (sha256, scores)),) = scores_of(rows).items()
    assert (name, sha256) == ("qat", "s")
    assert set(scores) == {"montreal", "looks"}
    assert scores["montreal"]["lap_completed"] is True
    assert scores["looks"]["laps"] == 2


@pytest.fixture
def folder(tmp_path):
    """The shipped models' folder without the files, which the card does not read."""
    for name in ("manifest.json", "evaluation.json", "card_template.md"):
        shutil.copy(models_dir() / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["results.json", "results.csv"])
def test_the_card_takes_the_proofs_laps_of_the_file_that_drove_them(folder, kind):
    sha256 = read_manifest(folder)["qat"].sha256
    rows = [lap("plain", "montreal", speed=11.25) | {"model_sha256": sha256}]
    results = folder / "proof" / kind
    results.parent.mkdir()
    if kind == "results.json":
        results.write_text(json.dumps({"rows": rows}))
    else:
        with results.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    assert read_rows(results)[0]["finished"] is True
    before = read_manifest(folder)
    assert main(["models", "card", "--folder", str(folder), "--proof", str(results)]) == 0
    after = read_manifest(folder)
    assert after["qat"].scores["montreal"]["average_speed"] == 11.25
    assert {name: entry.sha256 for name, entry in after.items()} == {
        name: entry.sha256 for name, entry in before.items()
    }
    assert "11.25 m/s" in (folder / "README.md").read_text()


def test_laps_of_another_file_are_not_entered(folder, capsys):
    rows = [lap("plain", "montreal") | {"model_sha256": "of a tampered file"}]
    (folder / "results.json").write_text(json.dumps({"rows": rows}))
    before = (folder / "manifest.json").read_bytes()
    assert main(["models", "card", "--folder", str(folder), "--proof", str(folder)]) == 2
    assert "pilotnet models sign" in capsys.readouterr().err
    assert (folder / "manifest.json").read_bytes() == before


def test_a_folder_without_rows_is_named(tmp_path):
    with pytest.raises(UserError, match=r"results\.json: holds no rows of a benchmark"):
        read_rows(tmp_path)
