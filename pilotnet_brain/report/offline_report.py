"""The offline comparison as a table in the terminal, as Markdown and as CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import NamedTuple

from rich import box
from rich.table import Table

from pilotnet_brain.learning.offline.evaluation import AS_SAVED, OfflineRow, column_names
from pilotnet_brain.report.tables import csv_text


class _Column(NamedTuple):
    head: str
    text: Callable[[OfflineRow], str]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:.1f} %"


def _milliseconds(median_s: float, p99_s: float) -> str:
    return f"{1e3 * median_s:.3f} ({1e3 * p99_s:.3f})"


def _name(row: OfflineRow) -> str:
    return f"{row.model}, traced" if row.form == AS_SAVED else row.model


_PUBLISHED = (
    _Column("model", _name),
    _Column("method", lambda row: row.method),
    _Column("size, MB", lambda row: f"{row.file_bytes / 1e6:.2f}"),
    _Column("MSE", lambda row: f"{row.mse:.5f}"),
    _Column("inference, ms", lambda row: f"{1e3 * row.inference_median_s:.3f}"),
    _Column("x traced", lambda row: f"{row.speedup_traced:.2f}"),
    _Column("x float", lambda row: f"{row.speedup_float:.2f}"),
    _Column("x smaller", lambda row: f"{row.size_ratio:.2f}"),
)
_TIMES = (
    _Column("model", _name),
    _Column("one thread", lambda row: _milliseconds(row.inference_median_s, row.inference_p99_s)),
    _Column(
        "all threads",
        lambda row: _milliseconds(row.inference_all_median_s, row.inference_all_p99_s),
    ),
    _Column(
        "at 20 Hz",
        lambda row: _milliseconds(row.inference_paced_median_s, row.inference_paced_p99_s),
    ),
    _Column("x traced at 20 Hz", lambda row: f"{row.speedup_traced_paced:.2f}"),
    _Column("form", lambda row: row.form),
)
_WEIGHTS = (
    _Column("model", _name),
    _Column("parameters", lambda row: f"{row.parameters:,}".replace(",", " ")),
    _Column("zeros", lambda row: _share(row.sparsity)),
    _Column("in convolutions", lambda row: _share(row.sparsity_convolution)),
    _Column("in linear", lambda row: _share(row.sparsity_linear)),
    _Column("size gzipped, MB", lambda row: f"{row.gzip_bytes / 1e6:.2f}"),
    _Column("speed MSE, (m/s)²", lambda row: f"{row.speed_mse:.3f}"),
    _Column("yaw rate MSE, (rad/s)²", lambda row: f"{row.yaw_rate_mse:.4f}"),
)
_SECTIONS = (
    ("Size, error, speed", _PUBLISHED),
    ("Inference of one frame, ms: median (p99)", _TIMES),
    ("Weights and errors apart", _WEIGHTS),
)


def offline_tables(rows: Sequence[OfflineRow]) -> list[Table]:
    """Return the rows as tables for the terminal."""
    tables = []
    for device, chosen in _by_device(rows):
        for title, columns in _SECTIONS:
            title = f"{title} ({device})"
            table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
            for column in columns:
                left = column.head in ("model", "method", "form")
                table.add_column(column.head, justify="left" if left else "right", no_wrap=True)
            for row in chosen:
                table.add_row(*(column.text(row) for column in columns))
            tables.append(table)
    return tables


def offline_markdown(rows: Sequence[OfflineRow]) -> str:
    """Return the rows as Markdown: the same tables, and how they were measured."""
    parts = []
    for device, chosen in _by_device(rows):
        for title, columns in _SECTIONS:
            parts.append(f"**{title}** ({device})\n")
            parts.append(_markdown_table(columns, chosen))
        parts += [f"{line}\n" for line in how_measured(chosen)]
    return "\n".join(parts)


def offline_csv(rows: Sequence[OfflineRow]) -> str:
    """Return the rows as CSV: every figure, SI units, full precision; empty for None."""
    return csv_text(column_names(), map(astuple, rows))


def how_measured(rows: Sequence[OfflineRow]) -> list[str]:
    """Return how the rows were measured: a sentence for each combination of settings."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        load = "" if row.load is None else f", load average before {row.load:.1f}"
        how = (
            f"{row.frames} frames in batches of 1024; {row.machine}, {row.all_threads} threads in "
            f"all, torch {row.torch_version}{load}"
        )
        models = lines.setdefault(how, [])
        if row.model not in models:
            models.append(row.model)
    if len(lines) == 1:
        return [f"Measured on {how}." for how in lines]
    return [f"Measured on {how}: {', '.join(models)}." for how, models in lines.items()]


def _by_device(rows: Sequence[OfflineRow]) -> list[tuple[str, list[OfflineRow]]]:
    devices = dict.fromkeys(row.device for row in rows)
    return [(device, [row for row in rows if row.device == device]) for device in devices]


def _markdown_table(columns: Sequence[_Column], rows: Sequence[OfflineRow]) -> str:
    lines = [[column.head for column in columns], ["---"] * len(columns)]
    lines += [[column.text(row) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
