"""How camera frames cross DDS between two processes: frames lost, and their age on arrival."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.fast_dds import (
    IMAGE_PUBLISHER,
    NO_IMAGES,
    dds_environment,
    remove_dead_files,
)

RATES_HZ = (20.0, 60.0, 100.0)
_START_LIMIT_S = 30.0
_END_LIMIT_S = 15.0


@dataclass(frozen=True)
class TransportFigures:
    """Frames of 640x480 RGB (0.92 MB) at one rate.

    Attributes:
        rate_hz: asked rate.
        published_rate_hz: the rate that the publisher kept.
        frames_published: frames counted, after some that warmed the path.
        frames_lost: of these, those that never arrived.
        age_p50_s, age_p99_s: from the stamp to the receiver's callback, None if none arrived.
        publish_p50_s, publish_p99_s: the publish call.
    """

    rate_hz: float
    published_rate_hz: float
    frames_published: int
    frames_lost: int
    age_p50_s: float | None
    age_p99_s: float | None
    publish_p50_s: float
    publish_p99_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON's types."""
        return asdict(self)


def bench_transport(
    rates_hz: Sequence[float] = RATES_HZ,
    seconds: float = 10.0,
    progress: Callable[[TransportFigures], None] | None = None,
) -> list[TransportFigures]:
    """Measure each rate in turn, with a publisher and a receiver in processes of their own.

    Both use the project's DDS profiles (unless the user has one), the camera's quality of service
    and a topic of their own, so a run in the same domain is not disturbed.

    Args:
        rates_hz: frames a second.
        seconds: how long each rate is held.
        progress: called with each rate's figures as soon as they are there.

    Raises:
        UserError: ROS 2 is not installed, or the two processes do not find each other.
        ValueError: a rate or the time is not positive.
    """
    if seconds <= 0.0 or any(rate <= 0.0 for rate in rates_hz):
        raise ValueError(f"rates {list(rates_hz)} and {seconds} s: all must be positive")
    if importlib.util.find_spec("rclpy") is None:
        raise UserError("the transport bench needs ROS 2 (rclpy): source one, or run make setup")
    remove_dead_files()
    figures = []
    for rate_hz in rates_hz:
        figures.append(_bench_rate(rate_hz, max(1, round(rate_hz * seconds))))
        if progress is not None:
            progress(figures[-1])
    return figures


def _bench_rate(rate_hz: float, count: int) -> TransportFigures:
    topic = f"/pilotnet_bench_{os.getpid()}/image_raw"
    with contextlib.ExitStack() as processes:
        receiver = processes.enter_context(_started(NO_IMAGES, "receive", topic))
        if receiver.stdout is None or receiver.stdout.readline().strip() != "ready":
            raise UserError(f"the bench's receiver did not start: {_said(receiver)}")
        options = ("--rate", str(rate_hz), "--count", str(count))
        publisher = processes.enter_context(_started(IMAGE_PUBLISHER, "publish", topic, *options))
        sent = _result(publisher, _START_LIMIT_S + 1.5 * count / rate_hz)
        receiver.terminate()
        received = _result(receiver, _END_LIMIT_S)
    ages = received["age_s"]
    age_p50, age_p99 = np.percentile(ages, [50, 99]).tolist() if ages else (None, None)
    publish_p50, publish_p99 = np.percentile(sent["call_s"], [50, 99]).tolist()
    return TransportFigures(
        rate_hz=rate_hz,
        published_rate_hz=count / sent["duration_s"],
        frames_published=count,
        frames_lost=count - len(received["number"]),
        age_p50_s=age_p50,
        age_p99_s=age_p99,
        publish_p50_s=publish_p50,
        publish_p99_s=publish_p99,
    )


@contextlib.contextmanager
def _started(profile: str, *arguments: str) -> Any:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("camera_stream.py")), *arguments],
        env={**os.environ, **dds_environment(profile)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _result(process: subprocess.Popen[str], limit_s: float) -> dict[str, Any]:
    try:
        output, problem = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise UserError(f"the bench's process gave no answer in {limit_s:.0f} s") from error
    if process.returncode != 0:
        last = problem.strip().splitlines()[-1:] or ["the processes did not find each other"]
        raise UserError(
            f"the transport bench failed: {last[0]} (exit status {process.returncode}); "
            "is another DDS set, or /dev/shm full?"
        )
    result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return result


def _said(process: subprocess.Popen[str]) -> str:
    process.kill()
    lines = process.communicate()[1].strip().splitlines()
    return lines[-1] if lines else "it said nothing"
