"""Exported files drive as the network was trained; ONNX gives TorchScript's outputs."""

import json
import re
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic

from pilotnet_brain.cli import main
from pilotnet_brain.driving.model.file import ModelError, load_as_saved, save_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.driving.preprocess import InputFormat, network_input, scale_input
from pilotnet_brain.learning import export as onnx_export
from pilotnet_brain.learning.export import OnnxError, export_onnx, export_torchscript
from pilotnet_brain.learning.pilotnet import PilotNet

NEW = ModelRecord(name="new", method="trained")


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3), np.uint8)


def test_an_exported_network_drives_as_it_was_trained(tmp_path, frames):
    torch.manual_seed(0)
    network = PilotNet()
    export_torchscript(network, tmp_path / "new.pt", NEW, frames)
    frame = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    batch = torch.from_numpy(scale_input(network_input(frame))[None]).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = network.eval()(batch)[0].tolist()
    drive = Pilot(load_model(tmp_path / "new.pt", "cpu")).drive(frame)
    assert drive.outputs == pytest.approx(expected, abs=1e-5)


def test_the_network_in_training_is_left_as_it_is(tmp_path, frames):
    network = PilotNet().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export_torchscript(network, tmp_path / "new.pt", NEW, frames)
    assert network.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0.0, atol=0.0)


def test_the_record_holds_what_was_said(tmp_path, frames):
    record = export_torchscript(
        PilotNet(),
        tmp_path / "new.pt",
        ModelRecord(
            name="new",
            method="baseline",
            training={"seed": 4},
            scores={"loss": 0.5},
            rebuild="pilotnet train --seed 4",
        ),
        frames,
        tolerance=0.25,
    )
    assert load_model(tmp_path / "new.pt", "cpu").record == record
    assert record.parameters == 1_595_528
    assert record.self_test.tolerance == 0.25


def test_the_file_is_small_and_tells_nothing_of_the_machine(tmp_path, frames):
    frames[...] = 0
    path = tmp_path / "new.pt"
    export_torchscript(PilotNet(), path, NEW, frames)
    assert path.stat().st_size < 6_500_000
    assert torch.__file__.rsplit("/", 2)[0].encode() not in path.read_bytes()


def test_a_diverged_network_is_not_exported(tmp_path, frames):
    network = PilotNet()
    with torch.no_grad():
        network.head[0].bias[0] = float("nan")
        network.head[0].weight[0, 0] = float("inf")
    with pytest.raises(ModelError, match="not finite"):
        export_torchscript(network, tmp_path / "new.pt", NEW, frames)
    assert not (tmp_path / "new.pt").exists()


FRAMES = np.random.default_rng(2).integers(0, 256, (4, 66, 200, 3), np.uint8)


def traced(network, shape=(1, 3, 66, 200)):
    with quiet_deprecation():
        return torch.jit.trace(network, torch.rand(shape), check_trace=False)


def model_file(path, network, frames=FRAMES, **record):
    height, width = frames.shape[1:3]
    module = traced(network.eval(), (1, 3, height, width))
    save_model(path, module, ModelRecord(name=path.stem, **record), frames)
    return path


@pytest.fixture(scope="module")
def pilotnet_file(tmp_path_factory):
    torch.manual_seed(1)
    return model_file(tmp_path_factory.mktemp("models") / "float.pt", PilotNet())


def test_onnx_runtime_gives_torchscripts_outputs(pilotnet_file, tmp_path):
    out = tmp_path / "deep" / "float.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert export_onnx(pilotnet_file, out, FRAMES) <= 1e-4
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    (given,), (taken,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, given.type) == ("image", [1, 3, 66, 200], "tensor(float)")
    assert (taken.name, taken.shape) == ("outputs", [1, 2])
    image = np.random.default_rng(9).random((1, 3, 66, 200), np.float32)
    with torch.no_grad():
        expected = load_as_saved(pilotnet_file)(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, atol=1e-5)


def test_the_record_travels_along(pilotnet_file, tmp_path):
    export_onnx(pilotnet_file, tmp_path / "float.onnx", FRAMES)
    model = onnx.load(tmp_path / "float.onnx")
    record = json.loads({entry.key: entry.value for entry in model.metadata_props}["pilotnet"])
    assert record["name"] == "float"
    assert record["output_range"]["speed_span"] == 17.5


def test_another_input_size_is_exported_as_it_is(tmp_path):
    frames = FRAMES[:, :33, :100]
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 33 * 100, 2))
    fmt = InputFormat(width=100, height=33)
    path = model_file(
        tmp_path / "small.pt", network, np.ascontiguousarray(frames), input_format=fmt
    )
    export_onnx(path, tmp_path / "small.onnx", frames)
    shape = onnx.load(tmp_path / "small.onnx").graph.input[0].type.tensor_type.shape
    assert [size.dim_value for size in shape.dim] == [1, 3, 33, 100]


def test_an_int8_model_is_refused_with_what_to_do(tmp_path):
    network = quantize_dynamic(PilotNet().eval(), {nn.Linear}, torch.qint8)
    path = model_file(tmp_path / "int8.pt", network)
    with pytest.raises(OnnxError, match=r"int8\.pt: it is int8.*export the float model"):
        export_onnx(path, tmp_path / "int8.onnx", FRAMES)
    assert not (tmp_path / "int8.onnx").exists()


def test_other_outputs_are_not_written(pilotnet_file, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(OnnxError, match="differ from TorchScript's"):
        export_onnx(pilotnet_file, tmp_path / "float.onnx", FRAMES)
    assert not (tmp_path / "float.onnx").exists()


def test_a_network_that_onnx_has_no_operators_for_is_refused(tmp_path):
    class Spectrum(nn.Module):
        def forward(self, image):
            return torch.linalg.svdvals(image[:, 0])[:, :2]

    path = model_file(tmp_path / "svd.pt", Spectrum())
    with pytest.raises(OnnxError, match=r"svd\.pt: torch cannot convert it"):
        export_onnx(path, tmp_path / "svd.onnx", FRAMES)


def test_missing_packages_are_named_with_the_fix(pilotnet_file, tmp_path, monkeypatch):
    find_spec = onnx_export.importlib.util.find_spec
    monkeypatch.setattr(
        onnx_export.importlib.util,
        "find_spec",
        lambda name: None if name == "onnxruntime" else find_spec(name),
    )
    with pytest.raises(OnnxError, match="needs onnxruntime.*requirements/onnx.txt"):
        export_onnx(pilotnet_file, tmp_path / "float.onnx", FRAMES)


def test_the_command_exports_the_shipped_baseline_checked_on_rendered_frames(tmp_path, capsys):
    out = tmp_path / "baseline.onnx"
    assert main(["models", "export", "baseline", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert float(re.search(r"differs by (\S+) on 16 frames", said)[1]) <= 1e-4
    assert out.stat().st_size > 6_000_000


def test_another_format_is_refused(capsys):
    assert main(["models", "export", "baseline", "--format", "tflite"]) == 2
    assert "there is onnx" in capsys.readouterr().err


def test_a_folder_gets_the_models_own_name(pilotnet_file, tmp_path, capsys):
    assert main(["models", "export", str(pilotnet_file), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "float.onnx").is_file()
    assert f"{tmp_path / 'float.onnx'} is written" in capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_named_and_no_temporary_one(pilotnet_file, tmp_path):
    (tmp_path / "float.onnx").mkdir()
    with pytest.raises(OnnxError) as refusal:
        export_onnx(pilotnet_file, tmp_path / "float.onnx", FRAMES)
    assert str(refusal.value) == f"{tmp_path}/float.onnx: cannot be written: Is a directory"
