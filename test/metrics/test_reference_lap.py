"""Reference laps: reading them, and the score of a car exactly on the line against them.

The recorded laps are BehaviorMetrics' data and no part of this project. To check against them, put
them as CSV files or bags, named after the circuits, into a folder and name it in
PILOTNET_REFERENCE_LAPS.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from driven_lines import circle
from recorded_bags import write_ros1, write_split

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import InputWarning, UserError
from pilotnet_brain.metrics.reference_lap import (
    ReferenceLapError,
    check_on_circuit,
    read_reference_lap,
)
from pilotnet_brain.metrics.run_metrics import RunMetrics

FLOORS = {
    "simple_circuit": (4.1, 0.05),
    "montreal": (3.9, 0.05),
    "montmelo": (1.9, 0.05),
    "nurburgring": (1.45, 0.005),
}


def test_a_csv_and_a_bag_of_the_same_lap(tmp_path):
    from_bag = read_reference_lap(write_ros1(tmp_path / "lap.bag", 5.0))
    csv = tmp_path / "lap.csv"
    np.savetxt(csv, from_bag, delimiter=",", header="x,y", comments="")
    assert read_reference_lap(csv) == pytest.approx(from_bag)
    check_on_circuit(csv, from_bag, circle())


@pytest.mark.parametrize(
    ("text", "why"),
    [("a,b\n1,2\n3,4\n", "columns"), ("x,y\n1,two\n", "line 2: y is 'two', not a number"),
     ("x,y\n1,2\nnan,2\n", "finite"), ("x,y\n1,2\n", "two points"), ("", "no points"),
     ("x,y\n1,2\n1.0002,2\n", "must be in metres"),
     ("x,y\n" + "".join(f"{i},0\n" for i in [*range(40), *range(90, 99)]) + "98,30", "missing")],
)  # fmt: skip
def test_what_is_no_lap_is_refused(tmp_path, text, why):
    file = tmp_path / "lap.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=why):
        read_reference_lap(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ReferenceLapError, match=r"gone\.csv: no such reference lap"):
        read_reference_lap(tmp_path / "gone.csv")


def test_a_lap_of_another_circuit_is_refused():
    lap = circle().centerline.position(np.arange(0.0, 300.0, 0.5))
    with pytest.raises(ReferenceLapError, match="another circuit"):
        check_on_circuit("lap.csv", lap, load_circuit("montreal"))


def test_a_lap_that_leaves_out_a_part_is_told(tmp_path):
    lap = circle().centerline.position(np.arange(0.0, 314.0, 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        check_on_circuit("lap.csv", lap, circle())
    with pytest.warns(InputWarning, match=r"lap\.csv: this reference lap leaves out 11\d m of"):
        check_on_circuit("lap.csv", lap[:400], circle())


def test_a_split_bag_without_one_of_its_parts_is_no_reference_lap(tmp_path):
    bag = write_split(tmp_path / "lap", 3)
    assert len(read_reference_lap(bag)) == 629
    (bag / "lap_1.mcap").unlink()
    with (
        pytest.warns(InputWarning, match=r"lap_1\.mcap is missing"),
        pytest.raises(ReferenceLapError, match=r"missing: a gap of .* m after 104\.\d m"),
    ):
        read_reference_lap(bag)
    (bag / "lap_2.mcap").unlink()
    with pytest.warns(InputWarning, match=r"lap_1\.mcap is missing; lap_2\.mcap is missing"):
        read_reference_lap(bag)


def reference_lap_of(name):
    folder = os.environ.get("PILOTNET_REFERENCE_LAPS")
    if not folder:
        pytest.skip("PILOTNET_REFERENCE_LAPS names no folder with reference laps")
    files = sorted(Path(folder).glob(f"{name}*"))
    if not files:
        pytest.skip(f"{folder} holds no reference lap of {name}")
    return files[0]


@pytest.mark.parametrize("name", FLOORS)
def test_a_car_exactly_on_the_line_scores_the_known_floor(name):
    points = read_reference_lap(reference_lap_of(name))
    circuit = load_circuit(name)
    check_on_circuit(name, points, circuit)
    metrics = RunMetrics(circuit, reference_lap=points)
    line = circuit.centerline
    for i, (x, y) in enumerate(line.position(np.arange(0.0, line.length + 0.2, 0.1)).tolist()):
        metrics.add_pose(0.01 * i, x, y, 0.0, 10.0, 0.0)
    figures = metrics.figures()
    assert figures["lap_completed"] is True
    score = figures["position_deviation_score_published"]
    nearest = [line.project(x, y).lateral_deviation for x, y in points.tolist()]
    by_definition = np.mean(1000.0 ** np.abs(nearest))
    assert score == pytest.approx(by_definition, rel=0.01)
    # The floors are known as rounded: 1.88 is 1.9.
    floor, rounded_by = FLOORS[name]
    assert abs(score - floor) <= rounded_by
    assert figures["position_deviation_score"] == pytest.approx(1.0, abs=0.02)
