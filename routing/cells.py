"""Cells of about 150 m, each with the pieces of road that cross it."""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "index_cells", "metres_per_degree", "nearest_share", "roads_of_points"]

Int = NDArray[np.int32]
Float = NDArray[np.float64]

_CELL_M = 150.0


class Cells(NamedTuple):
    """Pieces of road by cell.

    Attributes
    ----------
    frame : ndarray of float64, shape (4,)
        West and south, and a cell's width and height; degrees, EPSG:4326.
    shape : ndarray of int32, shape (2,)
        Columns and rows.
    start : ndarray of int32, shape (columns × rows + 1,)
    piece : ndarray of int32
        A piece is named by its first point, the next point is its other end.
    """

    frame: Float
    shape: Int
    start: Int
    piece: Int


@numba.njit(cache=True, nogil=True)
def metres_per_degree(lat_deg: float) -> tuple[float, float]:
    """Metres that a degree of longitude and one of latitude are long, on WGS84.

    Series of NIMA TR8350.2, off by less than 1 in 100,000.

    Examples
    --------
    >>> [round(metres) for metres in metres_per_degree(24.18)]
    [101610, 110761]
    """
    f = np.radians(lat_deg)
    across = 111_412.84 * np.cos(f) - 93.5 * np.cos(3 * f) + 0.118 * np.cos(5 * f)
    up = 111_132.92 - 559.82 * np.cos(2 * f) + 1.175 * np.cos(4 * f)
    return max(across, 1.0), up


def roads_of_points(point_start: Int) -> Int:
    """Road of each point, where road r has the points ``point_start[r]:point_start[r + 1]``."""
    return np.repeat(np.arange(len(point_start) - 1, dtype=np.int32), np.diff(point_start))


def index_cells(lon: Float, lat: Float, point_road: Int) -> Cells:
    """Sort the pieces of all roads into cells.

    Parameters
    ----------
    lon, lat : ndarray of float64, shape (p,), degrees, EPSG:4326
        Points of the roads, one road after the other.
    point_road : ndarray of int32, shape (p,)
        Road of each point.
    """
    west, south = float(lon.min()), float(lat.min())
    across_m, up_m = metres_per_degree((south + float(lat.max())) / 2)
    width, height = _CELL_M / across_m, _CELL_M / up_m
    columns = int((lon.max() - west) / width) + 1
    rows = int((lat.max() - south) / height) + 1
    frame = np.array([west, south, width, height])
    # A stray road far away must not cost a cell for all that lies between.
    while columns * rows > max(8 * len(lon), 1 << 16):
        frame[2:] *= 2.0
        columns, rows = columns // 2 + 1, rows // 2 + 1
    shape = np.array([columns, rows], np.int32)
    count = np.zeros(columns * rows + 1, np.int32)
    _visit(lon, lat, point_road, frame, shape, count, np.empty(0, np.int32))
    start = np.concatenate([[0], np.cumsum(count[:-1])]).astype(np.int32)
    piece = np.empty(start[-1], np.int32)
    _visit(lon, lat, point_road, frame, shape, start.copy(), piece)
    return Cells(frame, shape, start, piece)


@numba.njit(cache=True, nogil=True)
def _visit(
    lon: Float, lat: Float, point_road: Int, frame: Float, shape: Int, free: Int, piece: Int
) -> None:
    """Put each piece into its cells from `free` on; only count where `piece` is empty."""
    columns = shape[0]
    for i in range(len(lon) - 1):
        if point_road[i] != point_road[i + 1]:
            continue
        ax, ay = (lon[i] - frame[0]) / frame[2], (lat[i] - frame[1]) / frame[3]
        bx, by = (lon[i + 1] - frame[0]) / frame[2], (lat[i + 1] - frame[1]) / frame[3]
        for row in range(int(min(ay, by)), int(max(ay, by)) + 1):
            for column in range(int(min(ax, bx)), int(max(ax, bx)) + 1):
                # Half a cell's diagonal is 0.7072; a little more for rounding.
                if _distance_2(ax, ay, bx, by, column + 0.5, row + 0.5) > 0.501:
                    continue
                cell = row * columns + column
                if len(piece):
                    piece[free[cell]] = i
                free[cell] += 1


@numba.njit(cache=True, nogil=True)
def _distance_2(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> float:
    """Square of the distance from a point to a line segment."""
    share = nearest_share(ax - x, ay - y, bx - x, by - y)
    dx, dy = ax + share * (bx - ax) - x, ay + share * (by - ay) - y
    return dx * dx + dy * dy


@numba.njit(cache=True, nogil=True)
def nearest_share(ax: float, ay: float, bx: float, by: float) -> float:
    """How far along a line segment the point nearest to the origin lies."""
    dx, dy = bx - ax, by - ay
    length_2 = dx * dx + dy * dy
    if length_2 <= 0.0:
        return 0.0
    return min(max(-(ax * dx + ay * dy) / length_2, 0.0), 1.0)
