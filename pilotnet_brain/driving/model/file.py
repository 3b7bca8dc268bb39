"""Model files: TorchScript with a record of what they are, tested at every load."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.model import DEVICES
from pilotnet_brain.driving.model.archive import (
    FRAMES_ENTRY,
    RECORD_ENTRY,
    ModelArchive,
    ModelError,
    read_archive,
    without_debug_files,
)
from pilotnet_brain.driving.model.cuda_form import Form, Network, fastest
from pilotnet_brain.driving.model.device_forms import device_forms
from pilotnet_brain.driving.model.record import SELF_TEST_FRAMES, ModelRecord, SelfTest
from pilotnet_brain.driving.model.self_test import (
    Outputs,
    first_line,
    largest_difference,
    network_batch,
    tried_outputs,
)
from pilotnet_brain.driving.model.torchscript import (
    adopt_thread_count,
    holds_quantized_kernels,
    load_bytes,
    save_bytes,
)
from pilotnet_brain.driving.preprocess import InputFormat

__all__ = ["Model", "ModelError", "ModelRecord", "load_as_saved", "load_forms",
           "load_model", "network_batch", "save_model"]  # fmt: skip

FLOAT_TOLERANCE = 1e-3
"""Of normalized outputs: 0.02 m/s of speed. Rounding on other CPUs stays below 1e-5; CUDA's
TensorFloat-32 does not."""
QUANTIZED_TOLERANCE = 2e-2
"""An int8 engine may round otherwise on another CPU: a few steps of the outputs' scale."""


@dataclass(frozen=True)
class Model:
    """A network ready to drive with.

    Attributes:
        module: takes float32 (1, 3, height, width), 0..1, on ``device``; gives float32 (1, 2).
        record: what the file says of itself (JdeRobot's format if it says nothing).
        path: the file.
        sha256: of the file's bytes, in hexadecimal.
        device: "cpu" or "cuda".
        quantized: it runs int8 kernels.
        channels_last: the memory layout that ``module`` wants its input in.
        form: how the network is run, in words, e.g. "frozen, input norm folded, channels last".
        note: what the user should know, e.g. why the device is not the asked one; else empty.
        batch: the buffer that ``module`` reads, to be filled in place; None: it takes any tensor.
    """

    module: Network
    record: ModelRecord
    path: Path
    sha256: str
    device: str
    quantized: bool
    channels_last: bool
    form: str
    note: str = ""
    batch: torch.Tensor | None = None

    @property
    def name(self) -> str:
        """The model's name: the record's, or the file's where it has no record."""
        return self.record.name


def save_model(
    path: str | Path,
    scripted: torch.jit.ScriptModule,
    record: ModelRecord,
    self_test_frames: NDArray[np.uint8],
    tolerance: float | None = None,
) -> ModelRecord:
    """Write a model file: TorchScript, the record, and a self-test made from the frames.

    Args:
        path: the file; its folder is made. It is replaced as a whole or not at all.
        scripted: the network on the CPU, in evaluation mode.
        record: its self_test and torch_version are filled in here.
        self_test_frames: uint8 (4, height, width, 3): the network's input pixels, as
            ``network_input`` returns them.
        tolerance: of the self-test, in normalized outputs; by default by kind (int8 or float).

    Returns:
        The record as written.

    Raises:
        ModelError: the frames have another shape, the network does not take them, its outputs
            are not two finite numbers or change from run to run, or the file cannot be written.
    """
    path = Path(path)
    shape = (SELF_TEST_FRAMES, *record.input_format.input_shape)
    if self_test_frames.shape != shape or self_test_frames.dtype != np.uint8:
        raise ModelError(
            f"{path}: the self-test frames are {self_test_frames.dtype} "
            f"{self_test_frames.shape}: uint8 {shape} is needed"
        )
    quantized = record.quantized or holds_quantized_kernels(scripted)
    if tolerance is None:
        tolerance = QUANTIZED_TOLERANCE if quantized else FLOAT_TOLERANCE
    outputs = tried_outputs(path, scripted, self_test_frames, "cpu", channels_last=False)
    record = replace(
        record,
        quantized=quantized,
        torch_version=torch.__version__,
        self_test=SelfTest(outputs, tolerance),
    )
    height, width = record.input_format.height, record.input_format.width
    strip = self_test_frames.reshape(SELF_TEST_FRAMES * height, width, 3)
    png = cv2.imencode(".png", strip, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    try:
        record_json = record.to_json().encode()
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: its record has no place in JSON: {error}") from error
    data = save_bytes(scripted, {RECORD_ENTRY: record_json, FRAMES_ENTRY: png})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, without_debug_files(data))
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error}") from error
    return record


def load_model(path: str | Path, device: str = "auto") -> Model:
    """Read, check and optimize a model file for the device.

    The network is run on the self-test's frames as it was saved and as it will be driven; both
    must meet the record. Without a record it is taken as JdeRobot's PilotNet and run on patterns.
    Where there is more than one form to run it in (CUDA), the fastest here is chosen.

    Args:
        path: the file.
        device: "auto" (CUDA where there is one that runs the network), "cpu" or "cuda". Quantized
            networks run on the CPU whatever was asked. ``Model.note`` says why where it is not the
            one that was to be expected.

    Raises:
        ModelError: the file is not fit to drive with, the device is unknown or absent.
    """
    models = load_forms(path, device)
    if len(models) == 1:
        return models[0]
    fmt = models[0].record.input_format
    batch = network_batch(np.full(fmt.input_shape, 128, np.uint8), "cpu", channels_last=True)
    forms = [Form(model.module, model.form, model.channels_last, model.batch) for model in models]
    return models[forms.index(fastest(forms, batch, models[0].device))]


def load_forms(path: str | Path, device: str = "auto") -> list[Model]:
    """Return a model file in every form that it can be driven in on the device.

    One on the CPU; on CUDA float32 and float16, each as it is and as a CUDA graph, as far as they
    meet the self-test. Otherwise as ``load_model``.

    Raises:
        ModelError: as ``load_model``.
    """
    archive = read_archive(path)
    record = archive.record or ModelRecord(name=archive.path.stem)
    as_saved = _module_of(archive, record)
    quantized = record.quantized or holds_quantized_kernels(as_saved)
    chosen, note = _choose_device(archive.path, device, quantized)
    frames = frames_of(archive, record)
    expected = tried_outputs(archive.path, as_saved, frames, "cpu", channels_last=False)
    _meet_self_test(archive.path, record, expected, "as it was saved")
    tolerance = record.self_test.tolerance if record.self_test else FLOAT_TOLERANCE
    try:
        forms = device_forms(archive, as_saved, frames, expected, chosen, tolerance)
    except ModelError as error:
        if device != "auto" or chosen == "cpu":
            raise
        chosen, note = "cpu", f"the GPU is left out, since {first_line(error)}"
        as_saved = _module_of(archive, record)
        forms = device_forms(archive, as_saved, frames, expected, chosen, tolerance)
    return [
        Model(
            form.network,
            record,
            archive.path,
            archive.sha256,
            chosen,
            quantized,
            form.channels_last,
            form.name,
            note,
            form.batch,
        )
        for form in forms
    ]


def load_as_saved(path: str | Path) -> torch.jit.ScriptModule:
    """Return the network of a model file on the CPU, not optimized, after the same checks.

    The benchmark's reference loop runs it, as BehaviorMetrics does.

    Raises:
        ModelError: the file is not fit to drive with.
    """
    archive = read_archive(path)
    record = archive.record or ModelRecord(name=archive.path.stem)
    module = _module_of(archive, record)
    frames = frames_of(archive, record)
    outputs = tried_outputs(archive.path, module, frames, "cpu", channels_last=False)
    _meet_self_test(archive.path, record, outputs, "as it was saved")
    return module


def _module_of(archive: ModelArchive, record: ModelRecord) -> torch.jit.ScriptModule:
    adopt_thread_count()
    if record.engines:
        _use_engine(archive.path, record)
    try:
        return load_bytes(archive.data)
    except Exception as error:  # whatever torch raises here, the file is what it is about
        raise ModelError(
            f"{archive.path}: torch cannot load it: {first_line(error)}{_other_torch(record)}"
        ) from error


def _use_engine(path: Path, record: ModelRecord) -> None:
    """Choose the quantization engine: torch packs the weights for it while it loads them."""
    supported = torch.backends.quantized.supported_engines
    usable = [engine for engine in record.engines if engine in supported]
    if not usable:
        raise ModelError(
            f"{path}: it runs on the quantization engines {', '.join(record.engines)}, and this "
            f"torch has only {', '.join(supported)}{_other_torch(record)}"
        )
    if torch.backends.quantized.engine != usable[0]:
        torch.backends.quantized.engine = usable[0]


def _choose_device(path: Path, device: str, quantized: bool) -> tuple[str, str]:
    """Return the device to run on, and a note if it is not the asked one."""
    if device not in DEVICES:
        raise ModelError(f"unknown device {device!r}: it must be one of {', '.join(DEVICES)}")
    if quantized:
        note = f"{path.name} is quantized: its int8 kernels run on the CPU only"
        return "cpu", note if device == "cuda" else ""
    if device == "cuda" and not torch.cuda.is_available():
        reason = "finds no usable GPU" if torch.backends.cuda.is_built() else "is built without it"
        raise ModelError(
            f"device cuda was asked for, but torch {torch.__version__} {reason}: "
            "use cpu or auto, or install torch's CUDA build"
        )
    if device == "auto":
        return ("cuda", "") if torch.cuda.is_available() else ("cpu", "")
    return device, ""


def frames_of(archive: ModelArchive, record: ModelRecord) -> NDArray[np.uint8]:
    """Return the frames to try the network on, uint8 (4, height, width, 3).

    The self-test's, which are real; of a file without one, patterns.

    Raises:
        ModelError: the self-test's frames are missing or damaged.
    """
    if record.self_test is None:
        return _patterns(record.input_format)
    shape = (SELF_TEST_FRAMES, *record.input_format.input_shape)
    strip = None
    if archive.frames_png:
        strip = cv2.imdecode(np.frombuffer(archive.frames_png, np.uint8), cv2.IMREAD_COLOR)
    if strip is None or strip.size != math.prod(shape):
        raise ModelError(f"{archive.path}: its self-test's frames are missing or damaged")
    return np.asarray(strip, np.uint8).reshape(shape)


def _patterns(fmt: InputFormat) -> NDArray[np.uint8]:
    """Return black, grey, noise and a ramp: pictures for a network that brings none."""
    frames = np.zeros((SELF_TEST_FRAMES, *fmt.input_shape), np.uint8)
    frames[1] = 128
    frames[2] = np.random.default_rng(0).integers(0, 256, fmt.input_shape, np.uint8)
    frames[3] = np.linspace(0, 255, fmt.width).astype(np.uint8)[:, None]
    return frames


def _meet_self_test(path: Path, record: ModelRecord, outputs: Outputs, when: str) -> None:
    if record.self_test is None:
        return
    difference = largest_difference(outputs, record.self_test.outputs)
    if difference > record.self_test.tolerance:
        raise ModelError(
            f"{path}: fails its self-test {when}: outputs differ by {difference:.3g}, "
            f"{record.self_test.tolerance:.3g} is allowed; the file is damaged, or this machine "
            f"computes it otherwise{_other_torch(record)}"
        )


def _other_torch(record: ModelRecord) -> str:
    """Name the torch that saved the file and the mend, to end an error with."""
    saved_by = record.torch_version
    mend = f"; rebuild it here: {record.rebuild}" if record.rebuild else "; export it again here"
    if not saved_by or saved_by == torch.__version__:
        return mend
    return f" (saved by torch {saved_by}, this is torch {torch.__version__}){mend}"
