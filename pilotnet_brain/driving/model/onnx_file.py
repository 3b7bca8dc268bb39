"""ONNX files, run by ONNX Runtime: loaded, tested and ready to drive with."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.model import DEVICES
from pilotnet_brain.driving.model.archive import ModelArchive, read_archive
from pilotnet_brain.driving.model.errors import ModelError
from pilotnet_brain.driving.model.network import Model, NetworkFailure, error_line
from pilotnet_brain.driving.model.record import FLOAT_TOLERANCE, ModelRecord
from pilotnet_brain.driving.model.self_test import frames_of, largest_difference
from pilotnet_brain.driving.preprocess import InputFormat, scale_input

INSTALL = "pip install onnxruntime"
_CPU = "CPUExecutionProvider"
_GPU = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
"""In the order in which they are preferred."""
# An operator's name is in the file as text.
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul")


class OnnxNetwork:
    """An ONNX Runtime session with the buffers of its input.

    Args:
        name: of the model, for errors.
        session: takes float32 (1, 3, height, width), 0..1; gives float (1, 2).
        fmt: of its input.
    """

    def __init__(self, name: str, session: Any, fmt: InputFormat) -> None:
        self._name, self._session = name, session
        self._scaled = np.empty(fmt.input_shape, np.float32)
        self._batch = np.empty((1, 3, fmt.height, fmt.width), np.float32)
        self._feed = {session.get_inputs()[0].name: self._batch}

    def fill(self, pixels: NDArray[np.uint8]) -> None:
        """Take input pixels, uint8 (height, width, 3), scaled to 0..1."""
        scale_input(pixels, self._scaled)
        np.copyto(self._batch[0], self._scaled.transpose(2, 0, 1))

    def run(self) -> tuple[float, float]:
        """Return the normalized speed and yaw rate for the pixels that it was filled with.

        Raises:
            NetworkFailure: it could not be run, or gave something else.
        """
        try:
            (output,) = self._session.run(None, self._feed)
            speed, yaw_rate = output[0].tolist()
        except Exception as error:  # ONNX Runtime's kinds of error are not public
            raise NetworkFailure(f"{self._name} failed: {error_line(error)}") from error
        return speed, yaw_rate


@dataclass(frozen=True, kw_only=True)
class OnnxModel(Model):
    """An ONNX file, ready to drive with."""

    session: Any  #: ONNX Runtime's

    def network(self) -> OnnxNetwork:
        """Return a network of it, with new buffers; the session is shared."""
        return OnnxNetwork(self.name, self.session, self.record.input_format)


def load_onnx(path: str | Path, device: str = "auto", threads: int = 1) -> OnnxModel:
    """Read, check and test an ONNX file.

    Args:
        path: of the file: one input, float32 (1, 3, height, width), and one output of two numbers.
        device: "auto" (TensorRT or CUDA where ONNX Runtime has them), "cpu" or "cuda".
        threads: of the CPU.

    Raises:
        ModelError: the file is not fit to drive with, ONNX Runtime is not installed or has not
            the device.
    """
    archive = read_archive(path)
    record = archive.record or ModelRecord(name=archive.path.stem)
    if importlib.util.find_spec("onnxruntime") is None:
        raise ModelError(
            f"{archive.path}: an ONNX model needs ONNX Runtime, which is not installed: {INSTALL}"
        )
    device = _device_of(device)
    session = _session(archive, device, threads)
    _check_ends(archive.path, session, record.input_format)
    model = OnnxModel(
        record=record,
        path=archive.path,
        sha256=archive.sha256,
        device=device,
        quantized=record.quantized or any(name.encode() in archive.data for name in _QUANTIZED),
        form=f"ONNX Runtime, {session.get_providers()[0].removesuffix('ExecutionProvider')}",
        session=session,
    )
    _check_outputs(model)
    _test(archive, record, model.network())
    return model


def _device_of(device: str) -> str:
    import onnxruntime

    if device not in DEVICES:
        raise ModelError(f"unknown device {device!r}: it must be one of {', '.join(DEVICES)}")
    has_gpu = any(name in onnxruntime.get_available_providers() for name in _GPU)
    if device == "cuda" and not has_gpu:
        raise ModelError(
            f"device cuda was asked for, but ONNX Runtime {onnxruntime.__version__} is built "
            "without it: use cpu or auto, or install onnxruntime-gpu"
        )
    return "cuda" if has_gpu and device != "cpu" else "cpu"


def _session(archive: ModelArchive, device: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised, too
    # Threads that spin while they wait take a core from the simulator.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    gpu = [name for name in _GPU if name in onnxruntime.get_available_providers()]
    providers = [*gpu, _CPU] if device == "cuda" else [_CPU]
    try:
        return onnxruntime.InferenceSession(archive.data, options, providers=providers)
    except Exception as error:  # ONNX Runtime's kinds of error are not public
        raise ModelError(
            f"{archive.path}: ONNX Runtime cannot load it: {error_line(error)}"
        ) from error


def _check_ends(path: Path, session: Any, fmt: InputFormat) -> None:
    """Check the network's input and output."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path}: it has {len(inputs)} inputs and {len(outputs)} outputs: one of each is needed"
        )
    needed = [1, 3, fmt.height, fmt.width]
    fits = len(inputs[0].shape) == 4 and all(
        not isinstance(size, int) or size == expected
        for size, expected in zip(inputs[0].shape, needed, strict=True)
    )
    if not fits or inputs[0].type != "tensor(float)":
        raise ModelError(
            f"{path}: its input is {inputs[0].type} {inputs[0].shape}: tensor(float) {needed} is "
            "needed"
        )


def _check_outputs(model: OnnxModel) -> None:
    """Check that a grey picture gives two numbers."""
    fmt = model.record.input_format
    grey = np.full((1, 3, fmt.height, fmt.width), 0.5, np.float32)
    try:
        output = np.asarray(model.session.run(None, {model.session.get_inputs()[0].name: grey})[0])
    except Exception as error:  # ONNX Runtime's kinds of error are not public
        raise ModelError(
            f"{model.path}: it does not take an input of shape {grey.shape}: {error_line(error)}"
        ) from error
    if output.shape != (1, 2) or not np.issubdtype(output.dtype, np.floating):
        raise ModelError(
            f"{model.path}: it gives {output.dtype} {output.shape}: (1, 2) is needed (normalized "
            "speed and yaw rate)"
        )


def _test(archive: ModelArchive, record: ModelRecord, network: OnnxNetwork) -> None:
    """Run the network on the self-test's frames, and compare its outputs with the record's."""
    frames = frames_of(archive, record)
    outputs = tuple(_run_once(archive.path, network, frame) for frame in frames)
    if record.self_test is None:
        return
    difference = largest_difference(outputs, record.self_test.outputs)
    tolerance = max(record.self_test.tolerance, FLOAT_TOLERANCE)
    if difference > tolerance:
        raise ModelError(
            f"{archive.path}: fails its self-test: outputs differ by {difference:.3g}, "
            f"{tolerance:.3g} is allowed; the file is damaged, or this machine computes differently"
        )


def _run_once(path: Path, network: OnnxNetwork, frame: NDArray[np.uint8]) -> tuple[float, float]:
    network.fill(frame)
    try:
        outputs = network.run()
    except NetworkFailure as failure:
        raise ModelError(f"{path}: it does not take its self-test's frames: {failure}") from failure
    if not all(map(math.isfinite, outputs)):
        raise ModelError(f"{path}: its outputs are {outputs}: not finite; it is damaged")
    return outputs
