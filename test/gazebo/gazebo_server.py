"""A real gzserver of Gazebo Classic 11 on its own port, without a display."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType

GZSERVER = Path(__file__).parent / "bin" / "gzserver"
PATIENCE_S = 120.0
"""For a busy machine that reads Gazebo from a cold disk."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ERRORS = re.compile(r"\[Err\]|\bError\b")


class GazeboServer:
    """Runs a world from construction to `stop`; a context manager.

    Attributes:
        process: the gzserver.
        port: of its master, on 127.0.0.1.
        lines: what it printed so far, without colours.
    """

    def __init__(self, world: Path, models: Path, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [GZSERVER, "--verbose", *options, world],
            env={
                **os.environ,
                "GAZEBO_MASTER_URI": self.master_uri,
                "GAZEBO_MODEL_PATH": str(models),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._wait_for_master()
        except BaseException:
            self.stop()
            raise

    @property
    def master_uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def errors(self) -> list[str]:
        """Return the error lines among what it printed so far."""
        return [line for line in self.lines if _ERRORS.search(line)]

    def stop(self) -> None:
        """End it, by SIGKILL where it hangs on its way out, as it can with a camera."""
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=3.0)
            return
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> GazeboServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            plain = _COLOURS.sub("", line).rstrip()
            self.lines.append(plain)

    def _wait_for_master(self) -> None:
        """Wait until the port answers; what gzserver says of it may stay in its buffer."""
        until = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
                return
            if self.process.poll() is not None:
                raise AssertionError(self._story("gzserver ended at its start"))
            if time.monotonic() > until:
                raise AssertionError(self._story(f"no master within {PATIENCE_S} s"))
            time.sleep(0.05)

    def _story(self, what: str) -> str:
        return "\n".join([f"{what}:", *self.lines[-20:]])


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
