"""ONNX says what TorchScript says; what cannot be exported is refused in one line."""

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
from pilotnet_brain.driving.model.file import ModelRecord, load_as_saved, save_model
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.driving.preprocess import InputFormat
from pilotnet_brain.learning import onnx_export
from pilotnet_brain.learning.onnx_export import OnnxError, export_onnx
from pilotnet_brain.learning.pilotnet import PilotNet

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
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = export_onnx(pilotnet_file, tmp_path / "deep" / "float.onnx", FRAMES)
    assert done.difference <= 1e-4
    session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
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


def test_missing_packages_are_named_with_the_mend(pilotnet_file, tmp_path, monkeypatch):
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
    assert main(["export", "baseline", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert float(re.search(r"differs by (\S+) on 16 frames", said)[1]) <= 1e-4
    assert out.stat().st_size > 6_000_000


def test_another_format_is_refused(capsys):
    assert main(["export", "baseline", "--format", "tflite"]) == 2
    assert "there is onnx" in capsys.readouterr().err
