"""``pilotnet optimize``: the optimized models, made from the trained baseline."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilotnet_brain.commands.progress import clear, epoch_line, show_step
from pilotnet_brain.commands.train import rebuild_command
from pilotnet_brain.errors import UserError

if TYPE_CHECKING:
    from pilotnet_brain.learning.train import EpochReport

_ALL = "all"


def optimize(
    method: Annotated[list[str], typer.Argument(help="Methods, or all. See below.")],
    baseline: Annotated[Path, typer.Option(help="The trained model to start from.")] = Path(
        "models/baseline.pt"
    ),
    data: Annotated[Path, typer.Option(help="Data set to calibrate with and learn from.")] = Path(
        "datasets/train"
    ),
    validation: Annotated[
        Path, typer.Option(help="Data set of other circuits; chooses the best epoch.")
    ] = Path("datasets/validation"),
    out: Annotated[Path, typer.Option(help="Folder of the model files.")] = Path("models"),
    folder: Annotated[Path, typer.Option(help="For checkpoints, by method.")] = Path("checkpoints"),
    seed: Annotated[int, typer.Option(min=0, help="Of order, augmentation, weights.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch on the CPU.")] = 2,
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
    from pilotnet_brain.learning.dataset import join, load_dataset
    from pilotnet_brain.learning.optimize import METHODS, OptimizationTask, baseline_weights
    from pilotnet_brain.learning.optimize import optimize as make_model
    from pilotnet_brain.learning.recipe import check_trainable

    for name in method:
        if name not in (*METHODS, _ALL):
            known = ", ".join(METHODS)
            raise UserError(f"unknown method {name!r}; methods: {known}, or {_ALL} of them")
    chosen = list(METHODS) if _ALL in method else method
    weights, origin = baseline_weights(baseline)
    for path in (data, validation):
        check_trainable(path)
    task = OptimizationTask(
        weights=weights,
        origin=origin,
        training=join([load_dataset(data)]),
        validation=join([load_dataset(validation)]),
        folder=folder,
        sources={"datasets": [str(data)], "validation": [str(validation)]},
        seed=seed,
        threads=threads,
        reported=_report,
        progress=show_step,
    )
    options = {"baseline": baseline, "data": data, "validation": validation, "seed": seed}
    for number, name in enumerate(chosen, start=1):
        start = time.monotonic()
        typer.echo(f"{name} ({number} of {len(chosen)}): {METHODS[name].description}")
        path = out / f"{name}.pt"
        make_model(name, task, out, rebuild_command("optimize", [name], {**options, "out": out}))
        took = time.monotonic() - start
        typer.echo(f"{path} is written: {path.stat().st_size / 1e6:.2f} MB, after {took:.0f} s")
    typer.echo(f"next: pilotnet drive --model {shlex.quote(str(out / chosen[-1]))}.pt")


def _report(method: str, report: EpochReport) -> None:
    clear()
    typer.echo(f"  {method} {epoch_line(report)}")
