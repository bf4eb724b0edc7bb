"""How the raster lies in memory: flat arrays of 64-bit words that can be mapped from a file.

The frame is cut into 2**BITS columns and rows of equal size; a cell of the top level is a square
of them, and a node cuts a cell further, several times where edges are dense. `Raster` holds the
*top* (the frame and the cells of the top level), what a look-up reads *near* at hand, and the
*exact* records for ties. The last two only grow: rasters that share them never disturb each other.

A cell's value is an area, NOTHING, or where its node or record starts:

========  =========================================================================
value     meaning
========  =========================================================================
>= 0      the one area that holds the whole cell
-1        no area
else      -(2 + 8 w + b), at word w: for b = EXACT an exact record, for b = NEAR a near
          record, else a node of 2**b columns and rows
========  =========================================================================

A *node* is the values of its cells, two 32-bit values a word. A record is a leaf that edges
cross, or that several areas hold.

An *exact record* is a word with its counts, the mask of its candidates that cover the cell's
centre, the centre's longitude, the candidates in the order of their codes (two a word), and its
edges, each with its ends and the mask of candidates whose ring uses it. A record has at most 60
candidates; where there are more, another one follows.

A *near record* says the same in a cache line or two, for few edges and candidates: where the
exact record is, its counts and the cell's size; the masks, eight bits each, of the centre and the
edges; the candidates; and the edges clipped to the cell, as single floats in columns and rows from
the centre. What they cannot decide, the exact record does.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BITS",
    "CANDIDATES",
    "COLUMNS",
    "EAST",
    "EDGE_WORDS",
    "EXACT",
    "FIRST_CELL",
    "FOLLOWED",
    "LEFT",
    "MOST_CANDIDATES",
    "MOST_NEAR",
    "NEAR",
    "NEAR_LEFT",
    "NEAR_SPANS",
    "NORTH",
    "NOTHING",
    "ROWS",
    "SOUTH",
    "SPANS",
    "TOP",
    "WEST",
    "Raster",
    "bits_of",
    "cell_value",
    "packed",
    "word_of",
]


class Raster(NamedTuple):
    """The words of a locator; see the module."""

    top: NDArray[np.int64]
    near: NDArray[np.int64]
    exact: NDArray[np.int64]


BITS = 30
NOTHING = -1
MOST_CANDIDATES = 60
EDGE_WORDS = 5

# Words of the head: the frame (floats), columns and rows a degree (floats), bits of the top level.
WEST, SOUTH, EAST, NORTH, COLUMNS, ROWS, TOP, FIRST_CELL = range(8)

# Bits of an edge's mask beside its candidates: the edge spans the meridian of the cell's centre;
# the centre lies to the left of it.
CANDIDATES = np.int64((1 << MOST_CANDIDATES) - 1)
SPANS = np.int64(1 << 60)
LEFT = np.int64(1 << 61)
# What the low bits of a cell's value say beside the bits of a node.
EXACT, NEAR = 0, 7
# A near record has at most so many edges, and so many candidates; these bits of an edge's mask.
MOST_NEAR = 6
NEAR_SPANS, NEAR_LEFT = 6, 7
# Bit of a record's count word: a further record with other candidates follows.
FOLLOWED = np.int64(1 << 60)


@numba.njit(cache=True, nogil=True)
def cell_value(words: NDArray[np.int64], index: int) -> int:
    """Read the 32-bit value at an index counted in such values."""
    return int(np.int32(words[index >> 1] >> ((index & 1) << 5)))


@numba.njit(cache=True, nogil=True)
def packed(word: int, bits: int) -> int:
    """Value of a cell with a record (EXACT, NEAR) or a node of so many bits at a word."""
    return -(2 + 8 * word + bits)


@numba.njit(cache=True, nogil=True)
def bits_of(value: int) -> int:
    """Bits of the node that a value less than NOTHING leads to, or the kind of record."""
    return (-value - 2) & 7


@numba.njit(cache=True, nogil=True)
def word_of(value: int) -> int:
    """Where the record or node of a value starts."""
    return (-value - 2) >> 3
