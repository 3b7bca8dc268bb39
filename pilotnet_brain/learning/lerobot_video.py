"""The pictures of a LeRobotDataset's videos: several episodes follow each other in an MP4 file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.driving.preprocess import BadFrame, network_input
from pilotnet_brain.learning.label_table import DataSetError


def read_videos(
    folder: Path,
    info: dict[str, Any],
    feature: str,
    episodes: Sequence[pd.DataFrame],
    frames: NDArray[np.uint8],
) -> None:
    """Write the pictures of a data set's videos to the network's input pixels, as the brain does.

    Args:
        folder: of the data set.
        info: of ``meta/info.json``: fps, in Hz, and video_path.
        feature: the name of the videos' feature.
        episodes: of ``meta/episodes``, a row an episode: dataset_from_index, length, and of the
            feature chunk_index, file_index and from_timestamp (s).
        frames: uint8 (N, 66, 200, 3), RGB, a row a frame of the data set; is written to.

    Raises:
        DataSetError: a video is missing or damaged, has another size, or lacks pictures; or the
            episodes are not those of the frames.
    """
    fps, files = _files(folder, info, feature, episodes, len(frames))
    for path, rows in files.items():
        _read_video(path, fps, rows, frames)


def _files(
    folder: Path, info: dict[str, Any], feature: str, episodes: Sequence[pd.DataFrame], count: int
) -> tuple[float, dict[Path, dict[int, int]]]:
    """Return the rate, Hz, and of each video which picture is which row of the data set."""
    files: dict[Path, dict[int, int]] = defaultdict(dict)
    try:
        fps = float(info["fps"])
        for row in pd.concat(list(episodes)).to_dict("records"):
            video = {
                name: row[f"videos/{feature}/{name}"] for name in ("chunk_index", "file_index")
            }
            path = folder / info["video_path"].format(video_key=feature, **video)
            first = round(row[f"videos/{feature}/from_timestamp"] * fps)
            for number in range(int(row["length"])):
                files[path][first + number] = int(row["dataset_from_index"]) + number
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as problem:
        raise DataSetError(
            f"{folder}: meta/info.json and meta/episodes do not say where the videos are: "
            f"{problem!r}; download the data set again"
        ) from problem
    rows = sorted(row for numbers in files.values() for row in numbers.values())
    if rows != list(range(count)):
        raise DataSetError(
            f"{folder}: meta/episodes has {len(rows)} frames, data/*/*.parquet {count} rows; "
            "download the data set again"
        )
    return fps, files


def _read_video(path: Path, fps: float, rows: dict[int, int], frames: NDArray[np.uint8]) -> None:
    import av

    missing = dict(rows)
    try:
        with av.open(str(path)) as container:
            for picture in container.decode(container.streams.video[0]):
                row = missing.pop(round((picture.time or 0.0) * fps), None)
                if row is not None:
                    pixels = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
                    network_input(pixels, out=frames[row])
    except FileNotFoundError:
        raise DataSetError(f"{path} is missing; download the data set again") from None
    except BadFrame as problem:
        raise DataSetError(f"{path}: {problem}") from problem
    except (OSError, ValueError, IndexError) as problem:  # FFmpeg's errors are of these kinds
        reason = " ".join(str(problem).split())[:200]
        raise DataSetError(f"{path}: not a video: {reason}; download it again") from problem
    if missing:
        raise DataSetError(
            f"{path}: has no picture for {len(missing)} of {len(rows)} rows, the first at "
            f"{min(missing) / fps:.2f} s; download it again"
        )
