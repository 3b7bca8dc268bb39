"""Model files: TorchScript with a record of what they are, tested at every load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.model import DEVICES
from pilotnet_brain.driving.model.archive import (
    FRAMES_ENTRY,
    RECORD_ENTRY,
    TORCHSCRIPT,
    ModelArchive,
    ModelError,
    read_archive,
    without_debug_files,
)
from pilotnet_brain.driving.model.errors import WrittenDeviceError
from pilotnet_brain.driving.model.forms import Runnable, fastest, runnable_forms
from pilotnet_brain.driving.model.network import Model, error_line
from pilotnet_brain.driving.model.record import (
    FLOAT_TOLERANCE,
    QUANTIZED_TOLERANCE,
    SELF_TEST_FRAMES,
    ModelRecord,
    SelfTest,
)
from pilotnet_brain.driving.model.self_test import (
    Outputs,
    frames_of,
    largest_difference,
    strip_of,
)
from pilotnet_brain.driving.model.torch_network import NetworkInput, TorchNetwork
from pilotnet_brain.driving.model.torch_self_test import network_batch, run_on_frames
from pilotnet_brain.driving.model.torchscript import (
    adopt_thread_count,
    holds_quantized_kernels,
    load_bytes,
    save_bytes,
)


@dataclass(frozen=True, kw_only=True)
class TorchModel(Model, Runnable):
    """A TorchScript file's network in one form, ready to drive with."""

    def network(self) -> TorchNetwork:
        """Return a network of it, with new buffers."""
        shape = self.record.input_format.input_shape
        buffers = NetworkInput(self.device, shape, self.channels_last, self.batch)
        return TorchNetwork(self.name, self.module, buffers)


def save_model(
    path: str | Path,
    scripted: torch.jit.ScriptModule,
    record: ModelRecord,
    self_test_frames: NDArray[np.uint8],
    tolerance: float | None = None,
) -> ModelRecord:
    """Write a model file, with a self-test made from the frames; returns its record as written.

    Args:
        path: the file; its folder is made. It is replaced as a whole or not at all.
        scripted: the network on the CPU, in evaluation mode.
        record: its self_test and torch_version are filled in here.
        self_test_frames: uint8 (4, height, width, 3): the network's input pixels, as
            ``network_input`` returns them.
        tolerance: of the self-test, in normalized outputs; by default by kind (int8 or float).

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
    outputs = run_on_frames(path, scripted, self_test_frames, "cpu", channels_last=False)
    record = replace(
        record,
        quantized=quantized,
        torch_version=torch.__version__,
        self_test=SelfTest(outputs, tolerance),
    )
    try:
        record_json = record.to_json().encode()
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: its record cannot be written as JSON: {error}") from error
    extra = {RECORD_ENTRY: record_json, FRAMES_ENTRY: strip_of(self_test_frames)}
    data = without_debug_files(save_bytes(scripted, extra))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}") from error
    return record


def load_torchscript(path: str | Path, device: str = "auto", threads: int = 1) -> TorchModel:
    """Read, check and optimize a model file for the device.

    The network is run on the self-test's frames as it was saved and as it will be driven; both
    must agree with the record. Without a record it is taken as JdeRobot's PilotNet and run on
    patterns. Where it can be run in more than one form (CUDA), the fastest is chosen.

    Args:
        device: "auto" (CUDA where there is a GPU that runs the network), "cpu" or "cuda".
            Quantized networks run on the CPU whatever was asked. ``Model.note`` says why it is
            another device than expected.
        threads: of torch on the CPU, in the whole process.

    Raises:
        ModelError: the file is not fit to drive with, the device is unknown or absent.
    """
    torch.set_num_threads(threads)
    models = load_forms(path, device)
    if len(models) == 1:
        return models[0]
    fmt = models[0].record.input_format
    batch = network_batch(np.full(fmt.input_shape, 128, np.uint8), "cpu", channels_last=True)
    return fastest(models, batch, models[0].device)


def load_forms(path: str | Path, device: str = "auto") -> list[TorchModel]:
    """Return a model file in every form that it can be driven in on the device.

    One on the CPU; on CUDA float32 and float16, each plain and as a CUDA graph, as far as they
    pass the self-test. Otherwise as ``load_torchscript``.

    Raises:
        ModelError: as ``load_torchscript``.
    """
    archive, record, as_saved, frames, outputs = _loaded(path, device)
    quantized = record.quantized or holds_quantized_kernels(as_saved)
    chosen, note = _choose_device(archive.path, device, quantized)
    tolerance = record.self_test.tolerance if record.self_test else FLOAT_TOLERANCE
    try:
        forms = runnable_forms(archive, as_saved, frames, outputs, chosen, tolerance)
    except ModelError as error:
        if device != "auto" or chosen == "cpu":
            raise
        chosen, note = "cpu", f"the GPU is not used: {error_line(error)}"
        as_saved = _module_of(archive, record)
        forms = runnable_forms(archive, as_saved, frames, outputs, chosen, tolerance)
    return [
        TorchModel(
            **vars(form),
            record=record,
            path=archive.path,
            sha256=archive.sha256,
            device=chosen,
            quantized=quantized,
            note=note,
        )
        for form in forms
    ]


def load_as_saved(path: str | Path) -> torch.jit.ScriptModule:
    """Return the network of a model file on the CPU, not optimized, after the same checks.

    This is how BehaviorMetrics runs it.

    Raises:
        ModelError: the file is not fit to drive with.
    """
    return _loaded(path, "cpu")[2]


def _loaded(
    path: str | Path, device: str
) -> tuple[ModelArchive, ModelRecord, torch.jit.ScriptModule, NDArray[np.uint8], Outputs]:
    """Return a file's archive, record, network as saved, frames and the outputs on them.

    They are the CPU's; CUDA's of a network that runs on CUDA only, where the device allows it.
    """
    archive = read_archive(path)
    if archive.kind != TORCHSCRIPT:
        raise ModelError(f"{archive.path}: an {archive.kind} file: TorchScript is needed here")
    record = archive.record or ModelRecord(name=archive.path.stem)
    module = _module_of(archive, record)
    frames = frames_of(archive, record)
    try:
        outputs = run_on_frames(archive.path, module, frames, "cpu", channels_last=False)
    except WrittenDeviceError:
        if device == "cpu" or not torch.cuda.is_available():
            raise
        module = module.to("cuda")
        outputs = run_on_frames(archive.path, module, frames, "cuda", channels_last=False)
    if record.self_test is not None:
        difference = largest_difference(outputs, record.self_test.outputs)
        if difference > record.self_test.tolerance:
            raise ModelError(
                f"{archive.path}: fails its self-test: outputs differ by {difference:.3g}, "
                f"{record.self_test.tolerance:.3g} is allowed; the file is damaged, or this "
                f"machine computes differently{_fix(record)}"
            )
    return archive, record, module, frames, outputs


def _module_of(archive: ModelArchive, record: ModelRecord) -> torch.jit.ScriptModule:
    adopt_thread_count()
    if record.engines:
        _use_engine(archive.path, record)
    try:
        return load_bytes(archive.data)
    except Exception as error:  # whatever torch raises here, the cause is the file
        raise ModelError(
            f"{archive.path}: torch cannot load it: {error_line(error)}{_fix(record)}"
        ) from error


def _use_engine(path: Path, record: ModelRecord) -> None:
    """Choose the quantization engine: torch packs the weights for it while it loads them."""
    supported = torch.backends.quantized.supported_engines
    usable = [engine for engine in record.engines if engine in supported]
    if not usable:
        raise ModelError(
            f"{path}: it runs on the quantization engines {', '.join(record.engines)}, and this "
            f"torch has only {', '.join(supported)}{_fix(record)}"
        )
    if torch.backends.quantized.engine != usable[0]:
        torch.backends.quantized.engine = usable[0]


def _choose_device(path: Path, device: str, quantized: bool) -> tuple[str, str]:
    """Return the device to run on, and a note if it is not the one asked for."""
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
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return device, ""


def _fix(record: ModelRecord) -> str:
    """Name the torch that saved the file and the fix, to end an error with."""
    saved_by = record.torch_version
    fix = f"; rebuild it here: {record.rebuild}" if record.rebuild else "; export it again here"
    if not saved_by or saved_by == torch.__version__:
        return fix
    return f" (saved by torch {saved_by}, this is torch {torch.__version__}){fix}"
