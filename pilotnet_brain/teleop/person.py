"""A person at a keyboard or a joystick: keys and sticks in, velocity commands out. Pure logic.

Both start from the car's speed of the moment, so that taking over changes nothing by itself, and
both give nothing once the person lets go.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pilotnet_brain.driving.command import Command

KEYBOARD_HELP = """\
w a s d or arrow keys   faster, left, slower, right: any of them takes over
space                   stop and stay, until another key
Enter                   hand back; so does a second without a key"""
_KEYS = {
    b"\x1b[A": "faster", b"\x1b[B": "slower", b"\x1b[C": "right", b"\x1b[D": "left",
    b"\x1bOA": "faster", b"\x1bOB": "slower", b"\x1bOC": "right", b"\x1bOD": "left",
    b"w": "faster", b"s": "slower", b"d": "right", b"a": "left",
    b" ": "stop", b"\n": "release", b"\r": "release",
}  # fmt: skip
"""What a terminal sends for a key (ECMA-48 cursor keys, in both of xterm's modes), and its word."""
_LETS_GO_S = 0.4
"""With the half second for which the last command counts, longer than a held key takes to repeat:
660 ms at X's slow setting."""
_CENTERS_S = 0.4
_SPEED_STEP = 1.0
_STEERING_STEPS = 5
_JOYSTICK_EVENT = struct.Struct("=IhBB")
"""Linux's struct js_event: time in ms, value, type, number (linux/joystick.h)."""
_BUTTON, _AXIS, _INITIAL = 0x01, 0x02, 0x80
_FULL_AXIS = 32767.0
_ACCELERATION = 8.0
"""Of a joystick's speed axis at its end, m/s^2."""


@dataclass(frozen=True)
class Limits:
    """What a person may ask of the car; one who takes over at a higher speed may keep it."""

    speed: float = 14.0  #: m/s
    curvature: float = 0.15  #: of the car's path, 1/m


def keys_in(received: bytes) -> Iterator[str]:
    """Yield the words of the keys in what a terminal sent; unknown ones are left out."""
    while received:
        for code, word in _KEYS.items():
            if received.startswith(code):
                yield word
                received = received[len(code) :]
                break
        else:
            received = received[1:]


class KeyboardDriver:
    """Drives by single keys. All times are of a steady clock, s."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._speed = self._curvature = 0.0
        self._top = limits.speed
        self._pressed_s = self._steered_s = 0.0
        self._drives = self._stays = False

    def press(self, key: str, now_s: float, car_speed: float) -> None:
        """Take a key's word, of `keys_in`; the first one takes over at the car's speed, m/s."""
        if not self._in_charge(now_s):
            self._speed, self._curvature = car_speed, 0.0
            self._top = max(self._limits.speed, car_speed)
        self._pressed_s, self._drives, self._stays = now_s, key != "release", key == "stop"
        if key in ("faster", "slower"):
            self._speed += _SPEED_STEP if key == "faster" else -_SPEED_STEP
            self._speed = min(max(self._speed, 0.0), self._top)
        elif key in ("left", "right"):
            step = self._limits.curvature / _STEERING_STEPS * (1.0 if key == "left" else -1.0)
            same_side = self._curvature * step > 0.0 and now_s - self._steered_s < _CENTERS_S
            turned = (self._curvature if same_side else 0.0) + step
            self._curvature = min(max(turned, -self._limits.curvature), self._limits.curvature)
            self._steered_s = now_s
        elif key == "stop":
            self._speed = self._curvature = 0.0

    def command(self, now_s: float) -> Command | None:
        """Return the person's command; None once they have let go."""
        if not self._in_charge(now_s):
            return None
        if now_s - self._steered_s >= _CENTERS_S:
            self._curvature = 0.0
        return Command(self._speed, self._speed * self._curvature)

    def _in_charge(self, now_s: float) -> bool:
        return self._drives and (self._stays or now_s - self._pressed_s < _LETS_GO_S)


class JoystickDriver:
    """Drives while a button is held: one axis accelerates and brakes, another one steers.

    Args:
        limits: of the commands.
        hold_button: number of the button that takes over; released, it hands back.
        speed_axis: number of the axis whose upper end accelerates.
        steering_axis: number of the axis whose left end steers left.
    """

    def __init__(
        self, limits: Limits, hold_button: int, speed_axis: int, steering_axis: int
    ) -> None:
        self._limits = limits
        self._button, self._speed_axis, self._steering_axis = hold_button, speed_axis, steering_axis
        self._axes: dict[int, float] = {}
        self._held = self._drives = False
        self._top = limits.speed
        self._speed = self._given_s = 0.0

    def take(self, received: bytes) -> None:
        """Take what a Linux joystick device gave: whole events of 8 bytes."""
        whole = len(received) - len(received) % _JOYSTICK_EVENT.size
        for _, value, kind, number in _JOYSTICK_EVENT.iter_unpack(received[:whole]):
            if kind & ~_INITIAL == _BUTTON and number == self._button:
                self._held = bool(value)
            elif kind & ~_INITIAL == _AXIS:
                self._axes[number] = value / _FULL_AXIS

    def let_go(self) -> None:
        """Hand back: the device is gone."""
        self._held = False

    def command(self, now_s: float, car_speed: float) -> Command | None:
        """Return the person's command; None while the button is not held.

        Args:
            now_s: reading of a steady clock.
            car_speed: the speed at which a takeover begins, m/s.
        """
        if not self._held:
            self._drives = False
            return None
        if not self._drives:
            self._drives, self._speed, self._given_s = True, car_speed, now_s
            self._top = max(self._limits.speed, car_speed)
        # Both axes grow toward the right and toward the person.
        faster = -self._axes.get(self._speed_axis, 0.0) * _ACCELERATION * (now_s - self._given_s)
        self._speed = min(max(self._speed + faster, 0.0), self._top)
        self._given_s = now_s
        curvature = -self._axes.get(self._steering_axis, 0.0) * self._limits.curvature
        return Command(self._speed, self._speed * curvature)
