"""ONNX files: driven as the TorchScript that they were exported from, or refused by name."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from pilotnet_brain.driving.model import onnx_session  # noqa: E402
from pilotnet_brain.driving.model.archive import read_archive  # noqa: E402
from pilotnet_brain.driving.model.errors import ModelError  # noqa: E402
from pilotnet_brain.driving.model.load import load_model  # noqa: E402
from pilotnet_brain.driving.pilot import NonFiniteOutput, Pilot  # noqa: E402
from pilotnet_brain.driving.preprocess import network_input  # noqa: E402
from pilotnet_brain.learning.onnx_export import export_onnx  # noqa: E402


@pytest.fixture(scope="module")
def exported(pilotnet_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "pilotnet.onnx"
    frames = np.random.default_rng(1).integers(0, 256, (2, 66, 200, 3), np.uint8)
    export_onnx(pilotnet_file, path, frames)
    return path


def written(
    path: Path,
    size: tuple[object, ...] = (1, 3, 66, 200),
    scale: float = 1.0,
    outputs: int = 2,
    kind: int = TensorProto.FLOAT,
    ends: int = 1,
    blinded: bool = False,
) -> Path:
    """Write a network of the picture's mean times `scale`; blinded by white: of 1 / (1 - mean)."""
    weights = numpy_helper.from_array(np.full((1, outputs), scale, np.float32), "weights")
    axes = list(range(1, len(size)))
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Sub", ["one", "mean"], ["rest"]),
        helper.make_node("Reciprocal", ["rest"], ["large"]),
        helper.make_node("Unsqueeze", ["large" if blinded else "mean", "axis"], ["row"]),
        helper.make_node("MatMul", ["row", "weights"], ["outputs"]),
    ]
    one = numpy_helper.from_array(np.array(1.0, np.float32), "one")
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    image = helper.make_tensor_value_info("image", kind, size)
    result = helper.make_tensor_value_info("outputs", TensorProto.FLOAT, [1, outputs])
    row = helper.make_tensor_value_info("row", TensorProto.FLOAT, [1, 1])
    graph = helper.make_graph(nodes, "mean", [image], [result, row][:ends], [weights, axis, one])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def frame(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8)


@pytest.mark.parametrize(
    ("runtime", "form"),
    [
        ("auto", "ONNX Runtime, CPU"),
        ("onnxruntime", "ONNX Runtime, CPU"),
        ("openvino", "OpenVINO, CPU"),
    ],
)
def test_it_drives_as_the_torchscript_that_it_was_exported_from(
    pilotnet_file: Path, exported: Path, runtime: str, form: str
) -> None:
    ours = Pilot(load_model(pilotnet_file, "cpu"))
    theirs = Pilot(load_model(exported, "cpu", runtime=runtime))
    for seed in range(5):
        assert theirs.drive(frame(seed)).outputs == pytest.approx(
            ours.drive(frame(seed)).outputs, abs=1e-4
        )
    assert theirs.model.record == ours.model.record
    assert (theirs.model.device, theirs.model.form) == ("cpu", form)
    assert not theirs.model.quantized
    assert theirs.drive(frame(0)).inference_s > 0.0


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_two_pilots_of_one_file_keep_their_frames_apart(exported: Path, runtime: str) -> None:
    model = load_model(exported, "cpu", runtime=runtime)
    alone = [Pilot(model).drive(frame(seed)).outputs for seed in range(2)]
    first, second = model.network(), model.network()
    pixels = [network_input(frame(seed), model.record.input_format) for seed in range(2)]
    first.fill(pixels[0])
    second.fill(pixels[1])
    assert [first.run(), second.run()] == alone


def test_a_runtime_is_refused_files_that_it_does_not_run(
    pilotnet_file: Path, exported: Path
) -> None:
    with pytest.raises(ModelError, match="torch runs no ONNX file: use runtime auto"):
        load_model(exported, runtime="torch")
    with pytest.raises(ModelError, match="openvino runs no TorchScript file: export it"):
        load_model(pilotnet_file, runtime="openvino")
    with pytest.raises(ModelError, match="unknown runtime 'tensorrt'.*openvino"):
        load_model(exported, runtime="tensorrt")
    with pytest.raises(ModelError, match="OpenVINO runs on the CPU: use cpu"):
        load_model(exported, "cuda", runtime="openvino")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_nothing_of_it_needs_torch(exported: Path, runtime: str) -> None:
    program = f"""
import sys
import numpy as np
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot
pilot = Pilot(load_model({str(exported)!r}, runtime={runtime!r}))
pilot.warm_up()
assert not {{"torch", "onnx"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_file_without_a_record_is_taken_as_jderobots(tmp_path: Path) -> None:
    model = load_model(written(tmp_path / "mean.onnx"))
    assert read_archive(model.path).record is None
    assert (model.name, model.record.input_format.crop_top) == ("mean", 240)
    white = Pilot(model).drive(np.full((480, 640, 3), 255, np.uint8))
    assert white.outputs == pytest.approx((1.0, 1.0))
    assert white.command.speed == pytest.approx(24.0)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_size_that_is_left_open_is_taken(tmp_path: Path, runtime: str) -> None:
    path = written(tmp_path / "open.onnx", size=("batch", 3, "height", 200))
    white = Pilot(load_model(path, runtime=runtime)).drive(np.full((480, 640, 3), 255, np.uint8))
    assert white.outputs == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"size": (1, 3, 120, 160)}, r"its input is float32 \(1, 3, 120, 160\)"),
        ({"size": (1, 66, 200)}, r"float32 \(1, 3, 66, 200\) is needed"),
        ({"kind": TensorProto.UINT8}, r"its input is uint8 "),
        ({"outputs": 1}, r"it gives float32 \(1, 1\): \(1, 2\) is needed"),
        ({"outputs": 3}, r"it gives float32 \(1, 3\): \(1, 2\) is needed"),
        ({"ends": 2}, "1 inputs and 2 outputs: one of each is needed"),
        ({"scale": float("inf")}, "not finite"),
    ],
)
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_what_cannot_be_driven_with_is_refused(
    tmp_path: Path, changed: dict[str, object], said: str, runtime: str
) -> None:
    path = written(tmp_path / "odd.onnx", **changed)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=said):
        load_model(path, runtime=runtime)


def test_outputs_that_become_infinite_stop_the_car(tmp_path: Path) -> None:
    pilot = Pilot(load_model(written(tmp_path / "blinded.onnx", blinded=True)))
    pilot.drive(frame(0))
    with pytest.raises(NonFiniteOutput):
        pilot.drive(np.full((480, 640, 3), 255, np.uint8))
    pilot.drive(frame(0))


def test_a_device_that_onnx_runtime_lacks_is_told(exported: Path) -> None:
    with pytest.raises(ModelError, match="install onnxruntime-gpu"):
        load_model(exported, "cuda")
    with pytest.raises(ModelError, match="unknown device 'tpu'"):
        load_model(exported, "tpu")


def test_without_onnx_runtime_the_fix_is_said(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_session.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="needs onnxruntime or openvino.*pip install onnxruntime"):
        load_model(exported)
    with pytest.raises(ModelError, match="needs openvino.*pip install openvino"):
        load_model(exported, runtime="openvino")


def test_a_flipped_bit_is_refused_or_changes_nothing(exported: Path, tmp_path: Path) -> None:
    data = exported.read_bytes()
    rng = np.random.default_rng(5)
    expected, damaged = Pilot(load_model(exported)).drive(frame(0)).outputs, 0
    for position in rng.integers(0, len(data), 300).tolist():
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        path = tmp_path / "flipped.onnx"
        path.write_bytes(flipped)
        try:
            model = load_model(path)
        except ModelError:
            damaged += 1
        else:
            assert Pilot(model).drive(frame(0)).outputs == pytest.approx(expected, abs=1e-6)
    assert damaged > 280


@settings(max_examples=100)
@given(st.binary(min_size=1, max_size=300))
def test_whatever_calls_itself_onnx_is_refused_in_one_line(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.onnx"
        path.write_bytes(data)
        with pytest.raises(ModelError) as caught:
            load_model(path)
    assert "\n" not in str(caught.value)
