"""A model file made ready to drive with, by the runtime that its format is for."""

from __future__ import annotations

from pathlib import Path

from pilotnet_brain.driving.model import RUNTIMES
from pilotnet_brain.driving.model.archive import ONNX, ModelArchive, read_archive
from pilotnet_brain.driving.model.errors import ModelError
from pilotnet_brain.driving.model.network import Model


def load_model(
    path: str | Path, device: str = "auto", threads: int = 1, runtime: str = "auto"
) -> Model:
    """Read, check and optimize a model file for the device.

    The network is run on the self-test's frames; its outputs must agree with the record. Without a
    record it is taken as JdeRobot's PilotNet and run on patterns.

    Args:
        path: a TorchScript file, which torch runs, or an ONNX file.
        device: "auto" (the GPU, where there is one that runs the network), "cpu" or "cuda".
            Quantized networks run on the CPU whatever was asked. ``Model.note`` says why it is
            another device than expected.
        threads: of the CPU that the network runs on; torch's are those of the whole process. One
            is best for a single picture: waking a second one costs what it gains, and it would
            compete with the simulator for the other core.
        runtime: "auto", "torch" for TorchScript, "onnxruntime" or "openvino" for ONNX, of which
            auto is the first that is installed.

    Raises:
        ModelError: the file is not fit to drive with, the device is unknown or absent, or the
            runtime is not installed or for other files.
    """
    archive = read_archive(path)
    check_runtime(archive, runtime)
    # Here, because torch takes two seconds to import, and the others may not be installed.
    if archive.kind == ONNX:
        from pilotnet_brain.driving.model.onnx_file import load_onnx

        return load_onnx(path, device, threads, runtime)
    from pilotnet_brain.driving.model.file import load_torchscript

    return load_torchscript(path, device, threads)


def check_runtime(archive: ModelArchive, runtime: str) -> None:
    """Check that a runtime is for files like this one.

    Raises:
        ModelError: it is not, or unknown.
    """
    if runtime not in RUNTIMES:
        raise ModelError(f"unknown runtime {runtime!r}: it must be one of {', '.join(RUNTIMES)}")
    if runtime == "torch" and archive.kind == ONNX:
        raise ModelError(
            f"{archive.path}: torch runs no ONNX file: use runtime auto, onnxruntime or openvino"
        )
    if runtime not in ("auto", "torch") and archive.kind != ONNX:
        raise ModelError(
            f"{archive.path}: {runtime} runs no {archive.kind} file: export it (pilotnet models "
            f"export {archive.path.stem}), or use runtime auto"
        )
