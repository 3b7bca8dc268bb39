"""A run's figures as a table in the terminal, and in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pilotnet_brain.report.figure_texts import FIGURES, NOT_MEASURED, figure_text, outcome

_HEADS = {"circuit", "model", "device", "simulator"}
_TELLING = {"average_speed", "position_deviation_mae", "brain_iteration_frequency"}


def run_table(figures: Mapping[str, Any]) -> Table:
    """Return a run's figures with units as a rich table; what was not measured shows as ``-``."""
    head = " · ".join(str(figures[key]) for key in _ORDERED_HEADS if figures.get(key))
    table = Table(
        title=f"[bold]{head}[/bold]" if head else None,
        caption=outcome(figures),
        caption_style="bold green" if figures.get("lap_completed") else "bold yellow",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=False,
        pad_edge=False,
    )
    table.add_column("figure")
    table.add_column("value", justify="right")
    for text in FIGURES:
        if text.key in _HEADS or text.key == "ending":
            continue
        value = text.of(figures)
        style = "dim" if value == NOT_MEASURED else "bold" if text.key in _TELLING else ""
        table.add_row(Text(text.label, style=style), Text(value, style=style))
    return table


_ORDERED_HEADS = ("circuit", "model", "device", "simulator")


def run_table_text(figures: Mapping[str, Any], width: int = 80) -> str:
    """Return the table as plain text, without colours, for files and logs."""
    console = Console(width=width, color_system=None, force_terminal=False, record=False)
    with console.capture() as capture:
        console.print(run_table(figures))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n"


def run_summary(figures: Mapping[str, Any]) -> str:
    """Return the run in one line: where, who, how it ended, how fast, how far off the line."""
    who = " with ".join(str(figures[key]) for key in ("circuit", "model") if figures.get(key))
    parts = [f"{who}: {outcome(figures)}" if who else outcome(figures)]
    for key, words in (
        ("average_speed", "{}"),
        ("position_deviation_mae", "{} off the line"),
        ("brain_iteration_frequency", "brain {}"),
    ):
        if figures.get(key) is not None:
            parts.append(words.format(figure_text(figures, key)))
    return ", ".join(parts)
