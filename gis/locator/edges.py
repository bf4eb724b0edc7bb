"""Polygons to edges: each once, from its lower end up, with the areas whose rings use it."""

from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import GeometryError

__all__ = ["NOWHERE", "Edges", "bounds_of", "edges_of", "joined"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]

# Bounds of what lies nowhere: they meet nothing.
NOWHERE = np.array([np.inf, np.inf, -np.inf, -np.inf])


class Edges(NamedTuple):
    """Distinct edges of areas.

    Attributes
    ----------
    ends : ndarray of float64, shape (n, 4)
        ax, ay, bx, by; a is the lower end, of a level edge the western one.
    first : ndarray of int64, shape (n + 1,)
        The areas of edge e are ``area[first[e]:first[e + 1]]``.
    area : ndarray of int64
    """

    ends: Float
    first: Int
    area: Int


def edges_of(polygons: NDArray[np.object_], area: Int) -> Edges:
    """Edges of polygons; O(n log n) for n vertices.

    Parameters
    ----------
    polygons : ndarray of shapely polygons or multipolygons, shape (m,)
    area : ndarray of int64, shape (m,)
        Number that each polygon's edges carry.

    Raises
    ------
    GeometryError
        If a shape is no polygon, or a coordinate is not finite; the position is named.
    """
    kind = shapely.get_type_id(polygons)
    if (odd := np.flatnonzero(~np.isin(kind, (3, 6)))).size:
        raise GeometryError(f"area {odd[0]} is no polygon: {polygons[odd[0]]!s:.60}")
    parts, owner = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    of_point = area[owner[part[ring]]]
    if (odd := np.flatnonzero(~np.isfinite(xy).all(axis=1))).size:
        raise GeometryError(f"area {of_point[odd[0]]} has a coordinate that is not finite")
    goes_on = ring[1:] == ring[:-1]
    start, end = xy[:-1][goes_on] + 0.0, xy[1:][goes_on] + 0.0  # -0.0 and 0.0 are one place
    user = of_point[:-1][goes_on]
    real = (start != end).any(axis=1)
    start, end, user = start[real], end[real], user[real]
    turn = (start[:, 1] > end[:, 1]) | ((start[:, 1] == end[:, 1]) & (start[:, 0] > end[:, 0]))
    start[turn], end[turn] = end[turn], start[turn]
    return joined(np.concatenate([start, end], axis=1), user)


def joined(ends: Float, user: Int) -> Edges:
    """Edges used several times joined; one that an area uses twice bounds nothing of it."""
    order = np.lexsort((user, ends[:, 3], ends[:, 2], ends[:, 1], ends[:, 0]))
    ends, user = ends[order], user[order]
    fresh = np.ones(len(ends), bool)
    fresh[1:] = (ends[1:] != ends[:-1]).any(axis=1)
    edge = np.cumsum(fresh) - 1
    first = np.searchsorted(edge, np.arange(int(fresh.sum()) + 1))
    return Edges(np.ascontiguousarray(ends[fresh]), first.astype(np.int64), user)


def bounds_of(polygons: Any) -> Float:
    """West, south, east and north of each polygon; an empty one has none and meets nothing."""
    bounds: Float = shapely.bounds(polygons).reshape(-1, 4)
    return np.where(np.isnan(bounds), NOWHERE, bounds)
