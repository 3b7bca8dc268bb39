"""Statistics are those that numpy gives of all values at once."""

from __future__ import annotations

import numpy as np
import pytest

from pilotnet_brain.learning.lerobot_stats import histogram, number_stats, picture_stats


def test_of_numbers() -> None:
    values = np.array([[1.0, -1.0], [3.0, -1.0], [8.0, -1.0]])
    stats = number_stats(values)
    assert (stats["min"], stats["max"], stats["count"]) == ([1.0, -1.0], [8.0, -1.0], [3])
    assert stats["mean"] == pytest.approx([4.0, -1.0])
    assert stats["std"] == pytest.approx([values[:, 0].std(), 0.0])
    assert (stats["q50"], number_stats(values[:, 0])["max"]) == ([3.0, -1.0], [8.0])


def test_of_pictures() -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(3, 200, (4, 48, 64, 3), np.uint8)
    stats = picture_stats(np.sum([histogram(frame) for frame in frames], axis=0), len(frames))
    pixels = frames.reshape(-1, 3) / 255.0
    assert stats["count"] == [4]
    for name, expected in (("min", pixels.min(0)), ("max", pixels.max(0))):
        assert np.array(stats[name]) == pytest.approx(expected.reshape(3, 1, 1))
    assert np.array(stats["mean"]) == pytest.approx(pixels.mean(0).reshape(3, 1, 1))
    assert np.array(stats["std"]) == pytest.approx(pixels.std(0).reshape(3, 1, 1))
    median = np.quantile(pixels, 0.5, axis=0).reshape(3, 1, 1)
    assert np.array(stats["q50"]) == pytest.approx(median, abs=1 / 255)
