"""An ONNX graph in the runtimes that can run it: ONNX Runtime and OpenVINO.

ONNX Runtime runs on CUDA and TensorRT, too. OpenVINO is the faster one for float32 on many CPUs
(``pilotnet models runtimes`` measures it here).
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.model import DEVICES
from pilotnet_brain.driving.model.archive import ModelArchive
from pilotnet_brain.driving.model.errors import ModelError
from pilotnet_brain.driving.model.network import error_line

_CPU = "CPUExecutionProvider"
_GPU = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
"""In the order in which they are preferred."""


@dataclass(frozen=True)
class End:
    """An input or output of a graph."""

    shape: tuple[int | None, ...]  #: None where the graph leaves a size open
    dtype: str  #: numpy's name, e.g. "float32"; another runtime's name where numpy has none

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.dtype} ({sizes})"


class Session(ABC):
    """A graph loaded by a runtime."""

    device: str  #: "cpu" or "cuda"
    form: str  #: the runtime, and how it runs the graph
    inputs: list[End]
    outputs: list[End]

    @abstractmethod
    def __init__(self, data: bytes, device: str, threads: int) -> None:
        """Load a graph.

        Args:
            data: of the ONNX file.
            device: "auto", "cpu" or "cuda".
            threads: of the CPU.

        Raises:
            ModelError: the runtime has not the device.
            Whatever the runtime raises for a graph that it cannot load.
        """

    @abstractmethod
    def runner(self, batch: NDArray[np.float32]) -> Callable[[], NDArray[Any]]:
        """Return what runs the graph on whatever the buffer holds, and returns its first output.

        The output is valid until the next call. Whatever the runtime raises is raised.
        """


class OnnxRuntimeSession(Session):
    """ONNX Runtime's, on the CPU or, by its execution providers, on the GPU."""

    def __init__(self, data: bytes, device: str, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what is wrong is raised, too
        # Threads that spin while they wait take a core from the simulator.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        gpu = [name for name in _GPU if name in onnxruntime.get_available_providers()]
        if device == "cuda" and not gpu:
            raise ModelError(
                f"device cuda was asked for, but ONNX Runtime {onnxruntime.__version__} is built "
                "without it: use cpu or auto, or install onnxruntime-gpu"
            )
        self.device = "cuda" if gpu and device != "cpu" else "cpu"
        providers = [*gpu, _CPU] if self.device == "cuda" else [_CPU]
        self._session = onnxruntime.InferenceSession(data, options, providers=providers)
        chosen = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.form = f"ONNX Runtime, {chosen}"
        self.inputs = [_end(value) for value in self._session.get_inputs()]
        self.outputs = [_end(value) for value in self._session.get_outputs()]

    def runner(self, batch: NDArray[np.float32]) -> Callable[[], NDArray[Any]]:
        """Return what runs the graph on the buffer."""
        feed = {self._session.get_inputs()[0].name: batch}
        return lambda: self._session.run(None, feed)[0]


class OpenVinoSession(Session):
    """OpenVINO's, on the CPU."""

    def __init__(self, data: bytes, device: str, threads: int) -> None:
        import openvino

        if device == "cuda":
            raise ModelError("device cuda was asked for, but OpenVINO runs on the CPU: use cpu")
        model = openvino.Core().read_model(data)
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = openvino.compile_model(model, "CPU", options)
        self._tensor = openvino.Tensor
        self.device, self.form = "cpu", "OpenVINO, CPU"
        self.inputs = [_openvino_end(value) for value in model.inputs]
        self.outputs = [_openvino_end(value) for value in model.outputs]

    def runner(self, batch: NDArray[np.float32]) -> Callable[[], NDArray[Any]]:
        """Return what runs the graph on the buffer."""
        request = self._compiled.create_infer_request()
        request.set_input_tensor(self._tensor(batch, shared_memory=True))

        def run() -> NDArray[Any]:
            request.infer()
            output: NDArray[Any] = request.get_output_tensor(0).data
            return output

        return run


SESSIONS: dict[str, type[Session]] = {
    "onnxruntime": OnnxRuntimeSession,
    "openvino": OpenVinoSession,
}
"""By the name of their package, which is the runtime's; the default first."""


def open_session(archive: ModelArchive, device: str, threads: int, runtime: str) -> Session:
    """Load an ONNX file's graph.

    Args:
        archive: of the file.
        device: "auto" (TensorRT or CUDA where ONNX Runtime has them), "cpu" or "cuda".
        threads: of the CPU.
        runtime: "onnxruntime", "openvino", or "auto": the first of them that is installed.

    Raises:
        ModelError: the runtime is not installed, has not the device, or cannot load the graph.
    """
    if device not in DEVICES:
        raise ModelError(f"unknown device {device!r}: it must be one of {', '.join(DEVICES)}")
    asked = list(SESSIONS) if runtime == "auto" else [runtime]
    found = [name for name in asked if importlib.util.find_spec(name) is not None]
    if not found:
        raise ModelError(
            f"{archive.path}: an ONNX model needs {' or '.join(asked)}, which is not installed: "
            f"pip install {asked[0]}"
        )
    try:
        return SESSIONS[found[0]](archive.data, device, threads)
    except ModelError:
        raise
    except Exception as error:  # the runtimes' kinds of error are not public
        raise ModelError(f"{archive.path}: {found[0]} cannot load it: {error_line(error)}") from (
            error
        )


def _end(value: Any) -> End:
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    return End(shape, "float32" if kind == "float" else kind)


def _openvino_end(value: Any) -> End:
    shape = tuple(size.get_length() if size.is_static else None for size in value.partial_shape)
    return End(shape, np.dtype(value.element_type.to_dtype()).name)
