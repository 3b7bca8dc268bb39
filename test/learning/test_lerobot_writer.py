"""A LeRobotDataset is written as `lerobot` has it: its files, its columns, its times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pilotnet_brain.driving.preprocess import network_input
from pilotnet_brain.errors import InputWarning, UserError
from pilotnet_brain.learning.dataset import load_dataset
from pilotnet_brain.learning.dataset_writer import Sample
from pilotnet_brain.learning.from_bag import FORMATS
from pilotnet_brain.learning.lerobot_writer import LeRobotWriter

parquet = pytest.importorskip("pyarrow.parquet")


def frame(number: int) -> Any:
    """A frame that differs from all others, in every pixel."""
    return np.random.default_rng(number).integers(0, 256, (480, 640, 3), np.uint8)


def write(folder: Path, lengths: tuple[int, ...], hz: float = 10.0, state: bool = True) -> Path:
    """Drives of frames whose label is their number; the state is half of it."""
    folder.mkdir()
    writer, number = LeRobotWriter(folder), 0
    for length in lengths:
        for _ in range(length):
            own = (0.5 * number, 0.0) if state else None
            writer.add(Sample(frame(number), number / hz, (float(number), -0.5 * number), own))
            number += 1
        writer.end_drive(folder / "bag")
    writer.finish(pd.DataFrame())
    return folder


def test_the_files_are_lerobots(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", (70, 3))
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        "data/chunk-000/file-000.parquet",
        "data/chunk-000/file-001.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
    ]
    info = json.loads((folder / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["splits"]) == ("v3.0", 10, {"train": "0:2"})
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (2, 73, 1)
    columns = set(parquet.read_schema(folder / "data/chunk-000/file-000.parquet").names)
    assert columns == set(info["features"])
    assert info["features"]["action"] == {"dtype": "float32", "shape": [2], "names": ["v", "w"]}
    assert pd.read_parquet(folder / "meta/tasks.parquet").index.tolist() == ["follow the line"]
    stats = json.loads((folder / "meta/stats.json").read_text())
    assert set(stats) == set(info["features"])
    assert (stats["action"]["max"], stats["action"]["count"]) == ([72.0, 0.0], [73])


def test_a_row_is_a_frame_and_a_drive_is_an_episode(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", (70, 0, 3))
    first, second = (
        pd.read_parquet(folder / f"data/chunk-000/file-00{number}.parquet") for number in (0, 1)
    )
    assert first["timestamp"].to_numpy() == pytest.approx(np.arange(70) / 10.0)
    assert second["timestamp"].to_numpy() == pytest.approx([0.0, 0.1, 0.2])
    assert second["index"].tolist() == [70, 71, 72]
    assert (second["frame_index"].tolist(), second["episode_index"].tolist()) == (
        [0, 1, 2],
        [1] * 3,
    )
    assert np.stack(second["observation.state"])[:, 0].tolist() == [35.0, 35.5, 36.0]
    episodes = pd.read_parquet(folder / "meta/episodes/chunk-000/file-000.parquet")
    assert episodes["length"].tolist() == [70, 3]
    assert episodes["dataset_from_index"].tolist() == [0, 70]
    assert episodes["dataset_to_index"].tolist() == [70, 73]
    assert episodes["data/file_index"].tolist() == [0, 1]
    assert episodes["stats/action/min"].tolist()[1].tolist() == [70.0, -36.0]


def test_it_is_read_back_to_the_pixel(tmp_path: Path) -> None:
    data = load_dataset(write(tmp_path / "set", (66, 2), state=False))
    assert data.table["v"].tolist() == list(range(68))
    assert data.table["w"].to_numpy() == pytest.approx(-0.5 * np.arange(68))
    assert data.table["world"].tolist() == [0] * 66 + [1] * 2
    for number in (0, 63, 64, 67):
        assert np.array_equal(data.frames[number], network_input(frame(number)))


def test_frames_do_not_wait_in_memory(tmp_path: Path) -> None:
    writer = LeRobotWriter(tmp_path)
    for number in range(64):
        writer.add(Sample(np.zeros((480, 640, 3), np.uint8), float(number), (1.0, 0.0)))
    assert writer._waiting == []


def test_a_drive_at_another_rate_is_told(tmp_path: Path) -> None:
    writer = LeRobotWriter(tmp_path)
    with pytest.warns(InputWarning, match="slow: its frames come at 5 Hz, the data set's at 10 Hz"):
        for bag, apart_s in (("fast", 0.1), ("slow", 0.2)):
            for number in range(5):
                black = np.zeros((480, 640, 3), np.uint8)
                writer.add(Sample(black, apart_s * number, (1.0, 0.0)))
            writer.end_drive(Path(bag))


def test_one_frame_has_a_rate_too(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", (1,))
    assert json.loads((folder / "meta/info.json").read_text())["fps"] == 20


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs pyarrow: .* -m pip install pyarrow"):
        FORMATS["lerobot"](tmp_path / "set" / ".part")


def test_lerobot_loads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lerobot = pytest.importorskip("lerobot.datasets.lerobot_dataset")
    torch = pytest.importorskip("torch")
    folder = write(tmp_path / "set", (70, 3))
    times = {"observation.images.front": [-0.1, 0.0], "action": [0.0, 0.1]}
    data = lerobot.LeRobotDataset("pilotnet/laps", root=folder, delta_timestamps=times)
    assert (len(data), data.num_episodes, data.fps) == (73, 2, 10)
    for number, before in ((0, 0), (64, 63), (70, 70), (72, 71)):
        item = data[number]
        pictures = (item["observation.images.front"] * 255.0).round().to(torch.uint8)
        for picture, shown in zip(pictures, (before, number), strict=True):
            assert np.array_equal(picture.permute(1, 2, 0).numpy(), frame(shown))
        assert item["action"][0].tolist() == [number, -0.5 * number]
        assert item["observation.state"].tolist() == [0.5 * number, 0.0]
    batches = torch.utils.data.DataLoader(data, batch_size=32)
    assert sum(len(batch["index"]) for batch in batches) == 73
