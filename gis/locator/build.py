"""From areas to the raster's words."""

import numpy as np
from numpy.typing import NDArray

from gis.errors import GeometryError
from gis.locator.dealing import deal_edges
from gis.locator.edges import Edges
from gis.locator.layout import BITS, COLUMNS, EAST, FIRST_CELL, NORTH, ROWS, SOUTH, TOP, WEST
from gis.locator.raster import Level, fill_level
from gis.locator.states import top_states

__all__ = ["build"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]

# Cells of the top level for each area.
_CELLS_PER_AREA = 8
_MOST_TOP_BITS = 11
# A city's grids take 12.
_WORDS_PER_EDGE = 40
# A cell's value has 28 bits for a word.
_MOST_WORDS = 1 << 28


def build(edges: Edges, rank: Int) -> Int:
    """Raster over the edges of areas.

    Parameters
    ----------
    edges : Edges
    rank : ndarray of int64, shape (areas,)
        Position of each area in the order of codes.

    Returns
    -------
    ndarray of int64
        See `gis.locator.layout`.
    """
    words = _frame(edges.ends, len(rank))
    if not len(edges.ends):
        return words
    top = int(words[TOP])
    shift = BITS - top
    frame = words[:FIRST_CELL].view(np.float64)
    margin = margin_of(frame)
    size = float(1 << shift)
    origin = np.array([frame[WEST], frame[SOUTH], size / frame[COLUMNS], size / frame[ROWS]])
    every = np.arange(len(edges.ends))
    edge_first, edge = deal_edges(edges.ends, every, origin, top, margin)
    state_first, state = top_states(frame, edges, len(rank))
    cell = np.arange(1 << (2 * top))
    corner = np.column_stack([cell & ((1 << top) - 1), cell >> top]) << shift
    level = Level(
        2 * FIRST_CELL + cell,
        corner,
        np.full(len(cell), shift),
        edge_first,
        edge,
        state_first,
        state,
    )
    return fill(words, level, edges, rank)


def fill(words: Int, level: Level, edges: Edges, rank: Int) -> Int:
    """Write cells and all that lie below them; return the words in use."""
    margin = margin_of(words[:FIRST_CELL].view(np.float64))
    used = len(words)
    most_words = used + _WORDS_PER_EDGE * len(edges.ends)
    while len(level.target):
        words, used, level = fill_level(words, used, level, edges, rank, margin, most_words)
    if used > _MOST_WORDS:
        raise GeometryError(
            f"{len(edges.ends)} edges are too many for one locator: split the areas"
        )
    return np.ascontiguousarray(words[:used])


def margin_of(frame: Float) -> float:
    """What is wider than any rounding of a coordinate in the frame."""
    largest = np.abs(frame[[WEST, SOUTH, EAST, NORTH]]).max()
    return float(64 * np.finfo(float).eps * largest)


def _frame(ends: Float, areas: int) -> Int:
    """Head and top level of a raster, its cells not yet written."""
    top = 1
    while top < _MOST_TOP_BITS and 1 << (2 * top) < _CELLS_PER_AREA * areas:
        top += 1
    words = np.full(FIRST_CELL + (1 << (2 * top - 1)), -1, np.int64)
    frame = words.view(np.float64)
    words[TOP] = top
    if not len(ends):
        frame[[WEST, SOUTH, EAST, NORTH]] = np.inf, np.inf, -np.inf, -np.inf
        frame[[COLUMNS, ROWS]] = 1.0
        return words
    frame[WEST], frame[EAST] = ends[:, [0, 2]].min(), ends[:, [0, 2]].max()
    frame[SOUTH], frame[NORTH] = ends[:, 1].min(), ends[:, 3].max()
    least = 2.0**24 * np.finfo(float).eps * max(np.abs(frame[:4]).max(), 1e-100)
    for scale, low, high in ((COLUMNS, WEST, EAST), (ROWS, SOUTH, NORTH)):
        # A hair less, so that the far edge of the frame is in the last column.
        frame[scale] = float(1 << BITS) * (1 - 1e-12) / max(frame[high] - frame[low], least)
    return words
