"""The GPU programme's own figures, as far as they can be had without a GPU."""

import json

import gpu
import pytest
from typer.testing import CliRunner


def test_a_summary_holds_what_there_is(tmp_path):
    rows = [{"device": "cuda", "batch": 128, "dtype": "float32", "step_s": 0.002, "epoch_s": 0.75}]
    (tmp_path / "training.json").write_text(json.dumps(rows))
    run = tmp_path / "live" / "latest"
    run.mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps({"model": "baseline", "average_speed": 13.125}))
    done = CliRunner().invoke(gpu.app, ["summary", str(tmp_path)])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["training"] == rows
    assert results["live"]["average_speed"] == 13.125
    assert "swapped" not in results
    text = (tmp_path / "results.md").read_text()
    assert "| cuda | 128 | float32 | 0.002 | 0.75 |" in text
    assert "- average_speed: 13.125" in text and "- frames_dropped: None" in text
    assert "Inference was not timed" in text


def test_onnx_is_timed_on_what_there_is(tmp_path):
    pytest.importorskip("onnxruntime")
    out = tmp_path / "onnx.json"
    done = CliRunner().invoke(gpu.app, ["onnx", "--out", str(out)])
    assert done.exit_code == 0, done.output
    for row in json.loads(out.read_text()):
        assert row["form"].startswith("ONNX Runtime")
        assert 0.0 < row["inference_median_s"] <= row["inference_p99_s"]
