"""``pilotnet train``: a network trained on data sets, as a model file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pilotnet_brain.commands.progress import clear, epoch_line, show_step
from pilotnet_brain.errors import UserError


def train(
    datasets: Annotated[list[Path], typer.Argument(help="Folders of data sets to learn from.")],
    validation: Annotated[
        list[Path], typer.Option(help="Data set of other circuits; chooses the best epoch.")
    ],
    out: Annotated[Path, typer.Option(help="Model file to write.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="For the checkpoint and TensorBoard. [default: checkpoints/MODEL]"),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="At the most.")] = 14,
    batch: Annotated[int, typer.Option(min=2, help="Frames in a step.")] = 128,
    learning_rate: Annotated[float, typer.Option(min=1e-7, help="Adam's, at its highest.")] = 1e-3,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without gain before stopping.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order, augmentation.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch on the CPU.")] = 2,
) -> None:
    """Train PilotNet on data sets and write a TorchScript model with its record.

    Started again after a stop, with the same plan, it resumes at the last finished epoch. Data sets
    of test circuits (see 'pilotnet circuits list') are refused. A manifest.json next to the model
    file gets its checksum.

    \b
    Examples:
      pilotnet train datasets/train --validation datasets/validation --out models/mine.pt
      tensorboard --logdir checkpoints
      pilotnet drive --model models/mine.pt
    """
    from pilotnet_brain.driving.model.catalogue import MANIFEST, sign
    from pilotnet_brain.driving.model.record import ModelRecord
    from pilotnet_brain.learning.dataset import join, load_dataset
    from pilotnet_brain.learning.export import export_torchscript, self_test_frames
    from pilotnet_brain.learning.recipe import check_trainable
    from pilotnet_brain.learning.train import TrainingPlan, best_network
    from pilotnet_brain.learning.train import train as train_epochs

    if out.is_dir():
        raise UserError(f"{out}: is a folder; --out names the file, e.g. {out / 'mine.pt'}")
    settings = {
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "patience": patience,
        "seed": seed,
        "threads": threads,
    }
    folder = folder or Path("checkpoints") / out.stem
    for path in [*datasets, *validation]:
        check_trainable(path)
    learned = join([load_dataset(path) for path in datasets])
    held_out = join([load_dataset(path) for path in validation])
    typer.echo(f"{len(learned)} frames to learn from, {len(held_out)} to validate on")
    plan = TrainingPlan(**settings)  # type: ignore[arg-type]  # int and float by name
    for report in train_epochs(learned, held_out, plan, folder, show_step):
        clear()
        typer.echo(epoch_line(report))
    sources = {"datasets": list(map(str, datasets)), "validation": list(map(str, validation))}
    options = {"validation": validation, "out": out, **settings}
    record = ModelRecord(
        name=out.stem,
        method="trained",
        training={**sources, "seed": seed},
        rebuild=rebuild_command("train", datasets, options),
    )
    export_torchscript(best_network(folder), out, record, self_test_frames(held_out.frames))
    if (out.parent / MANIFEST).is_file():
        sign(out)
    typer.echo(f"{out} is written; next: pilotnet drive --model {shlex.quote(str(out))}")


def rebuild_command(verb: str, arguments: Sequence[object], options: Mapping[str, object]) -> str:
    """Return a command line of `pilotnet`, quoted for a shell; a list is an option given often."""
    words = ["pilotnet", verb, *map(str, arguments)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", str(one)]
    return shlex.join(words)
