import io
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotnet_brain.driving.model.archive import (
    ModelError,
    read_archive,
    read_record,
    without_debug_files,
)
from pilotnet_brain.driving.model.torchscript import load_bytes, quiet_deprecation, save_bytes


class _Bomb:
    """Unpickled, it leaves a file behind: proof that somebody unpickled it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_the_record_is_read(small_file):
    record = read_record(small_file)
    assert record is not None
    assert record.name == "small"
    assert record.torch_version == torch.__version__


def test_reading_needs_no_torch(small_file):
    check = (
        "import sys; from pilotnet_brain.driving.model.archive import read_record; "
        f"assert read_record({str(small_file)!r}).name == 'small'; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_missing_empty_and_folder(tmp_path):
    (tmp_path / "empty.pt").touch()
    for name, said in [("none.pt", "no such"), ("empty.pt", "empty"), (".", "folder")]:
        with pytest.raises(ModelError, match=said) as refusal:
            read_archive(tmp_path / name)
        assert str(tmp_path) in str(refusal.value)


def test_pickles_are_named_and_never_unpickled(tmp_path):
    mark = tmp_path / "unpickled"
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(_Bomb(mark)))
    torch.save(_Bomb(mark), tmp_path / "zipped.pt")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt")
    torch.save(_Bomb(mark), tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    for name in ("plain.pkl", "zipped.pt", "weights.pt", "legacy.pt"):
        with pytest.raises(ModelError, match="pickle.*TorchScript"):
            read_archive(tmp_path / name)
    assert not mark.exists()


def test_other_archives_are_named_with_what_helps(tmp_path):
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.rand(1, 2),))
    torch.export.save(program, tmp_path / "program.pt2")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"")
    for name, said in [("program.pt2", "torch.export.*trace"), ("model.keras", "Keras.*tf2onnx")]:
        with pytest.raises(ModelError, match=said):
            read_archive(tmp_path / name)


def test_nothing_is_kept_that_another_export_of_the_network_would_have_otherwise():
    """torch names every archive by what is in it, source positions and the machine's paths too."""
    with quiet_deprecation():
        data = save_bytes(torch.jit.trace(torch.nn.Linear(2, 2), torch.rand(1, 2)), {})
    slim = without_debug_files(data)

    def kinds(archive: bytes) -> set[str]:
        names = zipfile.ZipFile(io.BytesIO(archive)).namelist()
        return {Path(name).name for name in names if name.endswith(("_id", ".debug_pkl"))}

    assert "serialization_id" in kinds(data) and not kinds(slim)
    load_bytes(slim)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras.*tf2onnx"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(100), "TensorFlow Lite.*tf2onnx"),
        (b"epoch,loss\n1,0.5\n", "neither TorchScript nor ONNX"),
        (bytes(5000), "neither TorchScript nor ONNX"),
    ],
)
def test_other_files_are_named(tmp_path, data, said):
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(ModelError, match=said):
        read_archive(tmp_path / "model.pt")


def test_another_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("docs/readme.txt", "hello")
    with pytest.raises(ModelError, match="not TorchScript"):
        read_archive(tmp_path / "model.pt")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0.0, 1.0, exclude_max=True))
def test_every_truncated_file_is_refused(tmp_path, small_file, part):
    data = small_file.read_bytes()
    (tmp_path / "short.pt").write_bytes(data[: int(part * len(data))])
    with pytest.raises(ModelError):
        read_archive(tmp_path / "short.pt")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_no_entry(tmp_path, small_file, place, bit):
    data = bytearray(small_file.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path = tmp_path / "flipped.pt"
    path.write_bytes(data)
    try:
        flipped = read_archive(path)
    except ModelError:
        return
    whole = read_archive(small_file)
    assert _entries(flipped.data) == _entries(whole.data)


@settings(deadline=None, max_examples=500, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 255)),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_directory_is_refused(tmp_path, small_file, damages):
    """zipfile answers hostile directories with errors of many kinds."""
    data = bytearray(small_file.read_bytes())
    directory = data.index(b"PK\x01\x02")
    before = bytes(data)
    for place, value in damages:
        data[directory + int(place * (len(data) - directory))] = value
    (tmp_path / "damaged.pt").write_bytes(data)
    try:
        damaged = read_archive(tmp_path / "damaged.pt")
    except ModelError:
        return
    assert _entries(damaged.data) == _entries(before)


def test_an_entry_hidden_by_another_of_its_name_is_refused(tmp_path, small_file):
    data = bytearray(small_file.read_bytes())
    name = data.index(b"archive/data/1", data.index(b"PK\x01\x02"))
    data[name + len(b"archive/data/")] = ord("0")
    (tmp_path / "renamed.pt").write_bytes(data)
    with pytest.raises(ModelError, match="entries are missing"):
        read_archive(tmp_path / "renamed.pt")


@given(st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_bytes_are_refused(tmp_path, data):
    (tmp_path / "hostile.pt").write_bytes(b"PK\x03\x04" + data)
    with pytest.raises(ModelError):
        read_archive(tmp_path / "hostile.pt")


def test_a_broken_record_is_refused(tmp_path, small_file):
    path = tmp_path / "broken.pt"
    with zipfile.ZipFile(small_file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            broken = name.endswith("/pilotnet.json")
            new.writestr(name, b'{"format": 9}' if broken else old.read(name))
    with pytest.raises(ModelError, match="format is 9"):
        read_archive(path)


def test_an_archive_that_unpacks_to_gigabytes_is_refused_before_it_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bomb:
        with bomb.open("net/data.pkl", "w") as entry:
            for _ in range(1024):
                entry.write(bytes(2**20))
        bomb.writestr("net/constants.pkl", b"\0")
    with pytest.raises(ModelError, match="bytes unpacked is too large for a model"):
        read_archive(tmp_path / "bomb.pt")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=2000),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner),
)


def _places(value, at=()):
    """The ways to every value of a JSON object."""
    yield at
    inside = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else inside:
        yield from _places(inner, (*at, key))


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(data=st.data(), hostile=JSON)
def test_a_hostile_record_is_refused_in_one_short_line_or_read(tmp_path, small_file, data, hostile):
    entries = _entries(small_file.read_bytes())
    (name,) = [name for name in entries if name.endswith("pilotnet.json")]
    values = json.loads(entries[name])
    *way, last = data.draw(st.sampled_from([at for at in _places(values) if at]))
    holder = values
    for key in way:
        holder = holder[key]
    holder[last] = hostile
    entries[name] = json.dumps(values).encode()
    with zipfile.ZipFile(tmp_path / "hostile.pt", "w") as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    try:
        read_archive(tmp_path / "hostile.pt")
    except ModelError as refusal:
        said = str(refusal).removeprefix(str(tmp_path))
        assert len(said) < 500 and "\n" not in said


def test_debug_files_are_left_out_and_the_rest_kept():
    with quiet_deprecation():
        traced = torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3))
    whole = save_bytes(traced, {})
    slim = without_debug_files(whole)
    before, after = _entries(whole), _entries(slim)
    assert any(name.endswith(".debug_pkl") for name in before)
    assert not any(name.endswith(".debug_pkl") or "traced_inputs" in name for name in after)
    assert all(before[name] == content for name, content in after.items())
    assert torch.__file__.encode()[:20] not in slim
    loaded = load_bytes(slim)
    torch.testing.assert_close(loaded(torch.ones(1, 3)), traced(torch.ones(1, 3)))


def _entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
