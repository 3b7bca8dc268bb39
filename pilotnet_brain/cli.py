"""The ``pilotnet`` command.

The modules of `pilotnet_brain.commands` import nothing heavy until a command runs, so that
``pilotnet --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from pilotnet_brain import __version__
from pilotnet_brain.commands import (
    benchmark,
    circuits,
    data,
    drive,
    learn,
    models,
    report,
    swap,
    train,
    world,
)
from pilotnet_brain.errors import USER_ERROR, UserError, input_warnings_to
from pilotnet_brain.startup import prepare_process

_NOW_CALLED = {
    "collect": "pilotnet data collect",
    "dataset": "pilotnet data show",
    "evaluate": "pilotnet models time",
    "export": "pilotnet models export",
    "score": "pilotnet benchmark proof",
    "prove": "pilotnet benchmark proof",
    "bench": "make bench",
    "agreement": "make test-gazebo",
    "video": "pilotnet report RUN --video",
    "compare": "pilotnet report RUN RUN...",
    "metrics": "pilotnet report BAG",
}
"""What earlier versions' commands are called now."""

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pilotnet {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _pilotnet(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Drive a simulated car with a neural network, live over ROS 2, and measure the drive.

    \b
    First steps:
      pilotnet drive                     one lap of simple_circuit with a network
      pilotnet drive --circuit montreal --model static_quant
      pilotnet report                    the newest run on one page
      pilotnet benchmark --circuit simple_circuit=3       every model, 3 times

    \b
    A model of your own:
      pilotnet data collect data/mine --frames 40000
      pilotnet data collect data/other --frames 4000 --seed 2 --random-share 1
      pilotnet train data/mine --validation data/other --out models/mine.pt
      pilotnet drive --model models/mine.pt
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("drive", short_help="One run: laps with a network, live or in lock-step.")(drive.drive)
app.command("swap", short_help="Change the model of a running brain.")(swap.swap)
app.command("benchmark", short_help="Many runs: models x circuits x repetitions; one table.")(
    benchmark.benchmark
)
app.command("report", short_help="A run or a benchmark on one page; runs compared; a video.")(
    report.report
)
app.add_typer(models.app, name="models", short_help="The models: list, inspect, time, export...")
app.add_typer(data.app, name="data", short_help="Data sets: collect one, show what is in it.")
app.command("train", short_help="Train PilotNet on data sets; writes a TorchScript model.")(
    train.train
)
app.command("learn", short_help="From a Gazebo world to a model that drives it, in one command.")(
    learn.learn
)
app.command("optimize", short_help="Make quantized, pruned and smaller models from the baseline.")(
    train.optimize
)
app.add_typer(
    circuits.app, name="circuits", short_help="The circuits: list, show, trace one in a world."
)
app.command("world", short_help="Write a circuit and the car as a Gazebo world.")(world.world)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 (the run failed) or 2 (user error).

    Args:
        arguments: without the program's name; by default the process's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        prepare_process()
        with input_warnings_to(lambda text: typer.echo(f"warning: {text}", err=True)):
            return int(app(given, prog_name="pilotnet", standalone_mode=False) or 0)
    except UserError as error:
        text = str(error)
    except typer.TyperException as error:
        text = _new_name(given) or _usage_error(error)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("stopped", err=True)
        return 130
    typer.echo(f"error: {text}", err=True)
    return USER_ERROR


def _new_name(given: Sequence[str]) -> str:
    """Return what to call a command of an earlier version by, the empty text if it is none."""
    for words in (given[:1], given[1:2] if given[:1] == ["models"] else []):
        if words and words[0] in _NOW_CALLED:
            return f"{words[0]} is now: {_NOW_CALLED[words[0]]}"
    return ""


def _usage_error(error: typer.TyperException) -> str:
    """Return a mistake on the command line as one line that says what there is."""
    text = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return text
    if commands := getattr(context.command, "commands", {}):
        return f"{text}; there are {', '.join(commands)}"
    if hasattr(error, "option_name"):
        options = [p for p in context.command.get_params(context) if p.param_type_name == "option"]
        return f"{text}; there are {', '.join(p.opts[-1] for p in options)}"
    return f"{text}; see {context.command_path} --help"


if __name__ == "__main__":
    sys.exit(main())
