"""The offline table: figures of the files themselves, ratios within a session, rows that stay."""

import csv
import gzip
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from pilotnet_brain.cli import main
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.offline.evaluation import (
    AS_SAVED,
    OfflineRow,
    evaluate,
    merge_rows,
    read_rows,
    write_rows,
)
from pilotnet_brain.learning.offline.timing import TimingPlan
from pilotnet_brain.report.offline_report import offline_csv, offline_markdown

PLAN = TimingPlan(rounds=2, calls=5, paced_calls=2)


@pytest.fixture(scope="module")
def rows(tiny_file, int8_file, drives) -> list[OfflineRow]:
    return evaluate([tiny_file, int8_file], tiny_file, drives, plan=PLAN)


def test_the_reference_stands_in_the_table_as_saved_and_as_driven(rows):
    assert [(row.model, row.device) for row in rows] == [
        ("tiny", "cpu"),
        ("tiny", "cpu"),
        ("int8", "cpu"),
    ]
    assert rows[0].form == AS_SAVED
    assert rows[1].form == "frozen, input norm folded, channels last"
    assert rows[0].mse == rows[1].mse


def test_ratios_are_over_the_reference_of_the_same_session(rows):
    traced, driven, int8 = rows
    assert (traced.speedup_traced, driven.speedup_float) == (1.0, 1.0)
    for row in rows:
        assert row.reference_median_s == traced.inference_median_s
        assert row.speedup_traced == traced.inference_median_s / row.inference_median_s
        assert row.speedup_float == driven.inference_median_s / row.inference_median_s
        assert 0.0 < row.inference_median_s <= row.inference_p99_s
    assert int8.size_ratio == traced.file_bytes / int8.file_bytes


def test_sizes_and_weights_are_the_files(rows, tiny_file, int8_file):
    for row, path in zip(rows, (tiny_file, tiny_file, int8_file), strict=True):
        assert row.file_bytes == path.stat().st_size
        assert row.gzip_bytes == len(gzip.compress(path.read_bytes(), 9, mtime=0))
    assert rows[0].sparsity_convolution == pytest.approx(0.25)
    assert rows[0].sparsity_linear == pytest.approx(0.5)


def test_int8_is_as_good_within_its_steps(rows):
    assert rows[2].mse == pytest.approx(rows[0].mse, rel=0.05)
    assert rows[2].mse != rows[0].mse


def test_measured_again_a_models_rows_take_their_old_place(rows):
    other = replace(rows[2], model="other")
    newer = replace(rows[0], mse=0.5)
    merged = merge_rows([*rows, other], [newer, replace(other, model="new")])
    assert [(row.model, row.mse) for row in merged] == [
        ("tiny", 0.5),
        ("int8", rows[2].mse),
        ("other", other.mse),
        ("new", other.mse),
    ]
    on_cuda = replace(rows[1], device="cuda")
    assert merge_rows(rows, [on_cuda]) == [*rows, on_cuda]


def test_rows_come_back_from_their_file(rows, tmp_path):
    assert read_rows(tmp_path / "none.json") == []
    write_rows(tmp_path / "evaluation.json", rows)
    assert read_rows(tmp_path / "evaluation.json") == rows


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [{"model": "x"}]}', "[" * 20_000])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(UserError, match=r"evaluation\.json"):
        read_rows(tmp_path / "evaluation.json")


def test_the_csv_holds_every_figure(rows):
    read = list(csv.DictReader(io.StringIO(offline_csv(rows))))
    assert [row["model"] for row in read] == ["tiny", "tiny", "int8"]
    for row, text in zip(rows, read, strict=True):
        assert float(text["mse"]) == row.mse
        assert int(text["file_bytes"]) == row.file_bytes


def test_the_markdown_tables_are_whole(rows):
    text = offline_markdown([*rows, replace(rows[0], device="cuda", sparsity=None)])
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 6
    for table in tables:
        lines = table.strip().splitlines()
        assert len({line.count("|") for line in lines}) == 1
        assert len(lines) in (3, 5)
    assert "| int8 |" in text
    assert f"{rows[0].mse:.5f}" in text
    assert "Measured on 50 frames" in text


def test_an_int8_model_on_cuda_is_refused_where_there_is_no_cuda(tiny_file, drives):
    with pytest.raises(UserError, match="cuda was asked for"):
        evaluate([tiny_file], tiny_file, drives, device="cuda", plan=PLAN)


def test_the_command_writes_three_files_and_keeps_the_other_rows(
    tiny_file, int8_file, drives, tmp_path, capsys
):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    np.save(data / "frames.npy", drives.frames)
    drives.table.to_csv(data / "data.csv", index=False)
    options = [
        "--reference",
        str(tiny_file),
        "--data",
        str(data),
        "--out",
        str(out),
        "--rounds",
        "1",
    ]
    assert main(["models", "time", str(tiny_file), *options]) == 0
    assert main(["models", "time", str(int8_file), *options]) == 0
    said = capsys.readouterr().out
    assert "int8" in said
    # The captured output is no terminal, 80 columns wide by default: nothing is cut off there.
    assert "…" not in said
    row = json.loads((out / "evaluation.json").read_text())["rows"][-1]
    for figure in (f"{row['size_ratio']:.2f}", f"{row['speedup_traced_paced']:.2f}", row["form"]):
        assert figure in said
    stored = json.loads((out / "evaluation.json").read_text())["rows"]
    assert [row["model"] for row in stored] == ["tiny", "tiny", "int8"]
    assert (out / "evaluation.csv").read_text().count("\n") == 4
    assert "| int8 |" in (out / "evaluation.md").read_text()
