"""A model file made ready to drive with, by the runtime that its format is for."""

from __future__ import annotations

from pathlib import Path

from pilotnet_brain.driving.model.archive import ONNX, read_archive
from pilotnet_brain.driving.model.network import Model


def load_model(path: str | Path, device: str = "auto", threads: int = 1) -> Model:
    """Read, check and optimize a model file for the device.

    The network is run on the self-test's frames; its outputs must agree with the record. Without a
    record it is taken as JdeRobot's PilotNet and run on patterns.

    Args:
        path: a TorchScript file, which torch runs, or an ONNX file, which ONNX Runtime runs.
        device: "auto" (the GPU, where there is one that runs the network), "cpu" or "cuda".
            Quantized networks run on the CPU whatever was asked. ``Model.note`` says why it is
            another device than expected.
        threads: of the CPU that the network runs on; torch's are those of the whole process. One
            is best for a single picture: waking a second one costs what it gains, and it would
            compete with the simulator for the other core.

    Raises:
        ModelError: the file is not fit to drive with, the device is unknown or absent, or the
            runtime is not installed.
    """
    # Here, because torch takes two seconds to import, and ONNX Runtime may not be installed.
    if read_archive(path).kind == ONNX:
        from pilotnet_brain.driving.model.onnx_file import load_onnx

        return load_onnx(path, device, threads)
    from pilotnet_brain.driving.model.file import load_torchscript

    return load_torchscript(path, device, threads)
