"""``pilotnet models adopt``: what the options say goes into the file, which is tried in a drive."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from pilotnet_brain.cli import main
from pilotnet_brain.driving.model.archive import read_record
from pilotnet_brain.driving.model.catalogue import models_dir
from pilotnet_brain.driving.model.file import load_as_saved
from pilotnet_brain.driving.model.torchscript import quiet_deprecation


class Foreign(nn.Module):
    """tiny_quant as others might export it: NHWC, 0..255, a dict of m/s and rad/s."""

    def __init__(self) -> None:
        super().__init__()
        self.network = load_as_saved(models_dir() / "tiny_quant.pt")

    def forward(self, image):
        outputs = self.network(image.permute(0, 3, 1, 2) / 255.0)
        return {"v": 6.5 + 17.5 * outputs[:, :1], "w": -7.1 + 14.2 * outputs[:, 1:]}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.pt"
    with quiet_deprecation():
        torch.jit.trace(Foreign(), torch.rand(1, 66, 200, 3), strict=False).save(path)
    return path


def test_what_was_adopted_drives(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "mine" / "ours.pt"
    arguments = ["--out", str(ours), "--pixels", "0:255", "--speed-range", "0:1", "--yaw-range=0:1"]
    assert main(["models", "adopt", str(foreign), *arguments]) == 0
    said = capsys.readouterr().out
    assert "float32 NHWC" in said and "number 0 of output 'w'" in said
    assert "drives: 10 s on simple_circuit at 1" in said
    record = read_record(ours)
    assert (record.name, record.method, record.quantized) == ("foreign", "adopted", True)


def test_what_does_not_drive_is_said(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "ours.pt"
    assert main(["models", "adopt", str(foreign), "--out", str(ours), "--pixels", "0:255"]) == 1
    assert "warning: it does not drive: " in capsys.readouterr().err
    assert ours.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "200:66"], "--size 200:66: two numbers with 'x' between them"),
        (["--crop", "240"], "--crop 240: two numbers with ':' between them"),
        (["--crop", "400:500"], "the crop's rows 400..500"),
        (["--speed-range", "6:6"], "speed_span is 0.0"),
        (["--colour", "hsv"], "colour_order is 'hsv'"),
        (["--out", "foreign.pt"], "it is the file to adopt"),
    ],
)
def test_options_that_cannot_be_are_refused(
    foreign: Path,
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(foreign.parent)
    assert main(["models", "adopt", "foreign.pt", *arguments]) == 2
    assert said in capsys.readouterr().err
