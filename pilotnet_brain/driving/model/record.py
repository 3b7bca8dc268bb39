"""What a model file says of itself: a JSON record inside the TorchScript archive."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pilotnet_brain.driving.camera import JDEROBOT_CAMERA, Camera
from pilotnet_brain.driving.command import JDEROBOT_RANGE, OutputRange
from pilotnet_brain.driving.preprocess import JDEROBOT, InputFormat

RECORD_FORMAT = 1
PURSUIT_ANTICIPATION_S = 0.025
"""Measured: the expert pursues a point ahead, and bends come early in its commands."""
FLOAT_TOLERANCE = 1e-3
"""Of normalized outputs: 0.02 m/s of speed. Rounding on other CPUs stays below 1e-5; CUDA's
TensorFloat-32 does not."""
QUANTIZED_TOLERANCE = 2e-2
"""Another CPU's int8 engine may round differently: a few steps of the outputs' scale."""
SELF_TEST_FRAMES = 4

_KNOWN_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "method": (str,),
    "quantized": (bool,),
    "parameters": (int, type(None)),
    "training": (dict,),
    "scores": (dict,),
    "torch_version": (str,),
    "rebuild": (str,),
}


@dataclass(frozen=True)
class SelfTest:
    """Outputs that the model must give on the frames stored with the record.

    ``outputs`` holds one (out0, out1) per frame; ``tolerance`` is the largest absolute difference
    allowed in any of them.

    Raises:
        ValueError: the outputs are not pairs of finite numbers, or the tolerance is not positive.
    """

    outputs: tuple[tuple[float, float], ...]
    tolerance: float

    def __post_init__(self) -> None:
        if len(self.outputs) != SELF_TEST_FRAMES or any(len(o) != 2 for o in self.outputs):
            raise ValueError(f"the self-test must hold {SELF_TEST_FRAMES} pairs of outputs")
        if not all(math.isfinite(value) for pair in self.outputs for value in pair):
            raise ValueError("the self-test's outputs are not all finite")
        if not (math.isfinite(self.tolerance) and self.tolerance > 0.0):
            raise ValueError(f"the self-test's tolerance is {self.tolerance!r}: not positive")


@dataclass(frozen=True)
class ModelRecord:
    """All that the brain needs to drive with a file, and what the file is.

    The defaults are JdeRobot's PilotNet format, which a file without a record is taken as.
    """

    name: str = "unnamed"  #: the model's name, e.g. "baseline"
    method: str = "unknown"  #: how it was made, e.g. "trained", "static_quant"
    input_format: InputFormat = JDEROBOT  #: which pixels it looks at
    output_range: OutputRange = JDEROBOT_RANGE  #: what its outputs mean
    camera: Camera = JDEROBOT_CAMERA  #: whose frames it was trained with
    #: how far its commands look ahead, s: a command fits best so long after its frame
    anticipation_s: float = PURSUIT_ANTICIPATION_S
    quantized: bool = False  #: it holds int8 kernels, which run on the CPU only
    #: the quantization engines it runs on, the preferred one first; empty for float
    engines: tuple[str, ...] = ()
    parameters: int | None = None  #: number of weights, if known
    #: data sets, seeds, epochs and the like
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)  #: figures of the model, by name
    torch_version: str = ""  #: the torch that saved it
    rebuild: str = ""  #: the command that makes the file again
    #: outputs that every load must give; None where there is no record
    self_test: SelfTest | None = None

    @property
    def frame_camera(self) -> Camera:
        """The camera on frames of the input format's size."""
        size = self.input_format.frame_width, self.input_format.frame_height
        if size == (self.camera.width, self.camera.height):
            return self.camera
        return self.camera.of_size(*size)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON's types."""
        return {"format": RECORD_FORMAT, **asdict(self), "engines": list(self.engines)}

    def to_json(self) -> str:
        """Return the record as JSON text, keys sorted.

        Raises:
            ValueError, TypeError: a value that JSON cannot hold.
        """
        return json.dumps(self.to_dict(), indent=1, sort_keys=True, allow_nan=False)


def record_from_json(text: str | bytes) -> ModelRecord:
    """Read a record. Keys that this version does not know are ignored.

    Raises:
        ValueError: no JSON, no record, another format, or a value of the wrong kind.
    """
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("the record is nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError("the record is not a JSON object")
    if values.get("format") != RECORD_FORMAT:
        raise ValueError(
            f"the record's format is {values.get('format')!r}: this version reads {RECORD_FORMAT}"
        )
    known: dict[str, Any] = {}
    for name, types in _KNOWN_TYPES.items():
        if name not in values:
            continue
        value = values[name]
        if not isinstance(value, types) or (name == "parameters" and isinstance(value, bool)):
            raise ValueError(f"the record's {name} is {value!r}: not {types[0].__name__}")
        known[name] = value
    known["input_format"] = InputFormat(**_object(values, "input_format", InputFormat))
    known["output_range"] = OutputRange(**_object(values, "output_range", OutputRange))
    if "camera" in values:
        known["camera"] = Camera(**_object(values, "camera", Camera))
    known["anticipation_s"] = _anticipation(values.get("anticipation_s", PURSUIT_ANTICIPATION_S))
    engines = values.get("engines", [])
    if not isinstance(engines, list) or not all(isinstance(name, str) for name in engines):
        raise ValueError(f"the record's engines are {engines!r}: not a list of names")
    known["engines"] = tuple(engines)
    if values.get("self_test") is not None:
        test = _object(values, "self_test", SelfTest)
        try:
            outputs = tuple((float(a), float(b)) for a, b in test["outputs"])
            known["self_test"] = SelfTest(outputs, float(test["tolerance"]))
        except (TypeError, OverflowError) as error:
            raise ValueError(f"the record's self_test does not hold numbers: {error}") from error
    record = ModelRecord(**known)
    _ = record.frame_camera  # raises for frames that no camera can have
    return record


def _anticipation(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
        raise ValueError(f"the record's anticipation_s is {value!r}: it must be 0 to 1 s")
    return float(value)


def _object(values: dict[str, Any], name: str, kind: type) -> dict[str, Any]:
    """Return an object of the record, its keys the fields of a data class."""
    value = values.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"the record's {name} is {value!r}: not an object")
    needed = sorted(field.name for field in fields(kind))
    if sorted(value) != needed:
        raise ValueError(f"the record's {name} has the keys {sorted(value)}: {needed} are needed")
    return value
