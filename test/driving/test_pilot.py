import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from pilotnet_brain.driving.camera import Camera, Motion
from pilotnet_brain.driving.command import OutputRange
from pilotnet_brain.driving.model.file import save_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.driving.pilot import BadFrame, NetworkFailure, NonFiniteOutput, Pilot
from pilotnet_brain.driving.preprocess import InputFormat, network_input, scale_input


def _frame(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8)


def _save_traced(network: nn.Module, path, pixels, record=None):
    if record is None:
        record = ModelRecord()
    with quiet_deprecation():
        traced = torch.jit.trace(network.eval(), torch.rand(1, 3, 66, 200), check_trace=False)
    save_model(path, traced, record, pixels)
    return path


@pytest.fixture(scope="module")
def pilot(pilotnet_file) -> Pilot:
    return Pilot(load_model(pilotnet_file, "cpu"))


def test_the_command_is_the_networks_on_the_projects_preprocessing(pilot, pilotnet):
    for seed in range(3):
        frame = _frame(seed)
        drive = pilot.drive(frame)
        batch = torch.from_numpy(scale_input(network_input(frame))[None]).permute(0, 3, 1, 2)
        with torch.no_grad():
            expected = pilotnet(batch.contiguous())[0].tolist()
        assert drive.outputs == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert drive.command == OutputRange().to_command(*drive.outputs)


def test_training_evaluation_and_brain_see_the_same_bits(pilotnet_file):
    """The batch that the network is given is the very array of the preprocessing functions."""
    model = load_model(pilotnet_file, "cpu")
    pilot = Pilot(model)
    given = []

    def recording(batch: torch.Tensor) -> torch.Tensor:
        given.append(batch.clone())
        return model.module(batch)

    pilot._network._module = recording
    frame = _frame(4)
    pilot.drive(frame)
    expected = scale_input(network_input(frame))
    assert tuple(given[0].shape) == (1, 3, 66, 200)
    np.testing.assert_array_equal(given[0][0].permute(1, 2, 0).numpy(), expected)


def test_one_frame_leaves_nothing_in_the_next(pilot):
    alone = pilot.drive(_frame(1)).outputs
    pilot.drive(_frame(2))
    assert pilot.drive(_frame(1)).outputs == alone


def test_the_outputs_do_not_change_while_the_executor_settles(pilotnet_file):
    pilot = Pilot(load_model(pilotnet_file, "cpu"))
    outputs = {pilot.drive(_frame(3)).outputs for _ in range(8)}
    pilot.warm_up()
    outputs.add(pilot.drive(_frame(3)).outputs)
    assert len(outputs) == 1


def test_durations_are_measured(pilot):
    drive = pilot.drive(_frame())
    assert drive.preprocess_s > 0.0
    assert drive.inference_s > 0.0


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((480, 640), np.uint8),
        np.zeros((240, 320, 3), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((480, 640, 3), np.float32),
    ],
)
def test_bad_frames_are_refused_and_the_next_good_one_is_driven(pilot, frame):
    with pytest.raises(BadFrame):
        pilot.drive(frame)
    assert pilot.drive(_frame()).outputs == pilot.drive(_frame()).outputs


def test_non_finite_outputs_are_refused(tmp_path, pixels):
    class BlindedByWhite(nn.Module):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return 1.0 / (1.0 - picture.amax((2, 3))[:, :2])

    path = _save_traced(BlindedByWhite(), tmp_path / "blinded.pt", pixels // 2)
    pilot = Pilot(load_model(path, "cpu"))
    pilot.warm_up()
    with pytest.raises(NonFiniteOutput):
        pilot.drive(np.full((480, 640, 3), 255, np.uint8))
    pilot.drive(np.zeros((480, 640, 3), np.uint8))


def test_a_network_that_fails_on_a_frame_is_told_in_one_line(tmp_path, pixels):
    class Picky(nn.Module):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            if bool(picture.min() == 1.0):
                raise RuntimeError("white is too much")
            return picture.mean((2, 3))[:, :2]

    path = tmp_path / "picky.pt"
    save_model(path, torch.jit.script(Picky()), ModelRecord(name="picky"), pixels)
    pilot = Pilot(load_model(path, "cpu"))
    pilot.warm_up()
    with pytest.raises(NetworkFailure, match="picky failed: .*white is too much") as failure:
        pilot.drive(np.full((480, 640, 3), 255, np.uint8))
    assert "\n" not in str(failure.value)
    assert np.isfinite(pilot.drive(np.zeros((480, 640, 3), np.uint8)).outputs).all()


def test_the_records_format_and_range_are_obeyed(tmp_path, pixels):
    class Corner(nn.Module):
        """Outputs: the first and the last channel of the upper left corner."""

        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return torch.stack([picture[:, 0, 0, 0], picture[:, 2, 0, 0]], 1)

    record = ModelRecord(
        name="corner",
        input_format=InputFormat(crop_top=0, crop_bottom=100, colour_order="bgr"),
        output_range=OutputRange(
            speed_min=0.0, speed_span=255.0, yaw_rate_min=0.0, yaw_rate_span=255.0
        ),
    )
    pilot = Pilot(load_model(_save_traced(Corner(), tmp_path / "c.pt", pixels, record), "cpu"))
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[:100] = (10, 20, 30)
    assert pilot.drive(frame).command == pytest.approx((30.0, 10.0), abs=1e-3)


def test_a_network_that_insists_on_its_layout_is_driven(tmp_path, pixels):
    class Viewing(nn.Module):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return torch.relu(picture).view(1, 39600)[:, ::13200][:, :2]

    path = _save_traced(Viewing(), tmp_path / "viewing.pt", pixels)
    model = load_model(path, "cpu")
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[...] = (255, 51, 0)
    assert not model.channels_last
    assert Pilot(model).drive(frame).outputs == pytest.approx((1.0, 0.2), abs=1e-5)


class Middle(nn.Module):
    """Outputs: the red of the last row's middle, twice."""

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return picture[:, 0, 65, 100].repeat(2)[None]


@pytest.fixture
def middle(tmp_path, pixels):
    return Pilot(load_model(_save_traced(Middle(), tmp_path / "m.pt", pixels), "cpu"))


def test_the_road_is_seen_from_where_the_car_will_be(middle):
    """White road begins 1 m ahead of the picture's last row: seen once the car is there."""
    camera = middle.camera
    last_row_m = camera.focal_y * camera.z / (479.0 - camera.centre_y)
    row = round(camera.centre_y + camera.focal_y * camera.z / (last_row_m + 1.0))
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[:row] = 255
    assert middle.drive(frame).outputs[0] == 0.0
    assert middle.drive(frame, Motion(0.9, 0.0, 0.0)).outputs[0] == 0.0
    assert middle.drive(frame, Motion(1.1, 0.0, 0.0)).outputs[0] == 1.0
    assert middle.drive(frame).outputs[0] == 0.0


def test_frames_of_the_cars_camera_are_taken_at_their_size(middle):
    middle.look_through(Camera().of_size(320, 240))
    middle.warm_up()
    frame = np.full((240, 320, 3), 255, np.uint8)
    assert middle.drive(frame).outputs[0] == 1.0
    with pytest.raises(BadFrame, match=r"\(480, 640, 3\): \(240, 320, 3\) is needed"):
        middle.drive(_frame())


def test_no_command_is_faster_than_the_limit(pilot):
    free = pilot.drive(_frame()).command
    pilot.max_speed = 2.0
    try:
        held = pilot.drive(_frame()).command
    finally:
        pilot.max_speed = math.inf
    assert held.speed == 2.0 < free.speed
    assert held.yaw_rate == pytest.approx(free.yaw_rate * 2.0 / free.speed)


def test_to_run_once_more_changes_no_command(pilot):
    before = pilot.drive(_frame()).outputs
    pilot.wake()
    assert pilot.drive(_frame()).outputs == before


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_set(pilotnet_file, threads):
    load_model(pilotnet_file, "cpu", threads)
    assert torch.get_num_threads() == threads


def test_another_thread_starts_no_pool_of_its_own(pilotnet_file):
    """torch.set_num_threads alone does not reach OpenMP in a thread that is new to torch."""
    program = f"""
import os, threading
import numpy as np
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot

pilot = Pilot(load_model({str(pilotnet_file)!r}, "cpu"))
pilot.warm_up()
counts = []

def drive():
    load_model({str(pilotnet_file)!r}, "cpu")
    for _ in range(3):
        counts.append(len(os.listdir("/proc/self/task")))
        pilot.drive(np.zeros((480, 640, 3), np.uint8))

thread = threading.Thread(target=drive)
thread.start()
thread.join()
assert len(set(counts)) == 1, counts
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=_with_threads(2))


def test_driving_needs_neither_training_nor_simulator_nor_ros():
    program = (
        "import sys; import pilotnet_brain.driving.pilot; "
        "rooms = ('learning', 'simulation', 'evaluation', 'nodes'); "
        "assert not {f'pilotnet_brain.{room}' for room in rooms} & set(sys.modules); "
        "assert not {'torch', 'mujoco', 'matplotlib', 'pandas', 'rclpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def _with_threads(count: int) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(count)}
