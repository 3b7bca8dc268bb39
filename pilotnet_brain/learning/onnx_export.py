"""From a model file to ONNX, for TensorRT, ONNX Runtime, OpenVINO and their kin.

The TorchScript network itself is converted, not a network built anew; so any float model file can
be exported, JdeRobot's too. torch's exporter of TorchScript is deprecated upstream: its successor
takes a torch.export program, which a TorchScript file cannot become. Should it go, the models would
be exported from their Python networks when they are made. It is used here and nowhere else.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.model.archive import read_archive
from pilotnet_brain.driving.model.file import ModelRecord, load_as_saved, network_batch
from pilotnet_brain.driving.model.torchscript import holds_quantized_kernels
from pilotnet_brain.errors import UserError

INPUT, OUTPUT = "image", "outputs"
RECORD_KEY = "pilotnet"
"""Of the ONNX metadata: the model file's record, JSON."""
OPSET = 17
TOLERANCE = 1e-4
"""Largest difference allowed between ONNX Runtime's and TorchScript's normalized outputs."""
_INSTALL = "pip install -r requirements/onnx.txt -c requirements/constraints.txt"


class OnnxError(UserError):
    """A model that cannot be exported; the text names the file and the mend."""


@dataclass(frozen=True)
class OnnxExport:
    """A written file, and how far ONNX Runtime's outputs are from TorchScript's on the frames."""

    path: Path
    difference: float
    frames: int


def export_onnx(source: Path, out: Path, frames: NDArray[np.uint8]) -> OnnxExport:
    """Write a float model file as ONNX and check it with ONNX Runtime.

    Input ``image``: float32 (1, 3, height, width), 0..1, in the record's colour order. Output
    ``outputs``: float32 (1, 2), normalized speed and yaw rate; the record in the metadata says
    what they mean.

    Args:
        source: the model file.
        out: the ONNX file; nothing is written if the check fails.
        frames: to check it on, uint8 (N, height, width, 3), the network's input pixels.

    Raises:
        OnnxError: an int8 model, one that ONNX has no operators for, other outputs, no package
            onnx or onnxruntime, or the file cannot be written.
        ModelError: the source is not fit to drive with.
    """
    record = read_archive(source).record or ModelRecord(name=source.stem)
    network = load_as_saved(source)
    if record.quantized or holds_quantized_kernels(network):
        raise OnnxError(
            f"{source}: it is int8, whose operators are torch's own: export the float model that "
            "it was made from, and quantize that in the runtime it is for"
        )
    _need_packages()
    data = _with_record(_converted(source, network, record), record)
    difference = _largest_difference(source, data, network, frames)
    if difference > TOLERANCE:
        raise OnnxError(
            f"{source}: ONNX Runtime's outputs differ from TorchScript's by {difference:.2g} "
            f"({TOLERANCE:g} is allowed): nothing was written"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, data)
    except OSError as problem:
        raise OnnxError(f"{out}: cannot be written: {problem}") from problem
    return OnnxExport(out, difference, len(frames))


def _converted(source: Path, network: torch.jit.ScriptModule, record: ModelRecord) -> bytes:
    """Return the network as ONNX."""
    buffer = io.BytesIO()
    grey = np.full(record.input_format.input_shape, 128, np.uint8)
    batch = network_batch(grey, "cpu", channels_last=False)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*legacy TorchScript-based ONNX export.*")
            warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
            warnings.filterwarnings("ignore", ".*no signature found for.*")
            torch.onnx.export(
                network,
                (batch,),
                buffer,  # type: ignore[arg-type]  # torch's annotation leaves out what it takes
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:  # whatever torch raises, ONNX has no form of this network
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OnnxError(f"{source}: torch cannot convert it to ONNX: {line}") from error
    return buffer.getvalue()


def _with_record(data: bytes, record: ModelRecord) -> bytes:
    """Return the ONNX model with the record in its metadata."""
    import onnx

    model = onnx.load_from_string(data)
    model.graph.name = record.name
    model.doc_string = "image: float32, 0..1; outputs: normalized speed and yaw rate"
    entry = model.metadata_props.add()
    entry.key, entry.value = RECORD_KEY, record.to_json()
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _largest_difference(
    source: Path, data: bytes, network: torch.jit.ScriptModule, frames: NDArray[np.uint8]
) -> float:
    """Return the largest difference between ONNX Runtime's outputs and TorchScript's."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        differences = []
        for frame in frames:
            batch = network_batch(frame, "cpu", channels_last=False)
            with torch.inference_mode():
                expected = network(batch).numpy()
            found = session.run([OUTPUT], {INPUT: batch.numpy()})[0]
            differences.append(float(np.abs(np.asarray(found) - expected).max()))
    except Exception as error:  # its own kinds of error, none of them public
        raise OnnxError(f"{source}: ONNX Runtime cannot run it: {error}") from error
    return max(differences)


def _need_packages() -> None:
    """Refuse in one line where the optional packages are missing."""
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise OnnxError(
            f"ONNX export needs {' and '.join(missing)}, which is not installed: {_INSTALL}"
        )
