import subprocess
import sys

from pilotnet_brain.driving.model.catalogue import models_dir

DRIVE_ONCE = """
import sys
import numpy as np, torch
from pilotnet_brain.driving.model.file import load_model, network_batch
model = load_model(sys.argv[1], "cpu")
with torch.inference_mode():
    model.module(network_batch(np.zeros((66, 200, 3), np.uint8), "cpu", model.channels_last))
"""


def test_an_int8_network_loads_and_runs_without_a_word() -> None:
    """In a process of its own: torch gives each of its warnings only once in one."""
    path = str(models_dir() / "static_quant.pt")
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", DRIVE_ONCE, path], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
