"""A run's page, as it is written: complete, self-contained, and safe against hostile names."""

import base64
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from driven_runs import WORST, WORST_AT, driven_run
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from recorded_bags import RADIUS, write_ros2
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.trajectory import COLUMNS, read_trajectory
from pilotnet_brain.report.cameras import worst_frame
from pilotnet_brain.report.page.driven_line import MOST_LAPS, MOST_POINTS, driven_line, thinned
from pilotnet_brain.report.page.run import brain_times, histogram, write_run_page
from pilotnet_brain.report.page.template import script_json
from pilotnet_brain.runs.folder import RunFolder


def data_of(page):
    """What the page's scripts are given."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_the_page_tells_the_run(tmp_path):
    run = driven_run(tmp_path / "run")
    path = write_run_page(run)
    assert path == run.path / "report.html"
    page = path.read_text(encoding="utf-8")
    for told in (
        "lap completed in",
        "PyTorch QAT",
        "11.50",
        "a processor",
        "2.13.0",
        "left positive",
    ):
        assert told in page
    # Only the published definition stands in the published column; how it is got is said.
    assert "--reference-lap" in page
    data = data_of(page)
    worst = data["worst"]
    assert data["laps"][worst["lap"]]["deviation"][worst["point"]] == pytest.approx(WORST, abs=0.01)
    assert data["laps"][worst["lap"]]["along"][worst["point"]] == pytest.approx(WORST_AT, abs=1.0)


def test_the_page_asks_for_nothing_else(tmp_path):
    page = write_run_page(driven_run(tmp_path / "run")).read_text(encoding="utf-8")
    addresses = re.findall(r'\b(?:src|href)="([^"]*)"|url\(([^)]*)\)', page)
    assert addresses
    assert all("".join(address).startswith("data:") for address in addresses)
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}


def test_a_folder_with_next_to_nothing_has_a_page(tmp_path):
    run = RunFolder(tmp_path)
    with pytest.raises(UserError, match="names the circuit"):
        write_run_page(run)
    run.write_metrics({"circuit": "montmelo"})
    page = write_run_page(run).read_text(encoding="utf-8")
    assert "Nothing was driven" in page
    assert "no readable run.yaml" in page
    assert "No figures were published for montmelo" in page


def test_a_run_cut_short_says_why(tmp_path):
    run = driven_run(tmp_path / "run", "nurburgring", until_s=3.0)
    page = write_run_page(run).read_text(encoding="utf-8")
    assert "cut short at" in page
    assert data_of(page)["stopped"] is True


@pytest.mark.parametrize("damage", ["", "not: [yaml", "- a\n- list\n", "parameters: 3\n"])
def test_a_damaged_run_yaml_is_no_hindrance(tmp_path, damage):
    run = driven_run(tmp_path / "run", until_s=2.0)
    run.run_yaml.write_text(damage)
    assert "cut short" in write_run_page(run).read_text(encoding="utf-8")


@given(st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.floats(allow_nan=False)))
def test_json_cannot_leave_its_script(value):
    try:
        text = str(script_json(value))
    except ValueError:
        assert "inf" in str(value)
        return
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


@given(
    st.lists(st.floats(0.0, 2.0), min_size=1, max_size=300),
    st.integers(3, 50),
)
def test_thinning_keeps_the_ends_and_the_worst(deviation, most):
    values = np.array(deviation)
    kept = thinned(values, most)
    assert len(kept) <= most
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert values[kept].max() == values.max()


def rows_of_laps(circuit, laps, samples, worst_lap):
    """Rows of a car that is 0.1 m off the line, but 0.5 m once in one lap."""
    length = circuit.centerline.length
    along = np.linspace(0.0, laps * length, samples, endpoint=False)
    rows = np.full((samples, len(COLUMNS)), np.nan)
    rows[:, 0] = along / 10.0
    rows[:, 1:3] = circuit.centerline.position(along % length)
    rows[:, 3:6] = 0.0
    rows[:, 6], rows[:, 7] = along % length, 0.1
    rows[np.searchsorted(along, (worst_lap + 0.5) * length), 7] = -0.5
    return rows


def test_many_laps_stay_light_and_keep_the_worst():
    circuit = load_circuit("nurburgring")
    line = driven_line(circuit, rows_of_laps(circuit, 50, 40_000, worst_lap=33))
    assert line.laps_driven == 50
    assert len(line.laps) == MOST_LAPS
    assert sum(len(lap["x"]) for lap in line.laps) <= MOST_POINTS
    lap, point = line.worst
    assert line.laps[lap]["number"] == 34
    assert line.laps[lap]["deviation"][point] == -0.5
    assert line.laps[lap]["commandSpeed"][point] is None


def test_a_histogram_counts_every_duration():
    # 100 frames of 1 ms, one of 50 ms: the last edge is 1.25 of the 99th percentile.
    counted = histogram([0.001] * 100 + [0.05, None])
    assert sum(counted.counts) == 100
    assert (counted.beyond, counted.longest) == (1, 50.0)
    assert counted.edges[-1] == pytest.approx(1.25)
    assert (counted.median, counted.p99) == pytest.approx((1.0, 1.0))
    assert histogram([None]) is None


def circle_run(folder, seconds=20.0):
    """The folder of a run on a circle that a CSV describes, with a bag of brain/frames."""
    folder.mkdir()
    angles = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
    points = RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])
    np.savetxt(folder / "circle.csv", points, delimiter=",", header="x,y", comments="")
    run = driven_run(folder / "run", folder / "circle.csv", until_s=seconds)
    write_ros2(run.bag, seconds)
    return run


def test_the_brains_times_are_those_of_the_bag(tmp_path):
    run = circle_run(tmp_path / "folder")
    times = brain_times(run, 0.0, 20.0)
    # 401 frames, of each ten one never reached the brain (recorded_bags.circle_events).
    assert sum(times.inference.counts) + times.inference.beyond == 401 - 40
    assert times.missing == ""
    (run.bag / "bag.mcap").write_bytes(b"")
    for file in run.bag.iterdir():
        file.unlink()
    assert "not a bag" in brain_times(run, 0.0, 20.0).missing


def test_without_a_bag_the_page_says_so(tmp_path):
    run = driven_run(tmp_path / "run", until_s=3.0)
    assert "this run has no bag" in write_run_page(run).read_text(encoding="utf-8")


def decoded(image):
    head, _, body = image.partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


def write_camera_bag(path, stamps, colours):
    """A bag of one-coloured 64x48 frames."""
    store = get_typestore(Stores.ROS2_JAZZY)
    kinds = store.types
    with Writer(path, version=9) as writer:
        camera = writer.add_connection(
            "/F1ROS/cameraL/image_raw", "sensor_msgs/msg/Image", typestore=store
        )
        for i, (stamp, colour) in enumerate(zip(stamps, colours, strict=True)):
            seconds = kinds["builtin_interfaces/msg/Time"](int(stamp), int(stamp % 1.0 * 1e9))
            data = np.tile(np.array(colour, np.uint8), 48 * 64)
            frame = kinds["sensor_msgs/msg/Image"](
                kinds["std_msgs/msg/Header"](seconds, "camera"), 48, 64, "rgb8", 0, 192, data
            )
            writer.write(camera, i, store.serialize_cdr(frame, "sensor_msgs/msg/Image"))


GREY, RED, BLUE = (90, 90, 90), (200, 10, 10), (10, 10, 200)


@pytest.mark.parametrize("was_reset", [False, True])
def test_the_worst_frame_is_the_recorded_one(tmp_path, was_reset):
    run = driven_run(tmp_path / "run")
    rows = read_trajectory(run.trajectory_csv)
    worst_s = rows[np.argmax(np.abs(rows[:, 7])), 0]
    stamps = [worst_s - 5.0, worst_s - 0.06, worst_s + 0.01, worst_s + 0.06, worst_s + 5.0]
    colours = [GREY, GREY, RED, GREY, GREY]
    if was_reset:  # the drive before the reset had other frames with the same stamps
        run.write_metrics(run.read_metrics() | {"epoch": 1})
        stamps, colours = stamps * 2, [BLUE] * 5 + colours
    write_camera_bag(run.bag, stamps, colours)
    shown = worst_frame(run, load_circuit("simple_circuit"), rows)
    assert decoded(shown.image).mean(axis=(0, 1)) == pytest.approx(RED, abs=6)
    assert shown.caption.startswith("Recorded while driving")
    assert shown.deviation == pytest.approx(WORST, abs=0.01)


def test_a_frame_that_was_not_recorded_is_redrawn(tmp_path):
    run = driven_run(tmp_path / "run", looks_seed=7)
    rows = read_trajectory(run.trajectory_csv)
    circuit = load_circuit("simple_circuit")
    shown = worst_frame(run, circuit, rows)
    assert decoded(shown.image).shape == (480, 640, 3)
    assert "looks_seed 7" in shown.caption
    run.add_to_record(spec={"looks_seed": 0})
    assert worst_frame(run, circuit, rows).image != shown.image


def test_a_machine_that_cannot_draw_still_makes_the_page(tmp_path):
    run = driven_run(tmp_path / "run", until_s=3.0)
    script = (
        "import sys; from pilotnet_brain.report.page.run import write_run_page;"
        "from pilotnet_brain.runs.folder import RunFolder;"
        "write_run_page(RunFolder.open(sys.argv[1]))"
    )
    environment = {**os.environ, "MUJOCO_GL": "nothing"}
    subprocess.run([sys.executable, "-c", script, run.path], env=environment, check=True)
    page = run.report_html.read_text(encoding="utf-8")
    assert "cannot be drawn here" in page
    assert "data:image/jpeg" not in page
