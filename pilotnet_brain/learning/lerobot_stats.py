"""The statistics of a LeRobotDataset: policies normalize their inputs and outputs by them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Stats = dict[str, Any]
"""min, max, mean, std, count and quantiles q01 to q99, as nested lists of numbers."""
_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def number_stats(values: NDArray[Any]) -> Stats:
    """Return the statistics of a feature's numbers, (N, D) or (N,): lists of D, or of 1."""
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    stats = {
        "min": table.min(0).tolist(),
        "max": table.max(0).tolist(),
        "mean": table.mean(0).tolist(),
        "std": table.std(0).tolist(),
        "count": [len(table)],
    }
    return stats | {
        name: np.quantile(table, share, axis=0).tolist() for name, share in _QUANTILES.items()
    }


def histogram(frame: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many pixels of a frame, uint8 (rows, columns, 3), have each value: (3, 256)."""
    counts = [cv2.calcHist([frame], [channel], None, [256], [0, 256]) for channel in range(3)]
    return np.stack(counts)[..., 0].astype(np.int64)


def picture_stats(pixels: NDArray[np.int64], frames: int) -> Stats:
    """Return the statistics of pictures, of values 0..1, lists of shape (3, 1, 1).

    Args:
        pixels: how many of their pixels have each value, (3, 256).
        frames: how many pictures.
    """
    values = np.arange(256) / 255.0
    share = pixels / pixels.sum(1, keepdims=True)
    mean = share @ values
    seen = pixels > 0
    stats = {
        "min": values[seen.argmax(1)],
        "max": values[255 - seen[:, ::-1].argmax(1)],
        "mean": mean,
        "std": np.sqrt(np.maximum(share @ values**2 - mean**2, 0.0)),
    }
    below = np.cumsum(share, axis=1)
    stats |= {name: values[(below >= at).argmax(1)] for name, at in _QUANTILES.items()}
    lists = {name: one.reshape(3, 1, 1).tolist() for name, one in stats.items()}
    return lists | {"count": [frames]}
