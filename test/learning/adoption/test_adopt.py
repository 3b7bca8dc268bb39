"""Networks of other people: adopted, they drive like the one that they were made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from pilotnet_brain.driving.command import OutputRange  # noqa: E402
from pilotnet_brain.driving.model.load import load_model  # noqa: E402
from pilotnet_brain.driving.model.record import ModelRecord  # noqa: E402
from pilotnet_brain.driving.model.torchscript import quiet_deprecation  # noqa: E402
from pilotnet_brain.driving.pilot import Pilot  # noqa: E402
from pilotnet_brain.driving.preprocess import InputFormat  # noqa: E402
from pilotnet_brain.learning.adoption.adopt import adopt  # noqa: E402
from pilotnet_brain.learning.adoption.meaning import AdoptionError, Meaning  # noqa: E402

FMT = InputFormat(width=40, height=20)
RECORD = ModelRecord(name="theirs", input_format=FMT, output_range=OutputRange(0.0, 1.0, 0.0, 1.0))
FRAMES = np.random.default_rng(0).integers(0, 256, (4, 20, 40, 3), np.uint8)


class Means(nn.Module):
    """Speed: the picture's mean of red; yaw rate: of blue."""

    def __init__(self, nhwc: bool = False, uint8: bool = False, form: str = "pair") -> None:
        super().__init__()
        self.nhwc, self.uint8, self.form = nhwc, uint8, form
        self.weight = nn.Parameter(torch.eye(3))

    def forward(self, image):
        if self.nhwc:
            image = image.permute(0, 3, 1, 2)
        if self.uint8:
            image = (image & 255).float() / 255.0  # no operator of floats
        means = image.mean((2, 3)) @ self.weight
        speed, yaw_rate = means[:, :1], means[:, 2:]
        return {
            "pair": lambda: torch.cat([speed, yaw_rate], 1),
            "extra": lambda: (image.flatten(1)[:, :5], torch.cat([speed, yaw_rate], 1)),
            "two": lambda: (speed, yaw_rate),
            "dict": lambda: {"v": speed, "w": yaw_rate},
            "flat": lambda: torch.cat([speed, yaw_rate], 1)[0],
            "steering": lambda: yaw_rate,
            "three": lambda: means,
        }[self.form]()


def saved(path: Path, network: nn.Module, example: torch.Tensor) -> Path:
    with quiet_deprecation():
        torch.jit.trace(network.eval(), example, strict=False).save(path)
    return path


def image(nhwc: bool = False) -> torch.Tensor:
    return torch.rand(1, 20, 40, 3) if nhwc else torch.rand(1, 3, 20, 40)


def commands(model: Path) -> tuple[float, float]:
    """Return what a model commands for a picture of red 204 and blue 51: 0.8 and 0.2."""
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[..., 0], frame[..., 2] = 204, 51
    return tuple(Pilot(load_model(model)).drive(frame).command)


@pytest.mark.parametrize("form", ["pair", "extra", "two", "dict", "flat"])
def test_outputs_of_any_form_become_commands(tmp_path: Path, form: str) -> None:
    theirs = saved(tmp_path / "theirs.pt", Means(form=form), image())
    adopt(theirs, tmp_path / "ours.pt", RECORD, Meaning(), FRAMES)
    assert commands(tmp_path / "ours.pt") == pytest.approx((0.8, 0.2), abs=1e-5)


@pytest.mark.parametrize("nhwc", [True, False])
@pytest.mark.parametrize("kind", ["float32", "float16", "uint8"])
def test_pictures_are_given_as_the_network_takes_them(
    tmp_path: Path, nhwc: bool, kind: str
) -> None:
    network, example = Means(nhwc, kind == "uint8"), image(nhwc)
    if kind == "uint8":
        example = (example * 255).to(torch.uint8)
    elif kind == "float16":
        network, example = network.half(), example.half()
    theirs = saved(tmp_path / "theirs.pt", network, example)
    said = adopt(theirs, tmp_path / "ours.pt", RECORD, Meaning(), FRAMES)
    assert f"{kind} {'NHWC' if nhwc else 'NCHW'}" in said
    assert commands(tmp_path / "ours.pt") == pytest.approx((0.8, 0.2), abs=2e-3)


def test_black_and_white_are_what_was_said(tmp_path: Path) -> None:
    theirs = saved(tmp_path / "theirs.pt", Means(), image())
    adopt(theirs, tmp_path / "ours.pt", RECORD, Meaning(-1.0, 1.0), FRAMES)
    assert commands(tmp_path / "ours.pt") == pytest.approx((0.6, -0.6), abs=1e-5)


@pytest.mark.parametrize(("form", "yaw_rate"), [("steering", 0.2), ("pair", 0.2)])
def test_a_network_that_only_steers_drives_at_a_fixed_speed(
    tmp_path: Path, form: str, yaw_rate: float
) -> None:
    theirs = saved(tmp_path / "theirs.pt", Means(form=form), image())
    record = ModelRecord(input_format=FMT, output_range=OutputRange(6.5, 17.5, 0.0, 1.0))
    adopt(theirs, tmp_path / "ours.pt", record, Meaning(fixed_speed=8.0), FRAMES)
    assert commands(tmp_path / "ours.pt") == pytest.approx((8.0, yaw_rate), abs=1e-5)


def test_a_network_that_takes_uint8_and_floats_is_told_what_white_is(tmp_path: Path) -> None:
    class Scaling(nn.Module):
        def forward(self, image):
            return (image.float() / 255.0).mean((2, 3))[:, :2]

    theirs = saved(tmp_path / "theirs.pt", Scaling(), (image() * 255).to(torch.uint8))
    adopt(theirs, tmp_path / "ours.pt", RECORD, Meaning(0.0, 255.0), FRAMES)
    assert commands(tmp_path / "ours.pt") == pytest.approx((0.8, 0.0), abs=1e-5)


def test_a_device_written_into_the_code_becomes_the_cpu(tmp_path: Path) -> None:
    class OnCuda(nn.Module):
        def forward(self, image):
            offset = torch.zeros(1, 3, 1, 1, device=torch.device("cuda:0"))
            return (image + offset).mean((2, 3))[:, :2]

    theirs = tmp_path / "theirs.pt"
    with quiet_deprecation():
        torch.jit.script(OnCuda().eval()).save(theirs)
    said = adopt(theirs, tmp_path / "ours.pt", RECORD, Meaning(), FRAMES)
    assert "cuda in its code made cpu" in said
    assert commands(tmp_path / "ours.pt") == pytest.approx((0.8, 0.0), abs=1e-5)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("steering", "gives one number: say --fixed-speed"),
        ("three", "outputs are 0 of 3: one of two numbers"),
    ],
)
def test_outputs_without_a_clear_meaning_are_refused(tmp_path: Path, form: str, said: str) -> None:
    theirs = saved(tmp_path / "theirs.pt", Means(form=form), image())
    with pytest.raises(AdoptionError, match=said):
        adopt(theirs, tmp_path / "ours.pt", RECORD, Meaning(), FRAMES)
    assert not (tmp_path / "ours.pt").exists()


def test_another_size_is_refused_with_the_option(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 30 * 40, 2))
    theirs = saved(tmp_path / "theirs.pt", network, torch.rand(1, 3, 30, 40))
    with pytest.raises(AdoptionError, match="takes no picture of 40x20 .*--size"):
        adopt(theirs, tmp_path / "ours.pt", RECORD, Meaning(), FRAMES)


def test_a_file_with_a_record_is_left_alone(tmp_path: Path) -> None:
    theirs = saved(tmp_path / "theirs.pt", Means(), image())
    adopt(theirs, tmp_path / "ours.pt", RECORD, Meaning(), FRAMES)
    with pytest.raises(AdoptionError, match="it has a record already"):
        adopt(tmp_path / "ours.pt", tmp_path / "again.pt", RECORD, Meaning(), FRAMES)


def onnx_means(path: Path, shape: tuple[object, ...], kind: int, form: str = "pair") -> Path:
    """Write a graph of the means of red and blue; also as two outputs, or the second one alone."""
    nhwc = shape[3] == 3
    scale = 1.0 / 255.0 if kind == TensorProto.UINT8 else 1.0
    constants = {
        "scale": np.array(scale, np.float32),
        "red": np.array([0], np.int64),
        "blue": np.array([2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node(
            "ReduceMean", ["scaled"], ["means"], axes=[1, 2] if nhwc else [2, 3], keepdims=0
        ),
        helper.make_node("Gather", ["means", "red"], ["v"], axis=1),
        helper.make_node("Gather", ["means", "blue"], ["w"], axis=1),
        helper.make_node("Concat", ["v", "w"], ["both"], axis=1),
    ]
    names = {"pair": ["both"], "two": ["v", "w"], "steering": ["w"]}[form]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    inputs = [helper.make_tensor_value_info("image", kind, shape)]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "means", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("form", ["pair", "two"])
@pytest.mark.parametrize(
    ("shape", "kind", "said"),
    [
        ((1, 3, 20, 40), TensorProto.FLOAT, "float32 NCHW"),
        (("batch", 20, 40, 3), TensorProto.FLOAT, "float32 NHWC"),
        ((1, 20, 40, 3), TensorProto.UINT8, "uint8 NHWC"),
        ((1, 3, "height", "width"), TensorProto.FLOAT16, "float16 NCHW"),
        ((1, 3, 20, 40), TensorProto.DOUBLE, "float64 NCHW"),
    ],
)
def test_onnx_graphs_of_any_input_become_model_files(
    tmp_path: Path, shape: tuple[object, ...], kind: int, said: str, form: str, runtime: str
) -> None:
    pytest.importorskip(runtime)
    theirs = onnx_means(tmp_path / "theirs.onnx", shape, kind, form)
    ours = tmp_path / "ours.onnx"
    assert said in adopt(theirs, ours, RECORD, Meaning(), FRAMES)
    assert commands(ours) == pytest.approx((0.8, 0.2), abs=2e-3)
    model = load_model(ours, runtime=runtime)
    assert model.name == "theirs" and model.record.self_test is not None


def test_an_onnx_graph_that_only_steers(tmp_path: Path) -> None:
    theirs = onnx_means(tmp_path / "theirs.onnx", (1, 3, 20, 40), TensorProto.FLOAT, "steering")
    with pytest.raises(AdoptionError, match="say --fixed-speed"):
        adopt(theirs, tmp_path / "ours.onnx", RECORD, Meaning(), FRAMES)
    adopt(theirs, tmp_path / "ours.onnx", RECORD, Meaning(-1.0, 1.0, fixed_speed=4.0), FRAMES)
    assert commands(tmp_path / "ours.onnx") == pytest.approx((4.0, -0.6), abs=1e-5)


def test_an_onnx_graph_of_another_size_is_refused_with_the_option(tmp_path: Path) -> None:
    theirs = onnx_means(tmp_path / "theirs.onnx", (1, 3, 30, 40), TensorProto.FLOAT)
    with pytest.raises(AdoptionError, match="input is 1x3x30x40: a picture of 40x20.*--size"):
        adopt(theirs, tmp_path / "ours.onnx", RECORD, Meaning(), FRAMES)


def test_a_folder_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    theirs = onnx_means(tmp_path / "theirs.onnx", (1, 3, 20, 40), TensorProto.FLOAT)
    with pytest.raises(AdoptionError, match="ours.onnx: cannot be written: "):
        adopt(theirs, theirs / "ours.onnx", RECORD, Meaning(), FRAMES)


def test_without_the_onnx_package_the_fix_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = onnx_means(tmp_path / "theirs.onnx", (1, 3, 20, 40), TensorProto.FLOAT)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AdoptionError, match="pip install onnx"):
        adopt(theirs, tmp_path / "ours.onnx", RECORD, Meaning(), FRAMES)
