"""The model card: what each model file is, how it was made, and its figures, from the manifest and
the evaluation next to it. The rest of the text is written by hand in the template."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence

from pilotnet_brain.driving.model.catalogue import ManifestEntry
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.offline.evaluation import AS_SAVED, OfflineRow
from pilotnet_brain.metrics.published_figures import published_runs
from pilotnet_brain.report.offline_report import offline_markdown

PUBLISHED_BEST = "prune_quant"
"""The method that the published comparison found the best overall."""
PUBLISHED = tuple(dict.fromkeys(run["ours"] for run in published_runs() if run["ours"]))
"""The models made by the published methods."""
_AS_GOOD = 1.05
"""Within five in a hundred of the best counts as the best: timing repeats no better."""
_SERIES = {
    "looks": "test circuits, drawn looks",
    "unseen": "unseen random circuits",
    "another_car": "unseen circuits, another car",
    "delay_100": "100 ms",
    "delay_200": "200 ms",
    "delay_300": "300 ms",
    "turned": "camera turned by 5 degrees",
    "moved": "camera moved by 0.1 m",
    "white_line": "white line",
    "yellow_line": "yellow line",
    "blue_line": "blue line",
    "no_line": "no line",
    "no_line_unseen": "no line, drawn looks",
    "world": "in its world",
    "before": "simple_circuit and montmelo, driven before",
    "beside": "started 0.5 m off the line, turned by 45 degrees",
}
"""Of the proof, with their columns' heads."""


def model_card(
    template: str,
    models: Mapping[str, ManifestEntry],
    rows: Sequence[OfflineRow],
    descriptions: Mapping[str, str],
    others: Mapping[str, ManifestEntry] | None = None,
) -> str:
    """Return the card as Markdown.

    Args:
        template: text with ``$files``, ``$evaluation``, ``$laps`` and ``$finding`` in it.
        rows: of the evaluation; those of files that have changed since are left out.
        descriptions: what each method does, in a line; a model's own name goes before its method.
        others: models that are not of the folder; their laps are shown with its.

    Raises:
        UserError: the template has other names in it.
    """
    current = [
        row for row in rows if row.model in models and models[row.model].sha256 == row.sha256
    ]
    try:
        return string.Template(template).substitute(
            files=_files(models, descriptions),
            evaluation=offline_markdown(current) if current else "Not evaluated yet.\n",
            laps=_laps({**(others or {}), **models}),
            finding=finding(models, current),
        )
    except (KeyError, ValueError) as problem:
        raise UserError(
            f"the card's template: {problem}: $files, $evaluation, $laps and $finding are filled "
            "in; a dollar sign is written $$"
        ) from problem


def _files(models: Mapping[str, ManifestEntry], descriptions: Mapping[str, str]) -> str:
    lines = ["| file | size, MB | what it is | made by |", "| --- | --- | --- | --- |"]
    for name, entry in models.items():
        method = str(entry.record.get("method", "unknown"))
        lines.append(
            f"| `{entry.file}` | {entry.bytes / 1e6:.2f} | "
            f"{descriptions.get(name) or descriptions.get(method, method)} | "
            f"`{entry.record.get('rebuild') or '-'}` |"
        )
    total = sum(entry.bytes for entry in models.values())
    return "\n".join(lines) + f"\n\nAll together: {total / 1e6:.1f} MB.\n"


def _laps(models: Mapping[str, ManifestEntry]) -> str:
    """Return the closed loops: plain laps by circuit, then the other series as wholes."""
    circuits: dict[str, None] = {}
    for entry in models.values():
        circuits |= dict.fromkeys(
            name for name, score in entry.scores.items() if "lap_completed" in score
        )
    plain = {
        name: [_lap_text(entry.scores.get(circuit)) for circuit in circuits]
        for name, entry in models.items()
    }
    known = [key for key in _SERIES if any(key in entry.scores for entry in models.values())]
    wholes = {
        name: [_whole_text(entry.scores.get(key)) for key in known]
        for name, entry in models.items()
    }
    tables = [_table([*circuits], plain)] if circuits else []
    tables += [_table([_SERIES[key] for key in known], wholes)] if known else []
    return "\n".join(tables) or "No laps driven yet.\n"


def _table(heads: Sequence[str], cells: Mapping[str, Sequence[str]]) -> str:
    """Return a table with a line for each model."""
    lines = [["model", *heads], ["---"] * (len(heads) + 1)]
    lines += [[name, *of_model] for name, of_model in cells.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _lap_text(score: Mapping[str, float] | None) -> str:
    if score is None:
        return "-"
    if not score["lap_completed"]:
        return f"not finished ({score['completion'] or 0.0:.0%})"
    return f"{score['average_speed']:.2f} m/s, {score['position_deviation_mae']:.3f} m"


def _whole_text(score: Mapping[str, float] | None) -> str:
    if score is None:
        return "-"
    text = f"{score['finished']} of {score['laps']}"
    if score["position_deviation_mae"] is not None:
        text += f", {score['position_deviation_mae']:.3f} m"
    return text


def finding(models: Mapping[str, ManifestEntry], rows: Sequence[OfflineRow]) -> str:
    """Return whether the published finding holds here: pruning with quantization is the best.

    It holds if ``prune_quant`` is within 5 % of the best of the published methods in error, in
    time, in size and in deviation at once.
    """
    driven = {row.model: row for row in rows if row.device == "cpu" and row.form != AS_SAVED}
    measured = {name: driven[name] for name in PUBLISHED if name in driven}
    if set(measured) != set(PUBLISHED):
        missing = ", ".join(name for name in PUBLISHED if name not in measured)
        return f"Not decided yet: {missing} not evaluated."
    measures: list[tuple[str, Callable[[str], float | None]]] = [
        ("error on the test set", lambda name: measured[name].mse),
        ("inference time", lambda name: measured[name].inference_median_s),
        ("file size", lambda name: float(measured[name].file_bytes)),
        ("deviation on unseen circuits", lambda name: _deviation(models[name])),
    ]
    sentences, best_in_all = [], True
    for what, of in measures:
        values = {name: value for name in PUBLISHED if (value := of(name)) is not None}
        if PUBLISHED_BEST not in values:
            return f"Not decided yet: {what} of {PUBLISHED_BEST} not measured."
        best = min(values, key=lambda name: values[name])
        times = values[PUBLISHED_BEST] / values[best]
        best_in_all &= times <= _AS_GOOD
        sentences.append(
            f"In {what} {best} is the best of them"
            + (
                "."
                if best == PUBLISHED_BEST
                else f", {PUBLISHED_BEST} has {times:.2f} times as much."
            )
        )
    verdict = "is reproduced" if best_in_all else "is not reproduced"
    return f"Among the published methods the finding {verdict} here. {' '.join(sentences)}"


def _deviation(entry: ManifestEntry) -> float | None:
    score = entry.scores.get("unseen")
    return None if score is None else score["position_deviation_mae"]
