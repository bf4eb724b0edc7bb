"""Changing a few areas of a raster: only the cells that they touch are written anew.

What the raster holds is enough for it: the records of a cell have all its edges with their areas.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from gis.locator.bits import as_float, lowest_bit
from gis.locator.build import Heap, build, fill, margin_of, top_level
from gis.locator.dealing import deal_edges
from gis.locator.edges import Edges, edges_of, joined
from gis.locator.layout import (
    BITS,
    CANDIDATES,
    EAST,
    EDGE_WORDS,
    EXACT,
    FIRST_CELL,
    FOLLOWED,
    NEAR,
    NORTH,
    NOTHING,
    SOUTH,
    TOP,
    WEST,
    Raster,
    bits_of,
    cell_value,
    word_of,
)
from gis.locator.query import held_at, record_end
from gis.locator.raster import Level
from gis.locator.states import centre_of, grown, is_left, origin_of

__all__ = ["redraw"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


def redraw(
    raster: Raster,
    heap: Heap,
    gone: Int,
    touched: Float,
    polygons: NDArray[np.object_],
    area: Int,
    rank: Int,
) -> tuple[Raster, Heap]:
    """Take areas out of a raster and put others in.

    Parameters
    ----------
    raster : Raster
        It stays as it is.
    heap : Heap
        Where it lies; new cells are written to its end.
    gone : ndarray of int64
        Numbers of the areas that are taken out.
    touched : ndarray of float64, shape (b, 4)
        Bounds of the areas taken out and put in.
    polygons : ndarray of shapely polygons, shape (m,)
        What is put in.
    area : ndarray of int64, shape (m,)
        Their numbers.
    rank : ndarray of int64
        Position of each area in the order of codes, the new ones included.

    Returns
    -------
    Raster, and the heap that it lies in
        Cells that are written anew lie behind the old ones, whose place is lost until the
        raster is built again.
    """
    frame = raster.top[:FIRST_CELL].view(np.float64)
    fresh = edges_of(polygons, area)
    ends = fresh.ends
    inside = not len(ends) or (
        ends[:, [0, 2]].min() >= frame[WEST]
        and ends[:, [0, 2]].max() <= frame[EAST]
        and ends[:, 1].min() >= frame[SOUTH]
        and ends[:, 3].max() <= frame[NORTH]
    )
    if not inside:
        every = np.arange(1 << (2 * int(raster.top[TOP])))
        return build(_merged(raster, every, gone, fresh), rank)
    cells = _touched_cells(frame, int(raster.top[TOP]), touched)
    edges = _merged(raster, cells, gone, fresh)
    level = _level(raster, cells, edges, gone, fresh, area)
    if not heap.near.flags.writeable:
        heap = heap.settled()
    return fill(raster.top.copy(), heap, level, edges, rank), heap


def _touched_cells(frame: Float, top: int, bounds: Float) -> Int:
    """Cells of the top level that bounds touch, with the margin that edges are dealt with."""
    margin, shift = margin_of(frame), BITS - top
    origin = origin_of(frame, np.zeros(2, np.int64), shift)
    chosen = np.zeros((1 << top, 1 << top), bool)
    for west, south, east, north in bounds:
        if west <= east:
            low = np.floor((np.array([west, south]) - 2 * margin - origin[:2]) / origin[2:])
            high = np.floor((np.array([east, north]) + 2 * margin - origin[:2]) / origin[2:])
            first, last = np.maximum(low, 0).astype(int), np.maximum(high, -1).astype(int)
            chosen[first[1] : last[1] + 1, first[0] : last[0] + 1] = True
    return np.flatnonzero(chosen.ravel()).astype(np.int64)


def _merged(raster: Raster, cells: Int, gone: Int, fresh: Edges) -> Edges:
    """Edges of cells without those of areas that are gone, and the fresh ones."""
    ends, area = _edges_in(raster, 2 * FIRST_CELL + cells)
    stays = ~np.isin(area, gone)
    counts = np.diff(fresh.first)
    rows = np.concatenate(
        [
            np.column_stack([ends[stays], area[stays]]),
            np.column_stack([np.repeat(fresh.ends, counts, axis=0), fresh.area]),
        ]
    )
    # An edge is in every cell that it crosses.
    rows = np.unique(rows, axis=0)
    return joined(rows[:, :4], rows[:, 4].astype(np.int64))


@numba.njit(cache=True, nogil=True)
def _edges_in(raster: Raster, targets: Int) -> tuple[Float, Int]:
    """Edges below some cells, one row for each area that uses one."""
    ends, area = np.empty(4096), np.empty(1024, np.int64)
    exact = raster.exact
    values = np.empty(len(targets), np.int64)
    for i in range(len(targets)):
        values[i] = cell_value(raster.top, targets[i])
    depth, count = len(values), 0
    while depth:
        depth -= 1
        value = values[depth]
        if value >= NOTHING:
            continue
        word, bits = word_of(value), bits_of(value)
        if bits not in (EXACT, NEAR):
            cells = 1 << (2 * bits)
            values = grown(values, depth + cells)
            for cell in range(cells):
                values[depth + cell] = cell_value(raster.near, 2 * word + cell)
            depth += cells
            continue
        if bits == NEAR:
            word = raster.near[word] & 0xFFFFFFFF
        while True:
            head = exact[word]
            edge = word + 3 + (((head >> 32) & 0xFF) + 1) // 2
            for _ in range(head & 0xFFFFFFFF):
                mask = exact[edge + 4] & CANDIDATES
                while mask:
                    ends = grown(ends, 4 * (count + 1))
                    area = grown(area, count + 1)
                    for k in range(4):
                        ends[4 * count + k] = as_float(exact[edge + k])
                    area[count] = cell_value(exact, 2 * (word + 3) + lowest_bit(mask))
                    count += 1
                    mask &= mask - 1
                edge += EDGE_WORDS
            if not head & FOLLOWED:
                break
            word += record_end(head)
    return ends[: 4 * count].copy().reshape(-1, 4), area[:count]


def _level(raster: Raster, cells: Int, edges: Edges, gone: Int, fresh: Edges, area: Int) -> Level:
    """The touched cells of the top level, with their edges and the areas at their centres."""
    frame = raster.top[:FIRST_CELL].view(np.float64)
    top = int(raster.top[TOP])
    shift = BITS - top
    west_south = np.zeros(2, np.int64)
    origin = origin_of(frame, west_south, shift)
    every = np.arange(len(edges.ends))
    first, dealt = deal_edges(edges.ends, every, origin, top, margin_of(frame))
    of_cell = [dealt[first[cell] : first[cell + 1]] for cell in cells]
    added = np.sort(area)
    states: list[Int] = []
    for cell in cells.tolist():
        column, row = cell & ((1 << top) - 1), cell >> top
        centre = centre_of(frame, west_south, shift, column, row)
        held = held_at(raster, *centre)
        states.append(np.append(held[~np.isin(held, gone)], _holding(fresh, added, *centre)))
    return top_level(
        cells,
        top,
        _starts(of_cell),
        np.concatenate([np.empty(0, np.int64), *of_cell]),
        _starts(states),
        np.concatenate([np.empty(0, np.int64), *states]),
    )


def _starts(lists: list[Int]) -> Int:
    return np.cumsum([0, *map(len, lists)]).astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _holding(edges: Edges, areas: Int, x: float, y: float) -> Int:
    """Which of the areas hold a centre."""
    odd = np.zeros(len(areas), np.bool_)
    for e in range(len(edges.ends)):
        end = edges.ends[e]
        if end[1] <= y < end[3] and not is_left(end, x, y):
            for k in range(edges.first[e], edges.first[e + 1]):
                place = np.searchsorted(areas, edges.area[k])
                odd[place] = not odd[place]
    return areas[odd]
