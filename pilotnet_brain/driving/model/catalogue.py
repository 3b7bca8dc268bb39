"""The models that come with the package, and their manifest. Needs no torch.

A manifest lists a folder's model files with their checksums. Only `sign` changes a checksum; it is
called where a file is written (training, optimization) and by ``pilotnet models sign``.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.model.archive import read_archive
from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import share_dir
from pilotnet_brain.user_path import user_path

MANIFEST = "manifest.json"
MODEL_SUFFIXES = (".pt", ".pth", ".ts", ".onnx")


class UnknownModelError(UserError):
    """No model of that name and no such file; the text lists the names that exist."""


class ManifestError(UserError):
    """The manifest cannot be read or written, or a model file is not the one that it lists."""


@dataclass(frozen=True)
class ManifestEntry:
    """One model of the manifest."""

    file: str  #: the file's name in the manifest's folder
    sha256: str  #: of the file, in hexadecimal
    bytes: int  #: the file's size
    #: the file's record as JSON's types, without its self-test; empty if it has none
    record: Mapping[str, Any] = field(default_factory=dict)
    #: figures of the model by name, e.g. from its laps
    scores: Mapping[str, Any] = field(default_factory=dict)


def models_dir() -> Path:
    """Return the folder of the package's models."""
    return share_dir() / "models"


def read_manifest(folder: Path | None = None) -> dict[str, ManifestEntry]:
    """Return the manifest's models by name, in its order; empty where there is no manifest.

    Raises:
        ManifestError: it cannot be read or is not a manifest.
    """
    path = (models_dir() if folder is None else folder) / MANIFEST
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from error
    models = values.get("models") if isinstance(values, dict) else None
    if not isinstance(models, dict):
        raise ManifestError(f"{path}: holds no object of models; restore it")
    return {name: _entry(path, name, value) for name, value in models.items()}


def model_names(folder: Path | None = None) -> list[str]:
    """Return the names of the models to choose from: the manifest's, then other files there.

    Raises:
        ManifestError: the manifest cannot be read.
    """
    folder = models_dir() if folder is None else folder
    listed = read_manifest(folder)
    listed_files = {entry.file for entry in listed.values()}
    others = [
        path.stem
        for path in sorted(folder.glob("*"))
        if path.suffix in MODEL_SUFFIXES and path.name not in listed_files
    ]
    return list(dict.fromkeys([*listed, *others]))


def family_of(path: Path) -> list[str]:
    """Return the models of the manifest that were made from a model file, itself first.

    They drive in the same style, so their errors on one test set can be compared; a model that
    learned from another expert is not among them.

    Raises:
        ManifestError: the manifest cannot be read.
    """
    manifest = read_manifest(path.parent)
    parent = _sha256(path)
    own = [name for name, entry in manifest.items() if entry.sha256 == parent]
    made = [
        name
        for name, entry in manifest.items()
        if entry.record.get("training", {}).get("baseline") == parent
    ]
    return own + made


def resolve_model(name_or_path: str | Path, trust: bool = False) -> Path:
    """Return the file of a model, by its name or by a path to a file.

    A file that the manifest lists must have the manifest's checksum, unless it is trusted.

    Raises:
        UnknownModelError: neither a model's name nor a file.
        ManifestError: the file is not the one that the manifest lists, or the manifest is broken.
    """
    folder = models_dir()
    path = _find(str(name_or_path), folder)
    if path is None:
        known = ", ".join(model_names(folder)) or "none"
        raise UnknownModelError(
            f"unknown model {str(name_or_path)!r}: no such file, and no model of that name; "
            f"models: {known}"
        )
    if not trust and path.resolve().parent == folder.resolve():
        for name, entry in read_manifest(path.parent).items():
            if entry.file == path.name and (sha256 := _sha256(path)) != entry.sha256:
                raise ManifestError(
                    f"{path}: sha256 {sha256[:16]}... is not the {entry.sha256[:16]}... of {name} "
                    f"in {MANIFEST}: restore the file, or enter the new one: "
                    f"pilotnet models sign {name}"
                )
    return path


def unsigned_warning(name_or_path: str | Path) -> str:
    """Return what to say before a model file is loaded that its folder's manifest does not list.

    Empty for one that is signed, and where there is no such model: `resolve_model` says that.

    Raises:
        ManifestError: a manifest or the file cannot be read.
    """
    path = _find(str(name_or_path), models_dir())
    if path is None:
        return ""
    sha256 = _sha256(path)
    if sha256 in {entry.sha256 for entry in read_manifest(path.parent).values()}:
        return ""
    text = (
        f"warning: {path} (sha256 {sha256[:16]}...) is not signed: a model is code, so load only "
        f"what you trust, and sign it: pilotnet models sign {shlex.quote(str(path))}"
    )
    return text.encode(errors="backslashreplace").decode()  # a file's name need not be UTF-8


def sign(path: Path) -> tuple[ManifestEntry, ManifestEntry | None]:
    """Enter a model file's checksum and record in its folder's manifest, or renew them.

    A new entry has the name of the file without its suffix. Scores stay as long as the checksum
    does; those of another file are dropped. Returns the entry as written, and the one before it, if
    there was one.

    Raises:
        ModelError: the file is not a model.
        ManifestError: the folder's manifest cannot be read or written.
    """
    archive = read_archive(path)
    manifest = read_manifest(path.parent)
    name = next((n for n, entry in manifest.items() if entry.file == path.name), path.stem)
    old = manifest.get(name)
    scores = old.scores if old is not None and old.sha256 == archive.sha256 else {}
    record = archive.record.to_dict() if archive.record is not None else {}
    record.pop("self_test", None)
    entry = ManifestEntry(path.name, archive.sha256, len(archive.data), record, scores)
    _write_manifest(path.parent, {**manifest, name: entry})
    return entry, old


def enter_scores(folder: Path, name: str, sha256: str, scores: Mapping[str, Any]) -> ManifestEntry:
    """Add figures of a model to its entry in a folder's manifest; returns the entry as written.

    The figures were measured on the file with this sha256, and the entry's stays. Those of the same
    name are replaced.

    Raises:
        ManifestError: the manifest does not list the model with this checksum, or cannot be read
            or written.
    """
    manifest = read_manifest(folder)
    entry = manifest.get(name)
    if entry is None or entry.sha256 != sha256:
        listed = "does not list it" if entry is None else f"has {entry.sha256[:16]}... for it"
        raise ManifestError(
            f"{folder / MANIFEST}: no scores entered for {name}: they were measured on sha256 "
            f"{sha256[:16]}..., and the manifest {listed}; if that file is the right one, enter "
            f"it first: pilotnet models sign {folder / (entry.file if entry else f'{name}.pt')}"
        )
    entry = replace(entry, scores={**entry.scores, **scores})
    _write_manifest(folder, {**manifest, name: entry})
    return entry


def _write_manifest(folder: Path, manifest: Mapping[str, ManifestEntry]) -> None:
    text = json.dumps({"models": {name: asdict(e) for name, e in manifest.items()}}, indent=1)
    try:
        write_atomically(folder / MANIFEST, (text + "\n").encode())
    except OSError as error:
        raise ManifestError(f"{folder / MANIFEST}: cannot be written: {error.strerror}") from error


def _find(asked: str, folder: Path) -> Path | None:
    listed = read_manifest(folder)
    if asked in listed:
        return folder / listed[asked].file
    try:
        if asked and PurePath(asked).name == asked:
            for suffix in ("", *MODEL_SUFFIXES):
                if (folder / (asked + suffix)).is_file() and Path(asked + suffix).suffix:
                    return folder / (asked + suffix)
        path = user_path(asked)
        return path if asked and path.is_file() else None
    except (OSError, ValueError):
        return None  # not a path: a null byte, a name too long


def _entry(path: Path, name: str, value: Any) -> ManifestEntry:
    fields = ManifestEntry.__dataclass_fields__
    kinds = {"file": str, "sha256": str, "bytes": int, "record": dict, "scores": dict}
    if not isinstance(value, dict) or not {"file", "sha256", "bytes"} <= set(value) <= set(fields):
        raise ManifestError(f"{path}: the entry of {name} must have file, sha256 and bytes")
    for key, item in value.items():
        if not isinstance(item, kinds[key]):
            raise ManifestError(f"{path}: the {key} of {name} is {item!r}")
    if PurePath(value["file"]).name != value["file"]:
        raise ManifestError(
            f"{path}: the file of {name}, {value['file']!r}, must be in the same folder"
        )
    return ManifestEntry(**value)


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from error
