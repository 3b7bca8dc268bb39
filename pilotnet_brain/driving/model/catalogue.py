"""The models that come with the package, and their manifest. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.driving.model.archive import ModelError, read_archive
from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import share_dir

MANIFEST = "manifest.json"
MODEL_SUFFIXES = (".pt", ".pth", ".ts")


class UnknownModelError(UserError):
    """No model of that name and no such file; the text lists the names there are."""


class ManifestError(UserError):
    """The manifest cannot be read, or a model file is not the one that it lists."""


@dataclass(frozen=True)
class ManifestEntry:
    """One model of the manifest.

    Attributes:
        file: the file's name in the manifest's folder.
        sha256: of the file, in hexadecimal.
        bytes: the file's size.
        record: the file's record as JSON's types, without its self-test; empty if it has none.
        scores: figures of the model by name, e.g. from its laps.
    """

    file: str
    sha256: str
    bytes: int
    record: Mapping[str, Any] = field(default_factory=dict)
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
        raise ManifestError(f"{path}: holds no object of models; restore it from the package")
    return {name: _entry(path, name, value) for name, value in models.items()}


def model_names(folder: Path | None = None) -> list[str]:
    """Return the names of the models to choose from: the manifest's, then other files beside it.

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

    They drive in its style, so their errors on one test set can be compared; a model that learned
    from another expert is not among them.

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
    if not trust:
        check_manifest(path, folder)
    return path


def check_manifest(path: Path, folder: Path | None = None) -> None:
    """Check a file against the manifest's checksum; files that it does not list pass.

    Raises:
        ManifestError: the checksum differs.
    """
    folder = models_dir() if folder is None else folder
    if path.resolve().parent != folder.resolve():
        return
    for name, entry in read_manifest(folder).items():
        if entry.file != path.name:
            continue
        sha256 = _sha256(path)
        if sha256 != entry.sha256:
            raise ManifestError(
                f"{path}: sha256 {sha256[:16]}... is not the {entry.sha256[:16]}... of {name} in "
                f"{MANIFEST}: restore the file, or say that you trust it"
            )


def add_to_manifest(path: Path, scores: Mapping[str, Any] | None = None) -> ManifestEntry:
    """Enter a model file in its folder's manifest, or bring its entry up to date.

    Args:
        path: the model file; its name without the suffix is the model's name.
        scores: figures to keep with it; by default those that the entry had, for the same file.

    Raises:
        ModelError: the file is no model, or the manifest cannot be written.
        ManifestError: the folder's manifest cannot be read.
    """
    archive = read_archive(path)
    manifest = read_manifest(path.parent)
    old = manifest.get(path.stem)
    if scores is None:
        scores = old.scores if old is not None and old.sha256 == archive.sha256 else {}
    record = archive.record.to_dict() if archive.record is not None else {}
    record.pop("self_test", None)
    entry = ManifestEntry(path.name, archive.sha256, len(archive.data), record, dict(scores))
    manifest[path.stem] = entry
    text = json.dumps({"models": {name: asdict(e) for name, e in manifest.items()}}, indent=1)
    try:
        write_atomically(path.parent / MANIFEST, (text + "\n").encode())
    except OSError as error:
        raise ModelError(f"{path.parent / MANIFEST}: cannot be written: {error}") from error
    return entry


def add_scores(path: Path, scores: Mapping[str, Any]) -> ManifestEntry:
    """Enter figures of a model file in its folder's manifest, beside those it has there.

    Figures of the same name are replaced; those of another file of that name are forgotten.

    Raises:
        ModelError, ManifestError: as ``add_to_manifest``.
    """
    entry = add_to_manifest(path)
    return add_to_manifest(path, {**entry.scores, **scores})


def _find(asked: str, folder: Path) -> Path | None:
    listed = read_manifest(folder)
    if asked in listed:
        return folder / listed[asked].file
    if asked and PurePath(asked).name == asked:
        for suffix in ("", *MODEL_SUFFIXES):
            if (folder / (asked + suffix)).is_file() and Path(asked + suffix).suffix:
                return folder / (asked + suffix)
    try:
        path = Path(asked).expanduser()
        return path if asked and path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None  # no path at all: a null byte, a name too long, a user that does not exist


def _entry(path: Path, name: str, value: Any) -> ManifestEntry:
    fields = ManifestEntry.__dataclass_fields__
    kinds = {"file": str, "sha256": str, "bytes": int, "record": dict, "scores": dict}
    if not isinstance(value, dict) or not {"file", "sha256", "bytes"} <= set(value) <= set(fields):
        raise ManifestError(f"{path}: the entry of {name} must have file, sha256 and bytes")
    for key, item in value.items():
        if not isinstance(item, kinds[key]):
            raise ManifestError(f"{path}: the {key} of {name} is {item!r}")
    if PurePath(value["file"]).name != value["file"]:
        raise ManifestError(f"{path}: the file of {name}, {value['file']!r}, must lie beside it")
    return ManifestEntry(**value)


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from error
