"""The keys that are pressed in the terminal this process runs in."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import tty

from pilotnet_brain.errors import UserError

_MOST = 1024


class TerminalKeys:
    """Reads single keys, unechoed, until closed. Ctrl-C and Ctrl-Z work on.

    Attributes:
        problem: why no key comes any more; the empty text: they do.

    Raises:
        UserError: there is no terminal, or another process gets its keys.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._file = open_terminal()
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file, termios.TCSANOW)

    def read(self) -> bytes:
        """Return what was typed since the last call; never waits."""
        if self.problem or not select.select([self._file], [], [], 0.0)[0]:
            return b""
        try:
            received = os.read(self._file, _MOST)
        except OSError:
            received = b""
        if not received:
            self.problem = "the terminal is closed: the keyboard drives no more"
        return received

    def close(self) -> None:
        """Give the terminal back as it was."""
        with contextlib.suppress(termios.error):  # the terminal is closed
            termios.tcflush(self._file, termios.TCIFLUSH)  # keys meant for the car
            termios.tcsetattr(self._file, termios.TCSANOW, self._before)
        os.close(self._file)


def open_terminal() -> int:
    """Return a file descriptor of this process's terminal.

    Raises:
        UserError: as `TerminalKeys`.
    """
    try:
        file = os.dup(0) if os.isatty(0) else os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise UserError(
            "teleop keyboard: there is no terminal whose keys it could take; start it in one, or "
            "drive with teleop topic and run the node teleop in another terminal"
        ) from None
    if os.tcgetpgrp(file) != os.getpgrp():
        os.close(file)
        raise UserError(
            "teleop keyboard: the terminal's keys go to another process; drive with teleop topic "
            "and run the node teleop in another terminal"
        )
    return file
