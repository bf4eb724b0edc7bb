"""Looking places up in the raster; numba kernels that hold no lock.

In a leaf that edges cross, the answer is the mask of the areas at the cell's centre, changed by
every edge that the way from the centre to the place crosses: along the centre's meridian, then
along the place's parallel. Where the way meets a vertex or runs along an edge, it is thought of
as shifted by an infinitesimal step east and a much smaller one north, so that it never does.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from gis.locator.bits import as_float, bits_set, lowest_bit
from gis.locator.layout import (
    BITS,
    CANDIDATES,
    COLUMNS,
    EAST,
    EDGE_WORDS,
    FIRST_CELL,
    FOLLOWED,
    LEFT,
    NORTH,
    NOTHING,
    ROWS,
    SOUTH,
    SPANS,
    TOP,
    WEST,
    bits_of,
    cell_value,
    word_of,
)
from gis.locator.orient import ERROR, side

__all__ = ["covering", "locate_many", "locate_one"]

Words = NDArray[np.int64]
Float = NDArray[np.float64]

# Places whose cells are looked up together: the processor then waits for memory once, not for
# each.
_TOGETHER = 256
_SPANS_BIT, _LEFT_BIT = 60, 61


@numba.njit(cache=True, nogil=True)
def _value_at(words: Words, lon: float, lat: float) -> int:
    """Value of the leaf cell at a place; NOTHING outside the frame."""
    west, south = as_float(words[WEST]), as_float(words[SOUTH])
    if not (west <= lon <= as_float(words[EAST]) and south <= lat <= as_float(words[NORTH])):
        return NOTHING
    column = np.int64((lon - west) * as_float(words[COLUMNS]))
    row = np.int64((lat - south) * as_float(words[ROWS]))
    top = words[TOP]
    shift = BITS - top
    value = cell_value(words, 2 * FIRST_CELL + ((row >> shift) << top) + (column >> shift))
    while value < NOTHING:
        bits = bits_of(value)
        if bits == 0:
            break
        shift -= bits
        within = (np.int64(1) << bits) - 1
        cell = (((row >> shift) & within) << bits) + ((column >> shift) & within)
        value = cell_value(words, 2 * word_of(value) + cell)
    return value


@numba.njit(cache=True, nogil=True)
def _record_end(count: int) -> int:
    """Words of a record with a count word."""
    return 3 + (((count >> 32) & 0xFF) + 1) // 2 + EDGE_WORDS * (count & 0xFFFFFFFF)


@numba.njit(cache=True, nogil=True)
def _covered(words: Words, record: int, lon: float, lat: float) -> int:
    """Mask of a record's candidates that cover a place, their edges included.

    Without a branch for each edge: a place near an edge is guessed wrong half the time, and a
    wrong guess costs more than all the sums. Where one of them is within its rounding error,
    `_covered_exactly` decides.
    """
    count = words[record]
    mask = words[record + 1]
    centre = as_float(words[record + 2])
    edge = record + 3 + (((count >> 32) & 0xFF) + 1) // 2
    doubtful = np.int64(0)
    for _ in range(count & 0xFFFFFFFF):
        ax, ay = as_float(words[edge]), as_float(words[edge + 1])
        bx, by = as_float(words[edge + 2]), as_float(words[edge + 3])
        uses = words[edge + 4]
        edge += EDGE_WORDS
        above = np.int64(lat >= ay)
        level = above & np.int64(lat < by)
        spans = (uses >> _SPANS_BIT) & 1
        across, up = bx - ax, by - ay
        left = across * (lat - ay)
        right = up * (lon - ax)
        at_corner = up * (centre - ax)
        turn, corner = left - right, left - at_corner
        doubtful |= (
            above & np.int64(lat <= by) & np.int64(abs(turn) <= ERROR * (abs(left) + abs(right)))
        )
        doubtful |= (level ^ spans) & np.int64(abs(corner) <= ERROR * (abs(left) + abs(at_corner)))
        crossed = (
            (level & np.int64(turn > 0))
            ^ (spans & (uses >> _LEFT_BIT))
            ^ ((level ^ spans) & np.int64(corner > 0))
        )
        mask ^= uses & -crossed
    if doubtful:
        return _covered_exactly(words, record, lon, lat)
    return int(mask & CANDIDATES)


@numba.njit(cache=True, nogil=True)
def _covered_exactly(words: Words, record: int, lon: float, lat: float) -> int:
    count = words[record]
    mask = words[record + 1]
    centre = as_float(words[record + 2])
    edge = record + 3 + (((count >> 32) & 0xFF) + 1) // 2
    on = np.int64(0)
    for _ in range(count & 0xFFFFFFFF):
        ax, ay = as_float(words[edge]), as_float(words[edge + 1])
        bx, by = as_float(words[edge + 2]), as_float(words[edge + 3])
        uses = words[edge + 4]
        edge += EDGE_WORDS
        spans = (uses & SPANS) != 0
        level = ay <= lat < by
        left = False
        if ay <= lat <= by:
            turn = side(ax, ay, bx, by, lon, lat)
            if turn == 0 and min(ax, bx) <= lon <= max(ax, bx):
                on |= uses
            left = turn > 0
        crossed = (level and left) != (spans and (uses & LEFT) != 0)
        if level != spans:
            turn = side(ax, ay, bx, by, centre, lat)
            crossed ^= turn > 0 or (turn == 0 and ay == by)
        if crossed:
            mask ^= uses
    return int((mask | on) & CANDIDATES)


@numba.njit(cache=True, nogil=True)
def _more_covered(words: Words, record: int, lon: float, lat: float) -> tuple[int, int]:
    """Area with the smallest code, and number of areas, of a record that others follow."""
    best, total = NOTHING, 0
    while True:
        mask = _covered(words, record, lon, lat)
        if mask and total == 0:
            best = cell_value(words, 2 * (record + 3) + lowest_bit(mask))
        total += bits_set(mask)
        if not words[record] & FOLLOWED:
            return best, total
        record += _record_end(words[record])


@numba.njit(cache=True, nogil=True)
def locate_one(words: Words, lon: float, lat: float) -> int:
    """Area with the smallest code at one place, -1 for none."""
    value = _value_at(words, lon, lat)
    if value >= NOTHING:
        return value
    return _more_covered(words, word_of(value), lon, lat)[0]


@numba.njit(cache=True, nogil=True)
def locate_many(
    words: Words, lon: Float, lat: Float, area: NDArray[np.int64], count: NDArray[np.int64]
) -> int:
    """Fill in area and number of areas of many places, -1 and 0 for none.

    Returns the first place whose coordinates are not finite, -1 where all are.
    """
    values, masks = np.empty(_TOGETHER, np.int64), np.empty(_TOGETHER, np.int64)
    last = len(words) - 1
    for start in range(0, len(lon), _TOGETHER):
        size = min(_TOGETHER, len(lon) - start)
        for i in range(size):
            value = _value_at(words, lon[start + i], lat[start + i])
            values[i] = value
            if value < NOTHING:
                # Read ahead: the words are on their way while the next places are looked up.
                record = word_of(value)
                masks[i] = words[min(record + 8, last)] ^ words[min(record + 16, last)]
        for i in range(size):
            if values[i] < NOTHING:
                record = word_of(values[i])
                masks[i] = _covered(words, record, lon[start + i], lat[start + i])
        for i in range(size):
            here, value = start + i, values[i]
            area[here], count[here] = value, value > NOTHING
            if value < NOTHING:
                record, mask = word_of(value), masks[i]
                if words[record] & FOLLOWED:
                    area[here], count[here] = _more_covered(words, record, lon[here], lat[here])
                else:
                    count[here] = bits_set(mask)
                    area[here] = NOTHING
                    if mask:
                        area[here] = cell_value(words, 2 * (record + 3) + lowest_bit(mask))
            elif value == NOTHING and not (np.isfinite(lon[here]) and np.isfinite(lat[here])):
                return here
    return -1


@numba.njit(cache=True, nogil=True)
def covering(words: Words, lon: float, lat: float, found: NDArray[np.int64]) -> int:
    """Write the areas that cover a place, smallest code first; return how many there are."""
    value = _value_at(words, lon, lat)
    if value == NOTHING:
        return 0
    if value > NOTHING:
        found[0] = value
        return 1
    record, total = word_of(value), 0
    while True:
        mask = _covered(words, record, lon, lat)
        while mask:
            if total < len(found):
                found[total] = cell_value(words, 2 * (record + 3) + lowest_bit(mask))
            total += 1
            mask &= mask - 1
        if not words[record] & FOLLOWED:
            return total
        record += _record_end(words[record])
