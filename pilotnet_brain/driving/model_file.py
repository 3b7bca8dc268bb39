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
from pilotnet_brain.driving.input_norm import fold_input_norm
from pilotnet_brain.driving.model_archive import (
    FRAMES_ENTRY,
    RECORD_ENTRY,
    ModelArchive,
    ModelError,
    read_archive,
    without_debug_files,
)
from pilotnet_brain.driving.model_record import SELF_TEST_FRAMES, ModelRecord, SelfTest
from pilotnet_brain.driving.preprocess import InputFormat, scale_input
from pilotnet_brain.driving.torchscript import (
    adopt_thread_count,
    convolve_channels_last,
    freeze,
    holds_quantized_kernels,
    load_bytes,
    save_bytes,
)

__all__ = ["DEVICES", "Model", "ModelError", "ModelRecord", "load_as_saved", "load_model",
           "save_model"]  # fmt: skip

DEVICES = ("auto", "cpu", "cuda")
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
    """

    module: torch.jit.ScriptModule
    record: ModelRecord
    path: Path
    sha256: str
    device: str
    quantized: bool
    channels_last: bool
    form: str
    note: str = ""

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
    outputs = _tried_outputs(path, scripted, self_test_frames, "cpu", channels_last=False)
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

    Args:
        path: the file.
        device: "auto" (CUDA where it is usable), "cpu" or "cuda". Quantized networks run on the
            CPU whatever was asked; ``Model.note`` says so.

    Raises:
        ModelError: the file is not fit to drive with, the device is unknown or absent.
    """
    archive = read_archive(path)
    record = archive.record or ModelRecord(name=archive.path.stem)
    as_saved = _module_of(archive, record)
    quantized = record.quantized or holds_quantized_kernels(as_saved)
    device, note = _choose_device(archive.path, device, quantized)
    frames = _frames_of(archive, record)
    expected = _tried_outputs(archive.path, as_saved, frames, "cpu", channels_last=False)
    _meet_self_test(archive.path, record, expected, "as it was saved")
    module, channels_last, form = _optimized(archive, as_saved, frames, expected, device)
    return Model(
        module, record, archive.path, archive.sha256, device, quantized, channels_last, form, note
    )


def load_as_saved(path: str | Path) -> torch.jit.ScriptModule:
    """Return the network of a model file on the CPU, not optimized, after the same checks.

    The benchmark's reference loop runs it, as BehaviorMetrics does.

    Raises:
        ModelError: the file is not fit to drive with.
    """
    archive = read_archive(path)
    record = archive.record or ModelRecord(name=archive.path.stem)
    module = _module_of(archive, record)
    frames = _frames_of(archive, record)
    outputs = _tried_outputs(archive.path, module, frames, "cpu", channels_last=False)
    _meet_self_test(archive.path, record, outputs, "as it was saved")
    return module


def network_batch(frame: NDArray[np.uint8], device: str, channels_last: bool) -> torch.Tensor:
    """Return one frame of input pixels, uint8 (height, width, 3), as the network's batch."""
    batch = torch.from_numpy(scale_input(frame)[None]).permute(0, 3, 1, 2)
    return (batch if channels_last else batch.contiguous()).to(device)


def _module_of(archive: ModelArchive, record: ModelRecord) -> torch.jit.ScriptModule:
    adopt_thread_count()
    if record.engines:
        _use_engine(archive.path, record)
    try:
        return load_bytes(archive.data)
    except Exception as error:  # whatever torch raises here, the file is what it is about
        raise ModelError(
            f"{archive.path}: torch cannot load it: {_first_line(error)}{_other_torch(record)}"
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


def _frames_of(archive: ModelArchive, record: ModelRecord) -> NDArray[np.uint8]:
    """Return the frames to try the network on, uint8 (4, height, width, 3)."""
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


def _optimized(
    archive: ModelArchive,
    as_saved: torch.jit.ScriptModule,
    frames: NDArray[np.uint8],
    expected: tuple[tuple[float, float], ...],
    device: str,
) -> tuple[torch.jit.ScriptModule, bool, str]:
    """Return the module to drive with, whether it wants channels-last input, and its form.

    A network that cannot be frozen, or gives other outputs then, is driven as it was saved.
    """
    path = archive.path
    record = archive.record or ModelRecord()
    tolerance = record.self_test.tolerance if record.self_test else FLOAT_TOLERANCE
    if device == "cuda":
        # TensorFloat-32 rounds to 10 bits, and wins nothing on one small picture.
        torch.backends.cudnn.allow_tf32 = False
    try:
        # A second copy: the first stays as it is, whatever moving and freezing do.
        module = freeze(load_bytes(archive.data).to(device))
        folded = fold_input_norm(module)
        convolve_channels_last(module)
        outputs = _tried_outputs(path, module, frames, device, channels_last=True)
        if _largest_difference(outputs, expected) <= tolerance:
            form = "frozen, input norm folded" if folded else "frozen"
            return module, True, f"{form}, channels last"
        reason = "frozen, it gives other outputs"
    except (ModelError, RuntimeError) as error:
        reason = _first_line(error)
    module = as_saved.to(device)
    outputs = _tried_outputs(path, module, frames, device, channels_last=False)
    if _largest_difference(outputs, expected) > tolerance:
        raise ModelError(f"{path}: on {device} it gives other outputs than on the CPU; use cpu")
    return module, False, f"as saved ({reason})"


def _tried_outputs(
    path: Path,
    module: torch.jit.ScriptModule,
    frames: NDArray[np.uint8],
    device: str,
    channels_last: bool,
) -> tuple[tuple[float, float], ...]:
    """Run the network on each frame, twice; refuse what cannot be driven with."""
    outputs = []
    for frame in frames:
        batch = network_batch(frame, device, channels_last)
        first = _try(path, module, batch)
        again = _try(path, module, batch)
        if not math.isclose(first[0], again[0], rel_tol=1e-3, abs_tol=1e-3) or not math.isclose(
            first[1], again[1], rel_tol=1e-3, abs_tol=1e-3
        ):
            raise ModelError(
                f"{path}: two runs on one frame give {first} and {again}: it was exported in "
                "training mode (dropout); call .eval() and export it again"
            )
        outputs.append(first)
    return tuple(outputs)


def _try(path: Path, module: torch.jit.ScriptModule, batch: torch.Tensor) -> tuple[float, float]:
    shape = tuple(batch.shape)
    try:
        with torch.inference_mode():
            output = module(batch)
    except Exception as error:  # whatever torch raises, the network does not take this input
        raise ModelError(
            f"{path}: it does not take an input of shape {shape}: {_first_line(error)}"
        ) from error
    if not isinstance(output, torch.Tensor) or tuple(output.shape) != (1, 2):
        kind = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ModelError(
            f"{path}: for an input of shape {shape} it gives {kind}: (1, 2) is needed "
            "(normalized speed and yaw rate)"
        )
    if not output.dtype.is_floating_point:
        raise ModelError(f"{path}: its outputs are {output.dtype}: floating point is needed")
    speed, yaw_rate = output[0].tolist()
    if not (math.isfinite(speed) and math.isfinite(yaw_rate)):
        raise ModelError(
            f"{path}: its outputs are ({speed}, {yaw_rate}): not finite; it is damaged, or its "
            "training diverged"
        )
    return speed, yaw_rate


def _meet_self_test(
    path: Path, record: ModelRecord, outputs: tuple[tuple[float, float], ...], when: str
) -> None:
    if record.self_test is None:
        return
    difference = _largest_difference(outputs, record.self_test.outputs)
    if difference > record.self_test.tolerance:
        raise ModelError(
            f"{path}: fails its self-test {when}: outputs differ by {difference:.3g}, "
            f"{record.self_test.tolerance:.3g} is allowed; the file is damaged, or this machine "
            f"computes it otherwise{_other_torch(record)}"
        )


def _largest_difference(
    outputs: tuple[tuple[float, float], ...], expected: tuple[tuple[float, float], ...]
) -> float:
    return float(np.abs(np.subtract(outputs, expected)).max())


def _other_torch(record: ModelRecord) -> str:
    """Name the torch that saved the file and the mend, to end an error with."""
    saved_by = record.torch_version
    mend = f"; rebuild it here: {record.rebuild}" if record.rebuild else "; export it again here"
    if not saved_by or saved_by == torch.__version__:
        return mend
    return f" (saved by torch {saved_by}, this is torch {torch.__version__}){mend}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # torch's interpreter puts the cause last, under the traceback of TorchScript.
    causes = [line for line in lines if line.startswith("RuntimeError:")]
    return (causes or lines or [type(error).__name__])[0][:300]
