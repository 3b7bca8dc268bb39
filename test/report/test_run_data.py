"""Figures from a bag, with `pilotnet report BAG`: those of the run whose folder it lies in."""

import json

import numpy as np
import pytest
from driven_runs import driven_run
from recorded_bags import RADIUS, write_ros2

from pilotnet_brain.cli import main
from pilotnet_brain.errors import UserError
from pilotnet_brain.report.run_data import measure_bag


@pytest.fixture
def run(tmp_path):
    """A run's folder with the bag of 12 s on a circle that a CSV describes."""
    angles = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
    points = RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])
    np.savetxt(tmp_path / "circle.csv", points, delimiter=",", header="x,y", comments="")
    made = driven_run(tmp_path / "run", tmp_path / "circle.csv", until_s=2.0)
    write_ros2(made.bag, 12.0)
    return made


def test_a_bag_in_a_runs_folder_knows_the_run(run, capsys):
    run.add_to_record(spec=run.spec().to_dict() | {"time_limit": 5.0})
    out = run.path / "again.json"
    assert main(["report", str(run.bag), "--json", str(out)]) == 0
    figures = json.loads(out.read_text())
    assert figures["simulator"] == "mujoco"
    assert "time limit" in figures["ending"]
    assert "10.00 m/s" in capsys.readouterr().out
    assert measure_bag(run.bag).figures == figures
    # A file of the bag lies in the run's folder, too.
    (file,) = run.bag.glob("*.mcap")
    assert measure_bag(file).figures["ending"] == figures["ending"]


def test_a_bag_elsewhere_needs_a_circuit(run, tmp_path, capsys):
    bag = run.bag.rename(tmp_path / "lap")
    assert main(["report", str(bag)]) == 2
    assert "--circuit" in capsys.readouterr().err
    assert main(["report", str(bag), "--circuit", str(tmp_path / "circle.csv")]) == 0


def test_a_reference_lap_of_another_circuit_is_refused(run, tmp_path):
    np.savetxt(tmp_path / "other.csv", [(0, 0), (90, 0), (90, 90)], delimiter=",", header="x,y",
               comments="")  # fmt: skip
    with pytest.raises(UserError, match="this reference lap is of another circuit"):
        measure_bag(run.bag, reference_lap=tmp_path / "other.csv")
    own = measure_bag(run.bag, reference_lap=tmp_path / "circle.csv")
    assert own.figures["position_deviation_score_published"] is not None


def test_without_a_path_the_newest_run_is_taken(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(run.path)
    monkeypatch.chdir(tmp_path)
    assert main(["report"]) == 0
    assert run.report_html.is_file()
    assert main(["report", "--video", "--until", "0.2", "--width", "160"]) == 0
    assert (run.path / "run.mp4").is_file()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["RUN", "--fps", "10"], "--fps does not go with a page"),
        (["RUN/bag", "--until", "3"], "--until does not go with a bag"),
        (["RUN", "RUN", "--laps", "2"], "--laps does not go with a comparison"),
        (["RUN", "--video", "--json", "x"], "--json does not go with a video"),
        (["RUN", "RUN", "--video"], "a video shows one run"),
    ],
)
def test_options_of_something_else_are_refused(run, arguments, named, capsys):
    assert main(["report", *(part.replace("RUN", str(run.path)) for part in arguments)]) == 2
    assert named in capsys.readouterr().err
