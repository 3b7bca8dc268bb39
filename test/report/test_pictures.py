"""The pictures: drawn for whole laps, for next to nothing, and really showing the line."""

import math
import subprocess
import sys

import numpy as np
import pytest
from driven_lines import circle, drive, ticks
from matplotlib.image import imread

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.metrics.trajectory import COLUMNS
from pilotnet_brain.report.lap_picture import draw_lap, draw_lap_picture
from pilotnet_brain.report.track_drawing import describe, draw_circuit
from pilotnet_brain.runs.folder import RunFolder, RunFolderError


def driven_rows(count, laps=1.0, offset=0.0):
    """Rows of a car on the 50 m circle."""
    line = circle().centerline
    s = np.linspace(0.0, laps * line.length, count)
    rows = np.full((count, len(COLUMNS)), np.nan)
    rows[:, 0] = s / 10.0
    rows[:, 1:3] = line.position(s) * (1.0 - offset / 50.0)
    rows[:, 3:8] = np.column_stack(
        [line.heading(s), np.full(count, 10.0), np.full(count, 0.2), s % line.length,
         np.full(count, offset)]
    )  # fmt: skip
    return rows


def pixels_like(path, rgb, tolerance=0.06):
    image = imread(path)[..., :3]
    return int((np.abs(image - np.array(rgb)).max(axis=-1) < tolerance).sum())


@pytest.mark.parametrize("count", [0, 1, 2, 3, 400])
def test_a_run_of_any_number_of_samples_has_a_picture(tmp_path, count):
    figures = {"lap_completed": False, "completion": 0.01, "ending": "stopped"} if count else {}
    path = draw_lap_picture(tmp_path / "lap.png", circle(), driven_rows(count, 0.3), figures)
    height, width = imread(path).shape[:2]
    assert width == 1320
    assert 700 < height < 1800


def test_the_driven_line_takes_the_colour_of_its_deviation(tmp_path):
    green, red = (0x14 / 255, 0x7D / 255, 0x78 / 255), (0xA4 / 255, 0x16 / 255, 0x1A / 255)
    on = draw_lap_picture(tmp_path / "on.png", circle(), driven_rows(400), {})
    off = draw_lap_picture(tmp_path / "off.png", circle(), driven_rows(400, offset=0.2), {})
    assert pixels_like(on, green) > 5 * pixels_like(off, green)
    assert pixels_like(off, red) > 5 * pixels_like(on, red)


def test_the_commanded_speed_is_seen_under_the_driven_one(tmp_path):
    rows = driven_rows(400)
    rows[:, COLUMNS.index("command_speed")] = rows[:, COLUMNS.index("speed")]
    commanded, driven = (0xE0 / 255, 0xA4 / 255, 0x58 / 255), (0x1F / 255, 0x6F / 255, 0x8B / 255)
    path = draw_lap_picture(tmp_path / "lap.png", circle(), rows, {})
    # A line along the whole graph, not the legend alone.
    assert pixels_like(path, commanded) > 1000
    assert pixels_like(path, driven) > 1000


def test_several_laps_and_missing_commands(tmp_path):
    rows = driven_rows(1000, laps=2.5, offset=0.1)
    rows[300:, COLUMNS.index("command_speed")] = 9.0
    assert draw_lap_picture(tmp_path / "lap.png", circle(), rows, {"laps": 2}).exists()


def test_rows_that_are_not_finite_are_left_out(tmp_path):
    rows = driven_rows(50)
    rows[7, 1] = math.nan
    rows[9, 4] = math.inf
    assert draw_lap_picture(tmp_path / "lap.png", circle(), rows, {}).exists()


def test_a_run_folder_is_drawn_from_its_files(tmp_path):
    folder = RunFolder.create(tmp_path, "circle", "baseline")
    circuit = load_circuit("nurburgring")
    metrics = RunMetrics(circuit)
    x, y, yaw = circuit.start_pose()
    for i in range(40):
        pose = (0.05 * i, x + 0.5 * i * math.cos(yaw), y + 0.5 * i * math.sin(yaw), yaw, 10.0, 0.0)
        for row in metrics.add_pose(*pose):
            folder.append_trajectory(row)
    folder.close()
    with pytest.raises(RunFolderError, match="names the circuit"):
        draw_lap(folder)
    folder.write_metrics(metrics.figures())
    assert draw_lap(folder) == folder.lap_png
    assert folder.lap_png.stat().st_size > 10_000


@pytest.mark.parametrize("name", ["simple_circuit", "montreal", "random-3"])
def test_circuits_are_drawn(tmp_path, name):
    path = draw_circuit(tmp_path / "circuit.png", load_circuit(name))
    assert imread(path).shape[1] == 1080


@pytest.mark.parametrize(("name", "head"), [("c.svg", b"<?xml"), ("c.PDF", b"%PDF")])
def test_a_picture_has_the_format_of_its_name(tmp_path, name, head):
    assert draw_circuit(tmp_path / name, circle()).read_bytes().startswith(head)


def test_a_picture_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(UserError, match="circuit.txt: a picture's name ends with one of .png"):
        draw_circuit(tmp_path / "circuit.txt", circle())
    with pytest.raises(UserError, match="cannot be written"):
        draw_circuit(tmp_path / "nowhere" / "circuit.png", circle())


def test_a_circuit_in_numbers():
    assert describe(circle()) == (
        "314.2 m a lap   ·   tightest radius 50.0 m   ·   asphalt 1.50 m to each side   ·   "
        "role: custom"
    )


def test_the_results_folder_does_not_load_matplotlib():
    script = (
        "import sys; import pilotnet_brain.runs.folder, pilotnet_brain.runs.finish,"
        "pilotnet_brain.runs.from_bag; print('matplotlib' in sys.modules, 'rosbags' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "False False"


def test_driving_fills_the_picture_with_its_own_figures(tmp_path):
    metrics = drive(RunMetrics(circle()), lambda t: 10 * t, ticks(40.0), lambda s: 0.1)
    path = draw_lap_picture(tmp_path / "lap.png", circle(), driven_rows(9), metrics.figures())
    assert path.exists()
