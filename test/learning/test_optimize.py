"""Every method, from a baseline's file to a model's file, on a task of seconds."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pilotnet_brain.driving.model.archive import read_archive
from pilotnet_brain.driving.model.catalogue import read_manifest
from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.learning.export import export_torchscript, self_test_frames
from pilotnet_brain.learning.offline.stored_weights import stored_layers, stored_weights
from pilotnet_brain.learning.optimize import METHODS, OptimizationTask, baseline_weights, optimize
from pilotnet_brain.learning.pilotnet import PilotNet, Shape
from pilotnet_brain.learning.train import TrainingPlan, images_of, predict, train

INT8 = ("dynamic_quant", "static_quant", "qat", "prune_quant", "tiny_quant")
FULL_INT8 = ("static_quant", "qat", "prune_quant")


def few(data: DataSet, count: int) -> DataSet:
    return DataSet(data.frames[:count], data.table[:count])


@pytest.fixture(scope="module")
def made(tmp_path_factory, striped_training, striped_validation):
    """A baseline's file, and the task around it."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(1)
    network = PilotNet()
    network(images_of(striped_training.frames, slice(0, 64)))  # the norm's statistics
    export_torchscript(
        network.eval(),
        folder / "baseline.pt",
        ModelRecord(name="baseline", method="baseline"),
        self_test_frames(striped_validation.frames),
    )
    weights, origin = baseline_weights(folder / "baseline.pt")
    return folder, OptimizationTask(
        weights=weights,
        origin=origin,
        training=few(striped_training, 48),
        validation=few(striped_validation, 16),
        folder=folder / "checkpoints",
        sources={"datasets": ["stripes"]},
        threads=2,
    )


@pytest.fixture(scope="module")
def records(made):
    folder, task = made
    return {name: optimize(name, task, folder / f"{name}.pt", f"make {name}") for name in METHODS}


@pytest.mark.parametrize("name", METHODS)
def test_the_file_drives_and_says_what_it_is(made, records, name):
    folder, task = made
    model = load_model(folder / f"{name}.pt", "cpu")
    frame = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    assert np.isfinite(Pilot(model).drive(frame).outputs).all()
    assert model.record == records[name]
    assert (model.record.name, model.record.method) == (name, name)
    assert model.record.rebuild == f"make {name}"
    assert model.record.training["baseline"] == read_archive(folder / "baseline.pt").sha256
    assert model.record.training["datasets"] == ["stripes"]
    assert model.quantized == (name in INT8) == bool(model.record.engines)


def test_all_are_in_the_manifest_in_the_order_they_were_made(made, records):
    manifest = read_manifest(made[0])
    assert list(manifest) == list(METHODS)
    for name, entry in manifest.items():
        assert entry.record["method"] == name
        json.dumps(entry.record)


@pytest.mark.parametrize("name", FULL_INT8)
def test_int8_files_are_a_quarter_of_the_float_ones(made, records, name):
    """Weights of a byte for four, and what a file has besides."""
    folder, _ = made
    besides = 250_000  # the self-test's frames, which are noise here, above all
    parameters = records[name].parameters
    assert parameters == sum(value.numel() for value in PilotNet().parameters()) - 6  # the norm's
    assert parameters < (folder / f"{name}.pt").stat().st_size < parameters + besides
    assert all(layer.int8 for layer in layers_of(folder, name)[:-1])


def test_the_small_ones_are_small(made, records):
    folder, _ = made
    baseline = (folder / "baseline.pt").stat().st_size
    assert (folder / "tiny_quant.pt").stat().st_size * 20 < baseline
    assert (folder / "structured_prune.pt").stat().st_size * 3 < baseline


def layers_of(folder, name):
    return stored_layers(load_as_saved(folder / f"{name}.pt"))


def test_the_pruned_shares_are_in_the_files(made, records):
    folder, _ = made
    base, local, overall = (
        stored_weights(load_as_saved(folder / f"{name}.pt"))
        for name in ("baseline", "local_prune", "global_prune")
    )
    assert base.sparsity < 1e-3
    assert local.sparsity_convolution == pytest.approx(0.3, abs=0.002)
    assert local.sparsity_linear == pytest.approx(0.5, abs=0.002)
    assert overall.sparsity == pytest.approx(0.3, abs=0.002)


def test_quantization_keeps_every_zero_of_the_pruned_network(made, records):
    folder, _ = made
    for pruned, int8 in zip(
        layers_of(folder, "local_prune"), layers_of(folder, "prune_quant"), strict=True
    ):
        assert int((int8.weight == 0).sum()) >= int((pruned.weight == 0).sum())


def test_the_same_seed_makes_the_same_network(made, records, tmp_path):
    _, task = made
    again = replace(task, folder=tmp_path / "checkpoints")
    optimize("prune_quant", again, tmp_path / "prune_quant.pt")
    for one, other in zip(
        layers_of(made[0], "prune_quant"), layers_of(tmp_path, "prune_quant"), strict=True
    ):
        assert torch.equal(one.weight, other.weight)


def test_finished_training_is_taken_up_and_not_done_again(made, records, tmp_path):
    folder, task = made
    reports = []
    task = replace(task, reported=lambda method, report: reports.append(method))
    again = optimize("qat", task, tmp_path / "qat.pt")
    assert reports == []
    assert again.self_test == records["qat"].self_test


@pytest.mark.parametrize("other", [{"origin": "another"}, {"sources": {"datasets": ["dots"]}}])
def test_a_checkpoint_of_another_baseline_or_of_other_data_is_refused(
    made, records, tmp_path, other
):
    _, task = made
    with pytest.raises(UserError, match="another plan"):
        optimize("qat", replace(task, **other), tmp_path / "qat.pt")
    assert not (tmp_path / "qat.pt").exists()


def test_an_optimized_model_is_no_baseline(made, records):
    for name in ("static_quant", "structured_prune"):
        with pytest.raises(UserError, match="give the trained baseline"):
            baseline_weights(made[0] / f"{name}.pt")


def test_a_teachers_outputs_are_learned_from(striped_training, striped_validation, tmp_path):
    """With a teacher that always says the same, the outputs are drawn towards it."""

    class Stubborn(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([[0.9, 0.1]]).expand(len(images), 2)

    shape = Shape(((8, 5, 4), (8, 5, 3)), (16,))
    plan = TrainingPlan(epochs=2, batch=32, threads=2, learning_rate=3e-3, polish_epochs=2)
    distances = []
    for name, teacher in (("alone", None), ("taught", Stubborn())):
        torch.manual_seed(1)
        student = PilotNet(shape)
        for _ in train(few(striped_training, 320), striped_validation, plan, tmp_path / name,
                       network=student, teacher=teacher):  # fmt: skip
            pass
        outputs = predict(student, striped_validation.frames)
        distances.append(float(np.abs(outputs - (0.9, 0.1)).mean()))
    assert distances[1] < 0.95 * distances[0]
