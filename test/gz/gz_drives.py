"""Drives in a real Gazebo Sim, for the comparison with the embedded simulator."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agreement import GazeboDrives
from gz_server import gz_server

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation.car import CarState
from pilotnet_brain.simulation.gazebo.car import CAR_NAME, RosTopics
from pilotnet_brain.simulation.gazebo.gz.client import GzClient
from pilotnet_brain.simulation.gazebo.gz.live_car import GzCar, GzTopics
from pilotnet_brain.simulation.gazebo.sim import write_gz_world
from pilotnet_brain.simulation.looks import Looks

_TOPICS = RosTopics()


@contextmanager
def open_gz(circuit: Circuit, looks: Looks) -> Iterator[GazeboDrives]:
    """A new Gazebo Sim with the circuit."""
    partition = f"test_{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder:
        plan = write_gz_world(circuit, looks, Path(folder))
        with gz_server(plan.world, plan.models, partition, Path(folder) / "gz.log"):
            client = GzClient(partition)
            states: list[CarState] = []
            topics = GzTopics(_TOPICS.camera, _TOPICS.cmd_vel, _TOPICS.odom)
            try:
                car = GzCar(client, CAR_NAME, topics, lambda _: None, states.append, lambda _: None)
                yield GazeboDrives(client, car, states)
            finally:
                client.close()
