"""A joystick or gamepad as Linux's joystick device (/dev/input/js0) gives it."""

from __future__ import annotations

import glob
import os

from pilotnet_brain.errors import UserError

_MOST = 8 * 256


class Joystick:
    """Reads a joystick device until closed.

    Args:
        path: of the device; empty: the first one that there is.

    Attributes:
        problem: why nothing comes any more; the empty text: it does.

    Raises:
        UserError: it cannot be opened, or there is none.
    """

    def __init__(self, path: str) -> None:
        self.problem = ""
        self._path = path or find_joystick()
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as problem:
            raise UserError(
                f"teleop joy: {self._path} cannot be opened: {problem.strerror}"
            ) from None

    def read(self) -> bytes | None:
        """Return its events since the last call, 8 bytes each; None once it is gone."""
        if self.problem:
            return None
        try:
            received = os.read(self._file, _MOST)
        except BlockingIOError:
            return b""
        except OSError:
            received = b""
        if not received:
            self.problem = f"{self._path} is gone: the joystick drives no more"
            return None
        return received

    def close(self) -> None:
        """Close the device."""
        os.close(self._file)


def find_joystick() -> str:
    """Return the path of the first joystick.

    Raises:
        UserError: there is none.
    """
    found = sorted(glob.glob("/dev/input/js*"))
    if not found:
        raise UserError("teleop joy: there is no joystick (/dev/input/js*); plug one in")
    return found[0]
