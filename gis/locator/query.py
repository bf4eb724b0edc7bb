"""Looking places up in the raster; numba kernels that hold no lock.

In a leaf that edges cross, the answer is the mask of the areas at the cell's centre, changed by
every edge that the way from the centre to the place crosses: along the centre's meridian, then
along the place's parallel. Where the way meets a vertex or runs along an edge, it is thought of
as shifted by an infinitesimal step east and a much smaller one north, so that it never does.
"""

import numba
import numpy as np
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from gis.locator.bits import as_float, bits_set, lowest_bit, pointer, single
from gis.locator.layout import (
    BITS,
    CANDIDATES,
    COLUMNS,
    EAST,
    EDGE_WORDS,
    EXACT,
    FIRST_CELL,
    FOLLOWED,
    LEFT,
    NEAR,
    NEAR_LEFT,
    NEAR_SPANS,
    NORTH,
    NOTHING,
    ROWS,
    SOUTH,
    SPANS,
    TOP,
    WEST,
    Raster,
    bits_of,
    cell_value,
    word_of,
)
from gis.locator.orient import side

__all__ = ["covering", "has_record", "held_at", "locate_many", "locate_one", "record_end"]

Words = NDArray[np.int64]
Float = NDArray[np.float64]

# Places whose cells are looked up together: the processor then waits for memory once, not for
# each.
_TOGETHER = 256
_UNBOUNDED = 1 << 40
# The hot kernels take the raster's arrays one by one: numba counts references to what a tuple
# holds at every call, which costs more than a look-up.
# How far a place and a near edge may be off, in columns: half a unit of a single float for each
# power of two of the cell, and what rounding a coordinate to the frame can cost.
_SINGLE, _ROUNDED = 2.0**-24, 2.0**-19


@numba.njit(cache=True, nogil=True)
def _value_at(top: Words, near: Words, lon: float, lat: float) -> int:
    """Value of the leaf cell at a place; NOTHING outside the frame."""
    west, south = as_float(top[WEST]), as_float(top[SOUTH])
    if not (west <= lon <= as_float(top[EAST]) and south <= lat <= as_float(top[NORTH])):
        return NOTHING
    column = np.int64((lon - west) * as_float(top[COLUMNS]))
    row = np.int64((lat - south) * as_float(top[ROWS]))
    bits = top[TOP]
    shift = BITS - bits
    value = cell_value(top, 2 * FIRST_CELL + ((row >> shift) << bits) + (column >> shift))
    while value < NOTHING:
        bits = bits_of(value)
        if bits in (EXACT, NEAR):
            break
        shift -= bits
        within = (np.int64(1) << bits) - 1
        cell = (((row >> shift) & within) << bits) + ((column >> shift) & within)
        value = cell_value(near, 2 * word_of(value) + cell)
    return value


@numba.njit(cache=True, nogil=True)
def record_end(count: int) -> int:
    """Words of an exact record with a count word."""
    return 3 + (((count >> 32) & 0xFF) + 1) // 2 + EDGE_WORDS * (count & 0xFFFFFFFF)


@numba.njit(cache=True, nogil=True)
def _covered(top: Words, near: Words, exact: Words, record: int, lon: float, lat: float) -> int:
    """Mask of a near record's candidates that cover a place, their edges included.

    Without a branch for each edge: a place near an edge is guessed wrong half the time, and a
    wrong guess costs more than all the sums.
    """
    head, masks = near[record], near[record + 1]
    shift = (head >> 40) & 31
    half = np.float64(np.int64(1) << shift) * 0.5
    x = (lon - as_float(top[WEST])) * as_float(top[COLUMNS])
    y = (lat - as_float(top[SOUTH])) * as_float(top[ROWS])
    x -= np.float64((np.int64(x) >> shift) << shift) + half
    y -= np.float64((np.int64(y) >> shift) << shift) + half
    slack = 2.0 * half * _SINGLE + _ROUNDED
    bound = 32.0 * half * slack
    slack *= 2.0
    mask = masks & 0xFF
    edge = record + 2 + (((head >> 36) & 15) + 1) // 2
    doubtful = np.int64(0)
    for _ in range((head >> 32) & 15):
        ax, ay = single(near[edge], 0), single(near[edge], 1)
        bx, by = single(near[edge + 1], 0), single(near[edge + 1], 1)
        edge += 2
        masks >>= 8
        level = np.int64(y >= ay) & np.int64(y < by)
        spans = (masks >> NEAR_SPANS) & 1
        across, up = bx - ax, by - ay
        left = across * (y - ay)
        turn, corner = left - up * (x - ax), left + up * ax
        doubtful |= np.int64(abs(y - ay) <= slack) | np.int64(abs(y - by) <= slack)
        doubtful |= level & np.int64(abs(turn) <= bound)
        doubtful |= (level ^ spans) & np.int64(abs(corner) <= bound)
        crossed = (
            (level & np.int64(turn > 0))
            ^ (spans & (masks >> NEAR_LEFT))
            ^ ((level ^ spans) & np.int64(corner > 0))
        )
        mask ^= masks & -crossed
    if doubtful:
        return _covered_exactly(exact, head & 0xFFFFFFFF, lon, lat)
    return int(mask & 63)


@numba.njit(cache=True, nogil=True)
def _covered_exactly(exact: Words, record: int, lon: float, lat: float) -> int:
    on, mask = _held_exactly(exact, record, lon, lat)
    return int((mask | on) & CANDIDATES)


@numba.njit(cache=True, nogil=True)
def _held_exactly(exact: Words, record: int, lon: float, lat: float) -> tuple[int, int]:
    """Mask of candidates with an edge through a place, and mask of those that hold it.

    For the second, the place is shifted as the corners of the way are.
    """
    count = exact[record]
    mask = exact[record + 1]
    centre = as_float(exact[record + 2])
    edge = record + 3 + (((count >> 32) & 0xFF) + 1) // 2
    on = np.int64(0)
    for _ in range(count & 0xFFFFFFFF):
        ax, ay = as_float(exact[edge]), as_float(exact[edge + 1])
        bx, by = as_float(exact[edge + 2]), as_float(exact[edge + 3])
        uses = exact[edge + 4]
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
    return int(on), int(mask & CANDIDATES)


@numba.njit(cache=True, nogil=True)
def _settle(
    top: Words, near: Words, exact: Words, value: int, lon: float, lat: float
) -> tuple[int, int]:
    """Area with the smallest code, and number of areas, in a leaf that has a record."""
    record = word_of(value)
    if bits_of(value) == NEAR:
        mask = _covered(top, near, exact, record, lon, lat)
        if mask == 0:
            return NOTHING, 0
        best = cell_value(near, 2 * (record + 2) + lowest_bit(mask))
        return best, bits_set(mask)
    best, total = NOTHING, 0
    while True:
        mask = _covered_exactly(exact, record, lon, lat)
        if mask and total == 0:
            best = cell_value(exact, 2 * (record + 3) + lowest_bit(mask))
        total += bits_set(mask)
        if not exact[record] & FOLLOWED:
            return best, total
        record += record_end(exact[record])


@numba.njit(cache=True, nogil=True)
def locate_one(top_at: int, near_at: int, exact_at: int, lon: float, lat: float) -> int:
    """Area with the smallest code at one place, -1 for none.

    Takes the addresses of the raster's arrays: to hand over three arrays from Python takes twice
    as long as the look-up.
    """
    top = carray(pointer(top_at), _UNBOUNDED, np.int64)
    near = carray(pointer(near_at), _UNBOUNDED, np.int64)
    value = _value_at(top, near, lon, lat)
    if value >= NOTHING:
        return value
    exact = carray(pointer(exact_at), _UNBOUNDED, np.int64)
    return _settle(top, near, exact, value, lon, lat)[0]


@numba.njit(cache=True, nogil=True)
def locate_many(
    top: Words, near: Words, exact: Words, lon: Float, lat: Float, area: Words, count: Words
) -> int:
    """Fill in area and number of areas of many places, -1 and 0 for none.

    Returns the first place whose coordinates are not finite, -1 where all are. Places go down
    the levels side by side, so that the processor waits for memory once, not for each, and
    those that go on are listed without a branch, which would be guessed wrong.
    """
    values, listed = np.empty(_TOGETHER, np.int64), np.empty(_TOGETHER + 1, np.int64)
    columns, rows = np.empty(_TOGETHER, np.int64), np.empty(_TOGETHER, np.int64)
    shifts = np.empty(_TOGETHER, np.int64)
    west, south = as_float(top[WEST]), as_float(top[SOUTH])
    east, north = as_float(top[EAST]), as_float(top[NORTH])
    by_column, by_row = as_float(top[COLUMNS]), as_float(top[ROWS])
    bits = top[TOP]
    shift = BITS - bits
    last = len(near) - 1
    for start in range(0, len(lon), _TOGETHER):
        size = min(_TOGETHER, len(lon) - start)
        going = 0
        for i in range(size):
            x, y = lon[start + i], lat[start + i]
            if not (west <= x <= east and south <= y <= north):
                values[i] = NOTHING
                if not (np.isfinite(x) and np.isfinite(y)):
                    return start + i
                continue
            columns[i], rows[i] = np.int64((x - west) * by_column), np.int64((y - south) * by_row)
            cell = ((rows[i] >> shift) << bits) + (columns[i] >> shift)
            values[i] = cell_value(top, 2 * FIRST_CELL + cell)
            shifts[i] = shift
            listed[going] = i
            going += int(_is_node(values[i]))
        while going:
            staying = going
            going = 0
            for k in range(staying):
                i = listed[k]
                node_bits = bits_of(values[i])
                shifts[i] -= node_bits
                within = (np.int64(1) << node_bits) - 1
                cell = ((rows[i] >> shifts[i]) & within) << node_bits
                cell += (columns[i] >> shifts[i]) & within
                values[i] = cell_value(near, 2 * word_of(values[i]) + cell)
                listed[going] = i
                going += int(_is_node(values[i]))
        for i in range(size):
            value = int(values[i])
            area[start + i], count[start + i] = value, value > NOTHING
            listed[going] = i
            going += int(value < NOTHING)
        for k in range(going):
            # Read ahead: the records are on their way when their turn comes.
            record = min(word_of(values[listed[k]]), last)
            columns[k] = near[record] ^ near[min(record + 8, last)]
        for k in range(going):
            here = start + listed[k]
            area[here], count[here] = _settle(
                top, near, exact, values[listed[k]], lon[here], lat[here]
            )
    return -1


@numba.njit(cache=True, nogil=True)
def _is_node(value: int) -> bool:
    """Whether a value leads to a node: its bits are neither EXACT nor NEAR."""
    return (value < NOTHING) & (((bits_of(value) + 1) & 7) > 1)


@numba.njit(cache=True, nogil=True)
def has_record(raster: Raster, lon: float, lat: float) -> bool:
    """Whether edges, or several areas, are in the cell of a place."""
    return _value_at(raster.top, raster.near, lon, lat) < NOTHING


@numba.njit(cache=True, nogil=True)
def covering(raster: Raster, lon: float, lat: float) -> NDArray[np.int64]:
    """Areas that cover a place, smallest code first."""
    return _listed(raster, lon, lat, shifted=False)


@numba.njit(cache=True, nogil=True)
def held_at(raster: Raster, lon: float, lat: float) -> NDArray[np.int64]:
    """Areas that hold a place shifted a little east and less north: no edge runs through it."""
    return _listed(raster, lon, lat, shifted=True)


@numba.njit(cache=True, nogil=True)
def _listed(raster: Raster, lon: float, lat: float, shifted: bool) -> NDArray[np.int64]:
    value = _value_at(raster.top, raster.near, lon, lat)
    if value >= NOTHING:
        return np.full(int(value > NOTHING), value)
    record = word_of(value)
    if bits_of(value) == NEAR:
        record = raster.near[record] & 0xFFFFFFFF
    found = np.empty(0, np.int64)
    while True:
        if shifted:
            _, mask = _held_exactly(raster.exact, record, lon, lat)
        else:
            mask = _covered_exactly(raster.exact, record, lon, lat)
        one = np.empty(bits_set(mask), np.int64)
        for i in range(len(one)):
            one[i] = cell_value(raster.exact, 2 * (record + 3) + lowest_bit(mask))
            mask &= mask - 1
        found = np.append(found, one)
        if not raster.exact[record] & FOLLOWED:
            return found
        record += record_end(raster.exact[record])
