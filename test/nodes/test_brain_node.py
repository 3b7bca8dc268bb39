"""The brain as a process over DDS, in a world that the test steers by hand."""

from __future__ import annotations

import array
import importlib.util
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from brightness_model import (  # noqa: E402
    speed_of,
    write_brightness_model,
    write_brightness_onnx,
)
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from fake_world import PATIENCE_S, FakeWorld, grey_image  # noqa: E402
from geometry_msgs.msg import Twist  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image, JointState  # noqa: E402

from pilotnet_brain.errors import UserError  # noqa: E402
from pilotnet_brain.metrics.frame_record import FrameRecord, frame_record  # noqa: E402
from pilotnet_brain.nodes.ros.brain_topics import FRAMES_QOS, STATUS_QOS  # noqa: E402
from pilotnet_brain.nodes.ros.simulator_output import time_message  # noqa: E402
from pilotnet_brain.nodes.swap_client import swap_model  # noqa: E402
from pilotnet_brain.runs.fast_dds import NO_IMAGES, dds_environment  # noqa: E402

pytestmark = pytest.mark.live

HAS_TF2_MSGS = importlib.util.find_spec("tf2_msgs") is not None
DOMAIN_ID = 40 + os.getpid() % 30
STOP = (0.0, 0.0)
TRAINED_LENS = [320.25, 0.0, 319.5, 0.0, 320.25, 239.5, 0.0, 0.0, 1.0]
LONGER_LENS = [1281.0, 0.0, 319.5, 0.0, 1281.0, 239.5, 0.0, 0.0, 1.0]
AS_MODULE = ("-m", "pilotnet_brain.nodes.brain_node")


# A brain with a bug that a frame of grey 7 brings out.
SPOILED = """
import sys
from pilotnet_brain.nodes import brain_node

convert = brain_node.frame_of

def frame_of(message):
    if message.data[0] == 7:
        raise KeyError("a bug")
    return convert(message)

brain_node.frame_of = frame_of
sys.exit(brain_node.main())
"""


def start_brain(
    model: Path | str, *arguments: str, start: Sequence[str] = AS_MODULE
) -> subprocess.Popen[str]:
    """Start a brain process in the test's domain."""
    environment = {k: v for k, v in os.environ.items() if "PROFILES_FILE" not in k}
    environment |= dds_environment(NO_IMAGES, environment)
    environment["ROS_DOMAIN_ID"] = str(DOMAIN_ID)
    return subprocess.Popen(
        [sys.executable, *start, "--ros-args",
         "-p", f"model:={model}", "-p", "use_sim_time:=true", *arguments],
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[FakeWorld]:
    world = FakeWorld(DOMAIN_ID)
    yield world
    world.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_brightness_model(tmp_path_factory.mktemp("models") / "brightness.pt")


@pytest.fixture(scope="module")
def running() -> Iterator[list[subprocess.Popen[str]]]:
    """The brains started so far; the last one may still drive."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def brain(
    world: FakeWorld, model: Path, running: list[subprocess.Popen[str]]
) -> subprocess.Popen[str]:
    """A brain that drives on a frame of this moment: the last test's, if it still lives."""
    if not running or running[-1].poll() is not None:
        running.append(start_brain(model))
        world.wait_for_brain()
    record = world.drive_frame(grey_image(51))
    assert record.driven, record.problem
    return running[-1]


def test_a_frame_becomes_the_networks_command(world: FakeWorld, brain: object) -> None:
    record = world.drive_frame(grey_image(102))
    assert record.driven
    assert record.speed == pytest.approx(speed_of(102), abs=1e-4)
    assert record.yaw_rate == pytest.approx(0.0, abs=1e-4)
    assert record.model == "brightness"
    assert record.device == "cpu"
    assert record.callback_s is not None
    assert record.inference_s is not None
    assert record.preprocess_s is not None
    assert record.age_s is not None
    assert 0.0 < record.inference_s < record.callback_s <= record.age_s
    world.until(lambda: world.commands[-1] == (record.speed, record.yaw_rate), "the command")


def test_broken_frames_are_counted_and_skipped(world: FakeWorld, brain: object) -> None:
    before = world.drive_frame(grey_image(51))
    short = grey_image(51)
    short.data = array.array("B", bytes(100))
    unknown = grey_image(51)
    unknown.encoding = "nv12"
    hostile = [short, unknown, Image(), grey_image(51, 48, 36), Image(height=2**32 - 1)]
    for message in hostile:
        record = world.drive_frame(message)
        assert not record.driven
        assert record.problem.startswith("broken")
        assert record.speed is None
    after = world.drive_frame(grey_image(51))
    assert after.driven
    assert after.frames_broken >= before.frames_broken + len(hostile)


def test_another_camera_is_told_and_a_compressed_one_is_driven(
    world: FakeWorld, model: Path, running: list[subprocess.Popen[str]]
) -> None:
    process = start_brain(model, "-r", "__ns:=/jpeg")
    running.insert(0, process)
    statuses: list[str] = []
    records: list[FrameRecord] = []

    def on_status(message: DiagnosticArray) -> None:
        statuses.append(message.status[0].message)

    def on_frame(message: JointState) -> None:
        records.append(frame_record(message))

    world.node.create_subscription(DiagnosticArray, "/jpeg/brain/status", on_status, STATUS_QOS)
    world.node.create_subscription(JointState, "/jpeg/brain/frames", on_frame, FRAMES_QOS)
    nobody = "no frame: nobody publishes /jpeg/camera/image_raw; there is /camera/image_raw"
    world.until(lambda: nobody in statuses, "the reason")
    other = Context()
    other.init(domain_id=DOMAIN_ID)
    theirs = Node("their_camera", context=other)
    try:
        camera = theirs.create_publisher(CompressedImage, "/jpeg/camera/image_raw", 1)
        jpeg = cv2.imencode(".png", np.full((480, 640, 3), 102, np.uint8))[1].tobytes()

        def driven() -> bool:
            world.tick(world.time_s + 0.05)
            message = CompressedImage(format="png", data=jpeg)
            message.header.stamp = time_message(world.time_s)
            camera.publish(message)
            time.sleep(0.02)
            return any(record.driven for record in records)

        world.until(driven, "a driven frame")
        assert records[-1].speed == pytest.approx(speed_of(102), abs=1e-4)
        world.until(lambda: "driven" in statuses, "the status")
    finally:
        theirs.destroy_node()
        other.try_shutdown()
        running.remove(process)
        process.terminate()
        log = process.communicate()[1]
    assert f"not driven: {nobody}" in log


def test_an_output_that_is_no_number_stops_the_car(world: FakeWorld, brain: object) -> None:
    record = world.drive_frame(grey_image(255))
    assert not record.driven
    assert "not finite" in world.problem_of(record)
    world.until(lambda: world.commands[-1] == STOP, "the stop")
    assert world.drive_frame(grey_image(51)).driven


def test_a_network_that_fails_on_a_frame_stops_the_car(world: FakeWorld, brain: object) -> None:
    before = world.drive_frame(grey_image(51))
    record = world.drive_frame(grey_image(240))
    assert not record.driven
    assert record.problem == "failed"
    assert record.frames_failed == before.frames_failed + 1
    problem = world.problem_of(record)
    assert problem.startswith("failed: brightness failed: ")
    assert "too bright" in problem
    world.until(lambda: world.commands[-1] == STOP, "the stop")
    assert world.drive_frame(grey_image(51)).driven


def test_the_car_stops_when_the_newest_frame_is_old(world: FakeWorld, brain: object) -> None:
    seen = len(world.commands)

    def stopped() -> bool:
        # Only simulated time passes quickly here: the stop cannot be the standing clock's.
        world.tick(world.time_s + 0.02)
        return STOP in world.commands[seen:]

    world.until(stopped, "the stop")
    assert world.drive_frame(grey_image(51)).driven


def test_the_car_stops_when_the_clock_stands_still(world: FakeWorld, brain: object) -> None:
    seen = len(world.commands)
    begin = time.monotonic()
    world.until(lambda: STOP in world.commands[seen:], "the stop")
    assert time.monotonic() - begin > 1.5
    assert world.drive_frame(grey_image(51)).driven


def test_late_frames_are_counted_and_not_driven(world: FakeWorld, brain: object) -> None:
    now = world.time_s
    world.time_s = now - 0.05
    seen = len(world.records)
    world.show(grey_image(51))
    world.time_s = now
    record = world.until(lambda: world.records[seen:], "the record")[0]
    assert not record.driven
    assert record.problem.startswith("late")


def test_a_clock_that_jumps_back_opens_an_epoch(world: FakeWorld, brain: object) -> None:
    world.tick(world.time_s + 10.0)
    before = world.drive_frame(grey_image(51))
    world.tick(0.05)
    after = world.drive_frame(grey_image(51))
    assert after.epoch == before.epoch + 1
    assert after.driven
    assert after.frames_late <= before.frames_late + 1


def test_frames_of_another_size_are_driven(world: FakeWorld, brain: object) -> None:
    for width, height in ((320, 240), (1280, 720), (640, 480)):
        record = world.drive_frame(grey_image(102, width, height))
        assert record.driven, record.problem
        assert record.speed == pytest.approx(speed_of(102), abs=1e-4)


def test_the_speed_limit_changes_while_driving(world: FakeWorld, brain: object) -> None:
    free = world.drive_frame(grey_image(102))
    assert world.set_parameter("brain", "max_speed", 7.0) == (True, "")
    assert world.drive_frame(grey_image(102)).speed == 7.0
    taken, reason = world.set_parameter("brain", "max_speed", -1.0)
    assert not taken
    assert "max_speed" in reason
    assert world.set_parameter("brain", "max_speed", 0.0) == (True, "")
    assert world.drive_frame(grey_image(102)).speed == free.speed
    assert free.compensated_s == 0.0


def test_a_camera_that_sees_less_is_told_by_camera_info(world: FakeWorld, brain: object) -> None:
    """A white column: it is narrower in the model's view than in that of a longer lens."""
    column = grey_image(0)
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[:, 240:400] = 200
    column.data = array.array("B", pixels.tobytes())
    plain = world.drive_frame(column)
    try:
        world.camera_info = {"width": 640, "height": 480, "k": LONGER_LENS}
        world.drive_frame(column)
        told = world.drive_frame(column)
    finally:
        world.camera_info = {"width": 640, "height": 480, "k": TRAINED_LENS}
        world.drive_frame(column)
    assert told.speed is not None
    assert plain.speed is not None
    assert told.speed < plain.speed - 1.0
    assert world.drive_frame(column).speed == plain.speed


def test_the_road_is_seen_from_where_the_car_will_be(
    world: FakeWorld, model: Path, running: list[subprocess.Popen[str]]
) -> None:
    """White road far ahead: it is near once the commands in flight have acted."""
    for process in running:
        process.terminate()
        process.wait(PATIENCE_S)
    brain = start_brain(model, "-p", "actuation_delay:=0.125")
    far = grey_image(0)
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[:300] = 200
    far.data = array.array("B", pixels.tobytes())
    try:
        world.wait_for_brain()
        first = world.drive_frame(far)
        # The model looks 25 ms ahead itself. No command acts yet: the car stands.
        assert first.compensated_s == pytest.approx(0.1)
        for _ in range(10):
            driving = world.drive_frame(far)
        # It goes at 6.5 m/s or more: the white road is near, and the brightness counts more.
        assert first.speed is not None
        assert driving.speed is not None
        assert driving.speed > first.speed + 1.0
    finally:
        brain.terminate()
        brain.communicate(timeout=PATIENCE_S)


def test_a_person_takes_over_and_hands_back(
    world: FakeWorld, model: Path, running: list[subprocess.Popen[str]]
) -> None:
    for process in running:
        process.terminate()
        process.wait(PATIENCE_S)
    brain = start_brain(model, "-p", "teleop:=true")
    keys = world.node.create_publisher(Twist, "key_vel", 10)
    stick = world.node.create_publisher(Twist, "joy_vel", 10)

    def ask(publisher: Any, speed: float, yaw_rate: float) -> FrameRecord:
        """A person's command, then a frame on which it is in force."""
        message = Twist()
        message.linear.x, message.angular.z = speed, yaw_rate
        publisher.publish(message)
        world.until(lambda: world.commands[-1] == (speed, yaw_rate), "the person's command")
        return world.drive_frame(grey_image(102))

    try:
        world.wait_for_brain()
        world.until(lambda: keys.get_subscription_count() > 0, "the brain to listen")
        own = world.drive_frame(grey_image(102))
        assert not own.taken_over
        before = len(world.commands)
        by_keys = ask(keys, 3.0, -0.5)
        # Each frame is answered, with the person's command.
        world.until(lambda: world.commands[before:].count((3.0, -0.5)) >= 2, "the answer")
        assert by_keys.taken_over
        # The network's command is in the record, and not given to the car.
        assert (by_keys.driven, by_keys.speed) == (True, own.speed)
        assert world.commands[-1] == (3.0, -0.5)
        assert ask(stick, 2.0, 0.5).taken_over
        assert world.set_parameter("brain", "max_speed", 1.0) == (True, "")
        fast = Twist()
        fast.linear.x, fast.angular.z = 2.0, 0.5
        stick.publish(fast)
        world.until(lambda: world.commands[-1] == (1.0, 0.25), "the person's command, limited")
        assert world.set_parameter("brain", "max_speed", 0.0) == (True, "")
        said = [text for name, _, text, _ in world.diagnostics if name == "brain: driving"]
        assert all("multiple publishers" not in text for text in said)
        wrong = Twist()
        wrong.linear.x = math.nan
        keys.publish(wrong)

        def handed_back() -> bool:
            return not world.drive_frame(grey_image(102)).taken_over

        world.until(handed_back, "the brain to drive on")
        world.until(lambda: world.commands[-1] == (own.speed, own.yaw_rate), "its command")
        taken, reason = world.set_parameter("brain", "teleop_release", "pause")
        assert not taken
        assert "use one of brain, stop" in reason
        assert world.set_parameter("brain", "teleop_release", "stop") == (True, "")
        assert world.drive_frame(grey_image(102)).taken_over
        world.until(lambda: world.commands[-1] == STOP, "the car to stand")
        assert all(math.isfinite(speed) for speed, _ in world.commands)
    finally:
        brain.terminate()
        log = brain.communicate(timeout=PATIENCE_S)[1]
    told = [line.partition("]: ")[2].strip("\x1b[0m") for line in log.splitlines()]
    story = [text for text in told if "taken over" in text or "handed back" in text]
    assert story == ["key_vel has taken over", "joy_vel has taken over",
                     "handed back: the brain drives"]  # fmt: skip


@pytest.mark.skipif(HAS_TF2_MSGS, reason="tf2_msgs is installed")
def test_the_cameras_pose_by_tf_needs_its_messages(model: Path) -> None:
    brain = start_brain(model, "-p", "camera_pose:=tf")
    _, errors = brain.communicate(timeout=PATIENCE_S)
    assert brain.returncode == 2
    assert "camera_pose is tf, and tf2_msgs is not installed" in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(not HAS_TF2_MSGS, reason="tf2_msgs is not installed")
def test_the_camera_sits_where_tf_static_says(
    world: FakeWorld, model: Path, running: list[subprocess.Popen[str]]
) -> None:
    for process in running:
        process.terminate()
        process.wait(PATIENCE_S)
    brain = start_brain(model, "-p", "camera_pose:=tf")
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[:300] = 200
    far = grey_image(0)
    far.header.frame_id = "their_camera"
    far.data = array.array("B", pixels.tobytes())
    try:
        world.wait_for_brain()
        unknown = world.drive_frame(far)
        said = "broken: camera_pose is tf: no transform on /tf_static places 'their_camera'"
        world.until(lambda: world.problem_of(unknown).startswith(said), "the reason")
        speeds = []
        for pitch in (0.0, 0.1):
            world.place_camera("their_camera", (0.45, 0.04, 0.10), pitch)
            world.until(lambda: world.drive_frame(far).driven, "the transform")
            speeds.append(world.drive_frame(far).speed)
        # In a camera that looks down the white ends nearer to the car.
        assert speeds[1] > speeds[0] + 1.0
    finally:
        brain.terminate()
        brain.communicate(timeout=PATIENCE_S)


def test_the_status_is_published_when_its_text_changes(world: FakeWorld, brain: object) -> None:
    first = world.drive_frame(grey_image(51))
    world.until(lambda: world.problem_of(first) == "", "the status")
    seen = len(world.statuses)
    for _ in range(5):
        assert world.drive_frame(grey_image(51)).driven
    failed = world.drive_frame(grey_image(255))
    world.drive_frame(grey_image(255))
    driven = world.drive_frame(grey_image(51))
    world.until(lambda: len(world.statuses) >= seen + 2, "two statuses")
    (since_s, texts), (driven_since_s, driven_texts) = world.statuses[seen:]
    assert since_s == pytest.approx(failed.stamp_s, abs=1e-6)
    assert (texts["model"], texts["device"]) == ("brightness", "cpu")
    assert texts["form"]
    assert "not finite" in texts["problem"]
    assert driven_since_s == pytest.approx(driven.stamp_s, abs=1e-6)
    assert driven_texts == texts | {"problem": ""}


def test_diagnostics_name_model_device_and_counts(world: FakeWorld, brain: object) -> None:
    world.drive_frame(grey_image(51))
    seen = len(world.diagnostics)

    def mine() -> list[dict[str, str]]:
        return [v for name, _, _, v in world.diagnostics[seen:] if name == "brain: driving"]

    values = world.until(mine, "diagnostics")[0]
    assert values["model"] == "brightness"
    assert values["device"] == "cpu"
    assert int(values["frames_received"]) > 0
    assert {"frames_dropped", "frames_late", "frames_broken", "rate_hz"} <= set(values)


def test_an_unfit_model_is_refused_and_the_old_one_drives_on(
    world: FakeWorld, brain: object, tmp_path: Path
) -> None:
    (tmp_path / "damaged.pt").write_bytes(b"no TorchScript")
    taken, reason = world.set_parameter("brain", "model", str(tmp_path / "damaged.pt"))
    assert not taken
    assert "damaged.pt" in reason
    assert world.drive_frame(grey_image(51)).model == "brightness"


def test_the_model_changes_between_two_frames(
    world: FakeWorld, brain: object, model: Path, tmp_path: Path
) -> None:
    other = write_brightness_model(tmp_path / "faster.pt", offset=0.1)
    assert world.set_parameter("brain", "model", str(other)) == (True, "")
    record = world.drive_frame(grey_image(51))
    assert record.model == "faster"
    assert record.speed == pytest.approx(speed_of(51, 0.1), abs=1e-4)
    assert world.set_parameter("brain", "model", str(model)) == (True, "")
    assert world.drive_frame(grey_image(51)).model == "brightness"


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_frames_are_driven_while_another_model_is_loaded(
    world: FakeWorld, brain: object, model: Path, tmp_path: Path, suffix: str
) -> None:
    if suffix == ".pt":
        slow = write_brightness_model(tmp_path / "slow.pt", offset=0.2, matrix_products=100)
    else:
        pytest.importorskip("onnxruntime")
        slow = write_brightness_onnx(tmp_path / "slow.onnx", offset=0.2)
    records = []
    taken = world.set_parameter(
        "brain", "model", str(slow), lambda: records.append(world.drive_frame(grey_image(51)))
    )
    assert taken == (True, "")
    # Longer by the simulated clock than a frame may be ahead of the brain's, or old.
    assert len(records) >= (20 if suffix == ".pt" else 1)
    assert {record.problem for record in records} == {""}
    # The answer may come a few frames after the change; the old model never drives again.
    models = [model for model, _ in groupby(record.model for record in records)]
    assert models in (["brightness"], ["brightness", "slow"])
    driven = world.drive_frame(grey_image(51))
    assert (driven.model, driven.driven) == ("slow", True)
    assert driven.speed == pytest.approx(speed_of(51, 0.2), abs=1e-3)
    assert world.set_parameter("brain", "model", str(model)) == (True, "")


def test_a_transition_that_is_not_allowed_leaves_it_driving(
    world: FakeWorld, brain: subprocess.Popen[str], model: Path
) -> None:
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVATE))
    world.request(ChangeState, "/brain/change_state", request)
    # Services are answered in turn: once this one is, the first has been dealt with.
    assert world.set_parameter("brain", "model", str(model)) == (True, "")
    assert world.drive_frame(grey_image(51)).driven
    assert brain.poll() is None


def test_a_second_brain_does_not_start_driving(
    world: FakeWorld, brain: object, model: Path
) -> None:
    second = start_brain(model, "-r", "__node:=second_brain")
    _, errors = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 2
    assert "multiple publishers on /cmd_vel: /brain drives" in errors
    assert world.drive_frame(grey_image(51)).driven


def test_swap_changes_the_model_of_the_running_brain(
    world: FakeWorld, brain: object, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN_ID))
    other = write_brightness_model(tmp_path / "swapped.pt", offset=0.1)
    monkeypatch.chdir(tmp_path)
    assert swap_model(other.name) == "/brain"
    assert world.drive_frame(grey_image(51)).model == "swapped"
    assert world.until(lambda: world.statuses[-1][1]["model"] == "swapped", "the status")
    with pytest.raises(UserError, match=r"/brain refused no_such: unknown model .*static_quant"):
        swap_model("no_such")
    assert world.drive_frame(grey_image(51)).model == "swapped"
    assert swap_model(str(model), namespace="/brain") == "/brain"
    assert world.drive_frame(grey_image(51)).model == "brightness"
    with pytest.raises(
        UserError, match=f"no brain runs in namespace /b in ROS_DOMAIN_ID {DOMAIN_ID}"
    ):
        swap_model(str(model), namespace="/b")


def test_swap_asks_which_of_several_brains_is_meant(
    world: FakeWorld, brain: object, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN_ID))
    other = write_brightness_model(tmp_path / "swapped.pt", offset=0.1)
    second = start_brain(model, "-r", "__ns:=/car1")
    try:
        world.until(lambda: world.node.count_publishers("/car1/cmd_vel") > 0, "the second brain")
        with pytest.raises(UserError, match="several brains run: /brain, /car1/brain; name one"):
            swap_model(str(other))
        assert swap_model(str(other), namespace="/car1") == "/car1/brain"
        assert world.drive_frame(grey_image(51)).model == "brightness"
    finally:
        second.terminate()
        second.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_it_stops_the_car_first(
    world: FakeWorld, brain: subprocess.Popen[str], model: Path, number: signal.Signals
) -> None:
    brain.send_signal(number)
    brain.wait(PATIENCE_S)
    assert brain.returncode == 0
    world.until(lambda: world.commands[-1] == STOP, "the stop")


@pytest.mark.parametrize("names", [("brain", "brain"), ("left", "right"), ("left", "left")])
def test_of_two_brains_that_start_together_exactly_one_drives(
    world: FakeWorld,
    running: list[subprocess.Popen[str]],
    model: Path,
    names: tuple[str, str],
) -> None:
    for before in running:
        before.terminate()
        before.wait(PATIENCE_S)
    world.until(lambda: world.node.count_publishers("cmd_vel") == 0, "the end of the one before")
    brains = [start_brain(model, "-r", f"__node:={name}") for name in names]
    try:
        deadline = time.monotonic() + PATIENCE_S
        while all(brain.poll() is None for brain in brains) and time.monotonic() < deadline:
            time.sleep(0.05)
        # Longer than the loser has to find out; the winner must not be one of those.
        time.sleep(4.0)
        ended = [brain for brain in brains if brain.poll() is not None]
        assert len(ended) == 1
        (loser,), (winner,) = ended, [brain for brain in brains if brain not in ended]
        assert loser.returncode == 2
        _, errors = loser.communicate()
        name = names[brains.index(winner)]
        assert f"multiple publishers on /cmd_vel: /{name} drives" in errors
        assert world.drive_frame(grey_image(51)).driven
        assert winner.poll() is None
        assert not [
            topic for topic, _ in world.node.get_topic_names_and_types() if "starting" in topic
        ]
    finally:
        for brain in brains:
            brain.terminate()
            brain.communicate(timeout=PATIENCE_S)


def test_an_error_that_nobody_foresaw_stops_the_car_too(world: FakeWorld, model: Path) -> None:
    brain = start_brain(model, start=("-c", SPOILED))
    world.wait_for_brain()
    assert world.drive_frame(grey_image(51)).driven
    world.until(lambda: world.commands[-1] != STOP, "a command")
    world.tick(world.time_s + 0.05)
    world.show(grey_image(7))
    _, errors = brain.communicate(timeout=PATIENCE_S)
    assert brain.returncode == 1
    assert "KeyError: 'a bug'" in errors
    world.until(lambda: world.commands[-1] == STOP, "the stop")


def test_no_frame_is_driven_before_the_awaited_nodes_take_the_commands(
    world: FakeWorld, model: Path, running: list[subprocess.Popen[str]]
) -> None:
    for process in running:  # told to end: a killed one stays in the graph for a while
        process.terminate()
        process.wait(PATIENCE_S)
    brain = start_brain(model, "-p", "wait_for:=[listener]")
    listener = Node("listener", context=world.node.context)

    def waiting() -> bool:
        texts = [text for _, _, text, _ in world.diagnostics]
        return "waiting for listener to take /cmd_vel" in texts

    try:
        world.until(waiting, "a brain that waits")
        assert world.node.count_subscribers("camera/image_raw") == 0
        commands: list[Twist] = []
        listener.create_subscription(Twist, "cmd_vel", commands.append, 100)
        world.wait_for_brain()
        assert world.drive_frame(grey_image(51)).driven
    finally:
        listener.destroy_node()
        brain.terminate()
        brain.communicate(timeout=PATIENCE_S)


def test_a_model_that_nobody_signed_is_announced_before_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "theirs.pt").write_bytes(b"no TorchScript")
    _, errors = start_brain(tmp_path / "theirs.pt").communicate(timeout=PATIENCE_S)
    said, refused = errors.index("theirs.pt (sha256 "), errors.index("neither TorchScript nor ONNX")
    assert said < refused
    assert "is not signed: a model is code" in errors


def test_an_unfit_model_ends_the_process_before_it_drives(world: FakeWorld, tmp_path: Path) -> None:
    (tmp_path / "damaged.pt").write_bytes(b"no TorchScript")
    seen = len(world.commands)
    process = start_brain(tmp_path / "damaged.pt")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    lines = [line for line in errors.splitlines() if "error" in line]
    assert len(lines) == 1
    assert "damaged.pt" in lines[0]
    assert world.commands[seen:] == []
