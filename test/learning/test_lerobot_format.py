"""LeRobotDatasets of others are read; what is no data set of drives is refused in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from pilotnet_brain.errors import InputWarning
from pilotnet_brain.learning.dataset import load_dataset
from pilotnet_brain.learning.label_table import DataSetError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

CAMERA = "observation.images.front"
DATA, EPISODES = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"
VIDEO = f"videos/{CAMERA}/chunk-000/file-000.mp4"
FPS = 10


def write(path: Path, columns: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path)


def write_video(path: Path, shades: list[int], size: tuple[int, int] = (480, 640)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for shade in shades:
            picture = np.full((*size, 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def png(shade: int, size: tuple[int, int] = (480, 640)) -> bytes:
    return cv2.imencode(".png", np.full((*size, 3), shade, np.uint8))[1].tobytes()


def info_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "meta/info.json").read_text())


def change_info(folder: Path, **changes: Any) -> None:
    (folder / "meta/info.json").write_text(json.dumps({**info_of(folder), **changes}))


def change_features(folder: Path, **changes: Any) -> None:
    change_info(folder, features={**info_of(folder)["features"], **changes})


def table_of(actions: list[list[float]]) -> dict[str, Any]:
    return {"action": actions, "episode_index": [0, 0, 0, 1, 1]}


ACTIONS = [[10.0 + k, 0.1 * k] for k in range(5)]
SHADES = [20, 60, 100, 140, 180]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two episodes of 3 and 2 frames, the pictures in the rows."""
    folder = tmp_path / "set"
    rows = [{"bytes": png(shade), "path": None} for shade in SHADES]
    write(folder / DATA, {CAMERA: rows, **table_of(ACTIONS)})
    (folder / "meta").mkdir()
    features = {
        "action": {"dtype": "float32", "shape": [2], "names": ["v", "w"]},
        CAMERA: {"dtype": "image", "shape": [480, 640, 3], "names": None},
        "observation.state": {"dtype": "float32", "shape": [6], "names": None},
    }
    path = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    info = {"codebase_version": "v3.0", "fps": FPS, "features": features, "video_path": path}
    (folder / "meta/info.json").write_text(json.dumps(info))
    return folder


@pytest.fixture
def videos(pictures: Path) -> Path:
    """The same, both episodes in one video."""
    change_features(pictures, **{CAMERA: {"dtype": "video", "shape": [480, 640, 3]}})
    write(pictures / DATA, table_of(ACTIONS))
    write(
        pictures / EPISODES,
        {
            "episode_index": [0, 1],
            "length": [3, 2],
            "dataset_from_index": [0, 3],
            f"videos/{CAMERA}/chunk_index": [0, 0],
            f"videos/{CAMERA}/file_index": [0, 0],
            f"videos/{CAMERA}/from_timestamp": [0.0, 0.3],
        },
    )
    write_video(pictures / VIDEO, SHADES)
    return pictures


def refused(folder: Path, complaint: str) -> None:
    with pytest.raises(DataSetError, match=complaint) as refusal:
        load_dataset(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", ["pictures", "videos"])
def test_pictures_and_videos_are_read(kind: str, request: pytest.FixtureRequest) -> None:
    data = load_dataset(request.getfixturevalue(kind))
    assert data.frames[:, 33, 100, 1] == pytest.approx(SHADES, abs=0 if kind == "pictures" else 2)
    assert data.table["v"].tolist() == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert data.table["w"].to_numpy() == pytest.approx(0.1 * np.arange(5))
    assert data.table["world"].tolist() == [0, 0, 0, 1, 1]


def test_an_action_of_another_length_is_refused(pictures: Path) -> None:
    action = {"dtype": "float32", "shape": [6], "names": None}
    rows = [{"bytes": png(shade), "path": None} for shade in SHADES]
    write(pictures / DATA, {CAMERA: rows, **table_of([*ACTIONS[:4], [1.0, 2.0, 3.0]])})
    refused(pictures, r"file-000\.parquet: row 4: action has length 3; 2 are needed: speed \(m/s\)")
    write(pictures / DATA, {CAMERA: rows, **table_of([*ACTIONS[:4], [1.0, float("nan")]])})
    refused(pictures, r"row 4: action is \[1\.0, nan\]: not finite")
    change_features(pictures, action=action)
    refused(
        pictures, r"info\.json: action has shape \[6\]; 2 are needed: speed \(m/s\) and yaw rate"
    )


def test_two_numbers_of_another_meaning_are_told(pictures: Path) -> None:
    action = {"dtype": "float32", "shape": [2], "names": {"wheels": ["left", "right"]}}
    change_features(pictures, action=action)
    with pytest.warns(InputWarning, match="action is left, right: taken as speed"):
        load_dataset(pictures)


def no_action(folder: Path) -> None:
    change_info(folder, features={"observation.state": {"dtype": "float32", "shape": [2]}})


def no_camera(folder: Path) -> None:
    change_features(folder, **{CAMERA: {"dtype": "float32", "shape": [4]}})


def other_cameras(folder: Path) -> None:
    features = info_of(folder)["features"]
    camera = features.pop(CAMERA)
    change_info(folder, features={**features, "left": camera, "right": camera})


def no_column(folder: Path) -> None:
    write(folder / DATA, {"episode_index": [0], "speed": [1.0]})


def broken_rows(folder: Path) -> None:
    (folder / DATA).write_bytes(b"PAR1 not really")


def small_picture(folder: Path) -> None:
    rows = [{"bytes": png(shade, (66, 200)), "path": None} for shade in SHADES]
    write(folder / DATA, {CAMERA: rows, **table_of(ACTIONS)})


def picture_elsewhere(folder: Path) -> None:
    rows = [{"bytes": None, "path": f"images/{k}.png"} for k in range(5)]
    write(folder / DATA, {CAMERA: rows, **table_of(ACTIONS)})


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: change_info(folder, codebase_version="v2.1"), "version is v2.1: v3.0 is"),
        (lambda folder: (folder / "meta/info.json").write_text("[]"), "not a LeRobotDataset's"),
        (lambda folder: shutil.rmtree(folder / "data"), r"no data/\*/\*\.parquet; download"),
        (no_action, r"info\.json: no feature action; there are observation\.state"),
        (no_camera, r"info\.json: no feature of dtype image or video"),
        (other_cameras, rf"several cameras \(left, right\), none of them {CAMERA}"),
        (no_column, r"file-000\.parquet: no column action; it has episode_index, speed"),
        (broken_rows, r"file-000\.parquet: cannot be read: .*; download"),
        (small_picture, r"row 0: the frame's shape is \(66, 200, 3\)"),
        (picture_elsewhere, "row 0: its picture is missing or broken"),
    ],
)
def test_a_damaged_data_set_is_refused(
    pictures: Path, damage: Callable[[Path], Any], complaint: str
) -> None:
    damage(pictures)
    refused(pictures, complaint)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda path: write_video(path, SHADES[:4]), r"no picture for 1 of 5 rows, .* at 0\.40 s"),
        (lambda path: write_video(path, SHADES, (240, 320)), r"shape is \(240, 320, 3\)"),
        (lambda path: path.write_bytes(b"no video"), r"file-000\.mp4: not a video: "),
        (lambda path: path.unlink(), r"file-000\.mp4 is missing; download"),
    ],
)
def test_a_damaged_video_is_refused(
    videos: Path, damage: Callable[[Path], Any], complaint: str
) -> None:
    damage(videos / VIDEO)
    refused(videos, complaint)


def test_episodes_of_other_frames_are_refused(videos: Path) -> None:
    write(videos / DATA, {"action": ACTIONS[:4], "episode_index": [0, 0, 0, 1]})
    refused(videos, r"meta/episodes has 5 frames, data/\*/\*\.parquet 4 rows")
    shutil.rmtree(videos / "meta/episodes")
    refused(videos, "do not say where the videos are")
