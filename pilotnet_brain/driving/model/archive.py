"""A model file as an archive: read and checked without torch.

A TorchScript file is a zip archive. torch does not look at the archive's checksums, so a flipped
bit loads silently; here every entry's CRC-32 is checked before torch sees the file.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pilotnet_brain.driving.model.errors import ModelError
from pilotnet_brain.driving.model.onnx_archive import is_onnx, read_onnx
from pilotnet_brain.driving.model.record import ModelRecord, record_from_json

__all__ = ["ModelArchive", "ModelError", "read_archive", "read_record", "without_debug_files"]

RECORD_ENTRY = "pilotnet.json"
FRAMES_ENTRY = "self_test.png"
TORCHSCRIPT, ONNX = "TorchScript", "ONNX"
"""The kinds of model files."""
_DEBUG_ENDINGS = (".debug_pkl", ".data/serialization_id")
_LARGEST_FILE_BYTES = 1 << 30
_LARGEST_EXTRA_BYTES = 64 << 20
_LONGEST_CAUSE = 300
_EXPORT_HINT = "export the network as TorchScript (torch.jit.trace, then torch.jit.save)"
_TENSORFLOW_HINT = "convert it to ONNX (python -m tf2onnx.convert), then 'pilotnet models adopt' it"


@dataclass(frozen=True)
class ModelArchive:
    """The bytes of an intact model file, and what it holds besides the network."""

    path: Path
    data: bytes
    sha256: str
    record: ModelRecord | None
    frames_png: bytes | None
    kind: str = TORCHSCRIPT  #: or ONNX


def read_archive(path: str | Path) -> ModelArchive:
    """Read a model file and check that it is a whole TorchScript archive, or an ONNX model.

    Raises:
        ModelError: missing, unreadable, empty, truncated or damaged; not TorchScript (the text
            says what it is instead, if that can be told); or a record that cannot be read.
    """
    path = Path(path)
    data = _read_bytes(path)
    if is_onnx(path, data):
        record_json, frames_png = read_onnx(path, data)
        return _archive(path, data, record_json, frames_png, ONNX)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            # Of two entries of one name, zipfile checks and reads the later one only.
            if _declared_entries(data) not in (None, len(names)) or len(set(names)) < len(names):
                raise ModelError(f"{path}: damaged: entries are missing; copy the file again")
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > _LARGEST_FILE_BYTES:
                raise ModelError(f"{path}: {unpacked} bytes unpacked is too large for a model")
            damaged = archive.testzip()
            if damaged is not None:
                raise ModelError(
                    f"{path}: damaged: the checksum of {damaged} is wrong; copy the file again"
                )
            root = _torchscript_root(path, archive)
            record_json = _extra(path, archive, root, RECORD_ENTRY)
            frames_png = _extra(path, archive, root, FRAMES_ENTRY)
    except ModelError:
        raise
    except Exception as error:  # zipfile has a dozen kinds of error for a damaged directory
        raise ModelError(_no_archive(path, data, error)) from error
    return _archive(path, data, record_json, frames_png, TORCHSCRIPT)


def read_record(path: str | Path) -> ModelRecord | None:
    """Return the record of a model file, None where it has none (JdeRobot's format).

    Raises:
        ModelError: as ``read_archive``.
    """
    return read_archive(path).record


def without_debug_files(data: bytes) -> bytes:
    """Return a TorchScript archive without its source positions, traced inputs and name.

    They hold paths of the machine that exported the model, or are made from them, and are of no
    use for driving. Entries keep their order and get one fixed time, so that an export can be
    repeated byte for byte.
    """
    slim = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(slim, "w") as new:
        for entry in old.infolist():
            if entry.filename.endswith(_DEBUG_ENDINGS) or "/traced_inputs" in entry.filename:
                continue
            kept = zipfile.ZipInfo(entry.filename, date_time=(1980, 1, 1, 0, 0, 0))
            kept.compress_type = entry.compress_type
            new.writestr(kept, old.read(entry))
    return slim.getvalue()


def _archive(
    path: Path, data: bytes, record_json: bytes | None, frames_png: bytes | None, kind: str
) -> ModelArchive:
    record = None
    if record_json is not None:
        try:
            record = record_from_json(record_json)
        except ValueError as error:
            raise ModelError(
                f"{path}: its record {RECORD_ENTRY} cannot be read: {str(error)[:_LONGEST_CAUSE]}; "
                "export the model again"
            ) from error
    return ModelArchive(path, data, hashlib.sha256(data).hexdigest(), record, frames_png, kind)


def _read_bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ModelError(f"{path}: is a folder: name the model's file in it")
        size = path.stat().st_size
        if size == 0:
            raise ModelError(f"{path}: the file is empty; copy or export it again")
        if size > _LARGEST_FILE_BYTES:
            raise ModelError(f"{path}: {size} bytes is too large for a model to drive with")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such model file") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from error


def _declared_entries(data: bytes) -> int | None:
    """Return the number of entries that a zip archive's end record gives, None if it gives none.

    zipfile does not compare it with what it finds: a damaged length can swallow entries.
    """
    end_record = data[-22:]
    count = int.from_bytes(end_record[10:12], "little")
    # 0xFFFF: the number is in the 64-bit end record.
    return count if end_record.startswith(b"PK\x05\x06") and count != 0xFFFF else None


def _torchscript_root(path: Path, archive: zipfile.ZipFile) -> str:
    """Return the archive's top folder, refusing archives that hold no TorchScript."""
    names = set(archive.namelist())
    roots = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    for root in sorted(roots):
        if f"{root}/data.pkl" not in names:
            continue
        if f"{root}/constants.pkl" in names:
            return root
        raise ModelError(
            f"{path}: holds pickled weights or a pickled network (torch.save), not TorchScript; "
            f"such files are never unpickled here: {_EXPORT_HINT}"
        )
    files = {PurePosixPath(name).name for name in names}
    if "archive_format" in files or "serialized_exported_program.json" in files:
        raise ModelError(
            f"{path}: a torch.export program, not TorchScript; in Python: torch.jit.trace("
            "torch.export.load(FILE).module(), EXAMPLE).save(NEW_FILE)"
        )
    if "model.weights.h5" in files:
        raise ModelError(f"{path}: a Keras model, not TorchScript; {_TENSORFLOW_HINT}")
    raise ModelError(f"{path}: a zip archive, but not TorchScript; {_EXPORT_HINT}")


def _extra(path: Path, archive: zipfile.ZipFile, root: str, name: str) -> bytes | None:
    entry = f"{root}/extra/{name}"
    if entry not in archive.namelist():
        return None
    if archive.getinfo(entry).file_size > _LARGEST_EXTRA_BYTES:
        raise ModelError(f"{path}: its {name} is too large for a model; export it again")
    return archive.read(entry)


def _no_archive(path: Path, data: bytes, error: Exception) -> str:
    """Say what a file is that is not an intact zip archive."""
    if data.startswith(b"PK\x03\x04"):
        return f"{path}: truncated or damaged ({error}); copy or export it again"
    if data.startswith(b"\x80"):
        return f"{path}: a pickle, not TorchScript; pickles are never loaded here: {_EXPORT_HINT}"
    if data.startswith(b"\x89HDF"):
        return f"{path}: a Keras (HDF5) model, not TorchScript; {_TENSORFLOW_HINT}"
    if data[4:8] == b"TFL3":
        return f"{path}: a TensorFlow Lite model, not TorchScript; {_TENSORFLOW_HINT}"
    size = f"{len(data)} bytes of something else"
    return f"{path}: neither TorchScript nor ONNX ({size}); {_EXPORT_HINT}"
