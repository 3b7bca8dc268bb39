"""A data set is in its place whole, or nothing of it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotnet_brain.learning.dataset_writer import new_dataset
from pilotnet_brain.learning.label_table import DataSetError


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_files_move_to_their_place_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "set"
    with new_dataset(folder) as place:
        (place / "meta").mkdir()
        (place / "meta" / "info.json").write_text("{}")
        (place / "data.csv").write_text("v,w\n")
        assert not (folder / "data.csv").exists()
    assert files(folder) == ["data.csv", "meta", "meta/info.json"]


@pytest.mark.parametrize("there_before", [True, False])
@pytest.mark.parametrize("problem", [KeyboardInterrupt(), DataSetError("no frame is left")])
def test_after_an_error_nothing_is_left(
    tmp_path: Path, problem: BaseException, there_before: bool
) -> None:
    folder = tmp_path / "set"
    if there_before:
        folder.mkdir()
    with pytest.raises(type(problem)), new_dataset(folder) as place:
        (place / "0.png").write_bytes(b"begun")
        raise problem
    assert folder.exists() == there_before
    assert files(tmp_path) == (["set"] if there_before else [])


def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(DataSetError, match="set: cannot be written: No space left"),
        new_dataset(tmp_path / "set"),
    ):
        raise OSError(28, "No space left on device")


def test_a_folder_that_holds_something_and_a_file_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataSetError, match="is not empty"), new_dataset(tmp_path):
        pass
    with pytest.raises(DataSetError, match="is a file"), new_dataset(tmp_path / "mine.txt"):
        pass
    assert files(tmp_path) == ["mine.txt"]
