"""Load damaged model files: ``make fuzz-models``.

Files of every format and kind are cut, spliced and have bits flipped; TorchScript's also inside an
archive whose checksums are right again, ONNX' also without the checksum that an export of ours
has. ``--help`` has the options.
"""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track

from pilotnet_brain.benchmark.workers import WorkerDied, call_in_processes
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.errors import ModelError
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.errors import FAILED, UserError
from pilotnet_brain.report.tables import Cell, Column, Row, Table, print_tables

_MODELS = ("tiny_quant", "structured_prune")
"""An int8 model and a float one, small ones."""
_FRAME = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
ENDS = SAME, OTHER, REFUSED, ESCAPED, DIED = "same", "other", "refused", "error", "died"
"""Drives as before or otherwise, refused with a reason, another error, the process died."""


@dataclass(frozen=True)
class Damage:
    """One damaged file to load."""

    source: Path
    runtime: str
    way: str  #: a name in `WAYS`
    seed: int


def fuzz_models(
    files: Annotated[int, typer.Option(min=10, help="Damaged files to load.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 1,
    jobs: Annotated[int, typer.Option(help="Processes; -1: one a core.")] = -1,
) -> None:
    """Load damaged TorchScript and ONNX files, as the brain does, and drive a frame with them.

    Each must be refused with a ModelError, or drive; the process must live. Exit status 1 else.

    \b
    Examples:
      benchmarks/fuzz_models.py
      benchmarks/fuzz_models.py --files 100 --seed 7
    """
    with tempfile.TemporaryDirectory(prefix="pilotnet_models_") as folder:
        outcomes = campaign(_sources(Path(folder)), files, seed, jobs)
    columns = (Column("runtime"), Column("damage"), *(Column(end, numeric=True) for end in ENDS))
    table = Table(f"{files} damaged model files", columns)
    for key, counted in sorted(outcomes.items()):
        table.rows.append(Row((*map(Cell, key), *(Cell(str(counted[end])) for end in ENDS))))
    print_tables(table)
    if any(counted[ESCAPED] or counted[DIED] for counted in outcomes.values()):
        raise typer.Exit(FAILED)


def campaign(
    sources: list[tuple[Path, str]], files: int, seed: int, jobs: int
) -> dict[tuple[str, str], Counter[str]]:
    """Load damaged files; returns how many ended how, by runtime and damage.

    The sources are files with the runtime that loads them.
    """
    rng = random.Random(seed)
    damages = []
    for number in range(files):
        source, runtime = sources[number % len(sources)]
        ways = [way for way in WAYS if way not in _ONLY or source.suffix == _ONLY[way]]
        damages.append(Damage(source, runtime, rng.choice(ways), rng.getrandbits(32)))
    outcomes: dict[tuple[str, str], Counter[str]] = {}
    calls = call_in_processes(load_damaged, damages, jobs)
    for damage, outcome in track(calls, "loading", total=files, transient=True):
        key = damage.runtime, damage.way
        said = DIED if isinstance(outcome, WorkerDied) else outcome[0]
        outcomes.setdefault(key, Counter())[said] += 1
        if said in (ESCAPED, DIED):
            detail = "" if isinstance(outcome, WorkerDied) else outcome[1]
            print(f"fault: {damage}: {said} {detail}", file=sys.stderr)
    return outcomes


def load_damaged(damage: Damage) -> tuple[str, str]:
    """Load a damaged file and drive a frame with it; returns how that ended, and the error."""
    data = WAYS[damage.way](bytearray(damage.source.read_bytes()), random.Random(damage.seed))
    expected = Pilot(load_model(damage.source, "cpu", runtime=damage.runtime)).drive(_FRAME).outputs
    descriptor, name = tempfile.mkstemp(suffix=damage.source.suffix)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        pilot = Pilot(load_model(name, "cpu", runtime=damage.runtime))
        outputs = pilot.drive(_FRAME).outputs
    except ModelError as refusal:
        return REFUSED, str(refusal)
    except Exception as error:  # whatever else comes out, is a fault
        return ESCAPED, f"{type(error).__name__}: {error}"
    finally:
        Path(name).unlink()
    return (SAME if np.allclose(outputs, expected, atol=0.02) else OTHER), ""


def _flip(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 10, 1000))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _cut(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(1, len(data))])


def _splice(data: bytearray, rng: random.Random) -> bytes:
    """Leave a piece out, double one, or overwrite one with zeros."""
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.randrange(1, 5000))
    piece = bytes(data[start:end])
    middle = rng.choice((b"", piece * 2, bytes(len(piece))))
    return bytes(data[:start]) + middle + bytes(data[end:])


def _inside(data: bytearray, rng: random.Random) -> bytes:
    """Flip bits of one entry of an archive, whose checksums are right again."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as old, zipfile.ZipFile(written, "w") as new:
        chosen = rng.choice([entry.filename for entry in old.infolist() if entry.file_size])
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == chosen:
                content = _flip(bytearray(content), rng)
            new.writestr(entry, content)
    return written.getvalue()


def _unsigned(data: bytearray, rng: random.Random) -> bytes:
    """Flip bits of an ONNX graph that has no checksum, like those of other exporters."""
    import onnx

    model = onnx.load_from_string(bytes(data))
    del model.metadata_props[:]
    return _flip(bytearray(model.SerializeToString()), rng)


WAYS: dict[str, Callable[[bytearray, random.Random], bytes]] = {
    "bits": _flip,
    "cut": _cut,
    "spliced": _splice,
    "bits, checksums right": _inside,
    "bits, no checksum": _unsigned,
}
"""How files are damaged."""
_ONLY = {"bits, checksums right": ".pt", "bits, no checksum": ".onnx"}


def _sources(folder: Path) -> list[tuple[Path, str]]:
    """Return intact files of every format, and the runtimes that load them."""
    from pilotnet_brain.driving.preprocess import JDEROBOT
    from pilotnet_brain.learning.example_inputs import example_inputs
    from pilotnet_brain.learning.onnx_export import export_onnx

    frames, _ = example_inputs(JDEROBOT)
    sources = []
    for name in _MODELS:
        path = resolve_model(name)
        sources.append((path, "torch"))
        export_onnx(path, folder / f"{name}.onnx", frames)
        sources += [(folder / f"{name}.onnx", other) for other in ("onnxruntime", "openvino")]
    return sources


if __name__ == "__main__":
    try:
        typer.run(fuzz_models)
    except UserError as problem:
        sys.exit(f"error: {problem}")
