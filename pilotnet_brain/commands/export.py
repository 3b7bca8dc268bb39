"""``pilotnet export``: a model for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_CHECKED_FRAMES = 16


def export(
    model: Annotated[str, typer.Argument(help="Name or path of a float model.")],
    format_: Annotated[str, typer.Option("--format", help="What to export to: onnx.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="File to write; default: MODEL.onnx here.")
    ] = None,
) -> None:
    """Export a float model, from its TorchScript file, to what other runtimes read.

    The exported network is run beside the original on rendered frames; it is written only if its
    outputs are the same to 1e-4. The model's record travels in the metadata.

    \b
    Examples:
      pilotnet export baseline
      pilotnet export structured_prune --format onnx --out car/pilot.onnx
    """
    import numpy as np

    from pilotnet_brain.driving.model.archive import read_record
    from pilotnet_brain.driving.model.catalogue import resolve_model
    from pilotnet_brain.driving.model.record import ModelRecord
    from pilotnet_brain.driving.preprocess import network_input
    from pilotnet_brain.errors import UserError
    from pilotnet_brain.learning.onnx_export import INPUT, OUTPUT, export_onnx
    from pilotnet_brain.simulation.mujoco.example_frames import example_frames

    if format_ != "onnx":
        raise UserError(f"unknown format {format_!r}; there is onnx")
    path = resolve_model(model)
    fmt = (read_record(path) or ModelRecord()).input_format
    frames, source = example_frames(_CHECKED_FRAMES)
    if frames.shape[1:] != fmt.frame_shape:
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (_CHECKED_FRAMES, *fmt.input_shape), np.uint8)
        source = "noise (no camera here gives its frames)"
    else:
        pixels = np.stack([network_input(frame, fmt) for frame in frames])
    done = export_onnx(path, out or Path(f"{path.stem}.onnx"), pixels)
    typer.echo(
        f"{done.path} is written: input {INPUT} (1, 3, {fmt.height}, {fmt.width}), output {OUTPUT} "
        f"(1, 2); ONNX Runtime differs by {done.difference:.1e} on {done.frames} frames, {source}"
    )
