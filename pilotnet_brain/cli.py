"""The ``pilotnet`` command.

The modules of `pilotnet_brain.commands` import nothing heavy until a command runs, so that
``pilotnet --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from pilotnet_brain.commands import (
    benchmark,
    circuits,
    compare,
    data,
    drive,
    measuring,
    models,
    optimize,
    report,
    train,
    video,
    worlds,
)
from pilotnet_brain.errors import UserError

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _pilotnet(context: typer.Context) -> None:
    """Drive a simulated car with a neural network, live over ROS 2, and measure the drive.

    \b
    First steps:
      pilotnet drive                      one lap of simple_circuit with the shipped model
      pilotnet drive --circuit montreal   on another circuit
      pilotnet circuits                   the circuits there are
      pilotnet models                     the models there are, with their scores

    \b
    Many runs, compared:
      pilotnet benchmark --circuit simple_circuit=3    every model, three times, live
      pilotnet benchmark robustness                    100 random circuits in lock-step

    \b
    A model of your own:
      pilotnet data collect data/mine --frames 40000
      pilotnet data collect data/other --frames 4000 --seed 2 --random-share 1
      pilotnet train data/mine --validation data/other --out models/mine.pt
      pilotnet drive --model models/mine.pt
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("drive", short_help="Drive laps with a network, live over ROS 2.")(drive.drive)
app.add_typer(circuits.app, name="circuits")
app.command("world", short_help="Write a circuit and the car as a Gazebo world.")(worlds.world)
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.command("train", short_help="Train PilotNet on data sets; writes a TorchScript model.")(
    train.train
)
app.command("optimize", short_help="Make quantized, pruned and smaller models from the baseline.")(
    optimize.optimize
)
app.command("benchmark", short_help="Drive models x circuits x repetitions; one table.")(
    benchmark.benchmark
)
app.command("compare", short_help="Lay runs side by side; is a difference more than chance?")(
    compare.compare
)
app.command("video", short_help="Make a video of a run, or a short moving picture.")(video.video)
app.command("report", short_help="Show a run or a benchmark on one page.")(report.report)
app.command("metrics", short_help="Measure the run in a rosbag.")(measuring.metrics)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 (the run failed) or 2 (user error).

    Args:
        arguments: without the program's name; by default the process's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(app(given, prog_name="pilotnet", standalone_mode=False) or 0)
    except UserError as error:
        text = str(error)
    except typer.TyperException as error:
        text = _usage_error(error)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("stopped", err=True)
        return 130
    typer.echo(f"error: {text}", err=True)
    return 2


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
