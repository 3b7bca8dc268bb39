"""Training learns what there is to learn, and a stop in between changes nothing."""

import pytest
import torch

from pilotnet_brain.errors import UserError
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
