"""Writes a LeRobotDataset v3.0, which ``lerobot`` loads as it is.

The pictures are PNGs in the Parquet files (dtype image), not a video: every pixel stays as it was
recorded, and no decoder of videos is needed to load them. A drive is an episode and a Parquet file.
"""

from __future__ import annotations

import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.errors import InputWarning
from pilotnet_brain.learning.dataset_writer import Sample
from pilotnet_brain.learning.lerobot_format import (
    ACTION,
    IMAGE,
    INFO_FILE,
    NAMES,
    STATE,
    VERSION,
    parquet_package,
)
from pilotnet_brain.learning.lerobot_stats import histogram, number_stats, picture_stats
from pilotnet_brain.learning.numbered_pictures import WHOLE_FRAME

_TASK = "follow the line"
_FILES_PER_CHUNK = 1000
_ROW_GROUP = 64
"""As many frames wait in memory, as PNGs; their rate is the data set's."""
_RATE_OF_ONE_FRAME = 20
_COUNTERS = ("frame_index", "episode_index", "index", "task_index")


class LeRobotWriter:
    """Writes the layout (a `dataset_writer.DatasetWriter`), 64 frames at a time.

    ``action`` is the label's speed (m/s) and yaw rate (rad/s); ``observation.state``, where the
    samples have a state, the car's own. LeRobot's time is a frame's number in its drive by the
    rate, whatever was left out between.

    Raises:
        UserError: pyarrow is not installed.
    """

    pixels = WHOLE_FRAME

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parquet = parquet_package(folder.parent)
        self._arrow = importlib.import_module("pyarrow")
        self._fps = 0
        self._file: Any = None
        self._waiting: list[tuple[bytes, Sample]] = []
        self._drive: dict[str, list[Any]] = {}
        self._times: list[float] = []
        self._pixels = np.zeros((3, 256), np.int64)
        self._all_pixels = np.zeros((3, 256), np.int64)
        self._all: list[dict[str, NDArray[Any]]] = []
        self._episodes: list[dict[str, Any]] = []

    def add(self, sample: Sample) -> None:
        """Write a frame, uint8 (480, 640, 3). Raises OSError."""
        png = cv2.imencode(".png", cv2.cvtColor(sample.frame, cv2.COLOR_RGB2BGR))[1].tobytes()
        self._pixels += histogram(sample.frame)
        self._times.append(sample.time_s)
        self._waiting.append((png, sample))
        if len(self._waiting) == _ROW_GROUP:
            self._write_row_group()

    def end_drive(self, bag: Path) -> None:
        """End an episode; a drive without frames is none. Raises OSError."""
        if self._waiting:
            self._write_row_group()
        if self._file is None:
            return
        self._file.close()
        self._file = None
        self._warn_of_another_rate(bag)
        numbers = {name: np.array(values) for name, values in self._drive.items()}
        length, first = len(self._times), self._count()
        stats = self._stats([numbers], self._pixels)
        chunk, file = divmod(len(self._episodes), _FILES_PER_CHUNK)
        self._episodes.append(
            {
                "episode_index": len(self._episodes),
                "tasks": [_TASK],
                "length": length,
                "data/chunk_index": chunk,
                "data/file_index": file,
                "dataset_from_index": first,
                "dataset_to_index": first + length,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
            | {f"stats/{key}/{name}": it for key, of in stats.items() for name, it in of.items()}
        )
        self._all.append(numbers)
        self._all_pixels += self._pixels
        self._drive, self._times = {}, []
        self._pixels = np.zeros_like(self._pixels)

    def finish(self, table: pd.DataFrame) -> None:
        """Write the folder ``meta``; the labels are in the frames' rows already. Raises OSError."""
        meta = self._folder / "meta"
        episodes = meta / "episodes" / "chunk-000" / "file-000.parquet"
        episodes.parent.mkdir(parents=True)
        self._parquet.write_table(self._arrow.Table.from_pylist(self._episodes), episodes)
        pd.DataFrame({"task_index": [0]}, index=[_TASK]).to_parquet(meta / "tasks.parquet")
        stats = self._stats(self._all, self._all_pixels)
        (meta / "stats.json").write_text(json.dumps(stats, indent=4) + "\n", encoding="utf-8")
        info = json.dumps(self._info(), indent=4) + "\n"
        (self._folder / INFO_FILE).write_text(info, encoding="utf-8")

    def _count(self) -> int:
        return sum(episode["length"] for episode in self._episodes)

    def _write_row_group(self) -> None:
        if not self._fps:
            self._fps = _rate(self._times) or _RATE_OF_ONE_FRAME
        begin = len(self._times) - len(self._waiting)
        number = np.arange(begin, len(self._times))
        rows = {
            ACTION: [list(sample.label[:2]) for _, sample in self._waiting],
            "timestamp": (number / self._fps).tolist(),
            "frame_index": number.tolist(),
            "episode_index": [len(self._episodes)] * len(number),
            "index": (self._count() + number).tolist(),
            "task_index": [0] * len(number),
        }
        states = [list(sample.state) for _, sample in self._waiting if sample.state is not None]
        if states:
            rows[STATE] = states
        for name, values in rows.items():
            self._drive.setdefault(name, []).extend(values)
        pictures = [{"bytes": png, "path": None} for png, _ in self._waiting]
        schema = self._schema(bool(states))
        table = self._arrow.Table.from_pydict({IMAGE: pictures, **rows}, schema=schema)
        if self._file is None:
            chunk, file = divmod(len(self._episodes), _FILES_PER_CHUNK)
            path = self._folder / f"data/chunk-{chunk:03d}/file-{file:03d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._parquet.ParquetWriter(path, schema)
        self._file.write_table(table)
        self._waiting = []

    def _schema(self, with_state: bool) -> Any:
        arrow = self._arrow
        picture = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
        pair = arrow.list_(arrow.float32(), 2)
        fields = [(IMAGE, picture), (ACTION, pair), ("timestamp", arrow.float32())]
        fields += [(name, arrow.int64()) for name in _COUNTERS]
        return arrow.schema([*fields, (STATE, pair)] if with_state else fields)

    def _stats(
        self, drives: list[dict[str, NDArray[Any]]], pixels: NDArray[np.int64]
    ) -> dict[str, Any]:
        joined = {name: np.concatenate([drive[name] for drive in drives]) for name in drives[0]}
        numbers = {name: number_stats(values) for name, values in joined.items()}
        return {IMAGE: picture_stats(pixels, len(joined["index"])), **numbers}

    def _warn_of_another_rate(self, bag: Path) -> None:
        rate = _rate(self._times)
        if rate and abs(rate - self._fps) > 0.1 * self._fps:
            warnings.warn(
                f"{bag}: its frames come at {rate} Hz, the data set's at {self._fps} Hz: make a "
                "data set of it alone if their times matter",
                InputWarning,
                stacklevel=3,
            )

    def _info(self) -> dict[str, Any]:
        pair = {"dtype": "float32", "shape": [2], "names": list(NAMES)}
        height, width, _ = WHOLE_FRAME.input_shape
        features: dict[str, Any] = {
            IMAGE: {
                "dtype": "image",
                "shape": [height, width, 3],
                "names": ["height", "width", "channels"],
            },
            ACTION: pair,
        }
        if STATE in self._all[0]:
            features[STATE] = pair
        features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in _COUNTERS}
        return {
            "codebase_version": VERSION,
            "robot_type": "car",
            "total_episodes": len(self._episodes),
            "total_frames": self._count(),
            "total_tasks": 1,
            "chunks_size": _FILES_PER_CHUNK,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": None,
            "features": features,
        }


def _rate(times_s: list[float]) -> int:
    """Return the rate of frames, whole Hz, 1 or more; 0: there are too few to tell."""
    apart = np.diff(times_s)
    apart = apart[apart > 0.0]
    return max(1, round(1.0 / float(np.median(apart)))) if apart.size else 0
