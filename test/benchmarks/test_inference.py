import io
import json
import time

import cv2
import numpy as np
import pytest
import torch
from hot_path.inference import (
    CALLS_PER_BLOCK,
    InferenceBench,
    LoopFigures,
    bench_inference,
)
from hot_path.reference_loop import ReferenceLoop, to_tensor
from hot_path.tables import inference_table
from PIL import Image
from rich.console import Console

from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.learning.export import export_torchscript
from pilotnet_brain.learning.offline.timing import Durations
from pilotnet_brain.learning.pilotnet import PilotNet
from pilotnet_brain.simulation.mujoco.example_frames import example_frames


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 480, 640, 3), np.uint8)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "untrained.pt"
    pixels = np.random.default_rng(1).integers(0, 256, (4, 66, 200, 3), np.uint8)
    export_torchscript(PilotNet(), path, ModelRecord(name="untrained", method="baseline"), pixels)
    return path


def test_both_loops_give_the_same_command(model_file, frames):
    model = load_model(model_file, "cpu")
    reference = ReferenceLoop(load_as_saved(model_file), model.record)
    pilot = Pilot(model)
    for frame in frames:
        assert reference.drive(frame).command == pytest.approx(pilot.drive(frame).command, abs=1e-4)


def test_to_tensor_is_torchvisions():
    pixels = np.random.default_rng(2).integers(0, 256, (5, 7, 3), np.uint8)
    tensor = to_tensor(Image.fromarray(pixels))
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    np.testing.assert_allclose(tensor.numpy(), pixels.transpose(2, 0, 1) / 255.0, rtol=1e-6)


def test_the_bench_measures_every_loop_and_its_parts(model_file, frames):
    seen = []
    bench = bench_inference(
        [model_file],
        model_file,
        frames,
        device="cpu",
        blocks=2,
        calls_per_block=5,
        progress=lambda done, total: seen.append((done, total)),
    )
    reference, ours = bench.loops
    assert (reference.name, ours.name) == ("reference", "untrained")
    assert reference.ratio == 1.0
    assert ours.ratio == pytest.approx(ours.path.median_s / reference.path.median_s)
    for loop in bench.loops:
        assert 0.0 < loop.preprocessing.median_s <= loop.preprocessing.p99_s
        assert 0.0 < loop.model_call.median_s < loop.path.median_s <= loop.path.p99_s
    assert seen == [(1, 2), (2, 2)]
    assert json.loads(json.dumps(bench.to_dict()))["threads"] == 1


def test_threads_come_back(model_file, frames):
    cv2.setNumThreads(1)
    torch.set_num_threads(2)
    bench_inference([model_file], model_file, frames, device="cpu", blocks=1, calls_per_block=1)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 1)


def test_blocks_take_turns_and_are_warm(model_file, frames, monkeypatch):
    order = []
    for name, loop in (("reference", ReferenceLoop), ("ours", Pilot)):
        drive = loop.drive

        def noted(self, frame, drive=drive, name=name):
            order.append(name)
            return drive(self, frame)

        monkeypatch.setattr(loop, "drive", noted)
    bench_inference([model_file], model_file, frames, device="cpu", blocks=2)
    runs = [name for at, name in enumerate(order) if at == 0 or order[at - 1] != name]
    assert runs[-4:] == ["reference", "ours", "reference", "ours"]
    assert order.count("reference") > 2 * CALLS_PER_BLOCK


def test_a_slower_path_shows_in_the_ratio(model_file, frames, monkeypatch):
    drive = ReferenceLoop.drive

    def slow(self, frame):
        time.sleep(0.1)
        return drive(self, frame)

    monkeypatch.setattr(ReferenceLoop, "drive", slow)
    bench = bench_inference(
        [model_file], model_file, frames, device="cpu", blocks=1, calls_per_block=5
    )
    assert bench.loops[0].path.median_s >= 0.1
    assert bench.loops[0].model_call.median_s < bench.loops[0].path.median_s - 0.1


@pytest.mark.parametrize("changed", [{"blocks": 0}, {"calls_per_block": 0}])
def test_nothing_to_measure_is_refused(model_file, frames, changed):
    with pytest.raises(ValueError, match="needs"):
        bench_inference([model_file], model_file, frames, **changed)
    with pytest.raises(ValueError, match="needs"):
        bench_inference([model_file], model_file, frames[:0])
    with pytest.raises(ValueError, match="needs"):
        bench_inference([], model_file, frames)


def test_example_frames_are_frames():
    frames, source = example_frames(3)
    assert frames.shape == (3, 480, 640, 3)
    assert frames.dtype == np.uint8
    assert len({frame.tobytes() for frame in frames}) == 3
    assert source.startswith(("rendered", "noise"))


def test_the_table_shows_each_figure():
    step = Durations(0.001, 0.002)
    loop = LoopFigures("tiny", "frozen", "cpu", step, step, Durations(0.0012345, 0.0023), 0.75)
    bench = InferenceBench((loop,), 1, 10, 50, "noise", "2.13", "a processor")
    console = Console(file=io.StringIO(), width=160)
    console.print(inference_table(bench))
    text = console.file.getvalue()
    for said in ("tiny", "1.234 (2.300)", "0.75", "frozen", "a processor", "noise"):
        assert said in text
