"""A closed centerline found in a picture of the ground from above.

A painted line is what differs from the ground around it and is thin; a road is a region of one
colour. Either must make a ring: a region with one outer and one inner boundary. Its centerline is
where both boundaries are equally far away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import contourpy
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import splev, splprep
from scipy.sparse.csgraph import connected_components

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.errors import UserError

LINE, ROAD = "line", "road"
Mask = NDArray[np.uint8]
_LINE_M = (0.03, 0.5)
_ROAD_M = (1.0, 30.0)
"""Widths of what is taken for a painted line, and for a road."""
_SHORTEST_M = 20.0
_NEAR_START_M = 0.5
"""A car that is about to drive stands no farther than this from its line."""
_CONTRAST = 24
"""Least difference of a line from the ground around it, in one channel of 255."""
_CLOSED_GAPS_M = (0.0, 0.3, 1.0, 2.0, 4.0)
_SMALLEST_LOOP_M2 = 20.0
_SECOND_LOOP = 0.02
"""Share of the largest inner region from which on another one makes the ring branch."""
_ROAD_PIXEL_M = 0.15
_SPACING_M = 0.5
_PIXEL_NOISE = 0.35
"""Standard deviation of a traced point, in pixels."""
_SAMPLES = 60_000
_LINE_COLOURS, _ROAD_COLOURS = 4, 8
_WIDEST_HALF_M = 15.0
_OTHER_GROUND, _HELD = 25.0, 6
"""How much the ground's colour changes at a road's edge (CIELAB), and for how many pixels."""
_ALIKE = 15.0
"""Groups of colours nearer than this (sum of the differences in CIELAB) are one."""


class TraceError(UserError):
    """A picture without a closed line or road; says what was found instead."""


@dataclass(frozen=True)
class Trace:
    """A closed line or road found in a picture."""

    points: NDArray[
        np.float64
    ]  #: (N, 2): columns and rows along its middle; the first not repeated
    kind: str  #: `LINE` or `ROAD`
    colour: tuple[int, int, int]  #: red, green, blue, 0..255
    width_m: float  #: mean
    closed_gaps_m: float  #: gaps of up to this length were bridged


@dataclass(frozen=True)
class _Ring:
    """A region with one outer and one inner boundary, in pixels of its picture."""

    outer: NDArray[np.int32]
    inner: NDArray[np.int32]
    kind: str
    colour: tuple[int, int, int]
    closed_gaps_m: float
    scale: float  #: metres per pixel

    @property
    def length_m(self) -> float:
        around = cv2.arcLength(self.outer, True) + cv2.arcLength(self.inner, True)
        return 0.5 * around * self.scale

    @property
    def width_m(self) -> float:
        area = cv2.contourArea(self.outer) - cv2.contourArea(self.inner)
        # Contours run through the middles of pixels: the outer one inside the region, the inner
        # one, of a hole, inside it, too.
        width = area * self.scale**2 / max(self.length_m, self.scale) + self.scale
        return width - (self.closed_gaps_m if self.kind == LINE else 0.0)

    def distance_m(self, column: float, row: float) -> float:
        """Return how far a place is from the region; 0 in it."""
        outside = -cv2.pointPolygonTest(self.outer, (column, row), True)
        infield = cv2.pointPolygonTest(self.inner, (column, row), True)
        grown = 0.5 * self.closed_gaps_m if self.kind == LINE else 0.0
        return max(max(outside, infield) * self.scale + grown, 0.0)

    @property
    def name(self) -> str:
        red, green, blue = self.colour
        return f"a {self.kind} of {self.length_m:.0f} m, colour {red} {green} {blue}"


def trace(
    picture: NDArray[np.uint8],
    metres_per_pixel: float,
    start: tuple[float, float] | None = None,
    colour: tuple[int, int, int] | None = None,
) -> Trace:
    """Return the closed line in a picture, the closed road where there is no line.

    Args:
        picture: uint8 (rows, columns, 3), RGB; black where there is nothing.
        metres_per_pixel: its scale.
        start: column and row of the car; of several lines it stands on the one that is meant.
        colour: of the line (0..255); None: any.

    Raises:
        TraceError: there is none, or several and no start to choose by; says what there is.
    """
    refused: list[str] = []
    ground = _without_thin(picture, metres_per_pixel)
    masks = list(_line_masks(picture, ground) if colour is None else [_near(picture, colour)])
    lines: list[_Ring] = []
    for gap in _CLOSED_GAPS_M:
        rings = [
            ring
            for mask in masks
            for ring in _rings(mask, picture, LINE, gap, metres_per_pixel, refused)
        ]
        if start is not None and (ring := _nearest(rings, start, _NEAR_START_M)) is not None:
            return _traced(ring, 1.0)
        lines = lines or rings
        if lines and start is None:
            break
    shrink = max(1, round(_ROAD_PIXEL_M / metres_per_pixel))
    roads = [] if colour is not None else _roads(ground, metres_per_pixel, shrink, refused)
    if start is not None:
        there = ((start[0] + 0.5) / shrink - 0.5, (start[1] + 0.5) / shrink - 0.5)
        if (ring := _nearest(roads, there, _NEAR_START_M)) is not None:
            return _traced(ring, float(shrink))
    if len(found := lines or roads) == 1:
        return _traced(found[0], 1.0 if lines else float(shrink))
    raise TraceError(_why_not(found, refused))


def _why_not(found: list[_Ring], refused: list[str]) -> str:
    if found:
        names = "; ".join(dict.fromkeys(ring.name for ring in found[:6]))
        return f"{len(found)} closed lines or roads, and no car that stands on one: {names}"
    why = f": {'; '.join(dict.fromkeys(refused))}" if refused else ""
    return f"no closed line, and no closed road of 1 to 30 m{why}"


def _nearest(rings: list[_Ring], place: tuple[float, float], most_m: float) -> _Ring | None:
    near = [ring for ring in rings if ring.distance_m(*place) <= most_m]
    return min(near, key=lambda ring: (ring.distance_m(*place), ring.width_m), default=None)


def _without_thin(picture: NDArray[np.uint8], metres_per_pixel: float) -> NDArray[np.uint8]:
    """Return the picture without lines: each pixel is the median around it."""
    size = 2 * round(_LINE_M[1] / metres_per_pixel) + 1
    return np.asarray(cv2.medianBlur(picture, size), np.uint8)


def _near(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> Mask:
    """Return where a picture has a colour, by its hue and saturation more than its brightness."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    wanted = cv2.cvtColor(np.array([[colour]], np.uint8), cv2.COLOR_RGB2LAB).astype(np.float32)
    away = np.abs(lab - wanted) * np.array([0.4, 1.0, 1.0], np.float32)
    return (away.max(axis=2) < _CONTRAST).astype(np.uint8)


def _line_masks(picture: NDArray[np.uint8], ground: NDArray[np.uint8]) -> Iterator[Mask]:
    """Yield where thin marks of one colour are."""
    thin = np.asarray(cv2.absdiff(picture, ground).max(axis=2) >= _CONTRAST, np.bool_)
    return _colour_masks(picture, thin, _LINE_COLOURS)


def _roads(
    ground: NDArray[np.uint8], metres_per_pixel: float, shrink: int, refused: list[str]
) -> list[_Ring]:
    """Return the rings of ground of one colour, in pixels `shrink` times as large."""
    small = np.ascontiguousarray(ground[shrink // 2 :: shrink, shrink // 2 :: shrink])
    masks = list(_colour_masks(small, np.asarray(small.any(axis=2)), _ROAD_COLOURS))
    for gap in _CLOSED_GAPS_M:
        rings: list[_Ring] = []
        for mask in masks:
            rings += _rings(mask, small, ROAD, gap, metres_per_pixel * shrink, refused)
        if rings:
            return rings
    return []


def _colour_masks(
    picture: NDArray[np.uint8], where: NDArray[np.bool_], count: int
) -> Iterator[Mask]:
    """Yield the pixels of each of up to `count` groups of colours (k-means in CIELAB)."""
    rows, columns = np.nonzero(where)
    if len(rows) < count:
        return
    lab = cv2.cvtColor(picture[rows, columns][None], cv2.COLOR_RGB2LAB)[0].astype(np.float32)
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.5)
    sample = np.ascontiguousarray(lab[:: max(1, len(lab) // _SAMPLES)])
    labels = np.zeros((len(sample), 1), np.int32)
    _, _, centres = cv2.kmeans(sample, count, labels, stop, 3, cv2.KMEANS_PP_CENTERS)
    nearest = np.stack([np.abs(lab - centre).sum(axis=1) for centre in centres]).argmin(axis=0)
    away = np.abs(centres[:, None] - centres[None]).sum(axis=2)
    groups, group = connected_components(away < _ALIKE)
    for number in range(groups):
        mask = np.zeros(where.shape, np.uint8)
        mine = group[nearest] == number
        mask[rows[mine], columns[mine]] = 1
        yield mask


def _rings(
    mask: Mask,
    picture: NDArray[np.uint8],
    kind: str,
    gap_m: float,
    scale: float,
    refused: list[str],
) -> list[_Ring]:
    """Return the rings in a mask, its gaps closed; add why others are none."""
    if not mask.any():
        return []
    red, green, blue = np.median(picture[mask > 0], axis=0).astype(int).tolist()
    if gap_m:
        mask = _bridged(mask, 0.5 * gap_m / scale, kind)
    found, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if tree is None:
        return []
    contours = [np.asarray(contour, np.int32) for contour in found]
    least = _SMALLEST_LOOP_M2 / scale**2
    thinnest, widest = _LINE_M if kind == LINE else _ROAD_M
    rings = []
    for number, (_, _, child, parent) in enumerate(tree[0].tolist()):
        if parent != -1 or child == -1 or cv2.contourArea(contours[number]) < least:
            continue
        holes = []
        while child != -1:
            holes.append(contours[child])
            child = tree[0][child][0]
        largest = max(holes, key=cv2.contourArea)
        area = cv2.contourArea(largest)
        ring = _Ring(contours[number], largest, kind, (red, green, blue), gap_m, scale)
        loops = [hole for hole in holes if cv2.contourArea(hole) > max(least, _SECOND_LOOP * area)]
        if area < least or ring.length_m < _SHORTEST_M:
            continue
        if len(loops) > 1:
            refused.append(f"{ring.name}, crosses itself or branches ({len(loops)} loops)")
        elif thinnest <= ring.width_m <= widest and ring.width_m < 0.1 * ring.length_m:
            rings.append(ring)
    return rings


def _bridged(mask: Mask, radius: float, kind: str) -> Mask:
    """Return a mask with gaps of up to two radii (pixels) closed.

    A line is grown by a radius: its middle stays where it is. A road keeps its edges (closing by a
    disc, which would not bridge a gap in a line). By distances, whose time does not grow with the
    radius.
    """
    margin = int(radius) + 2
    around = np.pad(mask, margin)
    grown = cv2.distanceTransform(1 - around, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius
    if kind == ROAD:
        inside = cv2.distanceTransform(grown.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        grown = (inside > radius) | (around > 0)
    return np.ascontiguousarray(grown[margin:-margin, margin:-margin].astype(np.uint8))


def _traced(ring: _Ring, pixels: float) -> Trace:
    """Return a ring's middle, in a picture whose pixels are smaller by the factor `pixels`."""
    left, top, width, height = cv2.boundingRect(ring.outer)
    shift = np.array([left - 1, top - 1], np.int32)
    filled = np.zeros((height + 2, width + 2), np.uint8)
    cv2.drawContours(filled, [ring.outer - shift], 0, 1, cv2.FILLED)
    infield = np.zeros_like(filled)
    cv2.drawContours(infield, [ring.inner - shift], 0, 1, cv2.FILLED)
    # A hole's contour runs on the region's own pixels.
    cv2.drawContours(infield, [ring.inner - shift], 0, 0, 1)
    to_outside = cv2.distanceTransform(filled, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    to_infield = cv2.distanceTransform(1 - infield, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    lines = contourpy.contour_generator(z=np.subtract(to_outside, to_infield)).lines(0.0)
    middle = max((np.asarray(line) for line in lines), key=len)[:-1] + shift
    return Trace(
        points=np.asarray((middle + 0.5) * pixels - 0.5, np.float64),
        kind=ring.kind,
        colour=ring.colour,
        width_m=ring.width_m,
        closed_gaps_m=ring.closed_gaps_m,
    )


def road_half_width(
    picture: NDArray[np.uint8], metres_per_pixel: float, middle: NDArray[np.float64]
) -> float | None:
    """Return how far the road reaches from its middle, m: 9 of 10 places have more to both sides.

    Its edge is where the ground's colour changes. None: nothing changes within 15 m.

    Args:
        picture: as for `trace`.
        metres_per_pixel: its scale.
        middle: (N, 2) columns and rows along it, evenly spaced, the first not repeated.
    """
    ground = cv2.cvtColor(_without_thin(picture, metres_per_pixel), cv2.COLOR_RGB2LAB)
    along = np.roll(middle, -1, axis=0) - np.roll(middle, 1, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    distances = np.arange(0.0, _WIDEST_HALF_M, metres_per_pixel)
    reached = []
    for side in (across, -across):
        places = middle[:, None] + side[:, None] * (distances / metres_per_pixel)[None, :, None]
        columns, rows = (
            np.ascontiguousarray(part, np.float32) for part in places.transpose(2, 0, 1)
        )
        seen = cv2.remap(ground, columns, rows, cv2.INTER_NEAREST, borderValue=(0, 128, 128))
        seen = seen.astype(np.float32)
        road = np.median(seen[:, distances < 2 * _LINE_M[1]], axis=(0, 1))
        other = np.abs(seen - road).sum(axis=2) > _OTHER_GROUND
        # An edge is followed by other ground for a while; a mark on the road is not.
        held = cv2.erode(other.astype(np.uint8), np.ones((1, _HELD), np.uint8), anchor=(0, 0))
        reached.append(np.where(held.any(axis=1), distances[held.argmax(axis=1)], np.inf))
    least = float(np.percentile(np.minimum(*reached), 10, method="lower"))
    return least if math.isfinite(least) and least > 0.0 else None


def smooth_lap(points: NDArray[np.float64], metres_per_pixel: float) -> NDArray[np.float64]:
    """Return a lap (M, 2), m, a point every half metre, without the steps of its pixels.

    Args:
        points: (N, 2), m, around a ring.
        metres_per_pixel: of the picture in which they were found.
    """
    steps = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    closed = np.vstack([points, points[:1]])
    stations = np.linspace(0.0, along[-1], max(16, round(along[-1] / 0.2)) + 1)
    even = np.column_stack([np.interp(stations, along, closed[:, i]) for i in range(2)])
    noise = len(even) * (_PIXEL_NOISE * metres_per_pixel) ** 2
    spline, _ = splprep(even.T, u=stations, s=noise, per=True)
    count = max(16, round(along[-1] / _SPACING_M))
    return np.column_stack(splev(np.linspace(0.0, along[-1], count, endpoint=False), spline))


def started_at(
    points: NDArray[np.float64], start: tuple[float, float, float] | None, reverse: bool = False
) -> NDArray[np.float64]:
    """Return a lap (N, 2), m, that starts near a pose (x, y in m, yaw in rad) and in its direction.

    Without a pose the lap runs anticlockwise from its first point.
    """
    if start is None:
        x, y = points.T
        clockwise = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) < 0.0
        return points[::-1] if clockwise != reverse else points
    line = Centerline(points)
    here = line.project(start[0], start[1])
    against = np.cos(here.heading_error(start[2])) < 0.0
    if against != reverse:
        points = points[::-1]
    first = int(np.argmin(np.linalg.norm(points - start[:2], axis=1)))
    return np.roll(points, -first, axis=0)
