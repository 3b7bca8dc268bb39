"""Exported files drive as the network was trained."""

import numpy as np
import pytest
import torch

from pilotnet_brain.driving.model.file import ModelError
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.driving.preprocess import network_input, scale_input
from pilotnet_brain.learning.export import export_torchscript
from pilotnet_brain.learning.pilotnet import PilotNet

NEW = ModelRecord(name="new", method="trained")


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3), np.uint8)


def test_an_exported_network_drives_as_it_was_trained(tmp_path, frames):
    torch.manual_seed(0)
    network = PilotNet()
    export_torchscript(network, tmp_path / "new.pt", NEW, frames)
    frame = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    batch = torch.from_numpy(scale_input(network_input(frame))[None]).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = network.eval()(batch)[0].tolist()
    drive = Pilot(load_model(tmp_path / "new.pt", "cpu")).drive(frame)
    assert drive.outputs == pytest.approx(expected, abs=1e-5)


def test_the_network_in_training_is_left_as_it_is(tmp_path, frames):
    network = PilotNet().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export_torchscript(network, tmp_path / "new.pt", NEW, frames)
    assert network.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0.0, atol=0.0)


def test_the_record_holds_what_was_said(tmp_path, frames):
    record = export_torchscript(
        PilotNet(),
        tmp_path / "new.pt",
        ModelRecord(
            name="new",
            method="baseline",
            training={"seed": 4},
            scores={"loss": 0.5},
            rebuild="pilotnet train --seed 4",
        ),
        frames,
        tolerance=0.25,
    )
    assert load_model(tmp_path / "new.pt", "cpu").record == record
    assert record.parameters == 1_595_528
    assert record.self_test.tolerance == 0.25


def test_the_file_is_small_and_tells_nothing_of_the_machine(tmp_path, frames):
    frames[...] = 0
    path = tmp_path / "new.pt"
    export_torchscript(PilotNet(), path, NEW, frames)
    assert path.stat().st_size < 6_500_000
    assert torch.__file__.rsplit("/", 2)[0].encode() not in path.read_bytes()


def test_a_diverged_network_is_not_exported(tmp_path, frames):
    network = PilotNet()
    with torch.no_grad():
        network.head[0].bias[0] = float("nan")
        network.head[0].weight[0, 0] = float("inf")
    with pytest.raises(ModelError, match="not finite"):
        export_torchscript(network, tmp_path / "new.pt", NEW, frames)
    assert not (tmp_path / "new.pt").exists()
