"""Dealing edges to the cells of a square raster, with a margin wider than any rounding."""

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["deal_edges", "rows_of"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def _columns_in_row(
    end: Float, row: int, origin: Float, side_bits: int, margin: float
) -> tuple[int, int]:
    """First and last column that an edge may touch in a row; none where last < first."""
    ax, ay, bx, by = end[0], end[1], end[2], end[3]
    west, south, width, height = origin[0], origin[1], origin[2], origin[3]
    most = (1 << side_bits) - 1
    low, high = south + row * height - margin, south + (row + 1) * height + margin
    least, largest = min(ax, bx), max(ax, bx)
    if ay < low or by > high:
        slope = (bx - ax) / (by - ay)
        at_low = ax + (max(ay, low) - ay) * slope
        at_high = ax + (min(by, high) - ay) * slope
        slack = margin * (1.0 + abs(slope))
        least = max(least, min(at_low, at_high) - slack)
        largest = min(largest, max(at_low, at_high) + slack)
    first = np.floor((least - margin - west) / width)
    last = np.floor((largest + margin - west) / width)
    if last < 0.0 or first > most:
        return 0, -1
    return int(max(first, 0.0)), int(min(last, float(most)))


@numba.njit(cache=True, nogil=True)
def rows_of(end: Float, origin: Float, side_bits: int, margin: float) -> tuple[int, int]:
    """First and last row that an edge may touch; none where last < first."""
    most = (1 << side_bits) - 1
    first = np.floor((end[1] - margin - origin[1]) / origin[3])
    last = np.floor((end[3] + margin - origin[1]) / origin[3])
    if last < 0.0 or first > most:
        return 0, -1
    return int(max(first, 0.0)), int(min(last, float(most)))


@numba.njit(cache=True, nogil=True)
def deal_edges(
    ends: Float, chosen: Int, origin: Float, side_bits: int, margin: float
) -> tuple[Int, Int]:
    """Deal edges to the cells of a square raster.

    Parameters
    ----------
    ends : ndarray of float64, shape (n, 4)
    chosen : ndarray of int64
        The edges to deal.
    origin : ndarray of float64, shape (4,)
        West, south, and width and height of a cell.
    side_bits : int
        The raster has 2**side_bits columns and rows.
    margin : float
        A cell counts as so much larger to all sides.

    Returns
    -------
    first, edge : ndarray of int64
        Cell c has the edges ``edge[first[c]:first[c + 1]]``.
    """
    first = np.zeros((1 << (2 * side_bits)) + 1, np.int64)
    for e in chosen:
        south, north = rows_of(ends[e], origin, side_bits, margin)
        for row in range(south, north + 1):
            west, east = _columns_in_row(ends[e], row, origin, side_bits, margin)
            for column in range(west, east + 1):
                first[(row << side_bits) + column + 1] += 1
    first = np.cumsum(first)
    edge = np.empty(first[-1], np.int64)
    place = first[:-1].copy()
    for e in chosen:
        south, north = rows_of(ends[e], origin, side_bits, margin)
        for row in range(south, north + 1):
            west, east = _columns_in_row(ends[e], row, origin, side_bits, margin)
            for column in range(west, east + 1):
                cell = (row << side_bits) + column
                edge[place[cell]] = e
                place[cell] += 1
    return first, edge
