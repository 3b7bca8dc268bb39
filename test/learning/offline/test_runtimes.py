"""Runtimes are compared on one model's numbers, each in its files and in new processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from pilotnet_brain.learning.offline import first_command  # noqa: E402
from pilotnet_brain.learning.offline.runtimes import (
    RuntimeRow,  # noqa: E402
    compare_runtimes,  # noqa: E402
)
from pilotnet_brain.learning.offline.timing import Durations, TimingPlan  # noqa: E402
from pilotnet_brain.report.runtimes_report import runtimes_table  # noqa: E402


def test_every_model_stands_in_every_runtime(tiny_file: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 66, 200, 3), np.uint8)
    said: list[str] = []
    plan = TimingPlan(rounds=1, calls=3, paced_calls=2)
    rows = compare_runtimes([tiny_file], frames, plan, said.append)
    assert [(row.model, row.runtime) for row in rows] == [
        (tiny_file.stem, "torch"), (tiny_file.stem, "onnxruntime"), (tiny_file.stem, "openvino"),
    ]  # fmt: skip
    assert rows[0].file_bytes == tiny_file.stat().st_size
    assert all(0.0 < row.warm.median_s <= row.warm.p99_s < 1.0 for row in rows)
    assert said


def test_a_process_that_needs_no_torch_starts_with_less(tiny_file: Path, tmp_path: Path) -> None:
    from pilotnet_brain.learning.onnx_export import export_onnx

    frames = np.zeros((1, 66, 200, 3), np.uint8)
    export_onnx(tiny_file, tmp_path / "tiny.onnx", frames)
    torch = first_command.measure(tiny_file, "torch")
    onnx = first_command.measure(tmp_path / "tiny.onnx", "onnxruntime")
    assert 0 < onnx.memory_bytes < torch.memory_bytes
    assert onnx.seconds > 0.0


def test_the_fastest_runtime_of_each_model_stands_out() -> None:
    rows = [
        RuntimeRow(model, runtime, 1_500_000, Durations(ms * 1e-3, 9e-3), Durations(1, 1), 0.5, 2)
        for model, runtime, ms in [("a", "torch", 2.0), ("a", "onnxruntime", 1.25), ("b", "x", 3)]
    ]
    table = runtimes_table(rows)
    assert [row.cells[1].text for row in table.rows if row.cells[1].bold] == ["onnxruntime", "x"]
    assert "| a | onnxruntime | 1.50 | 1.250 (9.000) |" in table.markdown()
