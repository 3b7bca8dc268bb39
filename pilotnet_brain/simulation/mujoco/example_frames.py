"""Camera frames to measure with: rendered ones, or noise where nothing can be rendered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.errors import UserError

_CIRCUIT = "many_curves"


def example_frames(count: int = 32, seed: int = 0) -> tuple[NDArray[np.uint8], str]:
    """Return frames uint8 (count, 480, 640, 3), RGB, and a text that says where they come from.

    They are views from all around a training circuit, some off the line, by the embedded
    simulator; without it (no MuJoCo, no EGL) they are noise, which takes the network as long.
    """
    try:
        return _rendered(count, seed), f"rendered on {_CIRCUIT}"
    except (ImportError, UserError) as error:
        rng = np.random.default_rng(seed)
        noise = rng.integers(0, 256, (count, 480, 640, 3), np.uint8)
        return noise, f"noise (nothing rendered: {error})"


def _rendered(count: int, seed: int) -> NDArray[np.uint8]:
    from pilotnet_brain.circuits.catalogue import load_circuit
    from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

    rng = np.random.default_rng(seed)
    circuit = load_circuit(_CIRCUIT)
    frames = np.empty((count, 480, 640, 3), np.uint8)
    with MujocoSimulator(circuit) as simulator:
        for number, frame in enumerate(frames):
            simulator.reset(
                circuit.centerline.length * number / count,
                float(rng.uniform(-0.4, 0.4)),
                float(rng.uniform(-0.2, 0.2)),
            )
            simulator.render(frame)
    return frames
