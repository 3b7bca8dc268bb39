"""The keys of a real terminal: a pseudo-terminal whose other end the test has."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios

import pytest

from pilotnet_brain.errors import UserError
from pilotnet_brain.teleop.terminal_keys import open_terminal

PATIENCE_S = 30.0
READER = """
import select, sys
from pilotnet_brain.teleop.terminal_keys import TerminalKeys
keys = TerminalKeys()
print("ready", flush=True)
typed = b""
while not typed.endswith(b"."):
    select.select([0], [], [], 0.1)
    typed += keys.read()
keys.close()
print(typed, flush=True)
"""


def lines_of(terminal: int, words: bytes) -> bytes:
    """Return what the terminal shows up to the words."""
    shown = b""
    while words not in shown:
        assert select.select([terminal], [], [], PATIENCE_S)[0], shown
        shown += os.read(terminal, 4096)
    return shown


def test_single_keys_come_unechoed_and_the_terminal_is_given_back() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", READER])
    try:
        before = termios.tcgetattr(terminal)
        lines_of(terminal, b"ready")
        assert not termios.tcgetattr(terminal)[3] & (termios.ICANON | termios.ECHO)
        assert termios.tcgetattr(terminal)[3] & termios.ISIG
        os.write(terminal, b"w\x1b[A.")
        lines_of(terminal, b"b'w\\x1b[A.'")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert termios.tcgetattr(terminal)[3] == before[3]
    finally:
        os.close(terminal)


def test_without_a_terminal_the_way_out_is_named() -> None:
    ended = subprocess.run(
        [sys.executable, "-c",
         "from pilotnet_brain.teleop.terminal_keys import open_terminal; open_terminal()"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert "UserError: teleop keyboard: there is no terminal" in ended.stderr
    assert "teleop topic" in ended.stderr


def test_keys_that_go_to_another_process_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setattr(os, "tcgetpgrp", lambda file: os.getpgrp() + 1)
    monkeypatch.setattr(os, "isatty", lambda file: True)
    monkeypatch.setattr(os, "dup", lambda file: theirs)
    with pytest.raises(UserError, match="keys go to another process"):
        open_terminal()
    os.close(ours)
