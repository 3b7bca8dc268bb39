"""The offline comparison of models: size, error on the test set, inference time, sparsity.

A row tells of one model file in one form on one device. Times are compared within the session that
took them: every session times the reference too, so a row's ratios hold whenever it was measured.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from pilotnet_brain.driving.model.file import Model, load_as_saved, load_forms
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.learning.offline.command_error import CommandError, command_error
from pilotnet_brain.learning.offline.row import AS_SAVED, OfflineRow
from pilotnet_brain.learning.offline.stored_weights import parameter_count, sparsity, stored_layers
from pilotnet_brain.learning.offline.timing import (
    InferenceTimes,
    TimedNetwork,
    TimingPlan,
    all_threads,
    as_driven,
    as_published,
    time_networks,
)
from pilotnet_brain.machine import cpu_model, load_average

_TIMED_FRAMES = 32


def offline_rows(
    models: Sequence[Path],
    reference: Path,
    data: DataSet,
    *,
    device: str = "cpu",
    plan: TimingPlan = TimingPlan(),  # noqa: B008  (frozen)
    progress: Callable[[str], None] | None = None,
) -> list[OfflineRow]:
    """Measure model files; the reference file itself also gives a row of its form as saved.

    Args:
        models: the files.
        reference: the traced float file that the ratios refer to.
        data: the test set.
        device: "cpu" or "cuda"; on CUDA every form of each model gives a row.
        plan: how much to time.
        progress: told what is being done.

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
    errors = {path: _error(path, forms[path][0], data, tell) for path in models}
    times = _times(forms, reference, data, plan, tell)
    best_s = min(times[reference, model.form].one_thread.median_s for model in forms[reference])
    rows = []
    for path in models:
        stored = _Stored.of(path, reference)
        names = [model.form for model in forms[path]]
        for form in [AS_SAVED, *names] if path == reference else names:
            taken, published = times[path, form], times[reference, AS_SAVED]
            rows.append(
                _row(forms[path][0], form, stored, errors[path], taken, published, best_s, load)
            )
    return rows


def _times(
    forms: dict[Path, list[Model]],
    reference: Path,
    data: DataSet,
    plan: TimingPlan,
    tell: Callable[[str], None],
) -> dict[tuple[Path, str], InferenceTimes]:
    """Time every form of every file, and the reference as it was saved, against each other."""
    first = forms[reference][0]
    names = [(path, model.form) for path, found in forms.items() for model in found]

    def load() -> list[TimedNetwork]:
        anew = {
            (path, model.form): as_driven(model)
            for path in forms
            for model in load_forms(path, first.device)
        }
        published = as_published(reference, first.record, first.device)
        return [published, *(anew[name] for name in names)]

    chosen = np.linspace(0, len(data) - 1, min(_TIMED_FRAMES, len(data))).astype(int)
    frames = np.asarray(data.frames[chosen])
    taken = time_networks(load, frames, plan, tell)
    return dict(zip([(reference, AS_SAVED), *names], taken, strict=True))


@dataclass(frozen=True)
class _Stored:
    """What the file itself tells."""

    file_bytes: int
    gzip_bytes: int
    size_ratio: float
    parameters: int
    sparsity: float | None
    sparsity_convolution: float | None
    sparsity_linear: float | None

    @classmethod
    def of(cls, path: Path, reference: Path) -> _Stored:
        data = path.read_bytes()
        network = load_as_saved(path)
        zeros = sparsity(stored_layers(network))
        return cls(
            len(data),
            len(gzip.compress(data, 9, mtime=0)),
            reference.stat().st_size / len(data),
            parameter_count(network),
            zeros.overall,
            zeros.convolution,
            zeros.linear,
        )


def _error(path: Path, model: Model, data: DataSet, tell: Callable[[str], None]) -> CommandError:
    return command_error(
        path,
        load_as_saved(path),
        model.record,
        data,
        lambda done, total: tell(f"{model.name} on the test set: frame {done} of {total}"),
    )


def _row(
    model: Model,
    form: str,
    stored: _Stored,
    error: CommandError,
    taken: InferenceTimes,
    reference: InferenceTimes,
    best_s: float,
    load: float | None,
) -> OfflineRow:
    cuda = model.device == "cuda"
    return OfflineRow(
        model=model.name,
        method=model.record.method,
        device=model.device,
        form=form,
        sha256=model.sha256,
        **asdict(stored),
        frames=error.frames,
        mse=error.mse,
        speed_mse=error.speed_mse,
        yaw_rate_mse=error.yaw_rate_mse,
        inference_median_s=taken.one_thread.median_s,
        inference_p99_s=taken.one_thread.p99_s,
        all_threads=all_threads(),
        inference_all_median_s=taken.all_threads.median_s,
        inference_all_p99_s=taken.all_threads.p99_s,
        inference_paced_median_s=taken.paced.median_s,
        inference_paced_p99_s=taken.paced.p99_s,
        speedup_traced=reference.one_thread.median_s / taken.one_thread.median_s,
        speedup_float=best_s / taken.one_thread.median_s,
        speedup_traced_paced=reference.paced.median_s / taken.paced.median_s,
        reference_median_s=reference.one_thread.median_s,
        machine=torch.cuda.get_device_name() if cuda else cpu_model(),
        torch_version=torch.__version__,
        load=load,
    )
