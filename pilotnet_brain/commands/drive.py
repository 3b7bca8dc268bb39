"""``pilotnet drive``: a run without ``ros2 launch``; the options are `bringup.ARGUMENTS`."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from pilotnet_brain.runs.graph import ARGUMENTS, RunPlan


def drive(**arguments: Any) -> None:
    """Drive laps with a network, live over ROS 2, and show the result.

    Starts simulator, brain, metrics and recorder as ROS 2 processes, and keeps what they measured
    in runs/<time>-<circuit>-<model>/ (runs/latest is the newest).

    \b
    Examples:
      pilotnet drive
      pilotnet drive --circuit montreal --laps 2 --record-camera
      pilotnet drive --circuit my_lap.csv --model my/model.pt --device cpu
      pilotnet drive --simulator none             a car that is driven elsewhere
    """
    from pilotnet_brain.runs.live import live_run

    raise typer.Exit(live_run(RunPlan(**arguments)))


def _options() -> inspect.Signature:
    """Return a signature with one option for each of a run's arguments."""
    return inspect.Signature(
        [
            inspect.Parameter(
                argument.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=argument.default,
                annotation=Annotated[
                    type(argument.default), typer.Option(help=argument.description)
                ],
            )
            for argument in ARGUMENTS
        ]
    )


# typer reads both.
drive.__signature__ = _options()  # type: ignore[attr-defined]
drive.__annotations__ = {p.name: p.annotation for p in _options().parameters.values()}
