"""Writing the raster: level by level, cells to values, records and nodes; numba kernels."""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from gis.locator.dealing import deal_edges
from gis.locator.edges import Edges
from gis.locator.layout import (
    COLUMNS,
    EDGE_WORDS,
    EXACT,
    FIRST_CELL,
    NEAR,
    NOTHING,
    ROWS,
    Raster,
    packed,
)
from gis.locator.records import write_near, write_record
from gis.locator.states import centre_of, grown, node_states, origin_of

__all__ = ["Level", "fill_level"]

Int = NDArray[np.int64]

# A cell with more edges is cut, into about so many cells that each is left with TARGET edges.
MOST_EDGES = 5
TARGET_EDGES = 3
MOST_BITS = 5
# The finest cells: 2**FINEST parts of the frame's side make one.
FINEST = 8


class Level(NamedTuple):
    """Cells that are still to be written, all of one depth.

    Attributes
    ----------
    target : ndarray of int64, shape (n,)
        Where each cell's value goes, counted in 32-bit values.
    corner : ndarray of int64, shape (n, 2)
        First column and row of each cell, of the 2**BITS of the frame.
    shift : ndarray of int64, shape (n,)
        A cell is 2**shift columns wide.
    edge_first, edge : ndarray of int64
        Cell c has the edges ``edge[edge_first[c]:edge_first[c + 1]]``.
    state_first, state : ndarray of int64
        Its centre lies in the areas ``state[state_first[c]:state_first[c + 1]]``.
    """

    target: Int
    corner: Int
    shift: Int
    edge_first: Int
    edge: Int
    state_first: Int
    state: Int


@numba.njit(cache=True, nogil=True)
def fill_level(
    raster: Raster,
    used: Int,
    level: Level,
    of_top: bool,
    edges: Edges,
    rank: Int,
    margin: float,
    most_words: int,
) -> tuple[Raster, Level]:
    """Write the cells of one level.

    Parameters
    ----------
    raster : Raster
        It is written to; its arrays grow.
    used : ndarray of int64, shape (2,)
        Words in use of `near` and `exact`; counted on.
    level : Level
    of_top : bool
        Whether these are cells of the top level.
    edges : Edges
    rank : ndarray of int64
        Position of each area in the order of codes.
    margin : float
        See `deal_edges`.
    most_words : int
        Beyond so many exact words cells are not cut further: where many edges run along each
        other, no cut parts them.

    Returns
    -------
    The raster, and the cells of the next level.
    """
    top, near, exact = raster
    frame = top[:FIRST_CELL].copy().view(np.float64)
    finest = 256.0 * margin * max(frame[COLUMNS], frame[ROWS])
    inside = np.zeros(len(rank), np.bool_)
    listed = np.empty(len(rank) + 1, np.int64)
    position = np.full(len(rank), -1, np.int64)
    next_target, next_shift = np.empty(1024, np.int64), np.empty(1024, np.int64)
    next_corner = np.empty(2048, np.int64)
    next_edge_first, next_state_first = np.zeros(1025, np.int64), np.zeros(1025, np.int64)
    next_edge, next_state = np.empty(4096, np.int64), np.empty(1024, np.int64)
    made = 0
    for cell in range(len(level.target)):
        mine = level.edge[level.edge_first[cell] : level.edge_first[cell + 1]]
        held = level.state[level.state_first[cell] : level.state_first[cell + 1]]
        shift, corner = int(level.shift[cell]), level.corner[cell]
        centre = centre_of(frame, corner, shift, 0, 0)
        bits: int = min(_bits_for(len(mine)), shift - FINEST)
        fine = np.float64(np.int64(1) << shift) < finest
        full = used[1] + EDGE_WORDS * next_edge_first[made] > most_words
        cells = 1 << (2 * bits)
        cut = False
        if len(mine) == 0 and len(held) < 2:
            value = int(held[0]) if len(held) else NOTHING
        elif len(mine) <= MOST_EDGES or bits < 1 or fine or full:
            record = int(used[1])
            exact, used[1] = write_record(exact, record, mine, held, centre, edges, rank, position)
            near, near_used = write_near(near, int(used[0]), exact, record, frame, corner, shift)
            value = packed(int(used[0]), NEAR) if near_used > used[0] else packed(record, EXACT)
            used[0] = near_used
        else:
            cut = True
            value = packed(int(used[0]), bits)
        if of_top:
            top.view(np.int32)[level.target[cell]] = value
        else:
            near.view(np.int32)[level.target[cell]] = value
        if not cut:
            continue
        node = int(used[0])
        used[0] += (cells + 1) // 2
        near = grown(near, used[0])
        part = shift - bits
        first, dealt = deal_edges(edges.ends, mine, origin_of(frame, corner, part), bits, margin)
        held_first, held_by = node_states(
            edges, mine, held, centre, frame, corner, part, bits, inside, listed
        )
        next_target = grown(next_target, made + cells)
        next_shift = grown(next_shift, made + cells)
        next_corner = grown(next_corner, 2 * (made + cells))
        next_edge_first = grown(next_edge_first, made + cells + 1)
        next_state_first = grown(next_state_first, made + cells + 1)
        next_edge = grown(next_edge, next_edge_first[made] + len(dealt))
        next_state = grown(next_state, next_state_first[made] + len(held_by))
        next_edge[next_edge_first[made] : next_edge_first[made] + len(dealt)] = dealt
        next_state[next_state_first[made] : next_state_first[made] + len(held_by)] = held_by
        for child in range(cells):
            row, column = child >> bits, child & ((1 << bits) - 1)
            next_target[made] = 2 * node + child
            next_shift[made] = part
            next_corner[2 * made] = corner[0] + (column << part)
            next_corner[2 * made + 1] = corner[1] + (row << part)
            next_edge_first[made + 1] = next_edge_first[made] + first[child + 1] - first[child]
            next_state_first[made + 1] = (
                next_state_first[made] + held_first[child + 1] - held_first[child]
            )
            made += 1
    below = Level(
        next_target[:made],
        next_corner[: 2 * made].copy().reshape(-1, 2),
        next_shift[:made],
        next_edge_first[: made + 1],
        next_edge[: next_edge_first[made]],
        next_state_first[: made + 1],
        next_state[: next_state_first[made]],
    )
    return Raster(top, near, exact), below


@numba.njit(cache=True, nogil=True)
def _bits_for(edges: int) -> int:
    """Bits of a node so that its cells have about TARGET_EDGES, an edge crossing a row of them."""
    bits = 1
    while bits < MOST_BITS and edges > TARGET_EDGES * (1 << bits):
        bits += 1
    return bits
