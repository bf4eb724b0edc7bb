"""The best plan of a few blocks, proved: dynamic programming over sets of blocks.

The score is a sum over grids, so the best way to cut a set S into k grids takes one
connected grid that holds the first block of S, and the best way to cut the rest into k - 1.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from grids.kernels.cost import grid_cost

__all__ = ["EXACT_LIMIT", "best_cut"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]

# 3^n steps: 14 blocks take tens of milliseconds, 16 most of a second.
EXACT_LIMIT = 14


@numba.njit(cache=True, nogil=True)
def _costs(
    start: Int,
    near: Int,
    passable: NDArray[np.bool_],
    length: Float,
    off: Float,
    block: Float,
    p: Float,
) -> Float:
    """Cost of every connected set of blocks as a grid; infinite for the others."""
    n = len(block)
    full = 1 << n
    totals = np.zeros((full, 4))
    joined = np.zeros(n, np.int64)
    for v in range(n):
        for e in range(start[v], start[v + 1]):
            if passable[e]:
                joined[v] |= 1 << near[e]
    cost = np.full(full, np.inf)
    for mask in range(1, full):
        v = 0
        while not (mask >> v) & 1:
            v += 1
        rest = mask & (mask - 1)
        for c in range(4):
            totals[mask, c] = totals[rest, c] + block[v, c]
        for e in range(start[v], start[v + 1]):
            if (rest >> near[e]) & 1:
                totals[mask, 2] -= 2.0 * length[e]
                totals[mask, 3] -= 2.0 * off[e]
        reached, edge = 1 << v, 1 << v
        while edge:
            new = 0
            for u in range(n):
                if (edge >> u) & 1:
                    new |= joined[u]
            edge = new & mask & ~reached
            reached |= edge
        if reached == mask:
            cost[mask] = grid_cost(
                totals[mask, 0], totals[mask, 1], totals[mask, 2], totals[mask, 3], p
            )
    return cost


@numba.njit(cache=True, nogil=True)
def best_cut(
    start: Int,
    near: Int,
    passable: NDArray[np.bool_],
    length: Float,
    off: Float,
    block: Float,
    parts: int,
    p: Float,
    away: Float,
) -> tuple[float, Int]:
    """Best labelling of a connected graph of few blocks, and its score.

    Parameters
    ----------
    start, near, passable, length, off, block, p
        As in `anneal`.
    parts : int, at most n
    away : ndarray of float64, shape (n, parts)
        Extra cost of block i in grid j; grids are told apart only where it is not zero.

    Notes
    -----
    O(parts · 3^n) in the worst case; sets that are not connected are passed over.
    """
    n = len(block)
    full = (1 << n) - 1
    cost = _costs(start, near, passable, length, off, block, p)
    best = np.full((parts, full + 1), np.inf)
    taken = np.zeros((parts, full + 1), np.int64)
    ordered = away.any()
    for k in range(parts):
        for mask in range(1, full + 1):
            if k == parts - 1 and mask != full:
                continue
            if k == 0:
                best[0, mask] = cost[mask] + (_extra(away, mask, 0, n) if ordered else 0.0)
                taken[0, mask] = mask
                continue
            # Where grids are alike, the one with the first block is taken out.
            low = 0 if ordered else mask & -mask
            free = mask ^ low
            sub = free
            while True:
                one = sub | low
                rest = mask ^ one
                if rest and cost[one] < np.inf and best[k - 1, rest] < np.inf:
                    value = cost[one] + best[k - 1, rest]
                    if ordered:
                        value += _extra(away, one, k, n)
                    if value < best[k, mask]:
                        best[k, mask], taken[k, mask] = value, one
                if sub == 0:
                    break
                sub = (sub - 1) & free
    label = np.zeros(n, np.int64)
    mask = full
    for k in range(parts - 1, -1, -1):
        for v in range(n):
            if (taken[k, mask] >> v) & 1:
                label[v] = k
        mask ^= taken[k, mask]
    return best[parts - 1, full], label


@numba.njit(cache=True, nogil=True)
def _extra(away: Float, mask: int, k: int, n: int) -> float:
    total = 0.0
    for v in range(n):
        if (mask >> v) & 1:
            total += away[v, k]
    return total
