"""Graphs at load: the input norm folded, weights laid out channels last, no warnings."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from pilotnet_brain.driving.model.catalogue import models_dir
from pilotnet_brain.driving.model.torchscript import (
    convolve_channels_last,
    fold_input_norm,
    freeze,
    quiet_deprecation,
)

DRIVE_ONCE = """
import sys
import numpy as np, torch
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.model.torch_self_test import network_batch
model = load_model(sys.argv[1], "cpu")
with torch.inference_mode():
    model.module(network_batch(np.zeros((66, 200, 3), np.uint8), "cpu", model.channels_last))
"""


def test_an_int8_network_loads_and_runs_without_a_word() -> None:
    """In a separate process: torch gives each of its warnings only once in one."""
    path = str(models_dir() / "static_quant.pt")
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", DRIVE_ONCE, path], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


_SIZES = (1, 3, 20, 24)


def _frozen(network: nn.Module) -> torch.jit.ScriptModule:
    with quiet_deprecation():
        return freeze(torch.jit.trace(network.eval(), torch.zeros(_SIZES)))


def _with_statistics(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    generator = torch.Generator().manual_seed(1)
    for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        if values is not None:
            values.data.uniform_(0.1, 0.9, generator=generator)
    return norm


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_folding_changes_nothing_but_the_rounding(affine, bias):
    torch.manual_seed(2)
    network = nn.Sequential(
        _with_statistics(nn.BatchNorm2d(3, affine=affine)),
        nn.Conv2d(3, 7, 5, stride=2, bias=bias),
        nn.ReLU(),
    )
    frozen = _frozen(network)
    assert fold_input_norm(frozen)
    assert "batch_norm" not in str(frozen.graph)
    picture = torch.rand(_SIZES)
    with torch.no_grad():
        torch.testing.assert_close(frozen(picture), network(picture), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, padding=1)),
        nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3, groups=3)),
        nn.Sequential(nn.BatchNorm2d(3), nn.ConvTranspose2d(3, 4, 3)),
        nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3)),
        nn.Sequential(nn.Conv2d(3, 4, 3)),
    ],
)
def test_what_cannot_be_folded_exactly_is_left_alone(network):
    frozen = _frozen(network)
    before = str(frozen.graph)
    assert not fold_input_norm(frozen)
    assert str(frozen.graph) == before


def test_a_norm_that_two_layers_read_is_left_alone():
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)
            self.convolution = nn.Conv2d(3, 3, 1)

        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            seen = self.norm(picture)
            return self.convolution(seen) + seen

    assert not fold_input_norm(_frozen(Forked()))


def test_channels_last_weights_give_the_same_outputs():
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 4, 3)).eval()
    frozen = _frozen(network)
    convolve_channels_last(frozen)
    picture = torch.rand(_SIZES).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        torch.testing.assert_close(frozen(picture), network(picture), rtol=1e-5, atol=1e-5)
