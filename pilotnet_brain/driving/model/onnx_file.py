"""ONNX files: loaded by a runtime, tested and ready to drive with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.model.archive import ModelArchive, read_archive
from pilotnet_brain.driving.model.errors import ADOPT_HINT, ModelError
from pilotnet_brain.driving.model.network import Model, NetworkFailure, error_line
from pilotnet_brain.driving.model.onnx_session import End, Session, open_session
from pilotnet_brain.driving.model.record import FLOAT_TOLERANCE, ModelRecord
from pilotnet_brain.driving.model.self_test import frames_of, largest_difference
from pilotnet_brain.driving.preprocess import InputFormat, scale_input

# An operator's name is in the file as text.
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul")


class OnnxNetwork:
    """A runtime's session with the buffers of its input.

    Args:
        name: of the model, for errors.
        session: takes float32 (1, 3, height, width), 0..1; gives float (1, 2).
        fmt: of its input.
    """

    def __init__(self, name: str, session: Session, fmt: InputFormat) -> None:
        self._name = name
        self._scaled = np.empty(fmt.input_shape, np.float32)
        self._batch = np.empty((1, 3, fmt.height, fmt.width), np.float32)
        self._run = session.runner(self._batch)

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
            speed, yaw_rate = self._run()[0].tolist()
        except Exception as error:  # the runtimes' kinds of error are not public
            raise NetworkFailure(f"{self._name} failed: {error_line(error)}") from error
        return speed, yaw_rate


@dataclass(frozen=True, kw_only=True)
class OnnxModel(Model):
    """An ONNX file, ready to drive with."""

    session: Session

    def network(self) -> OnnxNetwork:
        """Return a network of it, with new buffers; the session is shared."""
        return OnnxNetwork(self.name, self.session, self.record.input_format)


def load_onnx(
    path: str | Path, device: str = "auto", threads: int = 1, runtime: str = "auto"
) -> OnnxModel:
    """Read, check and test an ONNX file.

    Args:
        path: of the file: one input, float32 (1, 3, height, width), and one output of two numbers.
        device: "auto" (TensorRT or CUDA where ONNX Runtime has them), "cpu" or "cuda".
        threads: of the CPU.
        runtime: "onnxruntime", "openvino", or "auto": the first of them that is installed.

    Raises:
        ModelError: the file is not fit to drive with, the runtime is not installed or has not the
            device.
    """
    archive = read_archive(path)
    record = archive.record or ModelRecord(name=archive.path.stem)
    session = open_session(archive, device, threads, runtime)
    _check_ends(archive.path, session, record.input_format)
    _check_outputs(archive.path, session, record.input_format)
    model = OnnxModel(
        record=record,
        path=archive.path,
        sha256=archive.sha256,
        device=session.device,
        quantized=record.quantized or any(name.encode() in archive.data for name in _QUANTIZED),
        form=session.form,
        session=session,
    )
    _test(archive, record, model.network())
    return model


def _check_ends(path: Path, session: Session, fmt: InputFormat) -> None:
    """Check the network's input and output."""
    inputs, outputs = session.inputs, session.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path}: it has {len(inputs)} inputs and {len(outputs)} outputs: one of each is "
            f"needed; {ADOPT_HINT}"
        )
    needed = End((1, 3, fmt.height, fmt.width), "float32")
    fits = len(inputs[0].shape) == 4 and all(
        size in (None, expected)
        for size, expected in zip(inputs[0].shape, needed.shape, strict=True)
    )
    if not fits or inputs[0].dtype != needed.dtype:
        raise ModelError(f"{path}: its input is {inputs[0]}: {needed} is needed; {ADOPT_HINT}")


def _check_outputs(path: Path, session: Session, fmt: InputFormat) -> None:
    """Check that a grey picture gives two numbers."""
    grey = np.full((1, 3, fmt.height, fmt.width), 0.5, np.float32)
    try:
        output = np.asarray(session.runner(grey)())
    except Exception as error:  # the runtimes' kinds of error are not public
        raise ModelError(
            f"{path}: it does not take an input of shape {grey.shape}: {error_line(error)}"
        ) from error
    if output.shape != (1, 2) or not np.issubdtype(output.dtype, np.floating):
        raise ModelError(
            f"{path}: it gives {output.dtype} {output.shape}: (1, 2) is needed (normalized speed "
            f"and yaw rate); {ADOPT_HINT}"
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
