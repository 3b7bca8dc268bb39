"""A real Gazebo Sim server in a partition, without a display."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 120.0


@contextmanager
def gz_server(
    world: Path, models: Path, partition: str, log: Path, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a world; its output goes to `log`."""
    environment = {
        **os.environ,
        "GZ_PARTITION": partition,
        "GZ_IP": "127.0.0.1",
        "GZ_SIM_RESOURCE_PATH": str(models),
    }
    process = subprocess.Popen(
        ["gz", "sim", "-s", "-v", "2", "--headless-rendering", *options, str(world)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
