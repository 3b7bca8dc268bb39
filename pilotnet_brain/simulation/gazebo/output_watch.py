"""What a Gazebo server prints: complaints are passed on, fatal ones are explained."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_COLOURS = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True)
class Complaints:
    """What one kind of server prints when something is wrong."""

    program: str  #: its name, before a line that is passed on
    passed_on: re.Pattern[str]  #: lines to pass on
    left_out: re.Pattern[str]  #: of these, lines that say nothing to a user
    #: lines after which it cannot go on, as patterns, and what they mean; ``{name}`` is a group's
    fatal: Mapping[str, str]

    def explained(self, line: str) -> str | None:
        """Return what a line means if it is fatal, None otherwise."""
        plain = _COLOURS.sub("", line)
        for pattern, meaning in self.fatal.items():
            if found := re.search(pattern, plain):
                return meaning.format(**found.groupdict())
        return None


class OutputWatch(threading.Thread):
    """Reads a server's output until it ends.

    Args:
        process: whose standard output is a pipe.
        complaints: of such a server.
        end: called once, at the first line after which it cannot go on.

    Attributes:
        last_words: the last line that it printed; empty before the first.
        reason: why it cannot go on; None where nothing was fatal.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], complaints: Complaints, end: Callable[[], object]
    ) -> None:
        super().__init__(daemon=True)
        self.last_words = ""
        self.reason: str | None = None
        self._process, self._complaints, self._end = process, complaints, end
        self.start()

    def run(self) -> None:
        """Read until the output ends."""
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            line = _COLOURS.sub("", raw.decode(errors="replace")).rstrip()
            self.last_words = line or self.last_words
            complaints = self._complaints
            if complaints.passed_on.search(line) and not complaints.left_out.search(line):
                print(f"{complaints.program}: {line}", file=sys.stderr, flush=True)
            if self.reason is None and (reason := complaints.explained(line)) is not None:
                self.reason = reason
                self._end()
