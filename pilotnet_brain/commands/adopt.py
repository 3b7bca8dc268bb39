"""``pilotnet models adopt``: a network of other people, made a model file and tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from pilotnet_brain.errors import FAILED, UserError

_Number = TypeVar("_Number", int, float)
_TRIED_ON, _TRIED_S = "simple_circuit", 10.0


def adopt_model(
    model: Annotated[Path, typer.Argument(help="TorchScript or ONNX file without a record.")],
    out: Annotated[
        Path | None, typer.Option(help="Model file to write. [default: adopted/MODEL]")
    ] = None,
    name: Annotated[str, typer.Option(help="The model's name. [default: the file's]")] = "",
    frame: Annotated[str, typer.Option(help="Camera frame, WIDTHxHEIGHT.")] = "640x480",
    crop: Annotated[
        str, typer.Option(help="Rows of it that are looked at, TOP:BOTTOM.")
    ] = "240:480",
    size: Annotated[str, typer.Option(help="What they are resized to, WIDTHxHEIGHT.")] = "200x66",
    colour: Annotated[str, typer.Option(help="Colour order: rgb or bgr.")] = "rgb",
    pixels: Annotated[
        str, typer.Option(help="What black and white become; 0:255 for bytes.")
    ] = "0:1",
    speed_range: Annotated[
        str, typer.Option(help="Speed, m/s, at outputs 0 and 1; 0:1 for an output in m/s.")
    ] = "6.5:24",
    yaw_range: Annotated[
        str, typer.Option(help="Yaw rate, rad/s, left positive, at 0 and 1; 0:1 for rad/s.")
    ] = "-7.1:7.1",
    fixed_speed: Annotated[
        float | None, typer.Option(help="Speed, m/s, of a network that only steers.")
    ] = None,
) -> None:
    """Make a model file of a network that others exported.

    Layout (NCHW or NHWC), element type (float32, float16, uint8) and outputs (one tensor, several,
    a dict) are found by trying. What the options say goes into the new file's record. The new file
    drives ten seconds in lock-step, to see that all of it is right.

    \b
    Examples:
      pilotnet models adopt theirs.onnx --out mine.onnx
      pilotnet models adopt steering.pt --fixed-speed 8 --yaw-range=-1:1
      pilotnet models adopt small.pt --size 160x120 --crop 0:480 --colour bgr --pixels=-1:1
    """
    from pilotnet_brain.driving.command import OutputRange
    from pilotnet_brain.driving.model.record import SELF_TEST_FRAMES, ModelRecord
    from pilotnet_brain.driving.preprocess import InputFormat
    from pilotnet_brain.learning.adoption.adopt import adopt
    from pilotnet_brain.learning.adoption.meaning import Meaning
    from pilotnet_brain.learning.example_inputs import example_inputs

    out = Path("adopted") / model.name if out is None else out
    if out.resolve() == model.resolve():
        raise UserError(f"--out {out}: it is the file to adopt; name another one")
    speeds, yaw_rates = (
        _pair("speed-range", speed_range, float),
        _pair("yaw-range", yaw_range, float),
    )
    black, white = _pair("pixels", pixels, float)
    frame_width, frame_height = _pair("frame", frame, int, "x")
    width, height = _pair("size", size, int, "x")
    top, bottom = _pair("crop", crop, int)
    try:
        fmt = InputFormat(frame_width, frame_height, top, bottom, width, height, colour)
        output_range = OutputRange(
            speeds[0], speeds[1] - speeds[0], yaw_rates[0], yaw_rates[1] - yaw_rates[0]
        )
        record = ModelRecord(
            name=name or model.stem, method="adopted", input_format=fmt, output_range=output_range
        )
        _ = record.frame_camera
    except ValueError as problem:
        raise UserError(str(problem)) from None
    frames, _ = example_inputs(fmt, SELF_TEST_FRAMES)
    said = adopt(model, out, record, Meaning(black, white, fixed_speed), frames)
    typer.echo(f"{out} is written: {said}")
    _try(out)


def _pair(
    option: str, text: str, kind: Callable[[str], _Number], separator: str = ":"
) -> tuple[_Number, _Number]:
    first, _, second = text.partition(separator)
    try:
        return kind(first), kind(second)
    except ValueError:
        raise UserError(
            f"--{option} {text}: two numbers with {separator!r} between them are needed"
        ) from None


def _try(model: Path) -> None:
    """Drive ten seconds in lock-step, and say how it went."""
    import tempfile

    from pilotnet_brain.runs.drive import drive
    from pilotnet_brain.runs.spec import RunSpec

    with tempfile.TemporaryDirectory() as folder:
        spec = RunSpec(
            circuit=_TRIED_ON, model=str(model), lockstep=True, time_limit=_TRIED_S, record=False,
            output=folder,
        )  # fmt: skip
        figures: Mapping[str, Any] = drive(spec).read_metrics() or {}
    seconds = figures.get("simulated_time_s") or 0.0
    if seconds < _TRIED_S - 0.5:
        typer.echo(
            f"warning: it does not drive: {figures.get('ending')} after {seconds:.1f} s on "
            f"{_TRIED_ON}; are crop, colour, pixels and ranges right?",
            err=True,
        )
        raise typer.Exit(FAILED)
    typer.echo(
        f"drives: {seconds:.0f} s on {_TRIED_ON} at {figures['average_speed']:.1f} m/s, "
        f"{figures['position_deviation_mae']:.3f} m off the line\n"
        f"next: pilotnet drive --model {model}"
    )
