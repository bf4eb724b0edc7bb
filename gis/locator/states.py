"""Which areas hold the centre of each cell: known by the edges that lie between centres, exactly.

A centre, as any place here, is thought of as shifted by an infinitesimal step east and a much
smaller one north: then it lies on no edge.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gis.locator.dealing import rows_of
from gis.locator.edges import Edges
from gis.locator.layout import BITS, COLUMNS, ROWS, SOUTH, TOP, WEST
from gis.locator.orient import side

__all__ = ["centre_of", "grown", "is_left", "node_states", "origin_of", "top_states"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def grown(array: Any, need: int) -> Any:
    """The array itself, or a longer copy, with room for so many elements."""
    if need <= len(array):
        return array
    longer = np.empty(max(need, 2 * len(array)), array.dtype)
    longer[: len(array)] = array
    return longer


@numba.njit(cache=True, nogil=True)
def is_left(end: Float, x: float, y: float) -> bool:
    """Whether a place, shifted a little east and less north, lies left of an edge."""
    turn = side(end[0], end[1], end[2], end[3], x, y)
    return turn > 0 or (turn == 0 and end[1] == end[3])


@numba.njit(cache=True, nogil=True)
def centre_of(frame: Float, corner: Int, shift: int, column: int, row: int) -> tuple[float, float]:
    """Centre of a cell of 2**shift columns in a raster that begins at a corner.

    The same float wherever it is asked for: it is the one that states and records are about.
    """
    half = np.int64(1) << (shift - 1)
    x = corner[0] + (np.int64(column) << shift) + half
    y = corner[1] + (np.int64(row) << shift) + half
    return frame[WEST] + x / frame[COLUMNS], frame[SOUTH] + y / frame[ROWS]


@numba.njit(cache=True, nogil=True)
def origin_of(frame: Float, corner: Int, shift: int) -> Float:
    """West, south, and width and height of a cell, of a raster that begins at a corner."""
    origin = np.empty(4)
    size = np.float64(np.int64(1) << shift)
    origin[0] = frame[WEST] + corner[0] / frame[COLUMNS]
    origin[1] = frame[SOUTH] + corner[1] / frame[ROWS]
    origin[2] = size / frame[COLUMNS]
    origin[3] = size / frame[ROWS]
    return origin


@numba.njit(cache=True, nogil=True)
def _first_centre_beyond(
    end: Float, row: int, frame: Float, corner: Int, shift: int, side_bits: int
) -> int:
    """First column whose centre lies right of an edge that crosses the centres' parallel."""
    size = 1 << side_bits
    west, y = centre_of(frame, corner, shift, 0, row)
    x = end[0] + (y - end[1]) * ((end[2] - end[0]) / (end[3] - end[1]))
    guess = (x - west) * frame[COLUMNS] / np.float64(np.int64(1) << shift)
    column = int(min(max(guess, 0.0), float(size)))
    while column > 0 and not is_left(end, centre_of(frame, corner, shift, column - 1, row)[0], y):
        column -= 1
    while column < size and is_left(end, centre_of(frame, corner, shift, column, row)[0], y):
        column += 1
    return column


@numba.njit(cache=True, nogil=True)
def _toggle(area: int, inside: NDArray[np.bool_], listed: Int, count: int) -> int:
    """Change whether an area holds the centre; `listed` keeps the areas that do."""
    if inside[area]:
        inside[area] = False
        for i in range(count):
            if listed[i] == area:
                listed[i] = listed[count - 1]
                return count - 1
    inside[area] = True
    listed[count] = area
    return count + 1


@numba.njit(cache=True, nogil=True)
def _cross(edges: Edges, e: int, inside: NDArray[np.bool_], listed: Int, count: int) -> int:
    """Change all areas of an edge."""
    for k in range(edges.first[e], edges.first[e + 1]):
        count = _toggle(edges.area[k], inside, listed, count)
    return count


@numba.njit(cache=True, nogil=True)
def _crossings_of_row(
    ends: Float, chosen: Int, row: int, frame: Float, corner: Int, shift: int, side_bits: int
) -> tuple[Int, Int]:
    """Edges that cross the parallel of a row's centres, ordered by the first centre beyond."""
    _, y = centre_of(frame, corner, shift, 0, row)
    column = np.empty(len(chosen), np.int64)
    edge = np.empty(len(chosen), np.int64)
    count = 0
    for e in chosen:
        if ends[e, 1] <= y < ends[e, 3]:
            column[count] = _first_centre_beyond(ends[e], row, frame, corner, shift, side_bits)
            edge[count] = e
            count += 1
    order = np.argsort(column[:count], kind="mergesort")
    return column[:count][order], edge[:count][order]


@numba.njit(cache=True, nogil=True)
def _sweep_row(
    edges: Edges,
    columns: Int,
    crossed: Int,
    inside: NDArray[np.bool_],
    listed: Int,
    count: int,
    first: Int,
    area: Int,
) -> Int:
    """Write the areas of a row of centres from west to east; `inside` is empty afterwards.

    `first` holds where the areas of the row's first cell begin, and is filled in behind it.
    """
    event, used = 0, first[0]
    for column in range(len(first) - 1):
        while event < len(crossed) and columns[event] <= column:
            count = _cross(edges, crossed[event], inside, listed, count)
            event += 1
        area = grown(area, used + count)
        area[used : used + count] = listed[:count]
        used += count
        first[column + 1] = used
    for i in range(count):
        inside[listed[i]] = False
    return area


@numba.njit(cache=True, nogil=True)
def top_states(frame: Float, edges: Edges, areas: int) -> tuple[Int, Int]:
    """Areas at the centre of each cell of the top level, from the west where there are none.

    Returns
    -------
    first, area : ndarray of int64
        The centre of cell c lies in ``area[first[c]:first[c + 1]]``.
    """
    ends = edges.ends
    side_bits = frame.view(np.int64)[TOP]
    size, shift = 1 << side_bits, BITS - side_bits
    corner = np.zeros(2, np.int64)
    origin = origin_of(frame, corner, shift)
    rows_first = np.zeros(size + 1, np.int64)
    for e in range(len(ends)):
        south, north = rows_of(ends[e], origin, side_bits, 0.0)
        for row in range(south, north + 1):
            rows_first[row + 1] += 1
    rows_first = np.cumsum(rows_first)
    of_row = np.empty(rows_first[-1], np.int64)
    place = rows_first[:-1].copy()
    for e in range(len(ends)):
        south, north = rows_of(ends[e], origin, side_bits, 0.0)
        for row in range(south, north + 1):
            of_row[place[row]] = e
            place[row] += 1
    first = np.zeros(size * size + 1, np.int64)
    area = np.empty(size * size, np.int64)
    inside = np.zeros(areas, np.bool_)
    listed = np.empty(areas + 1, np.int64)
    for row in range(size):
        mine = of_row[rows_first[row] : rows_first[row + 1]]
        columns, crossed = _crossings_of_row(ends, mine, row, frame, corner, shift, side_bits)
        firsts = first[row * size : (row + 1) * size + 1]
        area = _sweep_row(edges, columns, crossed, inside, listed, 0, firsts, area)
    return first, area[: first[-1]]


@numba.njit(cache=True, nogil=True)
def node_states(
    edges: Edges,
    mine: Int,
    held: Int,
    centre: tuple[float, float],
    frame: Float,
    corner: Int,
    shift: int,
    bits: int,
    inside: NDArray[np.bool_],
    listed: Int,
) -> tuple[Int, Int]:
    """Areas at the centres of a node's cells, from those at the centre of the node."""
    ends = edges.ends
    size = 1 << bits
    first = np.zeros(size * size + 1, np.int64)
    area = np.empty(size * size, np.int64)
    for row in range(size):
        x, y = centre_of(frame, corner, shift, 0, row)
        count = 0
        for i in range(len(held)):
            count = _toggle(held[i], inside, listed, count)
        for e in mine:
            ax, ay, bx, by = ends[e]
            crosses = False
            if ay <= y < by:
                crosses ^= is_left(ends[e], x, y) != is_left(ends[e], centre[0], y)
            if (ax <= centre[0]) != (bx <= centre[0]):
                crosses ^= is_left(ends[e], centre[0], y) != is_left(ends[e], centre[0], centre[1])
            if crosses:
                count = _cross(edges, e, inside, listed, count)
        columns, crossed = _crossings_of_row(ends, mine, row, frame, corner, shift, bits)
        # Those west of the first centre were crossed on the way to it.
        beyond = np.searchsorted(columns, 1)
        firsts = first[row * size : (row + 1) * size + 1]
        columns, crossed = columns[beyond:], crossed[beyond:]
        area = _sweep_row(edges, columns, crossed, inside, listed, count, firsts, area)
    return first, area[: first[-1]]
