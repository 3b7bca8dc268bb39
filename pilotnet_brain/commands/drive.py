"""``pilotnet drive``: a run without ``ros2 launch``; the options are `spec.ARGUMENTS`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilotnet_brain.runs.spec import ARGUMENTS

if TYPE_CHECKING:
    from pilotnet_brain.runs.folder import RunFolder


def drive(**arguments: Any) -> None:
    """Drive laps with a network, live over ROS 2 or in lock-step, and show the result.

    Live, simulator, brain, metrics and recorder are ROS 2 processes. With --lockstep, simulator
    and network run in one process without ROS, as fast as the machine goes. What was measured is
    kept in runs/<time>-<circuit>-<model>/ (runs/latest is the newest).

    \b
    Examples:
      pilotnet drive
      pilotnet drive --circuit montreal --laps 2 --record-camera
      pilotnet drive --circuit my_lap.csv --model my/model.pt --device cpu
      pilotnet drive --lockstep --disturbance latency=100
      pilotnet drive --simulator none             a car that is driven elsewhere
    """
    from pilotnet_brain.driving.model.catalogue import unsigned_warning
    from pilotnet_brain.errors import FAILED, SUCCESS, USER_ERROR
    from pilotnet_brain.report.after_run import show_run
    from pilotnet_brain.report.figures import progress_line
    from pilotnet_brain.runs.drive import RunIncomplete, RunInterrupted, RunRefused
    from pilotnet_brain.runs.drive import drive as drive_run
    from pilotnet_brain.runs.fast_dds import other_terminals
    from pilotnet_brain.runs.preset import spec_of

    spec = spec_of(arguments)
    # In a live run the brain says it, before it loads the model.
    if spec.in_process and (warning := unsigned_warning(spec.model)):
        print(warning, file=sys.stderr, flush=True)

    def announce(folder: RunFolder) -> None:
        print(f"{spec.circuit} with {spec.model}: results in {folder.path}", flush=True)
        if not spec.in_process and (hint := other_terminals()):
            print(hint, flush=True)

    def show(progress: Mapping[str, Any]) -> None:
        line = progress_line(progress)
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end="", flush=True)
        else:
            print(line, flush=True)

    try:
        folder = drive_run(spec, on_start=announce, on_progress=show)
    except RunRefused:
        # The node that refused the run has said why.
        raise typer.Exit(USER_ERROR) from None
    except RunIncomplete as problem:
        print(f"error: {problem}", file=sys.stderr, flush=True)
        raise typer.Exit(FAILED) from None
    except RunInterrupted as stopped:
        show_run(stopped.folder)
        raise typer.Exit(128 + stopped.number) from None
    raise typer.Exit(SUCCESS if show_run(folder) else FAILED)


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
