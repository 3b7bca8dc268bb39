"""What `benchmarks/gpu.sh` times itself: training, ONNX Runtime's providers; and its summary."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.learning.offline.timing import Durations
from pilotnet_brain.learning.onnx_export import export_onnx
from pilotnet_brain.learning.pilotnet import PilotNet
from pilotnet_brain.learning.train import driving_loss
from pilotnet_brain.machine import made_by

app = typer.Typer(add_completion=False, no_args_is_help=True)
_Out = Annotated[Path, typer.Option(help="JSON file for the figures.")]
_EPOCH_FRAMES = 48_000
_WARM_STEPS, _STEPS = 5, 20
_WARM_CALLS, _CALLS = 50, 500


@app.command()
def training(out: _Out) -> None:
    """Time training steps at several batches and precisions, on the GPU and on the CPU."""
    cases: list[tuple[str, int, torch.dtype]] = [("cpu", 128, torch.float32)]
    if torch.cuda.is_available():
        on_gpu = itertools.product((128, 512, 2048), (torch.float32, torch.bfloat16))
        cases += [("cuda", batch, dtype) for batch, dtype in on_gpu]
    rows = []
    for case in cases:
        rows.append(_step_row(*case))
        typer.echo(rows[-1])
    out.write_text(json.dumps(rows, indent=1) + "\n")


def _step_row(device: str, batch: int, dtype: torch.dtype) -> dict[str, Any]:
    """Return the median seconds of a step, and of an epoch of 48,000 frames by it."""
    network = PilotNet().to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    images = torch.rand((batch, 3, 66, 200), device=device).to(memory_format=torch.channels_last)
    targets = torch.rand((batch, 2), device=device)
    seconds = []
    for step in range(-_WARM_STEPS, _STEPS if device == "cuda" else 3):
        begin = time.perf_counter()
        with torch.autocast(device, dtype, enabled=dtype is not torch.float32):
            outputs = network(images)
        loss = driving_loss(outputs.float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        float(loss.detach())  # waits for the GPU
        if step >= 0:
            seconds.append(time.perf_counter() - begin)
    median = Durations.of(seconds).median_s
    return {
        "device": device,
        "batch": batch,
        "dtype": str(dtype).removeprefix("torch."),
        "step_s": median,
        "epoch_s": median * _EPOCH_FRAMES / batch,
    }


@app.command()
def onnx(out: _Out) -> None:
    """Time the baseline as ONNX on every device that ONNX Runtime has."""
    rows = []
    pixels = np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "baseline.onnx"
        export_onnx(resolve_model("baseline"), path, pixels)
        for device in ("cpu", "auto"):
            model = load_model(path, device)
            rows.append({"device": model.device, "form": model.form, **_call_times(Pilot(model))})
            typer.echo(rows[-1])
    out.write_text(json.dumps(rows, indent=1) + "\n")


def _call_times(pilot: Pilot) -> dict[str, float]:
    frame = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    pilot.warm_up(_WARM_CALLS)
    times = Durations.of([pilot.drive(frame).inference_s for _ in range(_CALLS)])
    return {"inference_median_s": times.median_s, "inference_p99_s": times.p99_s}


@app.command()
def summary(folder: Annotated[Path, typer.Argument(help="Of the results.")]) -> None:
    """Put the figures of a folder into its results.json and results.md."""
    results: dict[str, Any] = {"machine": made_by()}
    for name in ("evaluation", "training", "onnx", "bench"):
        path = folder / f"{name}.json"
        if path.is_file():
            results[name] = json.loads(path.read_text())
    for name in ("live", "swapped"):
        path = folder / name / "latest" / "metrics.json"
        if path.is_file():
            results[name] = json.loads(path.read_text())
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "results.md").write_text(_markdown(folder, results))
    typer.echo(f"{folder / 'results.json'} and results.md are written")


def _markdown(folder: Path, results: dict[str, Any]) -> str:
    machine = results["machine"]["hardware"]
    lines = [f"# On a GPU: {machine.get('gpu') or 'none'}", "", f"{machine}", ""]
    table = folder / "evaluation.md"
    lines += [table.read_text() if table.is_file() else "Inference was not timed.", ""]
    for name in ("training", "onnx"):
        rows = results.get(name) or []
        if rows:
            lines += [f"## {name}", "", f"| {' | '.join(rows[0])} |", "| --- " * len(rows[0]) + "|"]
            lines += [f"| {' | '.join(_text(value) for value in row.values())} |" for row in rows]
            lines.append("")
    for name in ("live", "swapped"):
        figures = results.get(name)
        if figures:
            lines += [f"## {name}", ""]
            lines += [f"- {key}: {_text(figures.get(key))}" for key in _OF_A_RUN] + [""]
    return "\n".join(lines)


_OF_A_RUN = (
    "model", "device", "lap_completed", "average_speed", "position_deviation_mae",
    "inference_time_p50", "inference_time_p99", "frame_age_p50", "frame_age_p99",
    "frames_received", "frames_dropped", "real_time_factor",
)  # fmt: skip


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    app()
