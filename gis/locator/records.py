"""Writing the records of leaves: the exact one, and the near one made from it; numba kernels."""

import numba
import numpy as np
from numpy.typing import NDArray

from gis.locator.bits import as_float
from gis.locator.edges import Edges
from gis.locator.layout import (
    CANDIDATES,
    COLUMNS,
    EDGE_WORDS,
    FOLLOWED,
    LEFT,
    MOST_CANDIDATES,
    MOST_NEAR,
    NEAR_LEFT,
    NEAR_SPANS,
    ROWS,
    SOUTH,
    SPANS,
    WEST,
)
from gis.locator.states import grown, is_left

__all__ = ["write_near", "write_record"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]

# Near edges reach beyond their cell by so much of its size, so that no place is at their ends.
_BEYOND = 1.0 / 64.0


@numba.njit(cache=True, nogil=True)
def write_record(
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


@numba.njit(cache=True, nogil=True)
def write_near(
    near: Int, used: int, exact: Int, record: int, frame: Float, corner: Int, shift: int
) -> tuple[Int, int]:
    """Append the near form of an exact record; nothing where it has too much for one."""
    head = exact[record]
    edges, candidates = head & 0xFFFFFFFF, (head >> 32) & 0xFF
    if edges > MOST_NEAR or candidates > MOST_NEAR or head & FOLLOWED or record >> 32:
        return near, used
    pairs = (candidates + 1) // 2
    near = grown(near, used + 2 + pairs + 2 * edges)
    size = np.float64(np.int64(1) << shift)
    singles = near.view(np.float32)
    masks = exact[record + 1] & CANDIDATES
    for pair in range(pairs):
        near[used + 2 + pair] = exact[record + 3 + pair]
    at, kept = used + 2 + pairs, 0
    for e in range(edges):
        source = record + 3 + pairs + EDGE_WORDS * e
        ax = (as_float(exact[source]) - frame[WEST]) * frame[COLUMNS] - corner[0] - size / 2
        ay = (as_float(exact[source + 1]) - frame[SOUTH]) * frame[ROWS] - corner[1] - size / 2
        bx = (as_float(exact[source + 2]) - frame[WEST]) * frame[COLUMNS] - corner[0] - size / 2
        by = (as_float(exact[source + 3]) - frame[SOUTH]) * frame[ROWS] - corner[1] - size / 2
        seen, ax, ay, bx, by = _clipped(ax, ay, bx, by, size * (0.5 + _BEYOND))
        if not seen:
            continue
        singles[2 * at], singles[2 * at + 1] = ax, ay
        singles[2 * at + 2], singles[2 * at + 3] = bx, by
        uses = exact[source + 4]
        mask = uses & CANDIDATES
        if uses & SPANS:
            mask |= np.int64(1) << NEAR_SPANS
        if uses & LEFT:
            mask |= np.int64(1) << NEAR_LEFT
        kept += 1
        masks |= mask << (8 * kept)
        at += 2
    near[used] = record | (np.int64(kept) << 32) | (candidates << 36) | (np.int64(shift) << 40)
    near[used + 1] = masks
    return near, at


@numba.njit(cache=True, nogil=True)
def _clipped(
    ax: float, ay: float, bx: float, by: float, reach: float
) -> tuple[bool, float, float, float, float]:
    """The part of an edge within a square about the origin (Liang and Barsky 1984), if any."""
    first, last = 0.0, 1.0
    across, up = bx - ax, by - ay
    for step, room in (
        (-across, ax + reach),
        (across, reach - ax),
        (-up, ay + reach),
        (up, reach - ay),
    ):
        if step == 0.0:
            if room < 0.0:
                return False, ax, ay, bx, by
        elif step < 0.0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    if first > last:
        return False, ax, ay, bx, by
    end_x, end_y = (bx, by) if last == 1.0 else (ax + last * across, ay + last * up)
    if first > 0.0:
        ax, ay = ax + first * across, ay + first * up
    return True, ax, ay, end_x, end_y
