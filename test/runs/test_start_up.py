"""Start-up is sure: run after run, however the one before it ended. `make soak` runs this."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from live_process import Run, still_alive, wait_for  # noqa: E402

RUNS = int(os.environ.get("STARTS", "20"))
KILLED = (None, "brain", None, "simulator", None, "metrics", "recorder")
"""Whom each run in turn loses to SIGKILL; None: it is told to end by SIGINT."""


@pytest.mark.soak
@pytest.mark.timeout(45 * RUNS)
def test_every_run_of_a_row_drives(tmp_path: Path) -> None:
    starts = []
    for number in range(RUNS):
        begin = time.monotonic()
        run = Run(tmp_path / f"runs{number}", model="baseline")
        try:
            run.wait_until_driving()
            starts.append(time.monotonic() - begin)
            victim = KILLED[number % len(KILLED)]
            if victim is not None:
                os.kill(run.node(victim), signal.SIGKILL)
            status, _ = run.end(signal.SIGINT if victim is None else None)
        finally:
            if run.process.poll() is None:
                run.process.send_signal(signal.SIGINT)
                run.process.wait()
        wait_for(lambda run=run: not still_alive(run), "the run's nodes to be gone")
        assert status == (130 if victim is None else 1), run.log.read_text()
        assert run.metrics["average_speed"] > 5.0
        print(f"run {number + 1}: driving {starts[-1]:.1f} s after its start, lost {victim}")
    print(f"{RUNS} runs, the slowest start {max(starts):.1f} s, mean {sum(starts) / RUNS:.1f} s")
