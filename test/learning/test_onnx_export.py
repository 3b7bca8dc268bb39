"""ONNX gives TorchScript's outputs, float and int8, or is not written."""

import json
import re
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn
from torch.ao.quantization import (
    default_dynamic_qconfig,
    per_channel_dynamic_qconfig,
    quantize_dynamic,
)

from pilotnet_brain.cli import main
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.file import load_as_saved, save_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.record import QUANTIZED_TOLERANCE, ModelRecord
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.driving.preprocess import InputFormat, network_input
from pilotnet_brain.learning import onnx_export
from pilotnet_brain.learning.onnx_export import OnnxError, export_onnx
from pilotnet_brain.learning.pilotnet import PilotNet
from pilotnet_brain.simulation.mujoco.example_frames import example_frames

FRAMES = np.random.default_rng(2).integers(0, 256, (4, 66, 200, 3), np.uint8)


def traced(network, shape=(1, 3, 66, 200)):
    with quiet_deprecation():
        return torch.jit.trace(network, torch.rand(shape), check_trace=False)


def model_file(path, network, frames=FRAMES, **record):
    height, width = frames.shape[1:3]
    module = traced(network.eval(), (1, 3, height, width))
    save_model(path, module, ModelRecord(name=path.stem, **record), frames)
    return path


def weights_by_node(graph, kind):
    """Return the constant second inputs of a graph's nodes of one kind."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return [constants[node.input[1]] for node in graph.node if node.op_type == kind]


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


@pytest.mark.parametrize("per_channel", [True, False])
def test_int8_linear_layers_keep_their_weights_and_scales(tmp_path, per_channel):
    torch.manual_seed(2)
    config = per_channel_dynamic_qconfig if per_channel else default_dynamic_qconfig
    with quiet_deprecation():
        network = quantize_dynamic(PilotNet().eval(), {nn.Linear: config})
    path = model_file(tmp_path / "dynamic.pt", network)
    assert export_onnx(path, tmp_path / "dynamic.onnx", FRAMES) <= QUANTIZED_TOLERANCE
    graph = onnx.load(tmp_path / "dynamic.onnx").graph
    given = weights_by_node(graph, "MatMulInteger")
    layers = [layer for layer in network.head if hasattr(layer, "_packed_params")]
    assert len(given) == len(layers) == 5
    for stored, layer in zip(given, layers, strict=True):
        weight = layer.weight().int_repr().numpy().T
        np.testing.assert_array_equal(stored.astype(int) - 128, weight)


@pytest.mark.parametrize("name", ["static_quant", "qat", "prune_quant", "tiny_quant"])
def test_shipped_int8_models_run_in_int8_kernels(name, tmp_path):
    frames = np.stack([network_input(frame) for frame in example_frames(4)[0]])
    exported, fused = tmp_path / "int8.onnx", tmp_path / "fused.onnx"
    assert export_onnx(resolve_model(name), exported, frames) <= QUANTIZED_TOLERANCE
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(fused)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(exported), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(fused).graph.node]
    assert "Conv" not in kinds and kinds.count("Gemm") == 1  # the two outputs, which are float
    assert kinds.count("QLinearConv") >= 4 and kinds.count("QGemm") >= 2
    model = load_model(exported)
    assert model.quantized and model.record.method == name


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


def test_a_folder_gets_the_models_own_name(pilotnet_file, tmp_path, capsys):
    assert main(["models", "export", str(pilotnet_file), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "float.onnx").is_file()
    assert f"{tmp_path / 'float.onnx'} is written" in capsys.readouterr().out


def test_several_are_written_into_a_folder_that_is_made(pilotnet_file, tmp_path, capsys):
    folder = tmp_path / "onnx"
    arguments = ["models", "export", str(pilotnet_file), "tiny_quant", "--out", str(folder)]
    assert main(arguments) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["float.onnx", "tiny_quant.onnx"]


def test_a_file_that_cannot_be_written_is_named_and_no_temporary_one(pilotnet_file, tmp_path):
    (tmp_path / "float.onnx").mkdir()
    with pytest.raises(OnnxError) as refusal:
        export_onnx(pilotnet_file, tmp_path / "float.onnx", FRAMES)
    assert str(refusal.value) == f"{tmp_path}/float.onnx: cannot be written: Is a directory"
