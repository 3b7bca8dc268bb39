"""In which forms a model file's network can be driven on a device."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.driving.model.archive import ModelArchive, ModelError
from pilotnet_brain.driving.model.cuda_form import (
    FLOAT16_TOLERANCE,
    Form,
    HalfPrecision,
    with_graphs,
)
from pilotnet_brain.driving.model.input_norm import fold_input_norm
from pilotnet_brain.driving.model.self_test import (
    Outputs,
    first_line,
    largest_difference,
    network_batch,
    tried_outputs,
)
from pilotnet_brain.driving.model.torchscript import convolve_channels_last, freeze, load_bytes


def device_forms(
    archive: ModelArchive,
    as_saved: torch.jit.ScriptModule,
    frames: NDArray[np.uint8],
    expected: Outputs,
    device: str,
    tolerance: float,
) -> list[Form]:
    """Return the forms that a network can be driven in on the device.

    One that cannot be frozen, or gives other outputs then, is driven as it was saved.

    Args:
        archive: the model file.
        as_saved: its network, not optimized; it may be moved to the device.
        frames: uint8 (N, height, width, 3): input pixels to try it on.
        expected: its outputs on them as it was saved.
        device: "cpu" or "cuda".
        tolerance: of the outputs; float16's is at least ``FLOAT16_TOLERANCE``.

    Raises:
        ModelError: the device takes it in no form, or it gives other outputs there in every one.
    """
    path = archive.path
    if device == "cuda":
        # TensorFloat-32 rounds to 10 bits, and wins nothing on one small picture.
        torch.backends.cudnn.allow_tf32 = False
    try:
        # A second copy: the first stays as it is, whatever moving and freezing do.
        form = _frozen(load_bytes(archive.data).to(device))
        outputs = tried_outputs(path, form.network, frames, device, channels_last=True)
        if largest_difference(outputs, expected) <= tolerance:
            if device == "cpu":
                return [form]
            return _cuda_forms(archive, form, frames, expected, tolerance)
        reason = "frozen, it gives other outputs"
    except (ModelError, RuntimeError) as error:
        reason = first_line(error)
    try:
        module = as_saved.to(device)
    except RuntimeError as error:
        raise ModelError(f"{path}: cannot be run on {device}: {first_line(error)}") from error
    outputs = tried_outputs(path, module, frames, device, channels_last=False)
    if largest_difference(outputs, expected) > tolerance:
        raise ModelError(f"{path}: on {device} it gives other outputs than on the CPU; use cpu")
    return [Form(module, f"as saved ({reason})", channels_last=False)]


def _frozen(module: torch.jit.ScriptModule) -> Form:
    """Return a module, on its device and in its precision, as it runs fastest there."""
    frozen = freeze(module)
    folded = fold_input_norm(frozen)
    convolve_channels_last(frozen)
    name = "frozen, input norm folded" if folded else "frozen"
    return Form(frozen, f"{name}, channels last", channels_last=True)


def half_precision(archive: ModelArchive, device: str) -> Form:
    """Return a float model file's network in float16 on the device.

    Raises:
        RuntimeError: it does not take float16.
    """
    form = _frozen(load_bytes(archive.data).to(device).half())
    return replace(form, network=HalfPrecision(form.network), name=f"{form.name}, float16")


def _cuda_forms(
    archive: ModelArchive,
    float32: Form,
    frames: NDArray[np.uint8],
    expected: Outputs,
    tolerance: float,
) -> list[Form]:
    """Return float32, and what else CUDA offers that meets the self-test."""
    batch = network_batch(frames[0], "cuda", channels_last=True)
    met = []
    for form in with_graphs([float32], batch):
        if _meets(archive, form, frames, expected, tolerance):
            met.append(form)
    with contextlib.suppress(RuntimeError):  # a network that does not take float16
        for form in with_graphs([half_precision(archive, "cuda")], batch):
            if _meets(archive, form, frames, expected, max(tolerance, FLOAT16_TOLERANCE)):
                met.append(form)
    return met


def _meets(
    archive: ModelArchive,
    form: Form,
    frames: NDArray[np.uint8],
    expected: Outputs,
    tolerance: float,
) -> bool:
    try:
        outputs = tried_outputs(archive.path, form.network, frames, "cuda", channels_last=True)
    except ModelError:
        return False
    return largest_difference(outputs, expected) <= tolerance
