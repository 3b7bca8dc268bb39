"""Videos of runs, read back picture by picture."""

import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from driven_lines import drive, ticks
from PIL import Image
from recorded_bags import BEGIN_NS, header
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.cli import main
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.report.video import canvas
from pilotnet_brain.report.video.instruments import Gauge
from pilotnet_brain.report.video.make_video import write_video
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.spec import RunSpec
from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

CAMERA_MIDDLE = (slice(140, 500), slice(40, 710))
"""Rows and columns of the picture that show the camera alone."""
HELD = 30
IMAGE, CLOCK = "sensor_msgs/msg/Image", "rosgraph_msgs/msg/Clock"


@pytest.fixture
def folder(tmp_path):
    """A run of two seconds at 10 m/s, 0.2 m left of the line."""
    run = RunFolder.create(tmp_path, "simple_circuit", "baseline")
    keep(run, ticks(2.0, 50))
    return run


def keep(run, times):
    """Append a drive's rows to a run's folder and write its figures."""

    class Keeping(RunMetrics):
        def add_pose(self, *pose, **more):
            rows = super().add_pose(*pose, **more)
            for row in rows:
                run.append_trajectory(row)
            return rows

    metrics = drive(
        Keeping(load_circuit("simple_circuit")), lambda t: 10.0 * t, times, lambda s: 0.2
    )
    metrics.end("stopped by SIGINT")
    run.close()
    run.write_metrics(metrics.figures(model="baseline", simulator="mujoco"))


def pictures(path):
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def write_frames(bag, stamped_levels):
    """Write a bag with the clock and grey camera frames: (stamp, level) in order of recording."""
    store = get_typestore(Stores.ROS2_JAZZY)
    time_type = store.types["builtin_interfaces/msg/Time"]
    with Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        image = writer.add_connection("/F1ROS/cameraL/image_raw", IMAGE, typestore=store)
        clock = writer.add_connection("/clock", CLOCK, typestore=store)
        for number, (stamp, level) in enumerate(stamped_levels):
            log_ns = BEGIN_NS + number * 10**7
            now = time_type(int(stamp), round(stamp % 1.0 * 1e9))
            writer.write(clock, log_ns, store.serialize_cdr(store.types[CLOCK](now), CLOCK))
            message = store.types[IMAGE](
                header=header(store, stamp), height=48, width=64, encoding="rgb8",
                is_bigendian=0, step=192, data=np.full(48 * 192, level, np.uint8),
            )  # fmt: skip
            writer.write(image, log_ns + 1, store.serialize_cdr(message, IMAGE))


def test_a_video_shows_the_whole_run_at_true_speed(folder):
    done = []
    path = write_video(folder, on_picture=lambda *state: done.append(state))
    assert path == folder.path / "run.mp4"
    shown = pictures(path)
    # 41 pictures from 0 to 2 s; then the end, held.
    assert len(shown) == 41 + HELD
    assert shown[0].shape == (720, 1280, 3)
    assert done == [(number, len(shown)) for number in range(1, len(shown) + 1)]
    with av.open(str(path)) as file:
        assert file.streams.video[0].average_rate == 20
    assert sorted(p.name for p in folder.path.iterdir()) == [
        "metrics.json", "run.mp4", "trajectory.csv",
    ]  # fmt: skip


def test_without_recorded_frames_the_camera_is_redrawn_from_the_poses(folder):
    shown = pictures(write_video(folder, from_s=1.0, until_s=1.5))
    assert len(shown) == 11
    with MujocoSimulator(load_circuit("simple_circuit")) as simulator:
        simulator.reset(10.0, 0.2)
        there = simulator.render()
        simulator.reset(200.0, 0.0)
        elsewhere = simulator.render()
    for frame, near in ((there, True), (elsewhere, False)):
        as_shown = np.asarray(Image.fromarray(frame).resize((704, 528)), np.float64)
        difference = shown[0][CAMERA_MIDDLE] - as_shown[76:436, 16:686]
        assert bool(np.abs(difference).mean() < 4.0) is near


def test_recorded_frames_are_shown_at_their_stamps(folder):
    write_frames(folder.bag, [(k / 20.0, 40 + 4 * k) for k in range(41)])
    shown = pictures(write_video(folder))
    for k in (0, 7, 20, 39):
        assert shown[k][CAMERA_MIDDLE].mean() == pytest.approx(40 + 4 * k, abs=2.0)


@pytest.mark.parametrize(
    ("topic", "recorded"), [("F1ROS/cameraL/image_raw", True), ("/other", False)]
)
def test_the_frames_are_those_of_the_runs_camera(folder, topic, recorded):
    folder.add_to_record(spec=RunSpec(camera_topic=topic).to_dict())
    write_frames(folder.bag, [(k / 20.0, 200) for k in range(41)])
    shown = pictures(write_video(folder, until_s=0.1))
    assert bool(shown[0][CAMERA_MIDDLE].std() < 3.0) is recorded


def test_after_a_reset_the_last_drives_frames_are_shown(tmp_path):
    run = RunFolder.create(tmp_path, "simple_circuit", "baseline")
    keep(run, [*ticks(1.0, 50), *ticks(0.8, 50)])
    first = [(k / 20.0, 30) for k in range(21)]
    write_frames(run.bag, first + [(k / 20.0, 200) for k in range(17)])
    shown = pictures(write_video(run))
    assert len(shown) == 17 + HELD
    assert min(picture[CAMERA_MIDDLE].mean() for picture in shown) > 190


def test_a_recording_that_was_cut_off_keeps_its_last_frame(folder):
    write_frames(folder.bag, [(k / 20.0, 40 + 4 * k) for k in range(11)])
    shown = pictures(write_video(folder))
    assert shown[39][CAMERA_MIDDLE].mean() == pytest.approx(80, abs=2.0)


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_a_stretch_becomes_a_moving_picture(folder, suffix):
    write_frames(folder.bag, [(k / 20.0, 40 + 4 * k) for k in range(41)])
    out = folder.path / "new" / f"clip{suffix}"
    assert write_video(folder, out, from_s=0.5, until_s=1.0, fps=10, width=320) == out
    with Image.open(out) as clip:
        assert clip.size == (320, 180)
        assert clip.n_frames == 6
        clip.seek(2)
        clip.load()
        assert clip.info["duration"] == 100
        # At 0.7 s: frame 14.
        middle = np.asarray(clip.convert("RGB"))[40:120, 20:170]
        assert middle.mean() == pytest.approx(96, abs=5.0)


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_moving_pictures_do_not_drift_from_true_speed(folder, suffix):
    # 60 pictures a second are 16 or 17 ms each, or 1 or 2 hundredths; 60 of them are a second.
    write_frames(folder.bag, [(k / 20.0, 40 + 4 * k) for k in range(41)])
    out = write_video(folder, folder.path / f"clip{suffix}", until_s=0.99, fps=60, width=160)
    with Image.open(out) as clip:
        shown_ms = 0
        for number in range(clip.n_frames):
            clip.seek(number)
            clip.load()
            shown_ms += clip.info["duration"]
    assert shown_ms == pytest.approx(1000, abs=10)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("name", ["run.mp4", "clip.webp"])
def test_an_interrupted_video_leaves_the_old_one_and_no_half(folder, error, name):
    write_frames(folder.bag, [(0.0, 40)])
    path = folder.path / name
    path.write_bytes(b"the old one")

    def interrupt(done, count):
        if done == 5:
            raise error

    before = sorted(folder.path.iterdir())
    with pytest.raises(error):
        write_video(folder, path, on_picture=interrupt)
    assert sorted(folder.path.iterdir()) == before
    assert path.read_bytes() == b"the old one"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_the_command_leaves_no_half_file(folder, number):
    keep(folder, ticks(200.0, 20, begin_s=2.05))
    command = [sys.executable, "-m", "pilotnet_brain.cli", "report", "--video", str(folder.path)]
    making = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not list(folder.path.glob(".run.mp4*")):
        assert making.poll() is None
        time.sleep(0.02)
    making.send_signal(number)
    _, said = making.communicate(timeout=60)
    assert making.returncode == 130, said
    assert b"Traceback" not in said
    assert not list(folder.path.glob("*run.mp4*"))


@pytest.mark.parametrize(("from_s", "until_s"), [(2.5, None), (1.0, 0.5), (3.0, 4.0)])
def test_a_stretch_outside_the_run_is_told_with_its_length(folder, from_s, until_s):
    with pytest.raises(UserError, match="nothing was driven from .*: the run took 2.00 s"):
        write_video(folder, from_s=from_s, until_s=until_s)


def test_a_moving_picture_that_fits_into_no_memory_is_refused_at_once(folder):
    keep(folder, ticks(40.0, 20, begin_s=2.05))
    with pytest.raises(
        UserError, match="are too many for a .webp 1280 pixels wide, which takes 361"
    ):
        write_video(folder, folder.path / "run.webp")
    assert not list(folder.path.glob("*webp*"))


def test_what_cannot_be_shown_is_told(tmp_path, folder, capsys):
    assert main(["report", "--video", str(tmp_path / "nowhere")]) == 2
    assert "no such run folder" in capsys.readouterr().err
    assert main(["report", "--video", str(folder.path), "--out", str(tmp_path / "run.avi")]) == 2
    assert "run.avi: a video's name ends with one of .mp4, .webp, .gif" in capsys.readouterr().err
    folder.trajectory_csv.write_text(folder.trajectory_csv.read_text().splitlines()[0] + "\n")
    assert main(["report", "--video", str(folder.path)]) == 2
    assert "nothing was driven" in capsys.readouterr().err
    folder.trajectory_csv.unlink()
    assert main(["report", "--video", str(folder.path)]) == 2
    assert "no trajectory.csv" in capsys.readouterr().err


def lit(picture, colour):
    """Return the columns in which a colour is drawn."""
    return np.flatnonzero((picture == np.array(colour)).all(axis=2).any(axis=0))


def test_the_gauges_show_what_is_driven():
    box = (0, 0, 252, 208)
    for yaw_rate, to_the_left in ((2.0, True), (-2.0, False)):
        picture = canvas.blank(252, 208)
        Gauge.of_yaw_rate(4.0).draw(picture, box, yaw_rate, float("nan"))
        driven = lit(picture, canvas.DRIVEN)
        assert (driven.mean() < 110) if to_the_left else (driven.mean() > 142)
    lengths = []
    for speed in (0.0, 5.0, 10.0):
        picture = canvas.blank(252, 208)
        Gauge.of_speed(20.0).draw(picture, box, speed, 10.0)
        lengths.append(len(lit(picture, canvas.DRIVEN)))
    assert lengths[0] == 0 < lengths[1] < lengths[2]
