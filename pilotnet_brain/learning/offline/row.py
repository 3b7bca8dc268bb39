"""A row of the offline comparison, and the file that keeps the rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.errors import UserError

AS_SAVED = "as saved"


@dataclass(frozen=True)
class OfflineRow:
    """One model's figures in one form on one device; None where a figure makes no sense.

    Attributes:
        model: its name.
        method: how it was made.
        device: "cpu" or "cuda".
        form: how the network was run, in words; ``AS_SAVED`` is the published way.
        sha256: of the file.
        file_bytes: its size.
        gzip_bytes: its size compressed (gzip, level 9).
        size_ratio: the reference file's size over this one's.
        parameters: weights and biases in the file.
        sparsity: share of the file's weights that are zero, 0..1, overall...
        sparsity_convolution: ...of the convolutions...
        sparsity_linear: ...and of the linear layers.
        frames: of the data set.
        mse: of the normalized outputs.
        speed_mse: (m/s)^2.
        yaw_rate_mse: (rad/s)^2.
        inference_median_s: one frame, one thread, warm...
        inference_p99_s: ...and its 99th percentile.
        all_threads: how many threads "all" are.
        inference_all_median_s: one frame, all threads, warm...
        inference_all_p99_s: ...and its 99th percentile.
        inference_paced_median_s: one frame, one thread, at the camera's rate...
        inference_paced_p99_s: ...and its 99th percentile.
        speedup_traced: the traced reference's median over this one's (one thread, warm).
        speedup_float: the same over the reference's best float form that the brain would run.
        speedup_traced_paced: as ``speedup_traced``, paced.
        reference_median_s: the traced reference's median in the same session.
        machine: the processor, on CUDA the GPU.
        torch_version: that ran it.
        load: the system's load average before, where it tells it.
    """

    model: str
    method: str
    device: str
    form: str
    sha256: str
    file_bytes: int
    gzip_bytes: int
    size_ratio: float
    parameters: int
    sparsity: float | None
    sparsity_convolution: float | None
    sparsity_linear: float | None
    frames: int
    mse: float
    speed_mse: float
    yaw_rate_mse: float
    inference_median_s: float
    inference_p99_s: float
    all_threads: int
    inference_all_median_s: float
    inference_all_p99_s: float
    inference_paced_median_s: float
    inference_paced_p99_s: float
    speedup_traced: float
    speedup_float: float
    speedup_traced_paced: float
    reference_median_s: float
    machine: str
    torch_version: str
    load: float | None


def read_rows(path: Path) -> list[OfflineRow]:
    """Return the rows of an earlier evaluation.json; none where there is no such file.

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
            f"{path}: not an evaluation of this version ({problem}): remove it, and evaluate anew"
        ) from problem


def merge_rows(old: Sequence[OfflineRow], new: Sequence[OfflineRow]) -> list[OfflineRow]:
    """Return the rows with those of the models measured anew, by device, in their places."""
    fresh: dict[tuple[str, str], list[OfflineRow]] = {}
    for row in new:
        fresh.setdefault((row.model, row.device), []).append(row)
    merged: list[OfflineRow] = []
    for row in old:
        key = (row.model, row.device)
        if key not in {(other.model, other.device) for other in new}:
            merged.append(row)
        else:
            merged += fresh.pop(key, [])
    return merged + [row for rows in fresh.values() for row in rows]


def write_rows(path: Path, rows: Sequence[OfflineRow]) -> None:
    """Write rows as JSON, to be read again by ``read_rows``.

    Raises:
        OSError: the file cannot be written.
    """
    values: dict[str, Any] = {"rows": [asdict(row) for row in rows]}
    write_atomically(path, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())


def column_names() -> list[str]:
    """Return the names of a row's figures, in their order."""
    return [field.name for field in fields(OfflineRow)]
