"""Drawing on RGB arrays: text, smooth lines, cards. Colours are (R, G, B), places (x, y) pixels."""

from __future__ import annotations

from functools import cache, lru_cache

import cv2
import numpy as np
from matplotlib import font_manager
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Picture = NDArray[np.uint8]

NIGHT: Colour = (14, 19, 26)
CARD: Colour = (24, 32, 42)
FAINT: Colour = (52, 64, 78)
QUIET: Colour = (139, 152, 167)
BRIGHT: Colour = (236, 241, 246)
DRIVEN: Colour = (79, 195, 220)
COMMANDED: Colour = (244, 201, 93)
GOOD: Colour = (111, 207, 151)
WARNING: Colour = (239, 110, 96)
_SHIFT = 4
"""OpenCV takes places in sixteenths of a pixel."""


def write(
    picture: Picture,
    text: str,
    place: tuple[float, float],
    size: int,
    colour: Colour = BRIGHT,
    *,
    bold: bool = False,
    anchor: str = "ls",
) -> None:
    """Write a line of text.

    Args:
        place: of the anchor.
        size: of the font, pixels.
        anchor: Pillow's: l, m or r for left, middle, right; then s for the baseline, m for middle.
    """
    if not text:
        return
    mask, left, top = _text_mask(text, size, bold, anchor)
    x, y = round(place[0]) + left, round(place[1]) + top
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + mask.shape[1], picture.shape[1]), min(y + mask.shape[0], picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    cover = mask[y0 - y : y1 - y, x0 - x : x1 - x, None]
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = under + (np.array(colour, np.float32) - under) * cover


def text_width(text: str, size: int, *, bold: bool = False) -> float:
    """Return how wide a line of text is, pixels."""
    return float(_font(size, bold).getlength(text))


def line(picture: Picture, points: ArrayLike, colour: Colour, width: int = 1) -> None:
    """Draw a smooth line through points (N, 2); of a single point nothing."""
    places = np.round(np.asarray(points, dtype=np.float64) * (1 << _SHIFT)).astype(np.int32)
    if len(places) > 1:
        cv2.polylines(picture, [places], False, colour, width, cv2.LINE_AA, _SHIFT)


def polygon(picture: Picture, points: ArrayLike, colour: Colour) -> None:
    """Fill a polygon with corners (N, 2)."""
    places = np.round(np.asarray(points, dtype=np.float64) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(picture, [places], colour, cv2.LINE_AA, _SHIFT)


def dot(picture: Picture, place: tuple[float, float], radius: float, colour: Colour) -> None:
    """Fill a circle."""
    x, y = (round(value * (1 << _SHIFT)) for value in place)
    cv2.circle(
        picture, (x, y), round(radius * (1 << _SHIFT)), colour, -1, cv2.LINE_AA, _SHIFT
    )  # fmt: skip


def arc(
    picture: Picture,
    centre: tuple[float, float],
    radius: float,
    span: tuple[float, float],
    colour: Colour,
    width: int,
) -> None:
    """Draw part of a circle between two angles, degrees clockwise from the x axis."""
    first, last = sorted(span)
    angles = np.radians(np.linspace(first, last, max(2, int((last - first) / 2.0) + 1)))
    line(picture, arc_points(centre, radius, angles), colour, width)


def arc_points(
    centre: tuple[float, float], radius: float, angles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the points (N, 2) of a circle at angles, rad clockwise from the x axis."""
    return np.column_stack(
        [centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)]
    )


def card(picture: Picture, box: tuple[int, int, int, int], colour: Colour = CARD) -> None:
    """Fill a rectangle x, y, width, height with round corners."""
    x, y, width, height = box
    r = 10
    cv2.rectangle(picture, (x + r, y), (x + width - r - 1, y + height - 1), colour, -1)
    cv2.rectangle(picture, (x, y + r), (x + width - 1, y + height - r - 1), colour, -1)
    for cx in (x + r, x + width - r - 1):
        for cy in (y + r, y + height - r - 1):
            cv2.circle(picture, (cx, cy), r, colour, -1, cv2.LINE_AA)


def darken(picture: Picture, box: tuple[int, int, int, int], share: float) -> None:
    """Mix a rectangle x, y, width, height with the night's colour."""
    x, y, width, height = box
    part = picture[y : y + height, x : x + width]
    cv2.addWeighted(part, 1.0 - share, np.full_like(part, NIGHT), share, 0.0, dst=part)


def blank(width: int, height: int) -> Picture:
    """Return an empty picture."""
    return np.full((height, width, 3), NIGHT, np.uint8)


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    # matplotlib brings this font along on every machine.
    weight = "bold" if bold else "normal"
    return ImageFont.truetype(
        font_manager.findfont(f"DejaVu Sans:weight={weight}"), size
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _text_mask(
    text: str, size: int, bold: bool, anchor: str
) -> tuple[NDArray[np.float32], int, int]:
    """Return a text's coverage (H, W), 0..1, and where its corner lies from the anchor."""
    font = _font(size, bold)
    left, top, right, bottom = (round(v) for v in font.getbbox(text, anchor=anchor))
    mask = Image.new("L", (max(right - left, 1) + 2, max(bottom - top, 1) + 2))
    ImageDraw.Draw(mask).text((1 - left, 1 - top), text, 255, font, anchor=anchor)
    return np.asarray(mask, np.float32) / 255.0, left - 1, top - 1
