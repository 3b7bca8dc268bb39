"""A network of other people made a model file, by its format."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.model.archive import ONNX, read_archive
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.learning.adoption.meaning import AdoptionError, Meaning


def adopt(
    source: Path, out: Path, record: ModelRecord, meaning: Meaning, frames: NDArray[np.uint8]
) -> str:
    """Write a network as a model file that the brain drives with; returns how it was taken.

    Args:
        source: a TorchScript or ONNX file without a record.
        out: the model file, in the same format.
        record: of the new file; the self-test is filled in here.
        meaning: of its input and outputs, where the file does not say it.
        frames: uint8 (4, height, width, 3), input pixels for the self-test.

    Raises:
        AdoptionError: it has a record, takes no such picture, gives no commands, or cannot be
            written.
        ModelError: it is neither TorchScript nor ONNX, or its outputs cannot be driven on.
    """
    archive = read_archive(source)
    if archive.record is not None:
        raise AdoptionError(f"{source}: it has a record already: it can be driven with as it is")
    # Here, since the one needs torch, the other one onnx.
    if archive.kind == ONNX:
        for package in ("onnx", "onnxruntime"):
            if importlib.util.find_spec(package) is None:
                raise AdoptionError(
                    f"{source}: an ONNX file is adopted with {package}, which is not installed: "
                    f"pip install {package}"
                )
        from pilotnet_brain.learning.adoption.onnx_graph import adopt_onnx

        return adopt_onnx(source, out, record, meaning, frames)
    from pilotnet_brain.learning.adoption.torchscript import adopt_torchscript

    return adopt_torchscript(source, out, record, meaning, frames)
