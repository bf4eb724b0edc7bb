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
    FIRST_CELL,
    FOLLOWED,
    LEFT,
    MOST_CANDIDATES,
    NOTHING,
    ROWS,
    SPANS,
    packed,
)
from gis.locator.states import centre_of, grown, is_left, node_states, origin_of

__all__ = ["Level", "fill_level"]

Int = NDArray[np.int64]

# A cell with more edges is cut, into about so many cells that each is left with TARGET edges.
MOST_EDGES = 4
TARGET_EDGES = 2
MOST_BITS = 4
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
    words: Int, used: int, level: Level, edges: Edges, rank: Int, margin: float, most_words: int
) -> tuple[Int, int, Level]:
    """Write the cells of one level.

    Parameters
    ----------
    words : ndarray of int64
        The raster; it is written to, and grows.
    used : int
        Words in use.
    level : Level
    edges : Edges
    rank : ndarray of int64
        Position of each area in the order of codes.
    margin : float
        See `deal_edges`.
    most_words : int
        Beyond it cells are not cut further: where many edges run along each other, no cut
        parts them.

    Returns
    -------
    words, used, and the cells of the next level
    """
    ends = edges.ends
    frame = words[:FIRST_CELL].copy().view(np.float64)
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
        target, shift = int(level.target[cell]), int(level.shift[cell])
        if len(mine) == 0 and len(held) < 2:
            words.view(np.int32)[target] = held[0] if len(held) else NOTHING
            continue
        corner = level.corner[cell]
        centre = centre_of(frame, corner, shift, 0, 0)
        bits: int = min(_bits_for(len(mine)), shift - FINEST)
        fine = np.float64(np.int64(1) << shift) < finest
        full = used + EDGE_WORDS * next_edge_first[made] > most_words
        if len(mine) <= MOST_EDGES or bits < 1 or fine or full:
            words.view(np.int32)[target] = packed(used, 0)
            words, used = _write_record(words, used, mine, held, centre, edges, rank, position)
            continue
        node = used
        cells = 1 << (2 * bits)
        used += (cells + 1) // 2
        words = grown(words, used)
        words.view(np.int32)[target] = packed(node, bits)
        part = shift - bits
        first, dealt = deal_edges(ends, mine, origin_of(frame, corner, part), bits, margin)
        held_first, held_by = node_states(
            edges, mine, held, centre, frame, corner, part, bits, inside, listed
        )
        next_target, next_shift = (
            grown(next_target, made + cells),
            grown(next_shift, made + cells),
        )
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
    return words, used, below


@numba.njit(cache=True, nogil=True)
def _bits_for(edges: int) -> int:
    """Bits of a node so that its cells have about TARGET_EDGES, an edge crossing a row of them."""
    bits = 1
    while bits < MOST_BITS and edges > TARGET_EDGES * (1 << bits):
        bits += 1
    return bits


@numba.njit(cache=True, nogil=True)
def _write_record(
    words: Int,
    used: int,
    mine: Int,
    held: Int,
    centre: tuple[float, float],
    edges: Edges,
    rank: Int,
    position: Int,
) -> tuple[Int, int]:
    """Append a leaf's record, or several where candidates are many."""
    ends = edges.ends
    total = len(held)
    for e in mine:
        total += edges.first[e + 1] - edges.first[e]
    candidates = np.empty(total, np.int64)
    count = 0
    for i in range(len(held)):
        position[held[i]] = 0
        candidates[count] = held[i]
        count += 1
    for e in mine:
        for k in range(edges.first[e], edges.first[e + 1]):
            if position[edges.area[k]] < 0:
                position[edges.area[k]] = 0
                candidates[count] = edges.area[k]
                count += 1
    candidates = candidates[:count][np.argsort(rank[candidates[:count]])]
    for start in range(0, count, MOST_CANDIDATES):
        chunk = candidates[start : start + MOST_CANDIDATES]
        for i in range(count):
            position[candidates[i]] = -1
        for i in range(len(chunk)):
            position[chunk[i]] = i
        follows = FOLLOWED if start + MOST_CANDIDATES < count else np.int64(0)
        pairs = (len(chunk) + 1) // 2
        words = grown(words, used + 3 + pairs + EDGE_WORDS * len(mine))
        floats, cells = words.view(np.float64), words.view(np.int32)
        mask = np.int64(0)
        for i in range(len(held)):
            if position[held[i]] >= 0:
                mask |= np.int64(1) << position[held[i]]
        words[used + 1] = mask
        floats[used + 2] = centre[0]
        words[used + 2 + pairs] = 0
        for i in range(len(chunk)):
            cells[2 * (used + 3) + i] = chunk[i]
        at = used + 3 + pairs
        kept = 0
        for e in mine:
            uses = np.int64(0)
            for k in range(edges.first[e], edges.first[e + 1]):
                if position[edges.area[k]] >= 0:
                    uses ^= np.int64(1) << position[edges.area[k]]
            if uses == 0:
                continue
            if (ends[e, 0] <= centre[0]) != (ends[e, 2] <= centre[0]):
                uses |= SPANS
            if is_left(ends[e], centre[0], centre[1]):
                uses |= LEFT
            floats[at : at + 4] = ends[e]
            words[at + 4] = uses
            at += EDGE_WORDS
            kept += 1
        words[used] = kept | (np.int64(len(chunk)) << 32) | follows
        used = at
    for i in range(count):
        position[candidates[i]] = -1
    return words, used
