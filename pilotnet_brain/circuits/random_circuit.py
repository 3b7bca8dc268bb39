"""Circuits drawn at random, for training and for testing robustness."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit

FIRST_TRAINING_SEED = 100_000
"""Circuits random-100000 and on are for training; tests draw from the seeds below."""
MIN_RADIUS_M = 2.0
MIN_LENGTH_M, MAX_LENGTH_M = 200.0, 1500.0
ASPHALT_HALF_WIDTHS_M = (1.2, 1.65)
LINE_WIDTHS_M = (0.11, 0.13)
WALL_HEIGHTS_M = (0.5, 0.76)
# Walls, kerbs and half a metre of verge on both sides fit between two stretches of road.
_CLEARANCE_M = 5.0
_ATTEMPTS = 400


def random_circuit(seed: int) -> Circuit:
    """Return the circuit of a seed: the same one for the same seed, on every machine.

    It is closed and does not cross itself, its stretches keep 5 m apart, its radius is at least
    2 m everywhere and its length lies between 200 and 1500 m. Straights, wide bends and hairpins
    come in proportions like the shipped circuits'. It runs clockwise or anticlockwise.

    Raises:
        ValueError: a negative seed.
    """
    if seed < 0:
        raise ValueError(f"a random circuit's seed is 0 or larger, not {seed}")
    rng = np.random.default_rng([seed, 0xC1BC])
    for _ in range(_ATTEMPTS):
        centerline = _draw(rng)
        if centerline is not None:
            return Circuit(
                name=f"random-{seed}",
                centerline=centerline,
                asphalt_half_width=float(rng.uniform(*ASPHALT_HALF_WIDTHS_M)),
                line_width=float(rng.uniform(*LINE_WIDTHS_M)),
                wall_height=float(rng.uniform(*WALL_HEIGHTS_M)),
                role="random",
            )
    raise RuntimeError(f"no circuit found for seed {seed} in {_ATTEMPTS} draws")


def _draw(rng: np.random.Generator) -> Centerline | None:
    """Return one random closed line, or None where it breaks a rule of `random_circuit`."""
    corners = _corners(rng)
    outline = _round_corners(corners, rng)
    if outline is None:
        return None
    if rng.random() < 0.5:
        outline = outline[::-1]
    outline = np.roll(outline, -int(rng.integers(len(outline))), axis=0)
    centerline = Centerline(outline)
    if not MIN_LENGTH_M <= centerline.length <= MAX_LENGTH_M:
        return None
    stations = np.arange(0.0, centerline.length, 0.1)
    if np.abs(centerline.curvature(stations)).max() > 1.0 / MIN_RADIUS_M:
        return None
    return None if _comes_too_close(centerline) else centerline


def _corners(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the corners (N, 2) of a star-shaped polygon with deep and shallow notches, m."""
    count = int(rng.integers(7, 22))
    size = rng.uniform(30.0, 110.0)
    gaps = rng.uniform(0.4, 1.6, count)
    angles = np.cumsum(gaps) * 2.0 * math.pi / gaps.sum()
    radii = size * rng.uniform(0.35, 1.0, count)
    stretch = np.array([1.0, rng.uniform(0.45, 1.0)])
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None] * stretch


def _round_corners(
    corners: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64] | None:
    """Return a polygon with its corners rounded by arcs of random radius, a point a metre.

    None where a corner is too sharp for its neighbours' distance.
    """
    following = np.roll(corners, -1, axis=0)
    sides = np.linalg.norm(following - corners, axis=1)
    directions = (following - corners) / sides[:, None]
    before = np.roll(directions, 1, axis=0)
    turns = np.arctan2(
        before[:, 0] * directions[:, 1] - before[:, 1] * directions[:, 0],
        (before * directions).sum(axis=1),
    )
    shares = np.abs(np.tan(turns / 2.0))
    # An arc of radius r cuts r * tan(turn / 2) off both sides; half a side is there for each.
    room = 0.48 * np.minimum(sides, np.roll(sides, 1)) / np.maximum(shares, 1e-9)
    wanted = np.exp(rng.uniform(math.log(2.2), math.log(40.0), len(corners)))
    radii = np.minimum(wanted, room)
    if radii.min() < 1.15 * MIN_RADIUS_M:
        return None
    pieces = []
    for corner, entry, turn, radius, share in zip(
        corners, before, turns, radii, shares, strict=False
    ):
        arc = np.linspace(0.0, turn, max(3, math.ceil(abs(turn) * radius) + 1))
        left = np.array([-entry[1], entry[0]]) * math.copysign(1.0, turn)
        start = corner - entry * radius * share
        along = np.sin(np.abs(arc))[:, None] * entry
        across = (1.0 - np.cos(arc))[:, None] * left
        pieces.append(start + radius * (along + across))
    return _every_metre(np.vstack(pieces))


def _every_metre(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a closed outline resampled to a point about every metre, its kinks softened."""
    closed = np.vstack([outline, outline[:1]])
    stations = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    count = max(16, round(stations[-1]))
    wanted = np.arange(count) * stations[-1] / count
    points = np.column_stack([np.interp(wanted, stations, closed[:, i]) for i in range(2)])
    # From straight to arc the curvature jumps; real roads ease into a bend over some metres.
    return (np.roll(points, 1, axis=0) + 2.0 * points + np.roll(points, -1, axis=0)) / 4.0


def _comes_too_close(centerline: Centerline) -> bool:
    """Return whether two stretches that are far apart along the line pass within the clearance."""
    spacing = 0.5
    stations = np.arange(0.0, centerline.length, spacing)
    points = centerline.position(stations)
    headings = np.column_stack(
        [np.cos(centerline.heading(stations)), np.sin(centerline.heading(stations))]
    )
    gaps = np.linalg.norm(points[:, None] - points[None, :], axis=-1)
    apart = np.abs(np.subtract.outer(stations, stations))
    apart = np.minimum(apart, centerline.length - apart)
    facing = headings @ headings.T
    # Round a hairpin the road is near itself by nature: only its returning side counts, and that
    # may come as near as two radii.
    limit = np.where((facing < 0.0) & (apart < 25.0), 2.0 * MIN_RADIUS_M, _CLEARANCE_M)
    return bool(((gaps < limit) & (apart > 2.0 * _CLEARANCE_M)).any())
