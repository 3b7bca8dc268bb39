"""What a run in lock-step can be disturbed by, each by name and amount.

A disturbance changes a plan: how the camera is mounted and what its sensor adds (the looks), what
it makes of a frame, how often it takes one, how the frames reach the driver, how late commands
take effect. The same plan, amount and seed give the same run to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.lockstep import LIVE_LATENCY_S, LockstepPlan
from pilotnet_brain.runs.lockstep_camera import Frame
from pilotnet_brain.simulation.car import CAMERA_HZ

_MS = 1e-3


class DisturbanceError(UserError):
    """No disturbance of that name, or an amount that it cannot have."""


@dataclass(frozen=True)
class Disturbance:
    """One way to disturb a run.

    Attributes:
        name: how plans and tables call it.
        unit: of its amount.
        description: what it does, in a sentence.
        none: the amount that changes nothing.
        low: the smallest amount there is.
        high: the largest.
        amounts: a sensible row of them, from what a good model must bear to what none can.
        apply: from a plan, an amount and a seed to the disturbed plan.
    """

    name: str
    unit: str
    description: str
    none: float
    low: float
    high: float
    amounts: tuple[float, ...]
    apply: Callable[[LockstepPlan, float, int], LockstepPlan]

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


def disturb(plan: LockstepPlan, name: str, amount: float, seed: int = 0) -> LockstepPlan:
    """Return the plan, disturbed.

    Args:
        plan: to start from.
        name: of the disturbance.
        amount: in the disturbance's unit.
        seed: of what is drawn, such as which frames get lost.

    Raises:
        DisturbanceError: no such disturbance, or an amount that it cannot have.
    """
    disturbance = find_disturbance(name)
    disturbance.check(amount)
    return disturbance.apply(plan, amount, seed)


def _camera_noise(plan: LockstepPlan, grey_levels: float, seed: int) -> LockstepPlan:
    return replace(plan, looks=replace(plan.looks, noise=math.hypot(plan.looks.noise, grey_levels)))


def _camera_blur(plan: LockstepPlan, pixels: float, seed: int) -> LockstepPlan:
    return replace(plan, looks=replace(plan.looks, blur=math.hypot(plan.looks.blur, pixels)))


def _camera_yaw(plan: LockstepPlan, degrees: float, seed: int) -> LockstepPlan:
    angle = plan.looks.camera_yaw + math.radians(degrees)
    return replace(plan, looks=replace(plan.looks, camera_yaw=angle))


def _camera_pitch(plan: LockstepPlan, degrees: float, seed: int) -> LockstepPlan:
    angle = plan.looks.camera_pitch + math.radians(degrees)
    return replace(plan, looks=replace(plan.looks, camera_pitch=angle))


def _camera_roll(plan: LockstepPlan, degrees: float, seed: int) -> LockstepPlan:
    angle = plan.looks.camera_roll + math.radians(degrees)
    return replace(plan, looks=replace(plan.looks, camera_roll=angle))


def _brightness(plan: LockstepPlan, gain: float, seed: int) -> LockstepPlan:
    def expose(frame: Frame) -> Frame:
        # Rounds, and holds what would be brighter than white at white.
        return cv2.convertScaleAbs(plan.sensor(frame), dst=frame, alpha=gain)  # type: ignore[return-value]

    return replace(plan, sensor=expose)


def _frame_rate(plan: LockstepPlan, rate_hz: float, seed: int) -> LockstepPlan:
    return replace(plan, camera_hz=rate_hz)


def _dropped_frames(plan: LockstepPlan, share: float, seed: int) -> LockstepPlan:
    def lose(number: int) -> float | None:
        return None if _drawn(seed, number) < share else plan.transport(number)

    return replace(plan, transport=lose)


def _delayed_frames(plan: LockstepPlan, longest_ms: float, seed: int) -> LockstepPlan:
    def delay(number: int) -> float | None:
        delay_s = plan.transport(number)
        return None if delay_s is None else delay_s + _drawn(seed, number) * longest_ms * _MS

    return replace(plan, transport=delay)


def _latency(plan: LockstepPlan, latency_ms: float, seed: int) -> LockstepPlan:
    return replace(plan, latency_s=latency_ms * _MS)


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
        f"{LIVE_LATENCY_S / _MS:g} ms",
        LIVE_LATENCY_S / _MS, 0.0, 2000.0, (0.0, 20.0, 50.0, 100.0, 150.0, 200.0),
        _latency,
    ),
)  # fmt: skip

DISTURBANCES = {disturbance.name: disturbance for disturbance in _ALL}
"""By name."""
