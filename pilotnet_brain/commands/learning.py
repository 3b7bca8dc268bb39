"""``pilotnet collect`` and ``pilotnet train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilotnet_brain.commands.training_progress import clear, epoch_line, show, show_step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def collect(
    out: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    frames: Annotated[int, typer.Option(min=1, help="How many frames.")] = 40_000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn.")] = 1,
    circuit: Annotated[
        list[str] | None,
        typer.Option(help="Circuit to drive on; give it more than once for several."),
    ] = None,
    random_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of random circuits.")
    ] = 0.7,
    plain_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of worlds with the plain look.")
    ] = 0.15,
    max_speed: Annotated[
        float, typer.Option(min=6.5, max=24.0, help="The expert's on straights, m/s.")
    ] = 16.0,
    lateral_acceleration: Annotated[
        float, typer.Option(min=1.0, help="The expert's in bends, m/s^2: more is faster.")
    ] = 12.0,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures", help="Numbered 640x480 pictures, JdeRobot's layout, not a compact array."
        ),
    ] = False,
    jobs: Annotated[int, typer.Option(help="Processes; -1 is one a core.")] = -1,
) -> None:
    """Collect a data set: the expert drives laps with disturbances under drawn looks.

    The same command makes the same data set, whatever the number of processes; run again, it takes
    up where it was cut off.

    \b
    Examples:
      pilotnet collect datasets/train --frames 40000
      pilotnet collect datasets/validation --frames 4000 --seed 2 --random-share 1
      pilotnet collect datasets/png --frames 1000 --pictures
      pilotnet collect datasets/fast --max-speed 19 --lateral-acceleration 20
    """
    from pilotnet_brain.driving.expert import DrivingStyle
    from pilotnet_brain.learning.collect import TRAINING_CIRCUITS, Recipe
    from pilotnet_brain.learning.collect import collect as collect_worlds

    recipe = Recipe(
        frames=frames,
        seed=seed,
        circuits=tuple(circuit) if circuit else TRAINING_CIRCUITS,
        random_share=random_share,
        plain_share=plain_share,
        style=DrivingStyle(max_speed=max_speed, lateral_acceleration=lateral_acceleration),
        full_frames=pictures,
    )
    for finished, worlds in collect_worlds(out, recipe, jobs):
        show(f"world {finished} of {worlds}")
    clear()
    typer.echo(f"the data set is in {out}: pilotnet train {out} --validation OTHER --out MODEL")


def train(
    datasets: Annotated[list[Path], typer.Argument(help="Folders of data sets to learn from.")],
    validation: Annotated[
        list[Path], typer.Option(help="Data set of other circuits; chooses the best epoch.")
    ],
    out: Annotated[Path, typer.Option(help="Model file to write.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="For the checkpoint and TensorBoard; default checkpoints/<model>."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="At the most.")] = 14,
    batch: Annotated[int, typer.Option(min=2, help="Frames in a step.")] = 128,
    learning_rate: Annotated[float, typer.Option(min=1e-7, help="Adam's, at its highest.")] = 1e-3,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without gain before stopping.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order, augmentation.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch on the CPU.")] = 2,
) -> None:
    """Train PilotNet on data sets and write a TorchScript model with its record.

    Stopped, it takes up at the last whole epoch when started again with the same plan. Data sets
    of circuits that are for testing (pilotnet circuits) are refused.

    \b
    Examples:
      pilotnet train datasets/train --validation datasets/validation --out models/mine.pt
      tensorboard --logdir checkpoints
      pilotnet drive --model models/mine.pt
    """
    from pilotnet_brain.learning.dataset import check_trainable, join, load_dataset
    from pilotnet_brain.learning.train import TrainingPlan
    from pilotnet_brain.learning.train import train as train_epochs

    plan = TrainingPlan(
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        patience=patience,
        seed=seed,
        threads=threads,
    )
    folder = folder or Path("checkpoints") / out.stem
    for path in [*datasets, *validation]:
        check_trainable(path)
    learned = join([load_dataset(path) for path in datasets])
    held_out = join([load_dataset(path) for path in validation])
    typer.echo(f"{len(learned)} frames to learn from, {len(held_out)} to validate on")
    for report in train_epochs(learned, held_out, plan, folder, show_step):
        clear()
        typer.echo(epoch_line(report))
    _export(folder, out, datasets, validation, plan.seed, held_out.frames)


def _export(
    folder: Path,
    out: Path,
    datasets: list[Path],
    validation: list[Path],
    seed: int,
    frames: NDArray[np.uint8],
) -> None:
    from pilotnet_brain.learning.export import export_torchscript, self_test_frames
    from pilotnet_brain.learning.train import best_network

    export_torchscript(
        best_network(folder),
        out,
        name=out.stem,
        method="baseline",
        self_test_frames=self_test_frames(frames),
        training={
            "datasets": [str(path) for path in datasets],
            "validation": [str(path) for path in validation],
            "seed": seed,
        },
        rebuild="pilotnet " + " ".join(sys.argv[1:]),
    )
    typer.echo(f"{out} is written: pilotnet drive --model {out}")
