"""``pilotnet train`` and ``pilotnet optimize``: a network trained, and made smaller or faster."""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilotnet_brain.commands.progress import clear, epoch_line, show_step
from pilotnet_brain.errors import UserError

if TYPE_CHECKING:
    from pilotnet_brain.learning.dataset import DataSet
    from pilotnet_brain.learning.train import EpochReport

_ALL = "all"
_Seed = Annotated[int, typer.Option(min=0, help="Of weights, order, augmentation.")]
_Threads = Annotated[int, typer.Option(min=1, help="Of torch on the CPU.")]


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
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Float model to go on from, such as models/baseline.pt."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="At the most.")] = 14,
    batch: Annotated[int, typer.Option(min=2, help="Frames in a step.")] = 128,
    learning_rate: Annotated[float, typer.Option(min=1e-7, help="Adam's, at its highest.")] = 1e-3,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without gain before stopping.")] = 5,
    seed: _Seed = 1,
    threads: _Threads = 2,
) -> None:
    """Train PilotNet on data sets and write a TorchScript model with its record.

    Started again after a stop, with the same plan, it resumes at the last finished epoch. Data sets
    of test circuits (see 'pilotnet circuits list') are refused. A manifest.json next to the model
    file gets its checksum. With --from a trained model learns further: with a data set of its old
    worlds next to that of the new one, and a lower learning rate, it does not forget them.

    \b
    Examples:
      pilotnet train datasets/train --validation datasets/validation --out models/mine.pt
      pilotnet train datasets/mine datasets/train --validation datasets/validation \\
          --from models/baseline.pt --learning-rate 3e-4 --epochs 3 --out models/mine.pt
      tensorboard --logdir checkpoints
      pilotnet drive --model models/mine.pt
    """
    from pilotnet_brain.driving.model.catalogue import MANIFEST, sign
    from pilotnet_brain.driving.model.record import ModelRecord
    from pilotnet_brain.learning.export import export_torchscript, self_test_frames
    from pilotnet_brain.learning.optimize import baseline_weights
    from pilotnet_brain.learning.pilotnet import pilotnet_of
    from pilotnet_brain.learning.train import TrainingPlan, best_network
    from pilotnet_brain.learning.train import train as train_epochs
    from pilotnet_brain.package_share import pilotnet_command

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
    learned, held_out = _data_sets(datasets, validation)
    typer.echo(f"{len(learned)} frames to learn from, {len(held_out)} to validate on")
    network, origin = None, ""
    if start is not None:
        weights, origin = baseline_weights(start)
        network = pilotnet_of(weights)
    plan = TrainingPlan(**settings, origin=origin)  # type: ignore[arg-type]  # by name
    for report in train_epochs(learned, held_out, plan, folder, show_step, network):
        clear()
        typer.echo(epoch_line(report))
    sources = {"datasets": list(map(str, datasets)), "validation": list(map(str, validation))}
    options = {"validation": validation, "out": out, **settings}
    if start is not None:
        options["from"] = start
        sources["from"] = [f"{start} sha256 {origin}"]
    record = ModelRecord(
        name=out.stem,
        method="trained" if start is None else "fine-tuned",
        training={**sources, "seed": seed},
        rebuild=rebuild_command("train", datasets, options),
    )
    export_torchscript(best_network(folder), out, record, self_test_frames(held_out.frames))
    if (out.parent / MANIFEST).is_file():
        sign(out)
    then = f"{pilotnet_command()} drive --model {shlex.quote(str(out))}"
    typer.echo(f"{out} is written; next: {then}")


def optimize(
    method: Annotated[list[str], typer.Argument(help="Methods, or all. See below.")],
    baseline: Annotated[Path, typer.Option(help="The trained model to start from.")] = Path(
        "models/baseline.pt"
    ),
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Data set to calibrate with and learn from. [default: datasets/train]"),
    ] = None,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            help="Data set of other circuits; chooses the best epoch. "
            "[default: datasets/validation]"
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the model files; of one method, a file x.pt, too.")
    ] = Path("models"),
    folder: Annotated[Path, typer.Option(help="For checkpoints, by method.")] = Path("checkpoints"),
    seed: _Seed = 1,
    threads: _Threads = 2,
) -> None:
    """Make optimized models from the trained baseline.

    Each is written as OUT/METHOD.pt and entered in the manifest there. Started again after a stop,
    it resumes at the last finished epoch.

    \b
    Methods:
      dynamic_quant     int8 weights in the linear layers, ranges by call
      static_quant      int8 throughout, ranges from training frames
      qat               int8 throughout, trained on with its rounding
      local_prune       the smallest weights of every layer zeroed, trained on
      global_prune      the smallest 30 % of all weights zeroed, trained on
      prune_quant       local_prune, then qat
      structured_prune  whole channels and neurons removed: a smaller float network
      tiny_quant        distilled into a small network, int8
      all               all of these

    \b
    Examples:
      pilotnet optimize static_quant
      pilotnet optimize all
      pilotnet optimize qat tiny_quant --baseline models/mine.pt --out mine
    """
    from pilotnet_brain.learning.optimize import METHODS, OptimizationTask, baseline_weights
    from pilotnet_brain.learning.optimize import optimize as make_model
    from pilotnet_brain.package_share import pilotnet_command

    for name in method:
        if name not in (*METHODS, _ALL):
            known = ", ".join(METHODS)
            raise UserError(f"unknown method {name!r}; methods: {known}, or {_ALL} of them")
    chosen = list(METHODS) if _ALL in method else method
    if out.suffix == ".pt" and len(chosen) > 1:
        raise UserError(f"--out is {out}: of {len(chosen)} methods it must name a folder")
    weights, origin = baseline_weights(baseline)
    data = data or [Path("datasets/train")]
    validation = validation or [Path("datasets/validation")]
    learned, held_out = _data_sets(data, validation)
    task = OptimizationTask(
        weights=weights,
        origin=origin,
        training=learned,
        validation=held_out,
        folder=folder,
        sources={"datasets": [*map(str, data)], "validation": [*map(str, validation)]},
        seed=seed,
        threads=threads,
        reported=_report,
        progress=show_step,
    )
    options = {"baseline": baseline, "data": data, "validation": validation, "seed": seed}
    for number, name in enumerate(chosen, start=1):
        start = time.monotonic()
        typer.echo(f"{name} ({number} of {len(chosen)}): {METHODS[name].description}")
        path = out if out.suffix == ".pt" else out / f"{name}.pt"
        make_model(name, task, path, rebuild_command("optimize", [name], {**options, "out": out}))
        took = time.monotonic() - start
        typer.echo(f"{path} is written: {path.stat().st_size / 1e6:.2f} MB, after {took:.0f} s")
    typer.echo(f"next: {pilotnet_command()} drive --model {shlex.quote(str(path))}")


def _report(method: str, report: EpochReport) -> None:
    clear()
    typer.echo(f"  {method} {epoch_line(report)}")


def _data_sets(*groups: Sequence[Path]) -> list[DataSet]:
    """Return each group of data sets as one, read into memory; none may be of test circuits."""
    from pilotnet_brain.learning.dataset import join, load_dataset
    from pilotnet_brain.learning.recipe import check_trainable

    for folder in itertools.chain(*groups):
        check_trainable(folder)
    return [join([load_dataset(folder) for folder in group]) for group in groups]


def rebuild_command(verb: str, arguments: Sequence[object], options: Mapping[str, object]) -> str:
    """Return a command line of `pilotnet`, quoted for a shell; a list is an option given often."""
    words = ["pilotnet", verb, *map(str, arguments)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", str(one)]
    return shlex.join(words)
