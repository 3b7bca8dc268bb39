"""Training learns what there is to learn, and a stop in between changes nothing."""

import numpy as np
import pandas as pd
import pytest
import torch

from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.augment import Augmentation
from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.learning.train import TrainingPlan, best_network, predict, train

PLAN = TrainingPlan(epochs=3, batch=32, polish_epochs=1, threads=1, learning_rate=2e-3)


def striped_frames(count, seed):
    """Frames with a red stripe whose column is the yaw rate: a task with a known answer."""
    rng = np.random.default_rng(seed)
    columns = rng.integers(20, 180, count)
    frames = rng.integers(60, 100, (count, 66, 200, 3), dtype=np.uint8)
    for frame, column in zip(frames, columns, strict=True):
        frame[:, column - 8 : column + 8] = (220, 20, 20)
    table = pd.DataFrame({"v": np.full(count, 10.0), "w": (100 - columns) / 20.0})
    return DataSet(frames, table)


TRAINING, VALIDATION = striped_frames(640, 1), striped_frames(96, 2)


def test_it_learns_to_see_the_stripe(tmp_path):
    reports = list(train(TRAINING, VALIDATION, PLAN, tmp_path))
    assert [report.epoch for report in reports] == [0, 1, 2]
    errors = predict(best_network(tmp_path), VALIDATION.frames) - VALIDATION.targets()
    guessing = VALIDATION.targets() - VALIDATION.targets().mean(axis=0)
    assert (errors**2).mean() < 0.25 * (guessing**2).mean()
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_stop_between_epochs_changes_nothing(tmp_path):
    through = list(train(TRAINING, VALIDATION, PLAN, tmp_path / "through"))
    stopped = train(TRAINING, VALIDATION, PLAN, tmp_path / "stopped")
    first = next(stopped)
    stopped.close()
    resumed = list(train(TRAINING, VALIDATION, PLAN, tmp_path / "stopped"))
    assert [first, *resumed] == through
    whole, parts = (best_network(tmp_path / name).state_dict() for name in ("through", "stopped"))
    for name, value in whole.items():
        assert torch.equal(value, parts[name])


def test_early_stopping_stops(tmp_path):
    plan = TrainingPlan(epochs=12, batch=32, patience=2, threads=1, learning_rate=1e-9)
    wrong = DataSet(VALIDATION.frames, VALIDATION.table.assign(w=-VALIDATION.table["w"]))
    assert len(list(train(TRAINING, wrong, plan, tmp_path))) < 12


def test_another_plan_does_not_take_over_a_checkpoint(tmp_path):
    next(train(TRAINING, VALIDATION, PLAN, tmp_path))
    with pytest.raises(UserError, match="another plan"):
        next(train(TRAINING, VALIDATION, TrainingPlan(epochs=9), tmp_path))


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
