"""LeRobotDataset v3.0: a data set as Hugging Face's ``lerobot`` reads and writes it.

``meta/info.json`` describes the features; ``data/chunk-*/file-*.parquet`` has a row a frame, with
its picture in it (a PNG) or, of a feature of dtype video, in an MP4 file under ``videos/``.
Reading Parquet needs pyarrow.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.driving.preprocess import JDEROBOT, BadFrame, network_input
from pilotnet_brain.errors import InputWarning, UserError
from pilotnet_brain.learning.label_table import DataSetError
from pilotnet_brain.learning.lerobot_video import read_videos

VERSION = "v3.0"
INFO_FILE = "meta/info.json"
EPISODES_FILES = "meta/episodes/*/*.parquet"
ACTION, STATE, IMAGE = "action", "observation.state", "observation.images.front"
NAMES = ("v", "w")
"""Of the action's and the state's numbers: speed (m/s) and yaw rate (rad/s)."""
_OTHER_NAMES = (("speed", "yaw_rate"), ("linear.x", "angular.z"), ("x.vel", "theta.vel"))
_NEEDED = "2 are needed: speed (m/s) and yaw rate (rad/s)"
_BATCH = 64


def parquet_package(path: Path) -> Any:
    """Return the module ``pyarrow.parquet``.

    Raises:
        UserError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        pip = f"{sys.executable} -m pip install pyarrow"
        raise UserError(f"{path}: a LeRobotDataset needs pyarrow: {pip}")
    return importlib.import_module("pyarrow.parquet")


def read_lerobot(folder: Path) -> tuple[NDArray[np.uint8], pd.DataFrame]:
    """Return a data set's pictures, preprocessed as the brain does it, and its labels.

    Its action must be speed and yaw rate, and its pictures 640x480. Of several cameras it is
    ``observation.images.front``.

    Returns:
        uint8 (N, 66, 200, 3), RGB; and N rows with the columns v (m/s), w (rad/s) and world, the
        number of the episode.

    Raises:
        DataSetError: another version, another action, no picture, or a damaged or missing file.
        UserError: pyarrow is not installed.
    """
    parquet = parquet_package(folder)
    info = _read_info(folder / INFO_FILE)
    feature = _camera(folder / INFO_FILE, info["features"])
    files = sorted(folder.glob("data/*/*.parquet"))
    if not files:
        raise DataSetError(f"{folder}: no data/*/*.parquet; download the data set again")
    table = pd.concat([_labels(parquet, file) for file in files], ignore_index=True)
    if table.empty:
        raise DataSetError(f"{folder}: the data set holds no frames; name another")
    frames = np.empty((len(table), *JDEROBOT.input_shape), np.uint8)
    if info["features"][feature]["dtype"] == "video":
        episodes = [
            read_columns(parquet, file, _episode_columns(feature)).to_pandas()
            for file in sorted(folder.glob(EPISODES_FILES))
        ]
        read_videos(folder, info, feature, episodes, frames)
    else:
        for out, (where, data) in zip(frames, _embedded(parquet, files, feature), strict=True):
            _decode(where, data, out)
    return frames, table


def read_columns(parquet: Any, file: Path, columns: Sequence[str]) -> Any:
    """Return columns of a Parquet file as a pyarrow.Table.

    Raises:
        DataSetError: no such file, it is damaged, or a column is missing.
    """
    try:
        with parquet.ParquetFile(file) as opened:
            names = opened.schema_arrow.names
            missing = [name for name in columns if name not in names]
            if not missing:
                return opened.read(columns=list(columns))
    except Exception as problem:  # a damaged file raises anything
        raise _damaged(file, problem) from problem
    raise DataSetError(f"{file}: no column {' or '.join(missing)}; it has {', '.join(names)}"[:300])


def _damaged(file: Path, problem: Exception) -> DataSetError:
    reason = " ".join(str(problem).split())[:200]
    return DataSetError(f"{file}: cannot be read: {reason}; download the data set again")


def _read_info(path: Path) -> dict[str, Any]:
    try:
        info = json.loads(path.read_bytes())
        version, features = str(info["codebase_version"]), dict(info["features"])
        shape = [int(size) for size in features[ACTION]["shape"]] if ACTION in features else []
        dtypes = {name: str(feature["dtype"]) for name, feature in features.items()}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as problem:
        raise DataSetError(f"{path}: not a LeRobotDataset's: {problem!r}") from problem
    if not version.startswith("v3."):
        raise DataSetError(
            f"{path}: codebase_version is {version}: {VERSION} is needed; lerobot's "
            "convert_dataset_v21_to_v30 converts older ones"
        )
    if not shape:
        raise DataSetError(f"{path}: no feature {ACTION}; there are {', '.join(dtypes)}")
    if shape != [2]:
        raise DataSetError(f"{path}: {ACTION} has shape {shape}; {_NEEDED}")
    _warn_of_other_names(path, features[ACTION].get("names"))
    return dict(info)


def _warn_of_other_names(path: Path, names: Any) -> None:
    """Two wheels' speeds are two numbers as well."""
    while isinstance(names, dict) and names:
        names = next(iter(names.values()))
    if isinstance(names, list) and tuple(names) not in (NAMES, *_OTHER_NAMES):
        warnings.warn(
            f"{path}: {ACTION} is {', '.join(map(str, names))}: taken as speed (m/s) and yaw rate "
            "(rad/s)",
            InputWarning,
            stacklevel=2,
        )


def _camera(path: Path, features: dict[str, Any]) -> str:
    """Return the feature that the pictures are."""
    cameras = [name for name, it in features.items() if it["dtype"] in ("image", "video")]
    if len(cameras) == 1:
        return cameras[0]
    if IMAGE in cameras:
        return IMAGE
    if not cameras:
        raise DataSetError(
            f"{path}: no feature of dtype image or video; there are {', '.join(features)}"
        )
    raise DataSetError(f"{path}: several cameras ({', '.join(cameras)}), none of them {IMAGE}")


def _labels(parquet: Any, file: Path) -> pd.DataFrame:
    columns = read_columns(parquet, file, (ACTION, "episode_index"))
    actions = columns[ACTION].to_pylist()
    for number, action in enumerate(actions):
        numbers = action if isinstance(action, list) else [action]
        if len(numbers) != 2:
            raise DataSetError(
                f"{file}: row {number}: {ACTION} has length {len(numbers)}; {_NEEDED}"
            )
        if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in numbers):
            raise DataSetError(f"{file}: row {number}: {ACTION} is {numbers}: not finite numbers")
    labels = np.array(actions, np.float64).reshape(-1, 2)
    return pd.DataFrame(
        {
            "v": labels[:, 0],
            "w": labels[:, 1],
            "world": columns["episode_index"].to_numpy().astype(np.float64),
        }
    )


def _episode_columns(feature: str) -> tuple[str, ...]:
    video = (f"videos/{feature}/{name}" for name in ("chunk_index", "file_index", "from_timestamp"))
    return ("episode_index", "dataset_from_index", "length", *video)


def _embedded(parquet: Any, files: list[Path], feature: str) -> Iterator[tuple[str, bytes]]:
    """Yield the rows' encoded pictures, batch by batch, each with where it is written."""
    for file in files:
        number = 0
        try:
            with parquet.ParquetFile(file) as opened:
                if feature not in opened.schema_arrow.names:
                    raise KeyError(f"no column {feature}")
                for batch in opened.iter_batches(_BATCH, columns=[feature]):
                    for picture in batch.column(0).to_pylist():
                        data = picture.get("bytes") if isinstance(picture, dict) else None
                        yield f"{file}: row {number}", data or b""
                        number += 1
        except Exception as problem:  # a damaged file raises anything
            raise _damaged(file, problem) from problem


def _decode(where: str, data: bytes, out: NDArray[np.uint8]) -> None:
    """Write a picture to the network's input pixels, preprocessed as the brain does it."""
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if picture is None:
            raise DataSetError(f"{where}: its picture is missing or broken; remove its episode")
        network_input(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), out=out)
    except (BadFrame, cv2.error) as problem:
        raise DataSetError(f"{where}: {' '.join(str(problem).split())}") from problem
