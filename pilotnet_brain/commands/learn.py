"""``pilotnet learn``: from a Gazebo world to a model that drives it: the other verbs in a row."""

from __future__ import annotations

import shlex
import string
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
import yaml

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.errors import UserError

_SETTINGS = "learn.yaml"
_LEARNING_RATE = 3e-4
"""Less than a third of training's: what was learned before is to stay."""
_STOPPED = 130
_CARD = """\
# ${name}

![The circuit, traced in its world](${name}.png)

Trained further on `${source}` by `pilotnet learn`, with `learn.yaml`'s settings. The laps of all
models, those before among them, are in [laps/report.html](laps/report.html). `pilotnet models card`
writes this page; its words are in `card_template.md`.

## Files

$$files
## Closed loop

Laps in lock-step, finished of those driven, and the mean deviation from the line.

$$laps"""
_OLD_CIRCUITS = ("simple_circuit", "montmelo")


@dataclass(frozen=True)
class Settings:
    """What was asked for; learn.yaml keeps it."""

    source: str  #: path of the world file, of the bag, or of the line's CSV
    circuit: str  #: path of the circuit's line; empty: traced in the world
    car: str
    start: str  #: path of the model to go on from
    frames: int
    keep: int
    epochs: int
    laps: int
    seed: int
    simulator: str = ""  #: that the frames are collected in, live; empty: the embedded one
    preset: str = ""  #: of the live run

    @property
    def bag(self) -> str:
        """The bag that the frames come from, if they do."""
        from pilotnet_brain.bags.reader import is_bag

        return self.source if is_bag(Path(self.source)) else ""

    @property
    def world(self) -> str:
        """The world file, if that is the source."""
        return "" if self.bag or Path(self.source).suffix == ".csv" else self.source


class Step(NamedTuple):
    """One command of several."""

    title: str
    arguments: tuple[str, ...]  #: of pilotnet
    #: the file that it ends with; one that is there is not made again. None: the command resumes
    made: Path | None


def learn(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            help="Gazebo world file (Classic or Sim), a bag of driven laps, or, with --simulator, "
            "the line's CSV."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of everything made. [default: worlds/NAME]")
    ] = None,
    circuit: Annotated[
        Path | None, typer.Option(help="Its line as a CSV or bag, where it is not to be traced.")
    ] = None,
    car: Annotated[str, typer.Option(help="The model at which the lap starts, by name.")] = "",
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Float model to go on from. [default: the shipped baseline]"),
    ] = None,
    frames: Annotated[int, typer.Option(min=160, help="To collect in the world.")] = 8_000,
    keep: Annotated[
        int, typer.Option(min=160, help="Frames of the shipped training data, against forgetting.")
    ] = 8_000,
    epochs: Annotated[int, typer.Option(min=1, help="Of training.")] = 5,
    laps: Annotated[
        int, typer.Option(min=0, help="In the world with each model, from drawn starts; 0: none.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn.")] = 1,
    simulator: Annotated[
        str,
        typer.Option(
            help="Collect live in gazebo, gz or none (one that runs already), instead of in the "
            "embedded simulator."
        ),
    ] = "",
    preset: Annotated[str, typer.Option(help="Of the live run, as drive takes it.")] = "",
) -> None:
    """Make a model that drives a Gazebo world, and prove it in laps.

    Traces the line, collects frames in the embedded simulator, which shows the world's own meshes,
    trains the shipped baseline further on them and on a part of the shipped training data, makes
    the int8 model, and drives laps with the models before and after: in the world, and on two
    circuits that were driven before, and writes the model card. Each step is a command, which is
    printed; started again after a stop, it goes on.

    Of a bag of driven laps the frames are the bag's, labelled by the expert at their poses. Of
    either a CSV or a bag, the laps are in this package's own world of the circuit.

    \b
    Examples:
      pilotnet learn my_circuit.world
      pilotnet learn my_circuit.world --circuit lap.csv --out worlds/mine --frames 16000
      pilotnet learn drives.bag
      pilotnet learn lap.csv --simulator none --preset jderobot_classic
    """
    from pilotnet_brain.driving.model.catalogue import models_dir
    from pilotnet_brain.learning.optimize import baseline_weights
    from pilotnet_brain.package_share import pilotnet_command

    if not source.exists():
        raise UserError(f"{source}: there is no such file")
    if source.suffix == ".csv" and not simulator:
        raise UserError(f"{source}: a line alone shows no road: name a --simulator to collect in")
    # A run's bag is named by its run.
    name = source.resolve().parent.name if source.stem == "bag" else source.stem
    folder = Path("worlds") / name if out is None else out
    settings = Settings(
        source=str(source.resolve()),
        circuit="" if circuit is None else str(circuit.resolve()),
        car=car,
        start=str(models_dir() / "baseline.pt" if start is None else start.resolve()),
        frames=frames,
        keep=keep,
        epochs=epochs,
        laps=laps,
        seed=seed,
        simulator=simulator,
        preset=preset,
    )
    baseline_weights(Path(settings.start))  # refused here, not after minutes of collecting
    _take_up(folder, settings)
    began = time.monotonic()
    _take(list(_steps(folder, name, settings)), context.find_root().command)
    minutes = (time.monotonic() - began) / 60.0
    model, line = folder / f"{name}_int8.pt", folder / f"{name}.csv"
    world = f"--world {settings.world} " if settings.world else ""
    report = f"{folder / 'README.md'}, {folder / 'laps' / 'report.html'}; " if laps else ""
    typer.echo(f"\nafter {minutes:.0f} min; {report}next:")
    typer.echo(f"  {pilotnet_command()} drive --circuit {line} {world}--model {model}")


def _take(steps: Sequence[Step], pilotnet: Callable[..., object]) -> None:
    """Take the steps that were not taken yet, one after the other.

    Raises:
        typer.Exit: one failed or was stopped.
    """
    from pilotnet_brain.package_share import pilotnet_command

    for number, step in enumerate(steps, start=1):
        typer.echo(f"\n[{number}/{len(steps)}] {step.title}")
        if step.made is not None and step.made.exists():
            typer.echo(f"{step.made} is there already")
            continue
        typer.echo(f"  {pilotnet_command()} {shlex.join(step.arguments)}")
        status = pilotnet(list(step.arguments), prog_name="pilotnet", standalone_mode=False)
        if status == _STOPPED:
            typer.echo("stopped; the same command goes on where it was", err=True)
        if status:
            raise typer.Exit(status)  # type: ignore[arg-type]


def _take_up(folder: Path, settings: Settings) -> None:
    """Make the folder, or check that what is in it was made with the same settings."""
    path = folder / _SETTINGS
    text = yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise UserError(
                f"{folder}: was made with other arguments ({path}): name another folder with "
                "--out, or remove it"
            )
        write_atomically(path, text)
    except OSError as problem:
        raise UserError(f"{folder}: cannot be written: {problem.strerror}") from problem


def _steps(folder: Path, name: str, settings: Settings) -> Iterator[Step]:
    line = folder / f"{name}.csv"
    source = settings.circuit or settings.source
    car = ("--car", settings.car) if settings.car else ()
    yield Step("the circuit's line", ("circuits", "trace", source, *car, "--out", str(line)), line)
    data = {part: folder / "data" / part for part in ("world", "old", "check_world", "check_old")}
    here = ("--circuit", str(line), *(("--world", settings.world) if settings.world else ()))
    if settings.simulator:
        here += ("--simulator", settings.simulator)
        here += ("--preset", settings.preset) if settings.preset else ()
    else:
        here += ("--random-share", "0")
    for number, (part, count, more) in enumerate(
        [
            ("world", settings.frames, here),
            ("old", settings.keep, ()),
            ("check_world", max(160, settings.frames // 6), here),
            ("check_old", max(160, settings.keep // 6), ("--random-share", "1")),
        ]
    ):
        if settings.bag and more is here:
            continue
        arguments = ("--frames", str(count), "--seed", str(4 * settings.seed + number), *more)
        yield Step(
            f"frames: {part.replace('_', ', ')}",
            ("data", "collect", str(data[part]), *arguments),
            data[part] / "data.csv",
        )
    if settings.bag:
        del data["check_world"]
        labels = ("--circuit", str(line), "--out", str(data["world"]))
        made = data["world"] / "data.csv"
        yield Step("frames: the bag's", ("data", "from-bag", settings.bag, *labels), made)
    model = folder / f"{name}.pt"
    checked = [word for part in data if part.startswith("check_")
               for word in ("--validation", str(data[part]))]  # fmt: skip
    yield Step(
        "the model, trained further",
        ("train", str(data["world"]), str(data["old"]), *checked, "--from", settings.start,
         "--learning-rate", str(_LEARNING_RATE), "--epochs", str(settings.epochs),
         "--out", str(model), "--folder", str(folder / "checkpoints" / name)),
        model,
    )  # fmt: skip
    yield Step("its checksum", ("models", "sign", str(model)), None)
    int8 = folder / f"{name}_int8.pt"
    yield Step(
        "its int8 model",
        ("optimize", "static_quant", "--baseline", str(model), "--data", str(data["world"]),
         "--data", str(data["old"]), *checked, "--out", str(int8),
         "--folder", str(folder / "checkpoints")),
        int8,
    )  # fmt: skip
    if settings.laps:
        plan, models = folder / "laps.yaml", [settings.start, "static_quant"]
        _write_plan(plan, line, settings, [*models, str(model), str(int8)])
        yield Step("laps", ("benchmark", str(plan), "--out", str(folder / "laps")), None)
        words = string.Template(_CARD).substitute(name=name, source=Path(settings.source).name)
        write_atomically(folder / "card_template.md", words)
        card = ("models", "card", "--folder", str(folder), "--proof", str(folder / "laps"))
        yield Step("the model card", card, None)


def _write_plan(path: Path, line: Path, settings: Settings, models: list[str]) -> None:
    """Write the benchmark of the models before and after, in the world and on old circuits."""
    world = {"world": settings.world} if settings.world else {}
    plan = {
        "mode": "lockstep",
        "models": models,
        "series": {
            "world": {"circuits": {str(line): settings.laps}, "start_points": "drawn", **world},
            "before": {"circuits": list(_OLD_CIRCUITS), "start_points": [0.0]},
        },
        "looks": [0],
        "time_limit": 240.0,
    }
    write_atomically(path, yaml.safe_dump(plan, sort_keys=False, allow_unicode=True))
