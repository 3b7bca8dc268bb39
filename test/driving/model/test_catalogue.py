import hashlib
import json
import shutil
import subprocess
import sys
import zipfile

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pilotnet_brain.cli import main
from pilotnet_brain.driving.model import catalogue as model_catalogue
from pilotnet_brain.driving.model.catalogue import (
    ManifestError,
    UnknownModelError,
    enter_scores,
    family_of,
    model_names,
    read_manifest,
    resolve_model,
    sign,
    unsigned_warning,
)
from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.driving.model.torchscript import save_bytes


def tamper(path):
    """Change one weight of a model file, all of the archive's checksums right, no self-test."""
    network = load_as_saved(path)
    with torch.no_grad():
        network.head.bias[0] += 1.0
    path.write_bytes(save_bytes(network, {}))


def tamper_code(path):
    """Make a model file one that torch ends with an error at, its checksums right."""
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in entries.items():
            new.writestr(name, b"no code" if name.endswith(".py") else content)


@pytest.fixture
def folder(tmp_path, small_file, monkeypatch):
    """A models folder with one listed and one unlisted model."""
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(small_file, models / "listed.pt")
    shutil.copy(small_file, models / "dropped_in.pt")
    entry, before = sign(models / "listed.pt")
    assert before is None
    enter_scores(models, "listed", entry.sha256, {"average_speed": 11.5})
    monkeypatch.setattr(model_catalogue, "models_dir", lambda: models)
    return models


def test_a_family_is_a_model_and_what_was_made_from_it(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    listed = manifest["models"]["listed"]
    for name, parent in (("child", listed["sha256"]), ("stranger", "0" * 64)):
        record = {**listed["record"], "training": {"baseline": parent}}
        sha256 = name[0].encode().hex() * 32
        manifest["models"][name] = {**listed, "sha256": sha256, "record": record}
    path.write_text(json.dumps(manifest))
    assert family_of(folder / "listed.pt") == ["listed", "child"]


def test_the_manifest_tells_of_the_file(folder, small_file):
    entry = read_manifest(folder)["listed"]
    assert entry.file == "listed.pt"
    assert entry.bytes == small_file.stat().st_size
    assert entry.record["name"] == "small"
    assert "self_test" not in entry.record
    assert entry.scores == {"average_speed": 11.5}


def test_names_are_the_listed_then_the_others(folder):
    assert model_names() == ["listed", "dropped_in"]


@pytest.mark.parametrize("trust", [False, True])
def test_names_files_and_paths_are_resolved(folder, small_file, trust):
    assert resolve_model("listed", trust) == folder / "listed.pt"
    assert resolve_model("listed.pt", trust) == folder / "listed.pt"
    assert resolve_model("dropped_in", trust) == folder / "dropped_in.pt"
    assert resolve_model(small_file, trust) == small_file


def test_unknown_names_list_the_known_ones(folder):
    for asked in ("nonesuch", "no/such/file.pt", "", ".", "..", "manifest"):
        with pytest.raises(UnknownModelError, match="listed, dropped_in"):
            resolve_model(asked)


@given(st.text(max_size=300))
@example("\u0100" * 126)  # too long for a file's name with a suffix, not without
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_hostile_names_are_unknown(folder, asked):
    try:
        assert resolve_model("x" + asked).is_file()
    except UnknownModelError as error:
        assert "listed" in str(error)


def test_a_changed_file_is_refused_unless_trusted(folder):
    with open(folder / "listed.pt", "ab") as file:
        file.write(b"\0")
    for asked in ("listed", folder / "listed.pt"):
        with pytest.raises(ManifestError, match="sha256"):
            resolve_model(asked)
        assert resolve_model(asked, trust=True) == folder / "listed.pt"


def test_a_listed_file_that_is_gone_is_refused(folder):
    (folder / "listed.pt").unlink()
    with pytest.raises(ManifestError, match="cannot be read"):
        resolve_model("listed")


def test_scores_stay_with_the_same_file(folder):
    assert sign(folder / "listed.pt")[0].scores == {"average_speed": 11.5}
    assert sign(folder / "dropped_in.pt")[0].scores == {}
    assert list(read_manifest(folder)) == ["listed", "dropped_in"]
    tamper(folder / "listed.pt")
    entry, before = sign(folder / "listed.pt")
    assert entry.scores == {}
    assert entry.sha256 != before.sha256


def test_scores_are_added_to_those_of_the_same_file(folder):
    sha256 = read_manifest(folder)["listed"].sha256
    entry = enter_scores(folder, "listed", sha256, {"montreal": {"completion": 1.0}})
    assert entry == read_manifest(folder)["listed"]
    assert entry.scores == {"average_speed": 11.5, "montreal": {"completion": 1.0}}


@pytest.mark.parametrize("name", ["listed", "dropped_in"])
def test_scores_of_a_file_that_is_not_the_listed_one_change_nothing(folder, name):
    before = (folder / "manifest.json").read_bytes()
    tamper(folder / "listed.pt")
    sha256 = hashlib.sha256((folder / f"{name}.pt").read_bytes()).hexdigest()
    with pytest.raises(ManifestError, match=f"pilotnet models sign {folder}/{name}.pt"):
        enter_scores(folder, name, sha256, {"average_speed": 99.0})
    assert (folder / "manifest.json").read_bytes() == before


def test_the_command_signs_a_changed_file_and_shows_both_checksums(folder, capsys):
    old = read_manifest(folder)["listed"].sha256
    tamper(folder / "listed.pt")
    assert main(["models", "sign", "listed"]) == 0
    new = read_manifest(folder)["listed"].sha256
    assert new == hashlib.sha256((folder / "listed.pt").read_bytes()).hexdigest() != old
    said = capsys.readouterr().out
    assert old in said and new in said
    assert resolve_model("listed") == folder / "listed.pt"
    assert main(["models", "sign", "listed"]) == 0
    assert "unchanged" in capsys.readouterr().out


def test_a_file_that_cannot_be_driven_with_is_not_signed(folder, capsys):
    before = (folder / "manifest.json").read_bytes()
    (folder / "listed.pt").write_bytes(b"PK")
    assert main(["models", "sign", "listed"]) == 2
    assert "listed.pt" in capsys.readouterr().err
    assert (folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"models": []}',
        '{"models": {"a": 1}}',
        '{"models": {"a": {"file": "a.pt"}}}',
        '{"models": {"a": {"file": "../a.pt", "sha256": "0", "bytes": 1}}}',
        '{"models": {"a": {"file": "a.pt", "sha256": 0, "bytes": 1}}}',
        "[" * 200_000,
    ],
)
def test_a_broken_manifest_is_named(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ManifestError, match="manifest.json"):
        resolve_model("listed")


def test_no_manifest_is_no_error(tmp_path):
    assert read_manifest(tmp_path) == {}
    assert model_names(tmp_path) == []


def test_the_manifest_is_json_with_models(folder):
    assert list(json.loads((folder / "manifest.json").read_text())) == ["models"]


def test_listing_needs_no_torch():
    check = (
        "import sys; import pilotnet_brain.driving.model.catalogue; "
        "assert not {'torch', 'rclpy', 'mujoco'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_model_that_nobody_signed_is_told_of_until_it_is_signed(tmp_path, small_file):
    path = tmp_path / "my model.pt"
    shutil.copy(small_file, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    warning = unsigned_warning(path)
    assert "\n" not in warning
    for said in (str(path), sha256[:16], f"pilotnet models sign '{path}'"):
        assert said in warning
    sign(path)
    assert unsigned_warning(path) == ""
    # The next one of that name is another file.
    path.write_bytes(path.read_bytes() + b"x")
    assert unsigned_warning(path) != ""


def test_shipped_models_are_signed():
    assert [unsigned_warning(name) for name in read_manifest()] == [""] * len(read_manifest())
    assert unsigned_warning("no_such_model") == ""


@pytest.mark.parametrize("command", [["models", "inspect"], ["drive", "--lockstep", "--model"]])
def test_that_is_said_before_the_file_is_loaded(command, tmp_path, small_file, capsys):
    path = tmp_path / "mine.pt"
    shutil.copy(small_file, path)
    tamper_code(path)
    assert main([*command, str(path)]) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert warning == unsigned_warning(path)
    assert error.startswith("error: ") and "torch cannot load it" in error
