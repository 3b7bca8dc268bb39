"""``pilotnet models``: list, inspect, time, compare runtimes, export, adopt, sign; the card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pilotnet_brain.commands.adopt import adopt_model
from pilotnet_brain.commands.progress import clear, show
from pilotnet_brain.errors import UserError

app = typer.Typer(
    help="The models: list, inspect, time, export, adopt, sign; compare runtimes; the card.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models() -> None:
    """List the shipped models with their size and scores."""
    from pilotnet_brain.driving.model.catalogue import model_names, models_dir, read_manifest

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
    """Show a model file's record and run its self-test.

    \b
    Examples:
      pilotnet models inspect baseline
      pilotnet models inspect checkpoints/mine.pt
    """
    from pilotnet_brain.driving.model.archive import read_archive
    from pilotnet_brain.driving.model.catalogue import resolve_model, unsigned_warning
    from pilotnet_brain.driving.model.load import load_model

    path = resolve_model(model)
    archive = read_archive(path)
    if warning := unsigned_warning(path):
        typer.echo(warning, err=True)
    typer.echo(f"{path}: {len(archive.data) / 1e6:.2f} MB, sha256 {archive.sha256}")
    if archive.record is None:
        typer.echo("no record in the file: taken as JdeRobot's PilotNet format")
    else:
        described = archive.record.to_dict()
        described.pop("self_test", None)
        for line in _lines(described):
            typer.echo(f"  {line}")
    loaded = load_model(path, "cpu")
    tested = "no self-test in the file" if loaded.record.self_test is None else "self-test passed"
    typer.echo(f"loads on the CPU: {tested}")


@app.command("time")
def time_models(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names or paths; default: the reference and what was made of it."),
    ] = None,
    data: Annotated[Path, typer.Option(help="The test set's folder.")] = Path("datasets/test"),
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; default: the models' folder.")
    ] = None,
    reference: Annotated[
        str, typer.Option(help="The traced float model that ratios refer to.")
    ] = "baseline",
    device: Annotated[str, typer.Option(help="Where the models run: cpu or cuda.")] = "cpu",
    rounds: Annotated[
        int, typer.Option(min=1, help="Of 50 warm calls each, and of 5 at 20 Hz.")
    ] = 20,
) -> None:
    """Compare models offline: inference time, size, error, sparsity.

    The error is that on the test set. Writes evaluation.csv, .json and .md; rows of other models
    are kept, so that one model can be measured again. Nothing else should run on the machine.

    \b
    Examples:
      pilotnet models time                              the baseline and all made from it
      pilotnet models time static_quant                 one model again, the other rows kept
      pilotnet models time my/model.pt --out checkpoints/mine
      pilotnet models time baseline structured_prune --device cuda
    """
    from pilotnet_brain.atomic_file import write_atomically
    from pilotnet_brain.driving.model.catalogue import family_of, models_dir, resolve_model
    from pilotnet_brain.learning.dataset import load_dataset
    from pilotnet_brain.learning.offline.evaluation import (
        evaluate,
        merge_rows,
        read_rows,
        write_rows,
    )
    from pilotnet_brain.learning.offline.timing import TimingPlan
    from pilotnet_brain.report.offline_report import offline_csv, offline_markdown, offline_tables
    from pilotnet_brain.report.tables import print_tables

    folder = models_dir() if out is None else out
    earlier = read_rows(folder / "evaluation.json")
    paths = [resolve_model(name) for name in models or family_of(resolve_model(reference))]
    rows = evaluate(
        paths,
        resolve_model(reference),
        load_dataset(data),
        device=device,
        plan=TimingPlan(rounds=rounds, paced_calls=5 * rounds),
        progress=show,
    )
    clear()
    print_tables(*offline_tables(rows))
    merged = merge_rows(earlier, rows)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_rows(folder / "evaluation.json", merged)
        write_atomically(folder / "evaluation.csv", offline_csv(merged).encode())
        write_atomically(folder / "evaluation.md", offline_markdown(merged).encode())
    except OSError as problem:
        raise UserError(f"{folder}: cannot be written: {problem.strerror}") from problem
    typer.echo(f"{len(merged)} rows are in {folder}/evaluation.csv, .json and .md")


@app.command("runtimes")
def compare_runtimes(
    models: Annotated[
        list[str] | None, typer.Argument(help="Names or paths; default: all shipped ones.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the table; default: the models' folder.")
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Of 50 warm calls each, and of 5 at 20 Hz.")
    ] = 20,
) -> None:
    """Compare the runtimes: torch, ONNX Runtime, OpenVINO.

    Every model is exported to ONNX into a temporary folder. Writes runtimes.md: inference time,
    the time from a process's start to its first command, and its memory. Nothing else should run
    on the machine.

    \b
    Examples:
      pilotnet models runtimes
      pilotnet models runtimes baseline static_quant --out .
    """
    from pilotnet_brain.atomic_file import write_atomically
    from pilotnet_brain.driving.model.catalogue import model_names, models_dir, resolve_model
    from pilotnet_brain.driving.preprocess import JDEROBOT
    from pilotnet_brain.learning.example_inputs import example_inputs
    from pilotnet_brain.learning.offline import runtimes
    from pilotnet_brain.learning.offline.timing import TimingPlan
    from pilotnet_brain.machine import cpu_model
    from pilotnet_brain.report.runtimes_report import runtimes_table
    from pilotnet_brain.report.tables import print_tables

    paths = [resolve_model(name) for name in models or model_names()]
    frames, source = example_inputs(JDEROBOT)
    rows = runtimes.compare_runtimes(
        paths, frames, TimingPlan(rounds=rounds, paced_calls=5 * rounds), progress=show
    )
    clear()
    table = runtimes_table(rows)
    print_tables(table)
    file = (models_dir() if out is None else out) / "runtimes.md"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = f"{table.markdown()}\nMeasured on {cpu_model()}, frames {source}.\n"
        write_atomically(file, text.encode())
    except OSError as problem:
        raise UserError(f"{file}: cannot be written: {problem.strerror}") from problem
    typer.echo(file)


@app.command("export")
def export_models(
    models: Annotated[list[str], typer.Argument(help="Names or paths; all: the shipped ones.")],
    out: Annotated[
        Path | None, typer.Option(help="File, or folder, to write to. [default: MODEL.onnx here]")
    ] = None,
) -> None:
    """Export models to ONNX, float or int8, for other runtimes.

    ONNX Runtime runs the exported network on rendered frames; the file is written only if its
    outputs agree with the original's: to 1e-4, int8 to 0.02, as its rounding is the runtime's. The
    model's record is in the metadata.

    \b
    Examples:
      pilotnet models export baseline
      pilotnet models export static_quant --out car/pilot.onnx
      pilotnet models export all --out onnx/
    """
    from pilotnet_brain.driving.model.archive import read_record
    from pilotnet_brain.driving.model.catalogue import model_names, resolve_model
    from pilotnet_brain.driving.model.record import ModelRecord
    from pilotnet_brain.learning.example_inputs import example_inputs
    from pilotnet_brain.learning.onnx_export import INPUT, OUTPUT, export_onnx

    paths = [resolve_model(name) for name in (model_names() if models == ["all"] else models)]
    for path in paths:
        fmt = (read_record(path) or ModelRecord()).input_format
        pixels, source = example_inputs(fmt)
        file = Path(f"{path.stem}.onnx") if out is None else out
        if len(paths) > 1 or file.is_dir():
            file = (Path() if out is None else out) / f"{path.stem}.onnx"
        difference = export_onnx(path, file, pixels)
        typer.echo(
            f"{file} is written: input {INPUT} (1, 3, {fmt.height}, {fmt.width}), output {OUTPUT} "
            f"(1, 2); ONNX Runtime differs by {difference:.1e} on {len(pixels)} frames, {source}"
        )


app.command("adopt")(adopt_model)


@app.command("sign")
def sign_model(
    model: Annotated[str, typer.Argument(help="Name, or path of a model file.")],
) -> None:
    """Enter a model file's checksum in the manifest, or renew it.

    The manifest is manifest.json in the file's folder; the file's record goes in with the checksum.
    A shipped file whose checksum differs from the manifest's is refused by every other command:
    sign it only if you know who changed it. It must pass its self-test. Scores of another file are
    dropped.

    \b
    Examples:
      pilotnet models sign static_quant
      pilotnet models sign checkpoints/mine.pt
    """
    from pilotnet_brain.driving.model.catalogue import MANIFEST, resolve_model, sign
    from pilotnet_brain.driving.model.load import load_model

    path = resolve_model(model, trust=True)
    load_model(path, "cpu")
    entry, before = sign(path)
    old = "none" if before is None else before.sha256
    typer.echo(f"{path} in {path.parent / MANIFEST}:\n  old sha256  {old}")
    typer.echo(f"  new sha256  {entry.sha256}{' (unchanged)' if old == entry.sha256 else ''}")
    if before is not None and before.scores and not entry.scores:
        typer.echo(f"  the scores of the old file were dropped: {', '.join(before.scores)}")


@app.command("card")
def write_card(
    folder: Annotated[
        Path | None, typer.Option(help="Of the models; default: the shipped ones.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option(help="Folder, or results.csv, of 'pilotnet benchmark proof'.")
    ] = None,
) -> None:
    """Write the model card, README.md next to the models.

    Its text is in card_template.md there, its figures, from manifest.json and evaluation.json, are
    those of 'pilotnet models time' and 'pilotnet benchmark proof'. With --proof the laps of that
    benchmark are entered in manifest.json first, for the files that drove them; those of models
    that are not in the manifest are shown with them.

    \b
    Examples:
      pilotnet models card
      pilotnet models card --proof runs/proof
    """
    from pilotnet_brain.atomic_file import write_atomically
    from pilotnet_brain.benchmark.proof import read_rows as proof_rows
    from pilotnet_brain.benchmark.proof import scores_of
    from pilotnet_brain.driving.model.catalogue import (
        ManifestEntry,
        enter_scores,
        models_dir,
        read_manifest,
    )
    from pilotnet_brain.learning.offline.evaluation import read_rows
    from pilotnet_brain.learning.optimize import METHODS
    from pilotnet_brain.report.model_card import model_card

    folder = models_dir() if folder is None else folder
    others: dict[str, ManifestEntry] = {}
    if proof is not None:
        listed = read_manifest(folder)
        for name, (sha256, scores) in scores_of(proof_rows(proof)).items():
            if name in listed:
                enter_scores(folder, name, sha256, scores)
            else:
                others[name] = ManifestEntry(f"{name}.pt", sha256, 0, scores=scores)
    descriptions = {name: method.description for name, method in METHODS.items()}
    descriptions |= dict.fromkeys(("baseline", "trained"), "PilotNet as it was trained, float32")
    descriptions["race"] = "PilotNet trained on an expert that corners harder, float32"
    rows = read_rows(folder / "evaluation.json")
    try:
        template = (folder / "card_template.md").read_text(encoding="utf-8")
        card = model_card(template, read_manifest(folder), rows, descriptions, others)
        write_atomically(folder / "README.md", card.encode())
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"{folder}: the card cannot be written: {problem}") from problem
    typer.echo(folder / "README.md")


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
