"""Training learns what there is to learn, and a stop in between changes nothing."""

import shlex
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from pilotnet_brain.cli import main
from pilotnet_brain.commands.train import rebuild_command
from pilotnet_brain.driving.command import OutputRange
from pilotnet_brain.driving.model.archive import read_record
from pilotnet_brain.driving.model.catalogue import read_manifest
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning import dataset as dataset_module
from pilotnet_brain.learning import train as train_module
from pilotnet_brain.learning.augment import Augmentation
from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.learning.pilotnet import PilotNet
from pilotnet_brain.learning.train import TrainingPlan, best_network, predict, train

PLAN = TrainingPlan(epochs=3, batch=32, polish_epochs=1, threads=2, learning_rate=2e-3)


def first_frames(data, count):
    return DataSet(data.frames[:count], data.table[:count])


def test_it_learns_to_see_the_stripe(tmp_path, striped_training, striped_validation):
    reports = list(train(striped_training, striped_validation, PLAN, tmp_path))
    assert [report.epoch for report in reports] == [0, 1, 2]
    errors = (
        predict(best_network(tmp_path), striped_validation.frames) - striped_validation.targets()
    )
    guessing = striped_validation.targets() - striped_validation.targets().mean(axis=0)
    assert (errors**2).mean() < 0.25 * (guessing**2).mean()
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_stop_between_epochs_changes_nothing(tmp_path, striped_training, striped_validation):
    few = first_frames(striped_training, 160)
    through = list(train(few, striped_validation, PLAN, tmp_path / "through"))
    stopped = train(few, striped_validation, PLAN, tmp_path / "stopped")
    first = next(stopped)
    stopped.close()
    resumed = list(train(few, striped_validation, PLAN, tmp_path / "stopped"))
    assert [first, *resumed] == through
    whole, parts = (best_network(tmp_path / name).state_dict() for name in ("through", "stopped"))
    for name, value in whole.items():
        assert torch.equal(value, parts[name])


def test_early_stopping_stops(tmp_path, striped_training, striped_validation):
    plan = TrainingPlan(epochs=12, batch=32, patience=2, threads=2, learning_rate=1e-9)
    wrong = DataSet(
        striped_validation.frames, striped_validation.table.assign(w=-striped_validation.table["w"])
    )
    assert len(list(train(first_frames(striped_training, 160), wrong, plan, tmp_path))) < 12


@pytest.mark.parametrize(
    ("able", "kinds"),
    [
        ({"avx2": True, "avx512_bf16": False}, {torch.float32}),
        ({"avx2": True, "avx512_bf16": True}, {torch.bfloat16, torch.float32}),
    ],
)
def test_bfloat16_only_where_the_processor_computes_in_it(
    monkeypatch, tmp_path, striped_training, striped_validation, able, kinds
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    network, seen = PilotNet(), set()
    network.features.register_forward_hook(lambda *call: seen.add(call[2].dtype))
    few = first_frames(striped_training, 32)
    plan = TrainingPlan(epochs=2, batch=32, polish_epochs=1, threads=1)
    list(train(few, striped_validation, plan, tmp_path, network=network))
    assert seen == kinds


def test_another_plan_does_not_take_over_a_checkpoint(
    tmp_path, striped_training, striped_validation
):
    next(train(striped_training, striped_validation, PLAN, tmp_path))
    with pytest.raises(UserError, match="another plan"):
        next(train(striped_training, striped_validation, TrainingPlan(epochs=9), tmp_path))


def test_a_checkpoint_is_resumed_on_another_number_of_threads(
    tmp_path, striped_training, striped_validation
):
    few = first_frames(striped_training, 32)
    next(train(few, striped_validation, PLAN, tmp_path))
    reports = list(train(few, striped_validation, replace(PLAN, threads=1), tmp_path))
    assert [report.epoch for report in reports] == [1, 2]
    with pytest.raises(UserError, match=r"another plan \(seed 1, now 2\)"):
        next(train(few, striped_validation, replace(PLAN, seed=2), tmp_path))


def test_errors_are_those_of_the_one_output_range(
    monkeypatch, tmp_path, striped_training, striped_validation
):
    """With a range twice as wide, for labels and outputs alike, the errors in m/s are too."""
    few = first_frames(striped_training, 32)
    plan = replace(PLAN, epochs=1)
    (normal,) = train(few, striped_validation, plan, tmp_path / "normal")
    wide = OutputRange(2 * 6.5, 2 * 17.5, 2 * -7.1, 2 * 14.2)
    for module in (dataset_module, train_module):
        monkeypatch.setattr(module, "JDEROBOT_RANGE", wide)
    doubled = [DataSet(data.frames, data.table * 2.0) for data in (few, striped_validation)]
    (report,) = train(*doubled, plan, tmp_path / "wide")
    assert report.validation_mse == pytest.approx(normal.validation_mse)
    assert report.speed_rmse == pytest.approx(2.0 * normal.speed_rmse)
    assert report.yaw_rate_rmse == pytest.approx(2.0 * normal.yaw_rate_rmse)


@pytest.fixture
def data_folders(tmp_path, monkeypatch, striped_training, striped_validation):
    """Data sets in the folder where the command runs; one has a space in its name."""
    monkeypatch.chdir(tmp_path)
    for name, data in (("my set", striped_training), ("other", striped_validation)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "frames.npy", data.frames[:16])
        data.table[:16].to_csv(tmp_path / name / "data.csv", index=False)
    return tmp_path


TRAIN = ["train", "my set", "--validation", "other", "--epochs", "1", "--batch", "16"]


def test_the_command_names_the_model_by_its_file_and_says_how_to_rebuild_it(data_folders):
    (data_folders / "cars").mkdir()
    (data_folders / "cars" / "manifest.json").write_text('{"models": {}}')
    assert main([*TRAIN, "--out", "cars/fast.pt"]) == 0
    record = read_record(data_folders / "cars" / "fast.pt")
    assert (record.name, record.method) == ("fast", "trained")
    assert read_manifest(data_folders / "cars")["fast"].record["name"] == "fast"
    command, *arguments = shlex.split(record.rebuild)
    assert (command, arguments[:2]) == ("pilotnet", ["train", "my set"])
    shutil.rmtree(data_folders / "checkpoints")
    (data_folders / "cars" / "fast.pt").unlink()
    assert main(arguments) == 0
    assert read_record(data_folders / "cars" / "fast.pt") == record


def test_a_folder_as_the_model_file_is_refused_before_training(data_folders, capsys):
    assert main([*TRAIN, "--out", "other"]) == 2
    assert "--out names the file, e.g. other/mine.pt" in capsys.readouterr().err
    assert not (data_folders / "checkpoints").exists()


def test_a_rebuild_command_is_quoted():
    options = {"validation": ["a b", "c"], "learning_rate": 1e-3}
    assert rebuild_command("train", ["it's"], options) == (
        "pilotnet train 'it'\"'\"'s' --validation 'a b' --validation c --learning-rate 0.001"
    )


def test_a_folder_without_checkpoint_says_what_makes_one(tmp_path):
    with pytest.raises(UserError, match="pilotnet train"):
        best_network(tmp_path)


def test_augmentation_is_seeded_and_stays_in_range():
    images = torch.rand(16, 3, 66, 200, generator=torch.Generator().manual_seed(0))
    first, again, other = (
        Augmentation(torch.Generator().manual_seed(seed))(images.clone()) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() >= 0.0
    assert first.max() <= 1.0
    assert not torch.equal(first, images)
