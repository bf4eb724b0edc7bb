"""Drawing a way: its points clipped at both ends, its length, its streets."""

import numba
import numpy as np
from numpy.typing import NDArray

from routing.kernels.places import along_arc
from routing.network import Ground

__all__ = ["draw", "points_at_most"]

Int = NDArray[np.int32]
Float = NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def points_at_most(ground: Ground, arcs: Int) -> int:
    """Room that the line of a way needs."""
    points = 2
    for arc in arcs:
        points += ground.point_start[(arc >> 1) + 1] - ground.point_start[arc >> 1]
    return points


@numba.njit(cache=True, nogil=True)
def draw(
    ground: Ground, arcs: Int, from_share: float, to_share: float, line: Float, streets: Int
) -> tuple[float, int, int]:
    """Draw a way.

    Parameters
    ----------
    arcs : ndarray of int32, shape (k,)
        In driving order; none for no way.
    from_share, to_share : float
        Shares of the roads of the first and the last arc at which the way begins and ends.
    line : ndarray of float64, shape (≥ `points_at_most`, 2)
        Takes lon and lat, degrees, EPSG:4326: at least two points, no two equal ones in a row
        but in a way of no length.
    streets : ndarray of int32, shape (≥ k,)
        Takes the names of the roads in order, none twice in a row.

    Returns
    -------
    length_m : float
    points, names : int
        How many there are.
    """
    point_start, lon, lat = ground.point_start, ground.lon, ground.lat
    along, name = ground.along, ground.name
    size, called, total_m = 0, 0, 0.0
    for i in range(len(arcs)):
        arc, road = arcs[i], arcs[i] >> 1
        begin = along_arc(arc, from_share) if i == 0 else 0.0
        end = along_arc(arc, to_share) if i == len(arcs) - 1 else 1.0
        total_m += ground.length_m[road] * (end - begin)
        if called == 0 or streets[called - 1] != name[road]:
            streets[called] = name[road]
            called += 1
        if begin > 0.0 or end < 1.0:
            size = _piece(point_start, lon, lat, along, arc, begin, end, line, size)
            continue
        p, step = point_start[road], 1
        if arc & 1:
            p, step = point_start[road + 1] - 1, -1
        for _ in range(point_start[road + 1] - point_start[road]):
            if size == 0 or line[size - 1, 0] != lon[p] or line[size - 1, 1] != lat[p]:
                line[size, 0], line[size, 1] = lon[p], lat[p]
                size += 1
            p += step
    if size == 1:
        line[1, 0], line[1, 1] = line[0, 0], line[0, 1]
        size = 2
    return total_m, size, called


@numba.njit(cache=True, nogil=True)
def _piece(
    point_start: Int,
    lon: Float,
    lat: Float,
    along: Float,
    arc: int,
    begin: float,
    end: float,
    line: Float,
    size: int,
) -> int:
    """Append the points of an arc between two shares of it."""
    road = arc >> 1
    first, last = point_start[road], point_start[road + 1] - 1
    if arc & 1:
        size = _append(line, size, *_between(lon, lat, along, first, last, 1.0 - begin))
        for p in range(last, first - 1, -1):
            if 1.0 - end < along[p] < 1.0 - begin:
                size = _append(line, size, lon[p], lat[p])
        return _append(line, size, *_between(lon, lat, along, first, last, 1.0 - end))
    size = _append(line, size, *_between(lon, lat, along, first, last, begin))
    for p in range(first, last + 1):
        if begin < along[p] < end:
            size = _append(line, size, lon[p], lat[p])
    return _append(line, size, *_between(lon, lat, along, first, last, end))


@numba.njit(cache=True, nogil=True)
def _between(
    lon: Float, lat: Float, along: Float, first: int, last: int, share: float
) -> tuple[float, float]:
    """The point at a share of a road."""
    if share <= 0.0:
        return lon[first], lat[first]
    if share >= 1.0:
        return lon[last], lat[last]
    # A share below 1 lies before the last point, so that there is a next one.
    p = first + np.searchsorted(along[first : last + 1], share, side="right") - 1
    part = (share - along[p]) / max(along[p + 1] - along[p], 1e-300)
    return lon[p] + part * (lon[p + 1] - lon[p]), lat[p] + part * (lat[p + 1] - lat[p])


@numba.njit(cache=True, nogil=True)
def _append(line: Float, size: int, x: float, y: float) -> int:
    if size and line[size - 1, 0] == x and line[size - 1, 1] == y:
        return size
    line[size, 0], line[size, 1] = x, y
    return size + 1
