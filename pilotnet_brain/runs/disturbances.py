"""What a lock-step run can be disturbed by, each by name and amount.

A disturbance changes the conditions of a run: how the camera is mounted and what its sensor adds
(the looks), what it makes of a frame, how often it takes one, how the frames reach the driver, how
late commands take effect. The same conditions, amount and seed give the same run to the bit.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pilotnet_brain.driving.camera_pose import Pose
from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.lockstep import LIVE_LATENCY_S, Conditions, Frame
from pilotnet_brain.simulation.car import (
    CAMERA_HEIGHT,
    CAMERA_HORIZONTAL_FOV,
    CAMERA_HZ,
    CAMERA_POSITION,
    CAMERA_WIDTH,
)

_MS = 1e-3
_RED = (0.8, 0.04, 0.04)
_BESIDE_M = 0.5
_FIVE_DEGREES = math.radians(5.0)


class DisturbanceError(UserError):
    """No disturbance of that name, or an amount that it cannot have."""


@dataclass(frozen=True)
class Disturbance:
    """One way to disturb a run."""

    name: str  #: how plans and tables call it
    unit: str  #: of its amount
    description: str  #: what it does, in a sentence
    none: float  #: the amount that changes nothing
    low: float  #: the smallest amount there is
    high: float  #: the largest
    #: a sensible row of them, from what a good model must bear to what none can
    amounts: tuple[float, ...]
    #: from conditions, an amount and a seed to the disturbed conditions
    apply: Callable[[Conditions, float, int], Conditions]

    def check(self, amount: float) -> None:
        """Raise DisturbanceError for an amount outside of `low`..`high`."""
        if not self.low <= amount <= self.high:
            raise DisturbanceError(
                f"{self.name} of {amount:g} {self.unit}: must be from {self.low:g} to {self.high:g}"
            )


def find_disturbance(name: str) -> Disturbance:
    """Return the disturbance of a name.

    Raises:
        DisturbanceError: there is none; lists those there are.
    """
    try:
        return DISTURBANCES[name]
    except KeyError:
        raise DisturbanceError(
            f"unknown disturbance {name!r}: use one of {', '.join(DISTURBANCES)}"
        ) from None


def disturb(given: Conditions, name: str, amount: float, seed: int = 0) -> Conditions:
    """Return the conditions, disturbed.

    Args:
        given: the conditions to start from.
        name: of the disturbance.
        amount: in the disturbance's unit.
        seed: of what is drawn, such as which frames get lost.

    Raises:
        DisturbanceError: no such disturbance, or an amount that it cannot have.
    """
    disturbance = find_disturbance(name)
    disturbance.check(amount)
    return disturbance.apply(given, amount, seed)


def _camera_noise(given: Conditions, grey_levels: float, seed: int) -> Conditions:
    return replace(
        given, looks=replace(given.looks, noise=math.hypot(given.looks.noise, grey_levels))
    )


def _camera_blur(given: Conditions, pixels: float, seed: int) -> Conditions:
    return replace(given, looks=replace(given.looks, blur=math.hypot(given.looks.blur, pixels)))


def _camera_yaw(given: Conditions, degrees: float, seed: int) -> Conditions:
    angle = given.looks.camera_yaw + math.radians(degrees)
    return replace(given, looks=replace(given.looks, camera_yaw=angle))


def _camera_pitch(given: Conditions, degrees: float, seed: int) -> Conditions:
    angle = given.looks.camera_pitch + math.radians(degrees)
    return replace(given, looks=replace(given.looks, camera_pitch=angle))


def _camera_roll(given: Conditions, degrees: float, seed: int) -> Conditions:
    angle = given.looks.camera_roll + math.radians(degrees)
    return replace(given, looks=replace(given.looks, camera_roll=angle))


def _camera_shift(given: Conditions, metres: float, seed: int) -> Conditions:
    x, y, z = given.looks.camera_offset
    return replace(given, looks=replace(given.looks, camera_offset=(x, y + metres, z + metres)))


def _line_hue(given: Conditions, degrees: float, seed: int) -> Conditions:
    _, saturation, value = colorsys.rgb_to_hsv(*(given.looks.line or _RED))
    colour = colorsys.hsv_to_rgb(degrees / 360.0 % 1.0, saturation, value)
    return replace(given, looks=replace(given.looks, line=colour))


def _line_whiteness(given: Conditions, share: float, seed: int) -> Conditions:
    red, green, blue = (c + share * (0.92 - c) for c in given.looks.line or _RED)
    return replace(given, looks=replace(given.looks, line=(red, green, blue)))


def _line_width(given: Conditions, times: float, seed: int) -> Conditions:
    looks = given.looks
    if times == 0.0:
        return replace(given, looks=replace(looks, line=None))
    return replace(given, looks=replace(looks, line_width_scale=looks.line_width_scale * times))


def _told(
    disturb: Callable[[Conditions, float, int], Conditions],
) -> Callable[[Conditions, float, int], Conditions]:
    """Return a disturbance of the camera's mount of which the driver is told."""

    def disturb_and_tell(given: Conditions, amount: float, seed: int) -> Conditions:
        disturbed = disturb(given, amount, seed)
        looks = disturbed.looks
        x, y, z = (a + b for a, b in zip(CAMERA_POSITION, looks.camera_offset, strict=True))
        pose = Pose(x, y, z, looks.camera_roll, looks.camera_pitch, looks.camera_yaw)
        return replace(disturbed, known_camera=pose)

    return disturb_and_tell


def _camera_fov(given: Conditions, radians: float, seed: int) -> Conditions:
    return replace(given, looks=replace(given.looks, camera_fov=radians))


def _frame_width(given: Conditions, pixels: float, seed: int) -> Conditions:
    size = round(pixels), round(pixels * CAMERA_HEIGHT / CAMERA_WIDTH)

    def shrink(frame: Frame) -> Frame:
        return cv2.resize(given.sensor(frame), size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    return replace(given, sensor=shrink, frame_size=size)


def _another_car(given: Conditions, share: float, seed: int) -> Conditions:
    rng = np.random.default_rng([seed, 0xCA4])
    moved = share * rng.uniform([-0.1, -0.1, 0.0], 0.1)
    roll, pitch, yaw = share * rng.uniform(-_FIVE_DEGREES, _FIVE_DEGREES, 3)
    looks = given.looks
    seen = replace(
        looks,
        camera_offset=tuple(np.add(looks.camera_offset, moved).tolist()),
        camera_roll=looks.camera_roll + roll,
        camera_pitch=looks.camera_pitch + pitch,
        camera_yaw=looks.camera_yaw + yaw,
        camera_fov=looks.camera_fov + share * rng.uniform(-0.3, 0.2),
    )
    x, y, z = np.add(CAMERA_POSITION, moved).tolist()
    told = Pose(x, y, z, float(roll), float(pitch), float(yaw))
    latency_s = LIVE_LATENCY_S + share * rng.uniform(-LIVE_LATENCY_S, 0.2 - LIVE_LATENCY_S)
    return replace(given, looks=seen, known_camera=told, latency_s=latency_s)


def _brightness(given: Conditions, gain: float, seed: int) -> Conditions:
    def expose(frame: Frame) -> Frame:
        # Rounds, and holds what would be brighter than white at white.
        return cv2.convertScaleAbs(given.sensor(frame), dst=frame, alpha=gain)  # type: ignore[return-value]

    return replace(given, sensor=expose)


def _start_turned(given: Conditions, degrees: float, seed: int) -> Conditions:
    lateral = math.copysign(_BESIDE_M, degrees) if degrees else 0.0
    return replace(given, start_lateral=lateral, start_turn=math.radians(degrees))


def _frame_rate(given: Conditions, rate_hz: float, seed: int) -> Conditions:
    return replace(given, camera_hz=rate_hz)


def _dropped_frames(given: Conditions, share: float, seed: int) -> Conditions:
    def lose(number: int) -> float | None:
        return None if _drawn(seed, number) < share else given.transport(number)

    return replace(given, transport=lose)


def _delayed_frames(given: Conditions, longest_ms: float, seed: int) -> Conditions:
    def delay(number: int) -> float | None:
        delay_s = given.transport(number)
        return None if delay_s is None else delay_s + _drawn(seed, number) * longest_ms * _MS

    return replace(given, transport=delay)


def _latency(given: Conditions, latency_ms: float, seed: int) -> Conditions:
    return replace(given, latency_s=latency_ms * _MS)


def _unknown_latency(given: Conditions, latency_ms: float, seed: int) -> Conditions:
    return replace(given, unknown_latency_s=latency_ms * _MS - given.latency_s)


def _drawn(seed: int, number: int) -> float:
    """Return a number of 0..1 (1 excluded) that belongs to a frame, whatever came before it."""
    return float(np.random.default_rng([seed, number, 0xF4A3E]).random())


_ALL = (
    Disturbance(
        "camera_noise",
        "grey levels",
        "the sensor's noise, its standard deviation of 255 levels; adds to the looks' own",
        0.0, 0.0, 255.0, (0.0, 5.0, 10.0, 20.0, 40.0, 80.0),
        _camera_noise,
    ),
    Disturbance(
        "camera_blur",
        "pixels",
        "a lens out of focus, its standard deviation on the 640x480 frame; adds to the looks' own",
        0.0, 0.0, 50.0, (0.0, 1.0, 2.0, 4.0, 8.0, 16.0),
        _camera_blur,
    ),
    Disturbance(
        "brightness",
        "times",
        "exposure: every pixel so many times as bright, white at most",
        1.0, 0.0, 20.0, (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0),
        _brightness,
    ),
    Disturbance(
        "line_hue",
        "degrees",
        "the line's colour: 0 red, 60 yellow, 120 green, 240 blue",
        0.0, 0.0, 360.0, (0.0, 60.0, 120.0, 180.0, 240.0, 300.0),
        _line_hue,
    ),
    Disturbance(
        "line_whiteness",
        "share",
        "the line so far from its colour to white",
        0.0, 0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0),
        _line_whiteness,
    ),
    Disturbance(
        "line_width",
        "times",
        "the line so many times as wide; 0: none",
        1.0, 0.0, 5.0, (0.0, 0.25, 0.5, 1.0, 2.0),
        _line_width,
    ),
    Disturbance(
        "camera_yaw",
        "degrees",
        "the camera looks so far to the left",
        0.0, -45.0, 45.0, (-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0),
        _camera_yaw,
    ),
    Disturbance(
        "camera_pitch",
        "degrees",
        "the camera looks so far down",
        0.0, -45.0, 45.0, (-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0),
        _camera_pitch,
    ),
    Disturbance(
        "camera_roll",
        "degrees",
        "the camera leans so far to the right",
        0.0, -45.0, 45.0, (-16.0, -8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0, 16.0),
        _camera_roll,
    ),
    Disturbance(
        "camera_shift",
        "m",
        "the camera sits so far to the left and so far up",
        0.0, -0.08, 1.0, (-0.05, 0.0, 0.05, 0.1, 0.2),
        _camera_shift,
    ),
    Disturbance(
        "known_camera_yaw",
        "degrees",
        "as camera_yaw, and the model is told (camera_pose)",
        0.0, -45.0, 45.0, (-16.0, -8.0, -4.0, 0.0, 4.0, 8.0, 16.0),
        _told(_camera_yaw),
    ),
    Disturbance(
        "known_camera_pitch",
        "degrees",
        "as camera_pitch, and the model is told",
        0.0, -45.0, 45.0, (-16.0, -8.0, -4.0, 0.0, 4.0, 8.0, 16.0),
        _told(_camera_pitch),
    ),
    Disturbance(
        "known_camera_roll",
        "degrees",
        "as camera_roll, and the model is told",
        0.0, -45.0, 45.0, (-16.0, -8.0, -4.0, 0.0, 4.0, 8.0, 16.0),
        _told(_camera_roll),
    ),
    Disturbance(
        "known_camera_shift",
        "m",
        "as camera_shift, and the model is told",
        0.0, -0.08, 1.0, (-0.05, 0.0, 0.05, 0.1, 0.2, 0.4),
        _told(_camera_shift),
    ),
    Disturbance(
        "camera_fov",
        "rad",
        "the camera's horizontal field of view, and the model is told",
        CAMERA_HORIZONTAL_FOV, 0.3, 2.6, (0.8, 1.0, 1.2, 1.4, CAMERA_HORIZONTAL_FOV, 1.8, 2.0, 2.2),
        _camera_fov,
    ),
    Disturbance(
        "frame_width",
        "pixels",
        "frames of this width and three quarters of it in height",
        float(CAMERA_WIDTH), 64.0, float(CAMERA_WIDTH), (640.0, 320.0, 160.0, 120.0, 80.0, 64.0),
        _frame_width,
    ),
    Disturbance(
        "another_car",
        "share",
        "a delay of 0 to 200 ms, a camera moved by up to 0.1 m, turned by up to 5 degrees about "
        "each axis and 1.27 to 1.77 rad wide: drawn, and the model is told; times the share",
        0.0, 0.0, 2.0, (0.0, 1.0, 2.0),
        _another_car,
    ),
    Disturbance(
        "start_turned",
        "degrees",
        f"the car starts {_BESIDE_M} m to the side of the line and turned away from it by so much",
        0.0, -90.0, 90.0, (-60.0, -45.0, -30.0, 0.0, 30.0, 45.0, 60.0),
        _start_turned,
    ),
    Disturbance(
        "frame_rate",
        "Hz",
        "the camera takes so many frames a second",
        CAMERA_HZ, 0.5, CAMERA_HZ, (20.0, 15.0, 10.0, 7.0, 5.0, 4.0, 3.0),
        _frame_rate,
    ),
    Disturbance(
        "dropped_frames",
        "share",
        "every frame is lost with this probability",
        0.0, 0.0, 1.0, (0.0, 0.1, 0.3, 0.5, 0.7, 0.9),
        _dropped_frames,
    ),
    Disturbance(
        "delayed_frames",
        "ms",
        "every frame comes late by a time drawn between 0 and this; an overtaken one is left out",
        0.0, 0.0, 2000.0, (0.0, 25.0, 50.0, 100.0, 200.0, 400.0),
        _delayed_frames,
    ),
    Disturbance(
        "latency",
        "ms",
        "from a frame to its command's effect, in place of the usual "
        f"{LIVE_LATENCY_S / _MS:g} ms; compensated for",
        LIVE_LATENCY_S / _MS, 0.0, 2000.0, (0.0, 20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0),
        _latency,
    ),
    Disturbance(
        "unknown_latency",
        "ms",
        f"as latency, but only the usual {LIVE_LATENCY_S / _MS:g} ms are compensated for",
        LIVE_LATENCY_S / _MS, LIVE_LATENCY_S / _MS, 2000.0, (20.0, 50.0, 100.0, 150.0, 200.0),
        _unknown_latency,
    ),
)  # fmt: skip

DISTURBANCES = {disturbance.name: disturbance for disturbance in _ALL}
"""By name."""
