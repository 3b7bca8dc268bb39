"""The recorder as a process over DDS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from fake_world import PATIENCE_S, FakeWorld  # noqa: E402

from pilotnet_brain.runs.fast_dds import NO_IMAGES, dds_environment  # noqa: E402

pytestmark = pytest.mark.live

DOMAIN_ID = 40 + os.getpid() % 30


def test_a_disk_that_takes_no_more_ends_the_recording_and_not_the_run(tmp_path: Path) -> None:
    world = FakeWorld(DOMAIN_ID)
    recorder = subprocess.Popen(
        [sys.executable, "-m", "pilotnet_brain.nodes.recorder_node", "--ros-args",
         "-p", f"bag:={tmp_path / 'bag'}"],
        env={**os.environ, **dds_environment(NO_IMAGES), "ROS_DOMAIN_ID": str(DOMAIN_ID)},
    )  # fmt: skip

    def said(level: bytes) -> bool:
        return any(d[:2] == ("recorder: bag", level) for d in world.diagnostics)

    try:
        world.until(lambda: said(b"\0"), "the recorder")
        (tmp_path / "bag").rename(tmp_path / "elsewhere")
        world.until(lambda: said(b"\2"), "its complaint")
        assert recorder.poll() is None
        recorder.terminate()
        assert recorder.wait(PATIENCE_S) == 0
    finally:
        recorder.kill()
        recorder.wait()
        world.close()
