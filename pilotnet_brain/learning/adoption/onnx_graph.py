"""ONNX graphs of any input layout and outputs, extended to the model file's contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.model.archive import ONNX, ModelArchive, read_archive
from pilotnet_brain.driving.model.network import NetworkFailure, error_line
from pilotnet_brain.driving.model.onnx_archive import graph_of, metadata_of
from pilotnet_brain.driving.model.onnx_file import OnnxNetwork
from pilotnet_brain.driving.model.onnx_session import open_session
from pilotnet_brain.driving.model.record import FLOAT_TOLERANCE, ModelRecord, SelfTest
from pilotnet_brain.driving.model.self_test import strip_of
from pilotnet_brain.learning.adoption.meaning import AdoptionError, Given, Meaning, Number

IMAGE, COMMANDS = "camera_image", "commands"
_FLAT, _CELL, _FIXED = (f"{COMMANDS}_{name}" for name in ("flat", "cell", "fixed"))
_FLOATS = {
    TensorProto.FLOAT: "float32",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
}


def adopt_onnx(
    source: Path,
    out: Path,
    record: ModelRecord,
    meaning: Meaning,
    frames: NDArray[np.uint8],
) -> str:
    """Write an ONNX network as a model file; returns in words how it was taken.
    Arguments and errors are those of ``adopt``.
    """
    model = onnx.load_from_string(read_archive(source).data)
    taken = _take_image(source, model, record, meaning)
    numbers = meaning.commands(source, _outputs(source, model, frames[0]))
    fixed = 0.0 if numbers[0] is not None else meaning.fixed_output(record.output_range)
    _give_commands(model, numbers, fixed)
    del model.metadata_props[:]
    record = replace(record, self_test=_self_test(source, model, record, frames))
    graph = graph_of(model.SerializeToString())
    for key, value in metadata_of(graph, record.to_json(), strip_of(frames)).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, model.SerializeToString())
    except OSError as problem:
        raise AdoptionError(f"{out}: cannot be written: {problem.strerror}") from problem
    return meaning.in_words(taken, numbers)


def _take_image(source: Path, model: Any, record: ModelRecord, meaning: Meaning) -> str:
    """Put the contract's input before the graph's own."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs)
        raise AdoptionError(f"{source}: it has {len(inputs)} inputs ({names}): one is needed")
    kind = inputs[0].type.tensor_type
    sizes = [dim.dim_value or None for dim in kind.shape.dim]
    fmt = record.input_format
    channels_first = _channels_first(source, sizes, (fmt.height, fmt.width))
    nodes: list[Any] = []
    name = IMAGE

    def add(operator: str, *constant: Any, **attributes: Any) -> None:
        nonlocal name
        result = f"{IMAGE}_{len(nodes)}"
        names = []
        for value in constant:
            names.append(f"{result}_by")
            model.graph.initializer.append(numpy_helper.from_array(value, names[-1]))
        nodes.append(helper.make_node(operator, [name, *names], [result], **attributes))
        name = result

    if kind.elem_type == TensorProto.UINT8:
        add("Mul", np.float32(255.0))
        add("Round")
    elif kind.elem_type not in _FLOATS:
        raise AdoptionError(f"{source}: its input is neither floating point nor uint8")
    elif (meaning.low, meaning.high) != (0.0, 1.0):
        add("Mul", np.float32(meaning.high - meaning.low))
        add("Add", np.float32(meaning.low))
    add("Cast", to=kind.elem_type)
    add("Transpose", perm=[0, 1, 2, 3] if channels_first else [0, 2, 3, 1])
    nodes[-1].output[0] = inputs[0].name
    shape = [1, 3, fmt.height, fmt.width]
    image = helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, shape)
    whole = [*nodes, *model.graph.node]
    del model.graph.input[:], model.graph.node[:]
    model.graph.input.append(image)
    model.graph.node.extend(whole)
    return f"{_FLOATS.get(kind.elem_type, 'uint8')} {'NCHW' if channels_first else 'NHWC'}"


def _channels_first(source: Path, sizes: list[int | None], size: tuple[int, int]) -> bool:
    def fits(expected: tuple[int, ...]) -> bool:
        return len(sizes) == 4 and all(
            found in (None, wanted) for found, wanted in zip(sizes, expected, strict=True)
        )

    if fits((1, 3, *size)):
        return True
    if fits((1, *size, 3)):
        return False
    shown = "x".join("?" if found is None else str(found) for found in sizes)
    raise AdoptionError(
        f"{source}: its input is {shown}: a picture of {size[1]}x{size[0]} and 3 channels does not "
        "fit (say --size)"
    )


def _outputs(source: Path, model: Any, frame: NDArray[np.uint8]) -> list[Given]:
    """Run the graph on a picture, and return what it gives."""
    batch = (frame.astype(np.float32) / 255.0).transpose(2, 0, 1)[None]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        found = session.run(None, {IMAGE: np.ascontiguousarray(batch)})
    except Exception as error:  # ONNX Runtime's kinds of error are not public
        raise AdoptionError(f"{source}: ONNX Runtime cannot run it: {error_line(error)}") from error
    names = [value.name for value in session.get_outputs()]
    return [Given(name, np.asarray(value).size) for name, value in zip(names, found, strict=True)]


def _give_commands(model: Any, numbers: tuple[Number | None, Number], fixed: float) -> None:
    """Put the contract's output behind the graph's own."""
    graph = model.graph
    constants: dict[str, NDArray[Any]] = {
        _FLAT: np.array([-1], np.int64),
        _CELL: np.array([1, 1], np.int64),
        _FIXED: np.array([[fixed]], np.float32),
    }
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
    columns = [
        _FIXED if number is None else _column(graph, name, number)
        for name, number in zip(("speed", "yaw_rate"), numbers, strict=True)
    ]
    graph.node.append(helper.make_node("Concat", columns, [COMMANDS], axis=1))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(COMMANDS, TensorProto.FLOAT, [1, 2]))


def _column(graph: Any, name: str, number: Number) -> str:
    """Take a number out of the graph's outputs, as float32 (1, 1); returns what it is called."""
    place, flat, one, single, column = (
        f"{COMMANDS}_{name}_{step}" for step in ("place", "flat", "one", "single", "column")
    )
    index = numpy_helper.from_array(np.array([number.place], np.int64), place)
    graph.initializer.append(index)
    graph.node.extend(
        [
            helper.make_node("Reshape", [str(number.key), _FLAT], [flat]),
            helper.make_node("Gather", [flat, place], [one], axis=0),
            helper.make_node("Cast", [one], [single], to=TensorProto.FLOAT),
            helper.make_node("Reshape", [single, _CELL], [column]),
        ]
    )
    return column


def _self_test(
    source: Path, model: Any, record: ModelRecord, frames: NDArray[np.uint8]
) -> SelfTest:
    """Run the new graph on the self-test's frames."""
    data = model.SerializeToString()
    archive = ModelArchive(source, data, "", record, None, ONNX)
    session = open_session(archive, "cpu", 1, "onnxruntime")
    network = OnnxNetwork(record.name, session, record.input_format)
    try:
        outputs = []
        for frame in frames:
            network.fill(frame)
            outputs.append(network.run())
        return SelfTest(tuple(outputs), FLOAT_TOLERANCE)
    except (NetworkFailure, ValueError) as problem:
        raise AdoptionError(f"{source}: unfit to drive with: {problem}") from problem
