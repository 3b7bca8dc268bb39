"""The plain loop that the brain is compared with: a frame to a command as BehaviorMetrics does it.

Its PyTorch brain crops and resizes with OpenCV, makes a PIL image of it, a float tensor of that
(torchvision's ToTensor), calls the traced network and takes the outputs through numpy.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pilotnet_brain.driving.command import Command
from pilotnet_brain.driving.model.record import ModelRecord
from pilotnet_brain.driving.pilot import Drive


class ReferenceLoop:
    """Drives with a traced network, step by step and with the copies that a plain loop makes.

    Args:
        network: as it was saved, not optimized.
        record: its input format and output range.
        device: "cpu" or "cuda".
    """

    def __init__(
        self, network: torch.jit.ScriptModule, record: ModelRecord, device: str = "cpu"
    ) -> None:
        self._network = network.to(device)
        self._format = record.input_format
        self._range = record.output_range
        self._device = torch.device(device)

    def drive(self, frame_rgb: NDArray[np.uint8]) -> Drive:
        """Return the command for a frame, uint8 (480, 640, 3), RGB."""
        start = time.perf_counter_ns()
        fmt = self._format
        crop = frame_rgb[fmt.crop_top : fmt.crop_bottom, 0 : fmt.frame_width]
        if fmt.colour_order == "bgr":
            crop = crop[..., ::-1]
        picture = Image.fromarray(cv2.resize(crop, (fmt.width, fmt.height)))
        batch = to_tensor(picture).unsqueeze(0)
        prepared = time.perf_counter_ns()
        with torch.no_grad():
            outputs = self._network(batch.to(self._device)).cpu().numpy()
        out0, out1 = float(outputs[0][0]), float(outputs[0][1])
        done = time.perf_counter_ns()
        command: Command = self._range.to_command(out0, out1)
        return Drive(command, (out0, out1), (prepared - start) * 1e-9, (done - prepared) * 1e-9)


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """Return a picture as torchvision's ToTensor does: float32 (3, height, width), 0..1."""
    pixels = torch.from_numpy(np.array(picture, np.uint8, copy=True))
    return pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
