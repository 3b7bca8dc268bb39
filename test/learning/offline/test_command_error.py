"""The error on a data set is the mean square by hand, whatever a network's format is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pilotnet_brain.driving.command import OutputRange
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.model.torchscript import quiet_deprecation
from pilotnet_brain.driving.preprocess import InputFormat
from pilotnet_brain.errors import UserError
from pilotnet_brain.learning.offline import evaluation as module
from pilotnet_brain.learning.offline.evaluation import command_error

PATH = Path("some.pt")


class Constant(nn.Module):
    """Always the same outputs; for batches, or for one frame only."""

    def __init__(self, outputs: tuple[float, float], single: bool = False) -> None:
        super().__init__()
        self.register_buffer("outputs", torch.tensor([outputs]))
        self.single = single

    def forward(self, image):
        zero = (image * 0.0).mean((1, 2, 3), keepdim=True).flatten(1)
        return (zero + self.outputs).view(1, 2) if self.single else zero + self.outputs


def scripted(network):
    with quiet_deprecation():
        return torch.jit.trace(network, torch.rand(1, 3, 66, 200), check_trace=False)


def always(speed, yaw_rate, **kwargs):
    return scripted(Constant(((speed - 6.5) / 17.5, (yaw_rate + 7.1) / 14.2), **kwargs))


def test_a_network_that_always_says_8_straight_on_misses_the_ten_others(drives):
    error = command_error(PATH, always(8.0, 0.0), ModelRecord(), drives)
    assert error.speed_mse == pytest.approx(0.2 * 4.0**2, rel=1e-4)
    assert error.yaw_rate_mse == pytest.approx(0.2 * 1.0**2, rel=1e-4)
    assert error.mse == pytest.approx(0.5 * (3.2 / 17.5**2 + 0.2 / 14.2**2), rel=1e-4)
    assert error.frames == 50


def test_batches_make_no_difference(drives, monkeypatch):
    whole = command_error(PATH, always(9.0, 0.3), ModelRecord(), drives)
    monkeypatch.setattr(module, "BATCH", 7)
    parts = command_error(PATH, always(9.0, 0.3), ModelRecord(), drives)
    single = command_error(PATH, always(9.0, 0.3, single=True), ModelRecord(), drives)
    assert parts.mse == pytest.approx(whole.mse)
    assert single.mse == pytest.approx(whole.mse)


def test_another_output_range_means_the_same_commands(drives):
    record = ModelRecord(output_range=OutputRange(0.0, 1.0, 0.0, 1.0))
    error = command_error(PATH, scripted(Constant((9.0, 0.3))), record, drives)
    same = command_error(PATH, always(9.0, 0.3), ModelRecord(), drives)
    assert error.mse == pytest.approx(same.mse, rel=1e-4)


def test_a_bgr_network_sees_bgr(drives):
    class Red(nn.Module):
        """The mean of the first channel as the speed's output."""

        def forward(self, image):
            return torch.stack([image[:, 0].mean((1, 2)), image[:, 0].mean((1, 2)) * 0 + 0.5], 1)

    frames = np.zeros_like(drives.frames)
    frames[..., 2] = 255
    data = type(drives)(frames, drives.table.assign(v=6.5 + 17.5, w=0.0))
    bgr = ModelRecord(input_format=InputFormat(colour_order="bgr"))
    assert command_error(PATH, scripted(Red()), bgr, data).mse == pytest.approx(0.0, abs=1e-9)
    assert command_error(PATH, scripted(Red()), ModelRecord(), data).mse == pytest.approx(0.5)


def test_other_pixels_are_refused(drives):
    record = ModelRecord(input_format=InputFormat(width=100, height=33))
    with pytest.raises(UserError, match=r"some\.pt: it looks at 100x33"):
        command_error(PATH, always(8.0, 0.0), record, drives)
