"""Shapes on the plain lattice that a made-up place is drawn on, before it is bent."""

import numpy as np

__all__ = ["Point", "footprint", "rectangle", "stretch"]

Point = tuple[float, float]

# Points this far apart along lines and edges, so that they bend as their neighbours do.
_STEP_M = 50.0


def rectangle(west: float, south: float, east: float, north: float) -> list[Point]:
    """A closed ring with points every 50 m, counter-clockwise from its south-west corner."""
    xs = [*np.arange(west, east, _STEP_M), east]
    ys = [*np.arange(south, north, _STEP_M), north]
    ring = [(float(x), south) for x in xs] + [(east, float(y)) for y in ys[1:]]
    ring += [(float(x), north) for x in xs[-2::-1]] + [(west, float(y)) for y in ys[-2::-1]]
    return ring


def stretch(start: Point, end: Point) -> list[Point]:
    """A straight line with points about every 50 m."""
    count = max(1, round(max(abs(end[0] - start[0]), abs(end[1] - start[1])) / _STEP_M))
    xs, ys = np.linspace(start[0], end[0], count + 1), np.linspace(start[1], end[1], count + 1)
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]


def footprint(x: float, y: float, length: float, depth: float) -> list[Point]:
    """The closed ring of a building from its south-west corner; too small to bend."""
    return [(x, y), (x + length, y), (x + length, y + depth), (x, y + depth), (x, y)]
