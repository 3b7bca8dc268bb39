"""How a world looks to the camera, plain or drawn at random.

A network that has seen one world only learns that world. Training therefore redraws whatever can
differ between simulators and circuits: colours, light, textures, markings on the road, walls, the
mounting of the camera and what its sensor adds.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass, replace

import numpy as np

Colour = tuple[float, float, float]
"""Red, green and blue, 0..1."""


@dataclass(frozen=True)
class Looks:
    """Everything about a world that is seen but does not change how the car drives."""

    asphalt: Colour = (0.30, 0.30, 0.31)  #: colour of the road
    verge: Colour = (0.20, 0.36, 0.13)  #: colour of the ground next to the road
    line: Colour | None = (0.80, 0.04, 0.04)  #: colour of the centerline, or None
    wall: Colour = (0.16, 0.16, 0.18)  #: colour of the walls
    wall_foot: float = 1.0  #: brightness of the walls at their foot over that at half their height
    #: colours at the horizon and at the zenith
    sky: tuple[Colour, Colour] = ((0.75, 0.82, 0.90), (0.30, 0.50, 0.80))
    texture_strength: float = 0.25  #: how far the surfaces' grain departs from their colour, 0..1
    texture_seed: int = 0  #: draws the grain and the signs on the walls
    line_width_scale: float = 1.0  #: painted width over the circuit's own
    #: drawn half width over the circuit's own (the walls stand there too)
    asphalt_width_scale: float = 1.0
    edge_lines: Colour | None = None  #: colour of the lines along both edges, or None
    kerbs: tuple[Colour, Colour] | None = None  #: the two colours of the kerbs in bends, or None
    start_line: bool = True  #: whether a chequered line crosses the road at the start
    #: how many more chequered or striped bands cross the road, per kilometre
    crossings: float = 0.0
    walls: bool = True  #: whether there are walls
    wall_signs: bool = False  #: whether the walls bear light panels with dark marks
    ambient: float = 0.55  #: light from everywhere, 0..1
    sun: float = 0.45  #: light from the sun, 0..1
    sun_azimuth: float = 0.8  #: rad
    sun_elevation: float = 1.0  #: rad above the horizon
    #: added to the camera's position on the car, m
    camera_offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    camera_roll: float = 0.0  #: mounting error, rad
    camera_pitch: float = 0.0  #: mounting error, rad, downwards positive
    camera_yaw: float = 0.0  #: mounting error, rad
    noise: float = 0.0  #: standard deviation of the sensor's noise, grey levels of 255
    camera_fov: float = 1.57  #: horizontal field of view, rad
    blur: float = 0.0  #: standard deviation of the lens' blur, pixels

    @property
    def sun_direction(self) -> tuple[float, float, float]:
        """The unit vector along the sun's rays, in the world frame."""
        level = math.cos(self.sun_elevation)
        return (
            -level * math.cos(self.sun_azimuth),
            -level * math.sin(self.sun_azimuth),
            -math.sin(self.sun_elevation),
        )


_LEAST_CONTRAST = 0.2
"""Of the line to the road, or without a line of what lies next to the road."""
PLAIN = Looks()
"""The look of the shipped world, close to JdeRobot's: grey road, red line, dark walls, grass."""


def looks_of_seed(seed: int) -> Looks:
    """Return the looks that a user names by a seed: 0 is `PLAIN`, others are drawn, with a line."""
    if seed == 0:
        return PLAIN
    looks = random_looks(seed)
    if looks.line is None:
        looks = replace(looks, line=_red(np.random.default_rng([seed, 0x11E])))
    return looks


def random_looks(seed: int) -> Looks:
    """Return the random looks of a seed: the same for the same seed, on every machine.

    Some have no line: the model learns to stay in the middle of such a road.
    """
    rng = np.random.default_rng([seed, 0x100C5])
    grey = _asphalt_shade(rng)
    asphalt = _tinted(rng, grey, 0.05)
    wall_shade = rng.uniform(0.05, 0.35) if rng.random() < 0.5 else rng.uniform(0.35, 0.9)
    wall, verge, walls = _tinted(rng, wall_shade, 0.12), _verge(rng), bool(rng.random() < 0.85)
    line = _line(rng, asphalt)
    if line is None and _contrast(wall if walls else verge, asphalt) < _LEAST_CONTRAST:
        line = _red(rng)  # else nothing would show where the road is
    return Looks(
        asphalt=asphalt,
        verge=verge,
        line=line,
        wall=wall,
        wall_foot=float(rng.uniform(0.1, 0.7)) if rng.random() < 0.4 else 1.0,
        sky=(_tinted(rng, rng.uniform(0.5, 1.0), 0.1), _tinted(rng, rng.uniform(0.2, 0.9), 0.3)),
        texture_strength=float(rng.uniform(0.0, 0.9)),
        texture_seed=int(rng.integers(1 << 31)),
        line_width_scale=float(rng.uniform(0.8, 1.3)),
        asphalt_width_scale=float(rng.uniform(0.92, 1.1)),
        edge_lines=_tinted(rng, rng.uniform(0.7, 1.0), 0.05) if rng.random() < 0.35 else None,
        kerbs=_kerbs(rng) if rng.random() < 0.35 else None,
        start_line=bool(rng.random() < 0.6),
        crossings=float(rng.choice([0.0, 4.0, 12.0, 25.0])),
        walls=walls,
        wall_signs=bool(rng.random() < 0.5),
        ambient=float(rng.uniform(0.3, 0.75)),
        sun=float(rng.uniform(0.1, 0.7)) if rng.random() < 0.85 else 0.0,
        sun_azimuth=float(rng.uniform(-math.pi, math.pi)),
        sun_elevation=float(rng.uniform(0.3, 1.5)),
        camera_offset=(
            float(rng.uniform(-0.02, 0.02)),
            float(rng.uniform(-0.006, 0.006)),
            float(rng.uniform(-0.006, 0.006)),
        ),
        camera_roll=float(rng.normal(0.0, 0.006)),
        camera_pitch=float(rng.normal(0.0, 0.004)),
        camera_yaw=float(rng.normal(0.0, 0.004)),
        noise=float(max(0.0, rng.uniform(-4.0, 8.0))),
        blur=float(max(0.0, rng.uniform(-0.8, 1.2))),
    )


def _tinted(rng: np.random.Generator, shade: float, tint: float) -> Colour:
    """Return a grey of the given shade with every channel off by up to `tint`."""
    red, green, blue = np.clip(shade + rng.uniform(-tint, tint, 3), 0.0, 1.0)
    return float(red), float(green), float(blue)


def _red(rng: np.random.Generator) -> Colour:
    hue = rng.normal(0.0, 0.012) % 1.0
    return colorsys.hsv_to_rgb(hue, rng.uniform(0.72, 1.0), rng.uniform(0.45, 1.0))


def _asphalt_shade(rng: np.random.Generator) -> float:
    """Return the road's grey: dark in a third of the worlds, nearly white in a few."""
    kind = rng.random()
    if kind < 0.35:
        return float(rng.uniform(0.10, 0.26))
    return float(rng.uniform(0.2, 0.62) if kind < 0.9 else rng.uniform(0.62, 0.95))


def _line(rng: np.random.Generator, asphalt: Colour) -> Colour | None:
    """Return the line's colour: red in half of the worlds, any other, or no line at all."""
    kind = rng.random()
    if kind < 0.5:
        return _red(rng)
    if kind < 0.62:
        return None
    if kind < 0.74:
        line = _tinted(rng, rng.uniform(0.75, 1.0), 0.05)
    elif kind < 0.84:  # yellow
        line = colorsys.hsv_to_rgb(
            rng.uniform(0.11, 0.18), rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.0)
        )
    else:
        line = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.5, 1.0), rng.uniform(0.35, 1.0))
    # One that cannot be told from the road is no line.
    return line if _contrast(line, asphalt) > _LEAST_CONTRAST else _red(rng)


def _contrast(colour: Colour, other: Colour) -> float:
    """Return the largest difference in a channel, 0..1."""
    return max(abs(a - b) for a, b in zip(colour, other, strict=True))


def _verge(rng: np.random.Generator) -> Colour:
    """Return grass in most worlds, sand, earth or concrete in the others."""
    if rng.random() < 0.65:
        return colorsys.hsv_to_rgb(
            rng.uniform(0.18, 0.38), rng.uniform(0.3, 0.9), rng.uniform(0.15, 0.6)
        )
    return _tinted(rng, rng.uniform(0.2, 0.8), 0.12)


def _kerbs(rng: np.random.Generator) -> tuple[Colour, Colour]:
    light = _tinted(rng, rng.uniform(0.75, 1.0), 0.05)
    dark = _red(rng) if rng.random() < 0.6 else _tinted(rng, rng.uniform(0.05, 0.5), 0.25)
    return light, dark
