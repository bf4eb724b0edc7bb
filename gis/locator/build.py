"""From areas to the raster's words."""

import threading

import numpy as np
from numpy.typing import NDArray

from gis.errors import GeometryError
from gis.locator.dealing import deal_edges
from gis.locator.edges import Edges
from gis.locator.layout import (
    BITS,
    COLUMNS,
    EAST,
    FIRST_CELL,
    NORTH,
    ROWS,
    SOUTH,
    TOP,
    WEST,
    Raster,
)
from gis.locator.raster import Level, fill_level
from gis.locator.states import origin_of, top_states

__all__ = ["Heap", "build", "fill", "margin_of", "top_level"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]

# Cells of the top level for each area.
_CELLS_PER_AREA = 8
_MOST_TOP_BITS = 11
# A city's grids take about 18 exact words for each edge: beyond 40 cutting finer is no use.
_MOST_WORDS_PER_EDGE = 40
_USUAL_WORDS = 24
# A cell's value has 28 bits for a word.
_MOST_WORDS = 1 << 28


class Heap:
    """The growing part of rasters, shared by those that were redrawn from each other.

    Attributes
    ----------
    near, exact : ndarray of int64
        With room behind the words in use.
    used : ndarray of int64, shape (2,)
        Words in use of each.
    lock : threading.Lock
        Held by whoever appends.
    """

    def __init__(self, near: Int, exact: Int, used: Int) -> None:
        self.near, self.exact, self.used = near, exact, used
        self.lock = threading.Lock()
        self._first_used = int(used.sum())

    @property
    def wasteful(self) -> bool:
        """Whether more words were appended by redrawing than the first raster took."""
        return int(self.used.sum()) > 2 * self._first_used

    def keep(self, raster: Raster, used: Int) -> None:
        """Take over the arrays that were appended to, which may be longer ones now."""
        self.near, self.exact, self.used = raster.near, raster.exact, used
        self._first_used = self._first_used or int(used.sum())

    def settled(self) -> "Heap":
        """A copy of the words in use, with a quarter of room to redraw; writable."""
        longer = []
        for words, used in zip((self.near, self.exact), self.used.tolist(), strict=True):
            longer.append(np.empty(used + used // 4 + 1024, np.int64))
            longer[-1][:used] = words[:used]
        return Heap(longer[0], longer[1], self.used)


def build(edges: Edges, rank: Int) -> tuple[Raster, Heap]:
    """Raster over the edges of areas.

    Parameters
    ----------
    edges : Edges
    rank : ndarray of int64, shape (areas,)
        Position of each area in the order of codes.

    Returns
    -------
    Raster, and the heap that it lies in

    Raises
    ------
    GeometryError
        If there are more edges than a raster has room for.
    """
    top_words = _frame(edges.ends, len(rank))
    room = 1024 + _USUAL_WORDS * len(edges.ends)
    heap = Heap(np.empty(room, np.int64), np.empty(room, np.int64), np.zeros(2, np.int64))
    if not len(edges.ends):
        return Raster(top_words, heap.near[:0], heap.exact[:0]), heap
    top = int(top_words[TOP])
    shift = BITS - top
    frame = top_words[:FIRST_CELL].view(np.float64)
    origin = origin_of(frame, np.zeros(2, np.int64), shift)
    every = np.arange(len(edges.ends))
    edge_first, edge = deal_edges(edges.ends, every, origin, top, margin_of(frame))
    state_first, state = top_states(frame, edges, len(rank))
    cells = np.arange(1 << (2 * top))
    level = top_level(cells, top, edge_first, edge, state_first, state)
    fill(top_words, heap, level, edges, rank)
    heap = heap.settled()
    near, exact = heap.used.tolist()
    return Raster(top_words, heap.near[:near], heap.exact[:exact]), heap


def top_level(
    cells: Int, top: int, edge_first: Int, edge: Int, state_first: Int, state: Int
) -> Level:
    """Cells of a top level of so many bits, to be written; see `Level`."""
    shift = BITS - top
    corner = np.column_stack([cells & ((1 << top) - 1), cells >> top]) << shift
    target, shifts = 2 * FIRST_CELL + cells, np.full(len(cells), shift)
    return Level(target, corner, shifts, edge_first, edge, state_first, state)


def fill(top: Int, heap: Heap, level: Level, edges: Edges, rank: Int) -> Raster:
    """Write cells of the top level, and all that lies below them, to the end of the heap."""
    margin = margin_of(top[:FIRST_CELL].view(np.float64))
    with heap.lock:
        used = heap.used.copy()
        most_words = int(used[1]) + _MOST_WORDS_PER_EDGE * len(edges.ends)
        raster, of_top = Raster(top, heap.near, heap.exact), True
        while len(level.target):
            raster, level = fill_level(raster, used, level, of_top, edges, rank, margin, most_words)
            of_top = False
        if used.max() > _MOST_WORDS:
            raise GeometryError(
                f"{len(edges.ends)} edges are too many for one locator: split the areas"
            )
        heap.keep(raster, used)
    return Raster(top, raster.near[: used[0]], raster.exact[: used[1]])


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
