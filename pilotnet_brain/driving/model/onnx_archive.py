"""An ONNX file as an archive: its record, read and checked without an ONNX library.

The record and the self-test's frames are in the model's metadata, which every ONNX tool keeps. ONNX
has no checksums; an exported file keeps that of its graph there, too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path

from pilotnet_brain.driving.model.errors import ModelError
from pilotnet_brain.message_table import BrokenMessage, MessageTable

RECORD_KEY, FRAMES_KEY, GRAPH_KEY = "pilotnet", "pilotnet_self_test_png", "pilotnet_graph_sha256"
"""Of the metadata: the record's JSON, the frames as PNG in base64, the graph's checksum."""
_ZIP = b"PK"
_IR_VERSION = 0x08
"""The first field of every ONNX model, as protobuf writes it."""
# ModelProto's, of onnx.proto. A graph's bytes are those of a bytes field.
_TABLE = MessageTable(
    "onnx",
    "proto3",
    """
Entry: optional string key 1; optional string value 2
Model: optional int64 ir_version 1; optional bytes graph 7; repeated Entry metadata 14
""",
)


def is_onnx(path: Path, data: bytes) -> bool:
    """Return whether a file is, or calls itself, an ONNX model."""
    return not data.startswith(_ZIP) and (path.suffix == ".onnx" or data[0] == _IR_VERSION)


def read_onnx(path: Path, data: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the record's JSON and the self-test's frames of an ONNX model, None where it has none.

    Raises:
        ModelError: it is not one, or damaged.
    """
    try:
        model = _TABLE.parse("Model", data)
    except BrokenMessage as problem:
        raise ModelError(f"{path}: not an ONNX model, or damaged: copy or export it again") from (
            problem
        )
    if not model.graph:
        raise ModelError(f"{path}: not an ONNX model: it has no graph; export it again")
    metadata = {entry.key: entry.value for entry in model.metadata}
    expected = metadata.get(GRAPH_KEY)
    if expected is not None and hashlib.sha256(model.graph).hexdigest() != expected:
        raise ModelError(
            f"{path}: damaged, or changed by another tool: its graph has another checksum than its "
            "metadata says; copy the file again, or clear its metadata and adopt it (pilotnet "
            "models adopt)"
        )
    record = metadata.get(RECORD_KEY)
    return None if record is None else record.encode(), _frames(path, metadata)


def metadata_of(graph: bytes, record_json: str, frames_png: bytes | None) -> dict[str, str]:
    """Return the metadata that an exported model is to have, by key."""
    metadata = {RECORD_KEY: record_json, GRAPH_KEY: hashlib.sha256(graph).hexdigest()}
    if frames_png is not None:
        metadata[FRAMES_KEY] = base64.b64encode(frames_png).decode()
    return metadata


def graph_of(data: bytes) -> bytes:
    """Return the bytes of an ONNX model's graph.

    Raises:
        BrokenMessage: the data is no ONNX model.
    """
    return bytes(_TABLE.parse("Model", data).graph)


def _frames(path: Path, metadata: Mapping[str, str]) -> bytes | None:
    if FRAMES_KEY not in metadata:
        return None
    try:
        return base64.b64decode(metadata[FRAMES_KEY], validate=True)
    except (binascii.Error, ValueError) as problem:
        raise ModelError(
            f"{path}: its self-test's frames are damaged; export it again"
        ) from problem
