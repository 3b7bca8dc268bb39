"""A task that a small network learns in a second, for the tests of training and optimization."""

import numpy as np
import pandas as pd
import pytest

from pilotnet_brain.learning.dataset import DataSet


def striped_frames(count: int, seed: int) -> DataSet:
    """Frames with a red stripe whose column is the yaw rate: a task with a known answer."""
    rng = np.random.default_rng(seed)
    columns = rng.integers(20, 180, count)
    frames = rng.integers(60, 100, (count, 66, 200, 3), dtype=np.uint8)
    for frame, column in zip(frames, columns, strict=True):
        frame[:, column - 8 : column + 8] = (220, 20, 20)
    table = pd.DataFrame({"v": np.full(count, 10.0), "w": (100 - columns) / 20.0})
    return DataSet(frames, table)


@pytest.fixture(scope="session")
def striped_training() -> DataSet:
    return striped_frames(640, 1)


@pytest.fixture(scope="session")
def striped_validation() -> DataSet:
    return striped_frames(96, 2)
