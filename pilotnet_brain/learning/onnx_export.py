"""From a model file to ONNX, float and int8, for other runtimes.

The TorchScript network of the file is converted, so every model can be exported, JdeRobot's too.
torch's exporter of TorchScript is deprecated upstream; its successor takes a torch.export program,
which a TorchScript file cannot become. Should it go, the models would be exported from their Python
networks when they are made. It is used here and in ``learning.onnx_operators``, nowhere else.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.model.archive import read_archive
from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.driving.model.onnx_archive import graph_of, metadata_of
from pilotnet_brain.driving.model.record import QUANTIZED_TOLERANCE, ModelRecord
from pilotnet_brain.driving.model.torch_self_test import network_batch
from pilotnet_brain.driving.model.torchscript import holds_quantized_kernels
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.export import grey_batch
from pilotnet_brain.learning.onnx_operators import OPSET, int8_operators

INPUT, OUTPUT = "image", "outputs"
TOLERANCE = 1e-4
"""Largest difference allowed between ONNX Runtime's and TorchScript's normalized outputs; int8
runtimes round differently, and are allowed what another CPU is (``QUANTIZED_TOLERANCE``)."""
_INSTALL = "pip install -r requirements/onnx.txt -c requirements/constraints.txt"


class OnnxError(UserError):
    """A model that cannot be exported; the text names the file and the fix."""


def export_onnx(source: Path, out: Path, frames: NDArray[np.uint8]) -> float:
    """Write a model file as ONNX; returns how far ONNX Runtime's outputs differ, at most.

    An int8 network keeps its weights and scales, between QuantizeLinear and DequantizeLinear.

    Input ``image``: float32 (1, 3, height, width), 0..1, in the record's colour order. Output
    ``outputs``: float32 (1, 2), normalized speed and yaw rate; the record in the metadata says
    what they mean.

    ONNX Runtime's outputs are compared with TorchScript's on the frames, uint8 (N, height, width,
    3), the network's input pixels; nothing is written if they differ by more than ``TOLERANCE``.

    Raises:
        OnnxError: operators that ONNX does not have, other outputs, no package onnx or
            onnxruntime, or the file cannot be written.
        ModelError: the source is not fit to drive with.
    """
    archive = read_archive(source)
    record = archive.record or ModelRecord(name=source.stem)
    network = load_as_saved(source)
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise OnnxError(
            f"ONNX export needs {' and '.join(missing)}, which is not installed: {_INSTALL}"
        )
    data = _with_record(_converted(source, network, record), record, archive.frames_png)
    difference = _largest_difference(source, data, network, frames)
    allowed = QUANTIZED_TOLERANCE if holds_quantized_kernels(network) else TOLERANCE
    if difference > allowed:
        raise OnnxError(
            f"{source}: ONNX Runtime's outputs differ from TorchScript's by {difference:.2g} "
            f"({allowed:g} is allowed): nothing was written"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, data)
    except OSError as problem:
        raise OnnxError(f"{out}: cannot be written: {problem.strerror}") from problem
    return difference


def _converted(source: Path, network: torch.jit.ScriptModule, record: ModelRecord) -> bytes:
    """Return the network as ONNX."""
    buffer = io.BytesIO()
    batch = grey_batch(record.input_format)
    try:
        with int8_operators(network), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*legacy TorchScript-based ONNX export.*")
            warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
            warnings.filterwarnings("ignore", ".*no signature found for.*")
            warnings.filterwarnings("ignore", "The input to trace is already a ScriptModule")
            torch.onnx.export(
                network,
                (batch,),
                buffer,  # type: ignore[arg-type]  # torch's annotation leaves out what it takes
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:  # whatever torch raises, ONNX cannot hold this network
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OnnxError(f"{source}: torch cannot convert it to ONNX: {line}") from error
    return buffer.getvalue()


def _with_record(data: bytes, record: ModelRecord, frames_png: bytes | None) -> bytes:
    """Return the ONNX model with the record and the self-test's frames in its metadata."""
    import onnx

    model = onnx.load_from_string(data)
    model.graph.name = record.name
    model.doc_string = "image: float32, 0..1; outputs: normalized speed and yaw rate"
    graph = graph_of(model.SerializeToString())
    for key, value in metadata_of(graph, record.to_json(), frames_png).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
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
