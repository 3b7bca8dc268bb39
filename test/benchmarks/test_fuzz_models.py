"""Damaged model files: each is refused or drives, and every kind of damage is one."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from fuzz_models import (  # noqa: E402
    DIED,
    ESCAPED,
    OTHER,
    REFUSED,
    SAME,
    WAYS,
    Damage,
    campaign,
    load_damaged,
)

from pilotnet_brain.driving.model.load import load_model  # noqa: E402
from pilotnet_brain.driving.model.network import Model  # noqa: E402


@pytest.mark.parametrize("way", ["bits", "cut", "spliced", "bits, checksums right"])
def test_damage_changes_a_file(tiny_file: Path, way: str) -> None:
    data = tiny_file.read_bytes()
    assert all(WAYS[way](bytearray(data), random.Random(seed)) != data for seed in range(5))


def test_damaged_files_are_refused_or_drive(tiny_file: Path) -> None:
    outcomes = campaign([(tiny_file, "torch")], files=20, seed=3, jobs=1)
    ends = sum(outcomes.values(), start=Counter[str]())
    assert ends.total() == 20
    assert ends[REFUSED] > 10 and not ends[ESCAPED] and not ends[DIED] and not ends[OTHER]


def test_a_whole_file_drives_as_before(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WAYS, "bits", lambda data, rng: bytes(data))
    assert load_damaged(Damage(tiny_file, "torch", "bits", 0)) == (SAME, "")


def test_an_error_of_another_kind_is_a_fault(
    tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(path: str | Path, *args: object, **kwargs: object) -> Model:
        if Path(path) != tiny_file:
            raise ZeroDivisionError("by nothing")
        return load_model(path, "cpu")

    monkeypatch.setattr("fuzz_models.load_model", load)
    damage = Damage(tiny_file, "torch", "bits", 0)
    assert load_damaged(damage) == (ESCAPED, "ZeroDivisionError: by nothing")
