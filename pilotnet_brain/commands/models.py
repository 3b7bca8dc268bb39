"""``pilotnet models``: which models there are, and what a model file says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pilotnet_brain.commands.training_progress import clear, show

app = typer.Typer(
    help="The models: list, inspect, score and prove them; write their card.", rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def _models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models() -> None:
    """List the shipped models with their size and scores."""
    from pilotnet_brain.driving.model.catalogue import (
        model_names,
        models_dir,
        read_manifest,
    )

    manifest = read_manifest()
    typer.echo(f"models in {models_dir()}:")
    for name in model_names():
        entry = manifest.get(name)
        if entry is None:
            typer.echo(f"  {name:<20} not in the manifest")
            continue
        method = entry.record.get("method", "unknown")
        typer.echo(f"  {name:<20} {entry.bytes / 1e6:5.2f} MB  {method}")
        for what, score in entry.scores.items():
            typer.echo(f"    {what:<18} {_score_text(score)}")


@app.command("inspect")
def inspect_model(
    model: Annotated[str, typer.Argument(help="Name, or path of a TorchScript file.")],
) -> None:
    """Show what a model file says of itself, then load it: its self-test runs, as before a drive.

    \b
    Examples:
      pilotnet models inspect baseline
      pilotnet models inspect checkpoints/mine.pt
    """
    from pilotnet_brain.driving.model.archive import read_archive
    from pilotnet_brain.driving.model.catalogue import resolve_model
    from pilotnet_brain.driving.model.file import load_model

    path = resolve_model(model)
    archive = read_archive(path)
    typer.echo(f"{path}: {len(archive.data) / 1e6:.2f} MB, sha256 {archive.sha256}")
    if archive.record is None:
        typer.echo("no record of its own: taken as JdeRobot's PilotNet format")
    else:
        described = archive.record.to_dict()
        described.pop("self_test", None)
        for line in _lines(described):
            typer.echo(f"  {line}")
    loaded = load_model(path, "cpu")
    tested = "no self-test in the file" if loaded.record.self_test is None else "self-test passed"
    typer.echo(f"loads on the CPU: {tested}")


@app.command("score")
def score_model(
    model: Annotated[str, typer.Argument(help="Name, or path of a model file.")],
    circuit: Annotated[
        list[str] | None,
        typer.Option(help="Circuit to drive; give it more than once. Default: the shipped ones."),
    ] = None,
) -> None:
    """Drive a lap of each circuit in lock-step and enter the scores in the folder's manifest.

    \b
    Examples:
      pilotnet models score baseline
      pilotnet models score checkpoints/mine.pt --circuit nurburgring --circuit random-7
    """
    from pilotnet_brain.benchmark.lap_scores import lap_scores
    from pilotnet_brain.circuits.catalogue import circuit_names
    from pilotnet_brain.driving.model.catalogue import add_scores, resolve_model
    from pilotnet_brain.driving.model.file import load_model

    # The manifest is brought up to date here, so its old sha256 does not stand in the way.
    path = resolve_model(model, trust=True)
    scores = {}
    for name, figures in lap_scores(load_model(path, "cpu"), circuit or circuit_names()):
        scores[name] = figures
        typer.echo(f"    {name:<16} {_score_line(figures)}")
    add_scores(path, scores)
    typer.echo(f"the scores are in {path.parent / 'manifest.json'}")


@app.command("prove")
def prove_models(
    models: Annotated[list[str], typer.Argument(help="Names or paths; all: the manifest's.")],
    series: Annotated[
        list[str] | None,
        typer.Option(help="plain, looks or unseen; give it more than once. Default: all three."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, of one thread each.")] = 2,
) -> None:
    """Drive the laps in lock-step that show whether a model drives, and keep their figures.

    \b
    Series:
      plain    every shipped circuit in its plain look
      looks    the test circuits, three drawn looks each
      unseen   20 random circuits that training never drew, each with a look of its own

    Every lap is kept at once in laps.json beside the model, its summary goes into the manifest.
    Stopped, it goes on where it was; a model file that has changed is driven anew.

    \b
    Examples:
      pilotnet models prove all
      pilotnet models prove static_quant qat --series unseen
    """
    from pilotnet_brain.benchmark.closed_loop import series as all_series
    from pilotnet_brain.driving.model.catalogue import read_manifest, resolve_model
    from pilotnet_brain.errors import UserError

    chosen = list(all_series()) if series is None else series
    for name in chosen:
        if name not in all_series():
            raise UserError(f"unknown series {name!r}; there are {', '.join(all_series())}")
    names = list(read_manifest()) if models == ["all"] else models
    # The manifest is brought up to date here, so its old sha256 does not stand in the way.
    for path in [resolve_model(name, trust=True) for name in names]:
        _prove(path, chosen, jobs)


@app.command("card")
def write_card(
    folder: Annotated[
        Path | None, typer.Option(help="Of the models; default: the shipped ones.")
    ] = None,
) -> None:
    """Write the model card, README.md beside the models, from the manifest and the evaluation.

    Its words are in card_template.md there, its figures are those of 'pilotnet evaluate' and
    'pilotnet models prove'.

    \b
    Examples:
      pilotnet models card
    """
    from pilotnet_brain.atomic_file import write_atomically
    from pilotnet_brain.driving.model.catalogue import models_dir, read_manifest
    from pilotnet_brain.errors import UserError
    from pilotnet_brain.learning.methods import METHODS
    from pilotnet_brain.learning.offline.row import read_rows
    from pilotnet_brain.report.model_card import model_card

    folder = models_dir() if folder is None else folder
    descriptions = {name: method.description for name, method in METHODS.items()}
    descriptions["baseline"] = "PilotNet as it was trained, float32"
    descriptions["race"] = "PilotNet trained on an expert that corners harder, float32"
    rows = read_rows(folder / "evaluation.json")
    try:
        template = (folder / "card_template.md").read_text(encoding="utf-8")
        card = model_card(template, read_manifest(folder), rows, descriptions)
        write_atomically(folder / "README.md", card.encode())
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"{folder}: the card cannot be written: {problem}") from problem
    typer.echo(folder / "README.md")


def _prove(path: Path, chosen: list[str], jobs: int) -> None:
    from pilotnet_brain.benchmark.closed_loop import drive_laps, series, summary
    from pilotnet_brain.benchmark.lap_store import LAPS_FILE, LapStore
    from pilotnet_brain.driving.model.archive import read_archive
    from pilotnet_brain.driving.model.catalogue import add_scores

    sha256 = read_archive(path).sha256
    store = LapStore(path.parent / LAPS_FILE)
    done = store.laps(path.stem, sha256)
    wanted = {name: series()[name] for name in chosen}
    waiting = [lap for laps in wanted.values() for lap in laps if lap not in done]
    for count, (lap, figures) in enumerate(drive_laps(path, waiting, jobs), start=1):
        done[lap] = figures
        store.add(path.stem, sha256, lap, figures)
        show(f"{path.stem}: {count} of {len(waiting)} laps, {lap.name}: {_score_line(figures)}")
    clear()
    scores: dict[str, Any] = {}
    for name, laps in wanted.items():
        if name == "plain":
            scores |= {lap.circuit: done[lap] for lap in laps}
        else:
            scores[name] = summary({lap: done[lap] for lap in laps})
        whole = summary({lap: done[lap] for lap in laps})
        typer.echo(f"{path.stem}: {name:<8} {_score_text(whole)}")
    add_scores(path, scores)


def _score_line(figures: Any) -> str:
    """Return one lap's figures in words."""
    if figures["average_speed"] is None or figures["position_deviation_mae"] is None:
        return "it never set off"
    lap = "lap completed" if figures["lap_completed"] else f"{figures['completion']:.0%} of a lap"
    return (
        f"{lap}, {figures['average_speed']:.2f} m/s, "
        f"{figures['position_deviation_mae']:.4f} m off the line"
    )


def _score_text(score: Any) -> str:
    """Return a lap's figures in words, any other score as it is."""
    if not isinstance(score, dict):
        return f"{score:.4g}" if isinstance(score, float) else str(score)
    if {"laps", "finished"} <= set(score):
        count = f"{score['finished']} of {score['laps']} laps completed"
        if score["average_speed"] is None or score["position_deviation_mae"] is None:
            return count
        return (
            f"{count}, {score['average_speed']:.2f} m/s, {score['position_deviation_mae']:.3f} m "
            f"off the line on average, {score['position_deviation_max']:.2f} m at the worst"
        )
    if "lap_completed" not in score:
        return ", ".join(_lines(score))
    if not score["lap_completed"]:
        return f"not finished: {score.get('completion', 0.0):.1%} of the lap"
    return (
        f"lap completed, {score['average_speed']:.2f} m/s, "
        f"{score['position_deviation_mae']:.3f} m off the line"
    )


def _lines(values: Any, indent: str = "") -> list[str]:
    """Return nested values as lines ``name: value``; empty values are left out."""
    lines: list[str] = []
    for name, value in values.items():
        if value is None or value in ("", {}, [], ()):
            continue
        if isinstance(value, dict):
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else value
            lines.append(f"{indent}{name}: {shown}")
    return lines
