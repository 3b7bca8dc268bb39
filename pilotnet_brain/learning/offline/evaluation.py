"""The offline comparison of models: size, error on the test set, inference time, sparsity.

A row holds the figures of one model file in one form on one device. Times are compared within the
session that took them: every session times the reference too, so a row's ratios stay valid.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.command import JDEROBOT_RANGE
from pilotnet_brain.driving.model.file import (
    ModelRecord,
    TorchModel,
    load_as_saved,
    load_forms,
    network_batch,
)
from pilotnet_brain.driving.model.network import Network
from pilotnet_brain.driving.preprocess import JDEROBOT, scale_input
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.learning.offline.stored_weights import stored_weights
from pilotnet_brain.learning.offline.timing import (
    InferenceTimes,
    TimingPlan,
    all_threads,
    as_published,
    time_networks,
)
from pilotnet_brain.machine import cpu_model, load_average

AS_SAVED = "as saved"
"""The form in which the published comparison ran its models."""
BATCH = 1024
"""Frames at once on the test set, as in the published comparison."""
_TIMED_FRAMES = 32


@dataclass(frozen=True)
class OfflineRow:
    """One model's figures in one form on one device; None where a figure makes no sense."""

    model: str  #: its name
    method: str  #: how it was made
    device: str  #: "cpu" or "cuda"
    form: str  #: how the network was run, in words; ``AS_SAVED`` is the published way
    sha256: str  #: of the file
    file_bytes: int  #: its size
    gzip_bytes: int  #: its size compressed (gzip, level 9)
    size_ratio: float  #: the reference file's size over this one's
    parameters: int  #: weights and biases in the file
    sparsity: float | None  #: share of the file's weights that are zero, 0..1, overall...
    sparsity_convolution: float | None  #: ...of the convolutions...
    sparsity_linear: float | None  #: ...and of the linear layers
    frames: int  #: of the data set
    mse: float  #: of the normalized outputs
    speed_mse: float  #: (m/s)^2
    yaw_rate_mse: float  #: (rad/s)^2
    inference_median_s: float  #: one frame, one thread, warm...
    inference_p99_s: float  #: ...and its 99th percentile
    all_threads: int  #: how many threads "all" are
    inference_all_median_s: float  #: one frame, all threads, warm...
    inference_all_p99_s: float  #: ...and its 99th percentile
    inference_paced_median_s: float  #: one frame, one thread, at the camera's rate...
    inference_paced_p99_s: float  #: ...and its 99th percentile
    speedup_traced: float  #: the traced reference's median over this one's (one thread, warm)
    speedup_float: float  #: the same over the reference's best float form that the brain would run
    speedup_traced_paced: float  #: as ``speedup_traced``, paced
    reference_median_s: float  #: the traced reference's median in the same session
    machine: str  #: the processor, on CUDA the GPU
    torch_version: str  #: that ran it
    load: float | None  #: the system's load average before, if known


def evaluate(
    models: Sequence[Path],
    reference: Path,
    data: DataSet,
    *,
    device: str = "cpu",
    plan: TimingPlan = TimingPlan(),  # noqa: B008  (frozen)
    progress: Callable[[str], None] | None = None,
) -> list[OfflineRow]:
    """Measure model files; the reference file also gives a row of its form as saved.

    Ratios refer to the reference, a traced float file. The device is "cpu" or "cuda"; on CUDA every
    form of each model gives a row. ``progress`` is called with what is being done.

    Raises:
        ModelError: a file is not fit to drive with, or there is no such device.
        UserError: a model takes other pixels than the data set holds, or is int8 and cannot run
            on the device.
    """
    tell = progress or (lambda text: None)
    load = load_average()
    forms = {path: load_forms(path, device) for path in dict.fromkeys([reference, *models])}
    for path, found in forms.items():
        if found[0].device != forms[reference][0].device:
            raise UserError(f"{path}: {found[0].note}; leave it out")
    figures = {path: _file_figures(forms[path][0], reference, data, tell) for path in models}
    times = _times(forms, reference, data, plan, tell)
    traced = times[reference, AS_SAVED]
    best_s = min(times[reference, model.form].one_thread.median_s for model in forms[reference])
    rows = []
    for path in models:
        names = [model.form for model in forms[path]]
        for form in [AS_SAVED, *names] if path == reference else names:
            taken = times[path, form]
            rows.append(
                OfflineRow(
                    **figures[path],
                    form=form,
                    **taken.figures(),
                    all_threads=all_threads(),
                    speedup_traced=traced.one_thread.median_s / taken.one_thread.median_s,
                    speedup_float=best_s / taken.one_thread.median_s,
                    speedup_traced_paced=traced.paced.median_s / taken.paced.median_s,
                    reference_median_s=traced.one_thread.median_s,
                    load=load,
                )
            )
    return rows


def _file_figures(
    model: TorchModel, reference: Path, data: DataSet, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Return the figures of a row that do not depend on the form: the file's and its errors."""
    path, content = model.path, model.path.read_bytes()
    network = load_as_saved(path)
    error = command_error(
        path,
        network,
        model.record,
        data,
        lambda done, total: tell(f"{model.name} on the test set: frame {done} of {total}"),
    )
    return {
        "model": model.name,
        "method": model.record.method,
        "device": model.device,
        "sha256": model.sha256,
        "file_bytes": len(content),
        "gzip_bytes": len(gzip.compress(content, 9, mtime=0)),
        "size_ratio": reference.stat().st_size / len(content),
        "machine": torch.cuda.get_device_name() if model.device == "cuda" else cpu_model(),
        "torch_version": torch.__version__,
        **asdict(stored_weights(network)),
        **asdict(error),
    }


@dataclass(frozen=True)
class CommandError:
    """Mean squared errors over a data set."""

    mse: float  #: of the normalized outputs, both together; in JdeRobot's range for every model
    speed_mse: float  #: (m/s)^2
    yaw_rate_mse: float  #: (rad/s)^2
    frames: int  #: how many


def command_error(
    path: Path,
    network: torch.jit.ScriptModule,
    record: ModelRecord,
    data: DataSet,
    progress: Callable[[int, int], None] | None = None,
) -> CommandError:
    """Run a model file's network over a data set and compare with its labels.

    The network is on the CPU, as it was saved; the record has its input format and output range.
    ``progress`` is called with the frames done and to do. The path is named in errors.

    Raises:
        UserError: the network takes other pixels than the data set holds.
    """
    fmt = record.input_format
    if replace(fmt, colour_order="rgb") != JDEROBOT:
        raise UserError(
            f"{path}: it looks at {fmt.width}x{fmt.height} pixels of rows {fmt.crop_top} to "
            f"{fmt.crop_bottom}, and a data set holds {JDEROBOT.width}x{JDEROBOT.height} of "
            f"{JDEROBOT.crop_top} to {JDEROBOT.crop_bottom}: it can only be driven"
        )
    squares = np.zeros(2)
    for first in range(0, len(data), BATCH):
        frames = np.asarray(data.frames[first : first + BATCH])
        if fmt.colour_order == "bgr":
            frames = frames[..., ::-1]
        outputs = _outputs(network, np.ascontiguousarray(frames))
        squares += (data.command_errors(outputs, record.output_range, first) ** 2).sum(axis=0)
        if progress is not None:
            progress(first + len(frames), len(data))
    speed_mse, yaw_rate_mse = (squares / len(data)).tolist()
    normalized = JDEROBOT_RANGE
    mse = 0.5 * (speed_mse / normalized.speed_span**2 + yaw_rate_mse / normalized.yaw_rate_span**2)
    return CommandError(mse, speed_mse, yaw_rate_mse, len(data))


def _outputs(network: torch.jit.ScriptModule, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the outputs (N, 2) for input pixels; frame by frame if it takes no batch."""
    batch = torch.from_numpy(scale_input(frames)).permute(0, 3, 1, 2).contiguous()
    with torch.inference_mode():
        try:
            outputs = network(batch)
        except RuntimeError:
            outputs = None  # traced for one frame
        if outputs is None or tuple(outputs.shape) != (len(frames), 2):
            single = [network_batch(frame, "cpu", channels_last=False) for frame in frames]
            outputs = torch.cat([network(one) for one in single])
    return outputs.numpy()


def _times(
    forms: dict[Path, list[TorchModel]],
    reference: Path,
    data: DataSet,
    plan: TimingPlan,
    tell: Callable[[str], None],
) -> dict[tuple[Path, str], InferenceTimes]:
    """Time every form of every file, and the reference as it was saved, against each other."""
    first = forms[reference][0]
    names = [(path, model.form) for path, found in forms.items() for model in found]

    def load() -> list[Network]:
        loaded = {
            (path, model.form): model.network()
            for path in forms
            for model in load_forms(path, first.device)
        }
        published = as_published(reference, first.record, first.device)
        return [published, *(loaded[name] for name in names)]

    chosen = np.linspace(0, len(data) - 1, min(_TIMED_FRAMES, len(data))).astype(int)
    frames = np.asarray(data.frames[chosen])
    taken = time_networks(load, frames, plan, tell)
    return dict(zip([(reference, AS_SAVED), *names], taken, strict=True))


def read_rows(path: Path) -> list[OfflineRow]:
    """Return the rows of an earlier evaluation.json; none if there is no such file.

    Raises:
        UserError: it holds something else.
    """
    try:
        values = json.loads(path.read_bytes())
        return [OfflineRow(**row) for row in values["rows"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise UserError(
            f"{path}: not an evaluation of this version ({problem}): remove it, and measure the "
            "models again with 'pilotnet models time'"
        ) from problem


def merge_rows(old: Sequence[OfflineRow], new: Sequence[OfflineRow]) -> list[OfflineRow]:
    """Return the old rows, those of a model measured again on a device replaced in place."""

    def measured(row: OfflineRow) -> tuple[str, str]:
        return row.model, row.device

    replaced = {measured(row) for row in new}
    return [
        row
        for key in dict.fromkeys(map(measured, [*old, *new]))
        for row in (new if key in replaced else old)
        if measured(row) == key
    ]


def write_rows(path: Path, rows: Sequence[OfflineRow]) -> None:
    """Write rows as JSON, for ``read_rows``.

    Raises:
        OSError: the file cannot be written.
    """
    text = json.dumps({"rows": [asdict(row) for row in rows]}, indent=1, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def column_names() -> list[str]:
    """Return the names of a row's figures, in their order."""
    return [field.name for field in fields(OfflineRow)]
