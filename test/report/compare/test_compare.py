"""Runs side by side, and whether they differ by more than chance."""

import csv
import json
import math

import pytest
from driven_lines import drive, ticks
from scipy.stats import t as students_t

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.cli import main
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.report.compare.sides import sides_by_circuit
from pilotnet_brain.report.compare.tables import difference, differences_table, values_table
from pilotnet_brain.runs.folder import RunFolder

# As BehaviorMetrics writes them, with the figures that it published for its PilotNet.
BEHAVIOR_METRICS = {
    "completed_distance": 430.1, "average_speed": 8.39, "percentage_completed": 100.4,
    "position_deviation_mae": 7.41, "lap_seconds": 51, "circuit_diameter": 428.1,
    "experiment_total_simulated_time": 52, "brain_iterations_frequency_real_time": 5.6,
    "mean_inference_time": 0.124, "gpu_inference": True, "real_time_factor": 0,
    "suddenness_distance": 0.05, "experiment_total_real_time": 60.2,
}  # fmt: skip


def test_the_interval_is_welchs():
    # Means 2 and 4, variances 1 and 4, three runs each: the difference's variance is 1/3 + 4/3,
    # its degrees of freedom (5/3)^2 / ((1/3)^2 / 2 + (4/3)^2 / 2) = 50 / 17.
    found = difference([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    half = students_t.ppf(0.975, 50 / 17) * math.sqrt(5 / 3)
    assert found.mean == pytest.approx(2.0)
    assert (found.low, found.high) == (pytest.approx(2.0 - half), pytest.approx(2.0 + half))
    assert found.larger_than_spread is False
    assert difference([1.0, 2.0, 3.0], [21.0, 24.0, 22.0]).larger_than_spread is True
    assert difference([21.0, 24.0, 22.0], [1.0, 2.0, 3.0]).larger_than_spread is True


@pytest.mark.parametrize(
    ("first", "second"), [([1.0], [2.0]), ([1.0, 1.1], [2.0]), ([1.0], [2.0, 2.1])]
)
def test_one_run_has_no_spread(first, second):
    found = difference(first, second)
    assert found.mean == pytest.approx(1.0, abs=0.1)
    assert found.larger_than_spread is None


def test_repetitions_that_are_all_the_same_differ_exactly():
    assert difference([1.0, 1.0], [1.0, 1.0]).larger_than_spread is False
    assert difference([1.0, 1.0], [1.5, 1.5]).larger_than_spread is True
    assert difference([], [1.5, 1.5]).mean is None


def make_run(root, name, offset, model="baseline", begin=0.0):
    """Make a run's folder: three seconds at 10 m/s, `offset` m left of the line."""
    folder = RunFolder.create(root, "simple_circuit", model)

    class Keeping(RunMetrics):
        def add_pose(self, *pose, **more):
            rows = super().add_pose(*pose, **more)
            for row in rows:
                folder.append_trajectory(row)
            return rows

    metrics = drive(
        Keeping(load_circuit("simple_circuit")), lambda t: begin + 10.0 * t, ticks(3.0),
        lambda s: offset,
    )  # fmt: skip
    metrics.end("stopped by SIGINT")
    folder.close()
    folder.write_metrics(metrics.figures(model=model))
    path = root / name
    (root / "latest").unlink()
    return folder.path.rename(path)


def texts(table):
    return [[cell.plain for cell in row.cells] for row in table.rows]


def write_json(path, content):
    path.write_text(json.dumps(content))
    return path


def test_two_runs_stand_side_by_side_with_their_driven_lines(tmp_path, capsys):
    # The second begins 10 m before the start line and crosses it.
    runs = [make_run(tmp_path, "a", 0.1), make_run(tmp_path, "b", -0.2, "qat", begin=-10.0)]
    out = tmp_path / "compared"
    assert main(["report", *map(str, runs), "--out", str(out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "position deviation (MAE), m 0.1000 0.2000" in shown
    assert "+0.1000: no spread" in shown
    assert "One run a side has no spread" in shown
    text = (out / "compare.md").read_text()
    assert "| position deviation (MAE), m | 0.1000 | 0.2000 |" in text
    assert "![The driven lines on simple_circuit](simple_circuit.png)" in text
    assert (out / "simple_circuit.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_of_runs_and_a_benchmark_have_a_spread(tmp_path, capsys):
    for number, offset in enumerate((0.10, 0.11, 0.12)):
        make_run(tmp_path / "mine", f"run{number}", offset)
    rows = [
        {
            "model": "models/mine.pt", "circuit": "simple_circuit", "repetition": n,
            "disturbance": "none", "amount": 0.0, "run": None, "finished": n < 2,
            "position_deviation_mae": mae, "lap_times_s": [30.0 + n],
        }
        for n, mae in enumerate((0.30, 0.31, 9.0))
    ]  # fmt: skip
    (tmp_path / "bench").mkdir()
    write_json(tmp_path / "bench" / "results.json", {"rows": rows})
    out = tmp_path / "out"
    paths = [str(tmp_path / "mine"), str(tmp_path / "bench")]
    assert main(["report", *paths, "--out", str(out)]) == 0
    assert "no spread" not in capsys.readouterr().out
    table = {
        (row["side"], row["figure"]): row
        for row in csv.DictReader((out / "compare.csv").open())
    }  # fmt: skip
    first = table["baseline (mine)", "position_deviation_mae"]
    assert (first["runs"], float(first["mean"])) == ("3", pytest.approx(0.11, abs=1e-6))
    # The run that did not finish does not count.
    second = table["mine (bench)", "position_deviation_mae"]
    assert (second["runs"], float(second["mean"])) == ("2", pytest.approx(0.305))
    assert float(second["difference"]) == pytest.approx(0.195, abs=1e-6)
    assert second["larger_than_spread"] == "True"
    assert not (out / "simple_circuit.png").exists()


def test_behavior_metrics_results_stand_beside_ours(tmp_path):
    run = make_run(tmp_path, "a", 0.1)
    result = write_json(tmp_path / "20220217-113000.json", BEHAVIOR_METRICS)
    (sides,) = sides_by_circuit([run, result]).values()
    theirs = sides[1]
    assert (theirs.label, theirs.finished) == ("20220217-113000", 1)
    # Its "MAE" is the published score, not metres.
    assert theirs.values("position_deviation_score_published") == [7.41]
    assert theirs.values("position_deviation_mae") == []
    assert theirs.values("lap_times_s") == [51.0]
    assert theirs.values("mean_inference_time") == [0.124]
    assert theirs.values("real_time_factor") == [], "zero is what it did not measure"
    assert ["laps finished", "0 of 1", "1 of 1"] in texts(values_table(sides))


def test_repetitions_of_behavior_metrics_are_a_folder(tmp_path):
    for name, speeds in (("theirs", (8.3, 8.4)), ("others", (7.1, 7.2, 7.3))):
        (tmp_path / name).mkdir()
        for number, speed in enumerate(speeds):
            result = BEHAVIOR_METRICS | {
                "average_speed": speed,
                "percentage_completed": 90 + 8 * number,
            }
            write_json(tmp_path / name / f"{number}.json", result)
    paths = [tmp_path / "theirs", tmp_path / "others"]
    with pytest.raises(UserError, match="do not name the circuit; give it with --circuit"):
        sides_by_circuit(paths)
    by_circuit = sides_by_circuit(paths, "montreal")
    theirs, others = by_circuit["montreal"]
    assert (theirs.finished, others.finished) == (0, 1)
    assert theirs.values("average_speed") == [8.3, 8.4]
    assert others.values("average_speed") == [7.3]


def test_what_cannot_be_compared_is_told(tmp_path):
    run = make_run(tmp_path, "a", 0.1)
    with pytest.raises(UserError, match="two runs on the same circuit are needed, got baseline"):
        sides_by_circuit([run])
    with pytest.raises(UserError, match="nowhere: no such run"):
        sides_by_circuit([run, tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: neither a run's folder"):
        sides_by_circuit([run, tmp_path / "empty"])
    with pytest.raises(UserError, match="not a result of BehaviorMetrics"):
        sides_by_circuit([run, write_json(tmp_path / "x.json", {"a": 1})])
    (tmp_path / "y.json").write_text("{")
    with pytest.raises(UserError, match="y.json: cannot be read as JSON"):
        sides_by_circuit([run, tmp_path / "y.json"])


def test_no_name_and_no_figure_is_cut_off(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = ["a_network_with_a_very_long_name_" + end for end in "abcdef"]
    runs = [make_run(tmp_path, name, 0.1, name) for name in names]
    for count in (2, 3, 6):
        assert main(["report", *map(str, runs[:count])]) == 0
        shown = capsys.readouterr().out
        assert "…" not in shown
        assert all(name in shown for name in names[:count])
        assert shown.count("+0.0000: no spread") >= count - 1


def test_a_run_compared_with_itself_is_numbered(tmp_path):
    run = make_run(tmp_path, "a", 0.1)
    (sides,) = sides_by_circuit([run, run]).values()
    assert [side.label for side in sides] == ["baseline #1", "baseline #2"]


def test_two_benchmarks_are_compared_model_by_model(tmp_path):
    for name, faster in (("monday", 0.0), ("tuesday", 0.5)):
        rows = [
            {"model": model, "circuit": "montreal", "run": None, "finished": True,
             "average_speed": speed + faster + 0.01 * n}
            for model, speed in (("baseline", 13.0), ("qat", 12.0)) for n in range(3)
        ]  # fmt: skip
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "results.json", {"rows": rows})
    sides = sides_by_circuit([tmp_path / "monday", tmp_path / "tuesday"])["montreal"]
    # Four sides: each is a row.
    table = differences_table(sides)
    rows = texts(table)
    assert [column.head for column in table.columns] == ["", "average speed, m/s"]
    found = {name: cell for name, cell in rows}
    # Variance 0.0001 on both sides, three runs each: t with 4 degrees of freedom is 2.776, and
    # the half width 2.776 * sqrt(2 * 0.0001 / 3) = 0.0227.
    assert found == {
        "qat (monday) - baseline (monday)": "-1.000 (-1.023 to -0.977): larger",
        "baseline (tuesday) - baseline (monday)": "+0.500 (+0.477 to +0.523): larger",
        "qat (tuesday) - qat (monday)": "+0.500 (+0.477 to +0.523): larger",
    }
