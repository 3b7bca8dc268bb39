"""A joystick's device: a FIFO gives its bytes here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pilotnet_brain.errors import UserError
from pilotnet_brain.teleop.joystick import Joystick, find_joystick


def test_events_come_as_they_are_and_a_pulled_plug_is_told(tmp_path: Path) -> None:
    device = tmp_path / "js0"
    os.mkfifo(device)
    sender = os.open(device, os.O_RDWR)
    joystick = Joystick(str(device))
    assert joystick.read() == b""
    os.write(sender, bytes(range(16)))
    assert joystick.read() == bytes(range(16))
    assert joystick.problem == ""
    os.close(sender)
    assert joystick.read() is None
    assert joystick.problem == f"{device} is gone: the joystick drives no more"
    assert joystick.read() is None
    joystick.close()


def test_a_device_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"js7 cannot be opened: No such file"):
        Joystick(str(tmp_path / "js7"))


@pytest.mark.skipif(any(Path("/dev/input").glob("js*")), reason="there is a joystick")
def test_where_there_is_none_it_says_so() -> None:
    with pytest.raises(UserError, match="there is no joystick"):
        find_joystick()
