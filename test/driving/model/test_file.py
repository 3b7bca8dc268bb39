import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from pilotnet_brain.driving.command import OutputRange
from pilotnet_brain.driving.model.errors import WrittenDeviceError
from pilotnet_brain.driving.model.file import ModelError, load_as_saved, save_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torch_self_test import network_batch, run_on_frames
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.driving.preprocess import JDEROBOT, InputFormat, scale_input


def _trace(network: nn.Module, shape=(1, 3, 66, 200)) -> torch.jit.ScriptModule:
    with quiet_deprecation():
        return torch.jit.trace(network, torch.rand(shape), check_trace=False)


def _save(network: nn.Module, path, shape=(1, 3, 66, 200)):
    with quiet_deprecation():
        torch.jit.save(_trace(network, shape), path)
    return path


def _outputs(network, pixels) -> np.ndarray:
    batch = torch.from_numpy(scale_input(pixels)).permute(0, 3, 1, 2).contiguous()
    with torch.no_grad():
        return network(batch).numpy()


def _model_outputs(model, pixels) -> np.ndarray:
    batches = [network_batch(frame, model.device, model.channels_last) for frame in pixels]
    with torch.no_grad():
        return np.concatenate([model.module(batch).numpy() for batch in batches])


def _rewrite(old_path, new_path, entry: str, change) -> None:
    """Copy an archive with one entry changed and all checksums right."""
    with zipfile.ZipFile(old_path) as old, zipfile.ZipFile(new_path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name.endswith(entry) else content)


def _rewrite_record(old_path, new_path, **changes) -> None:
    _rewrite(
        old_path,
        new_path,
        "/pilotnet.json",
        lambda content: json.dumps({**json.loads(content), **changes}).encode(),
    )


class _Returns(nn.Module):
    """A network that returns what a function makes of the picture."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, picture):
        return self.function(picture)


def test_a_loaded_model_gives_the_networks_outputs(pilotnet, pilotnet_file, pixels):
    model = load_model(pilotnet_file, "cpu")
    expected = _outputs(pilotnet, pixels)
    assert expected.std(axis=0).min() > 0.01  # the pictures make a difference
    np.testing.assert_allclose(_model_outputs(model, pixels), expected, rtol=1e-4, atol=1e-4)
    assert model.form == "frozen, input norm folded, channels last"
    assert (model.device, model.note, model.quantized) == ("cpu", "", False)


def test_the_record_comes_back(pilotnet_file, pixels, pilotnet):
    record = load_model(pilotnet_file, "cpu").record
    assert (record.name, record.method) == ("untrained", "untrained")
    assert record.training == {"epochs": 0}
    assert record.parameters == sum(p.numel() for p in pilotnet.parameters())
    assert record.torch_version == torch.__version__
    np.testing.assert_allclose(record.self_test.outputs, _outputs(pilotnet, pixels), atol=1e-5)


def test_the_network_as_saved_is_not_optimized(pilotnet_file, pilotnet, pixels):
    module = load_as_saved(pilotnet_file)
    np.testing.assert_allclose(_outputs(module, pixels[:1]), _outputs(pilotnet, pixels[:1]))
    assert "batch_norm" in str(module.inlined_graph)


def test_loading_and_saving_warn_of_nothing(small_net, small_file, tmp_path, pixels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(small_file)
        with quiet_deprecation():
            traced = torch.jit.trace(small_net, torch.rand(1, 3, 66, 200))
        save_model(tmp_path / "again.pt", traced, ModelRecord(), pixels)


def test_a_file_without_record_is_jderobots(tmp_path, pilotnet, pixels):
    model = load_model(_save(pilotnet, tmp_path / "mine.pt"), "cpu")
    assert model.name == "mine"
    assert model.record.input_format == JDEROBOT
    assert model.record.output_range == OutputRange()
    np.testing.assert_allclose(
        _model_outputs(model, pixels), _outputs(pilotnet, pixels), rtol=1e-4, atol=1e-4
    )


def test_a_module_saved_frozen_is_taken(tmp_path, pilotnet, pixels):
    with quiet_deprecation():
        torch.jit.save(torch.jit.freeze(_trace(pilotnet)), tmp_path / "frozen.pt")
    model = load_model(tmp_path / "frozen.pt", "cpu")
    np.testing.assert_allclose(
        _model_outputs(model, pixels), _outputs(pilotnet, pixels), rtol=1e-4, atol=1e-4
    )


def test_a_network_that_insists_on_its_layout_is_driven_as_saved(tmp_path, pixels):
    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 4, 5, stride=8)
            self.head = nn.Linear(800, 2)

        def forward(self, picture):
            return self.head(self.convolution(picture).view(1, 800))

    torch.manual_seed(4)
    network = Viewing().eval()
    model = load_model(_save(network, tmp_path / "viewing.pt"), "cpu")
    assert not model.channels_last
    assert model.form.startswith("as saved")
    np.testing.assert_allclose(
        _model_outputs(model, pixels[:1]), _outputs(network, pixels[:1]), atol=1e-5
    )


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x.mean((2, 3)), r"gives \(1, 3\)"),
        (lambda x: x.mean((1, 2, 3)), r"gives \(1,\)"),
        (lambda x: (x.mean((2, 3))[:, :2], x), "gives tuple"),
        (lambda x: x.mean((2, 3))[:, :2] / 0.0 * 0.0, "not finite"),
        (lambda x: x.mean((2, 3))[:, :2] + 1.0 / (x.mean() * 0.0), "not finite"),
        (lambda x: (x.mean((2, 3))[:, :2] * 9).long(), "int64"),
        (lambda x: x.mean((2, 3))[:, :2] + torch.rand(1, 2), "training mode"),
    ],
)
def test_outputs_that_are_no_command_are_refused(tmp_path, function, said):
    with pytest.raises(ModelError, match=said) as refusal:
        load_model(_save(_Returns(function), tmp_path / "odd.pt"))
    assert "odd.pt" in str(refusal.value)


def test_another_input_shape_is_refused(tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 60 * 80, 2))
    with pytest.raises(ModelError, match=r"input of shape \(1, 3, 66, 200\)"):
        load_model(_save(network, tmp_path / "other.pt", (1, 3, 60, 80)))


class _OnDevice(nn.Module):
    __constants__ = ("device",)

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = torch.device(device)
        self.net = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 2))

    def forward(self, x):
        return self.net(x - torch.zeros(1, 3, 1, 1, device=self.device))


def _scripted_for(device: str) -> torch.jit.ScriptModule:
    """Return a network with a device written into its code, as a trace on that device has it."""
    with quiet_deprecation():
        return torch.jit.script(_OnDevice(device).eval())


@pytest.fixture(scope="module")
def cuda_only_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported_on_cuda") / "cuda_only.pt"
    with quiet_deprecation():
        torch.jit.save(_scripted_for("cuda:0"), path)
    return path


@pytest.mark.parametrize("load", [load_as_saved, lambda path: load_model(path, "cpu")])
def test_a_device_written_into_the_code_is_named_with_the_fix(cuda_only_file, load):
    with pytest.raises(WrittenDeviceError) as refused:
        load(cuda_only_file)
    said = str(refused.value)
    assert str(cuda_only_file) in said and "exported on cuda" in said and ".cpu()" in said
    assert "\n" not in said and "Facebook" not in said


def test_on_another_device_the_cpus_code_names_the_cpu(pixels):
    module = _scripted_for("cpu")
    run_on_frames(Path("here.pt"), module, pixels, "cpu", channels_last=False)
    with pytest.raises(WrittenDeviceError, match="exported on cpu.*use device cpu"):
        run_on_frames(Path("here.pt"), module, pixels, "meta", channels_last=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_network_that_runs_on_cuda_only_runs_there(cuda_only_file, device):
    assert load_model(cuda_only_file, device).device == "cuda"


def test_a_damaged_weight_with_right_checksums_fails_the_self_test(tmp_path, pilotnet_file):
    def damage(weights: bytes) -> bytes:
        values = np.frombuffer(weights, np.float32).copy()
        values.view(np.uint32)[::97] ^= 1 << 30  # the exponent's highest bit
        return values.tobytes()

    _rewrite(pilotnet_file, tmp_path / "damaged.pt", "/data/7", damage)
    with pytest.raises(ModelError, match=r"self-test|not finite"):
        load_model(tmp_path / "damaged.pt")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_harmless(tmp_path, small_net, small_file, pixels, place, bit):
    data = bytearray(small_file.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path = tmp_path / "flipped.pt"
    path.write_bytes(data)
    try:
        model = load_model(path, "cpu")
    except ModelError:
        return
    np.testing.assert_allclose(
        _model_outputs(model, pixels), _outputs(small_net, pixels), rtol=1e-4, atol=1e-4
    )


def test_flipped_bits_in_the_stored_weights_are_all_caught(tmp_path, pilotnet_file):
    rng = np.random.default_rng(8)
    whole = pilotnet_file.read_bytes()
    with zipfile.ZipFile(pilotnet_file) as archive:
        weights = archive.read("archive/data/15")
    start = whole.index(weights)
    for _ in range(20):
        data = bytearray(whole)
        data[start + int(rng.integers(len(weights)))] ^= 1 << int(rng.integers(8))
        (tmp_path / "flipped.pt").write_bytes(data)
        with pytest.raises(ModelError, match="checksum"):
            load_model(tmp_path / "flipped.pt")


def test_a_failed_self_test_names_the_torch_and_the_mend(tmp_path, small_file):
    self_test = {"outputs": [[9.0, 9.0]] * 4, "tolerance": 0.001}
    _rewrite_record(
        small_file,
        tmp_path / "old.pt",
        self_test=self_test,
        torch_version="1.8.0",
        rebuild="pilotnet train",
    )
    with pytest.raises(ModelError, match=r"self-test.*torch 1\.8\.0.*rebuild it here: pilotnet tr"):
        load_model(tmp_path / "old.pt")


def test_code_that_this_torch_does_not_know_names_the_torch_that_saved_it(tmp_path, small_file):
    changed = tmp_path / "changed.pt"
    _rewrite_record(small_file, changed, torch_version="9.9.9", rebuild="pilotnet train")
    future = tmp_path / "future.pt"
    _rewrite(changed, future, ".py", lambda code: code.replace(b"torch.", b"torch.future_"))
    with pytest.raises(ModelError, match=r"cannot load.*saved by torch 9\.9\.9.*pilotnet train"):
        load_model(future)


def test_missing_self_test_frames_are_refused(tmp_path, small_file):
    _rewrite(small_file, tmp_path / "frames.pt", "/self_test.png", lambda png: png[:50])
    with pytest.raises(ModelError, match="frames are missing or damaged"):
        load_model(tmp_path / "frames.pt")


def test_unknown_devices_and_absent_ones_are_refused(small_file):
    with pytest.raises(ModelError, match="'tpu'.*auto, cpu, cuda"):
        load_model(small_file, "tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="cuda was asked for"):
            load_model(small_file, "cuda")
        assert load_model(small_file, "auto").device == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_gives_the_cpus_outputs(pilotnet_file, pilotnet, pixels):
    model = load_model(pilotnet_file, "cuda")
    batches = [network_batch(frame, "cuda", model.channels_last) for frame in pixels]
    with torch.no_grad():
        outputs = np.concatenate([model.module(batch).cpu().numpy() for batch in batches])
    np.testing.assert_allclose(outputs, _outputs(pilotnet, pixels), atol=1e-3)


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated")
def test_a_quantized_model_runs_on_the_cpu_and_says_so(tmp_path, pilotnet, pixels):
    quantized = torch.ao.quantization.quantize_dynamic(pilotnet, {nn.Linear}, torch.qint8)
    record = ModelRecord(name="dynamic", engines=(torch.backends.quantized.engine,))
    record = save_model(tmp_path / "dynamic.pt", _trace(quantized), record, pixels)
    assert record.quantized
    model = load_model(tmp_path / "dynamic.pt", "cuda")
    assert model.quantized
    assert model.device == "cpu"
    assert "CPU only" in model.note
    assert load_model(tmp_path / "dynamic.pt", "auto").note == ""
    # Frame by frame: dynamic quantization scales by what is in the batch.
    expected = np.concatenate([_outputs(quantized, frame[None]) for frame in pixels])
    np.testing.assert_allclose(_model_outputs(model, pixels), expected, atol=0.02)


def test_an_engine_that_this_torch_lacks_is_named(tmp_path, small_file):
    _rewrite_record(small_file, tmp_path / "engine.pt", engines=["abacus"])
    with pytest.raises(ModelError, match="abacus"):
        load_model(tmp_path / "engine.pt")


def test_another_input_format_is_obeyed(tmp_path):
    fmt = InputFormat(width=100, height=40, colour_order="bgr")
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 2, 5, stride=5), nn.Flatten(), nn.Linear(2 * 8 * 20, 2))
    frames = np.random.default_rng(2).integers(0, 256, (4, 40, 100, 3), np.uint8)
    save_model(
        tmp_path / "wide.pt",
        _trace(network.eval(), (1, 3, 40, 100)),
        ModelRecord(input_format=fmt),
        frames,
    )
    model = load_model(tmp_path / "wide.pt", "cpu")
    assert model.record.input_format == fmt
    np.testing.assert_allclose(
        _model_outputs(model, frames), _outputs(network, frames), rtol=1e-4, atol=1e-4
    )


def test_saving_refuses_frames_of_another_shape(tmp_path, small_net, pixels):
    for frames in (pixels[:3], pixels[:, :60], pixels.astype(np.float32)):
        with pytest.raises(ModelError, match="self-test frames"):
            save_model(tmp_path / "no.pt", _trace(small_net), ModelRecord(), frames)
    assert not (tmp_path / "no.pt").exists()


def test_saving_refuses_a_record_that_json_does_not_know(tmp_path, small_net, pixels):
    record = ModelRecord(scores={"mse": float("nan")})
    with pytest.raises(ModelError, match="JSON"):
        save_model(tmp_path / "no.pt", _trace(small_net), record, pixels)


def test_saving_where_nothing_can_be_written_is_refused(tmp_path, small_net, pixels):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot be written"):
        save_model(tmp_path / "file" / "no.pt", _trace(small_net), ModelRecord(), pixels)
