"""Local search: simulated annealing over boundary moves and swaps, contiguity kept.

Kirkpatrick, Gelatt, Vecchi (1983). Each step takes a block over a border, or exchanges two
across it; the change of the score comes from the two grids alone, contiguity from a search
inside the grid that gives the block away.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from grids.kernels.cost import TARGET, grid_cost

__all__ = ["anneal", "total_cost"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

# Columns of the totals kept for each grid, and of what each block brings to them.
HOUSEHOLDS, AREA, PERIMETER, OFF_STREET = range(4)


@numba.njit(cache=True, nogil=True)
def _totals(
    start: Int, near: Int, length: Float, off: Float, block: Float, label: Int, parts: int
) -> Float:
    totals = np.zeros((parts, 4))
    for v in range(len(label)):
        a = label[v]
        for c in range(4):
            totals[a, c] += block[v, c]
        for e in range(start[v], start[v + 1]):
            if label[near[e]] == a:
                totals[a, PERIMETER] -= length[e]
                totals[a, OFF_STREET] -= off[e]
    return totals


@numba.njit(cache=True, nogil=True)
def total_cost(
    start: Int,
    near: Int,
    length: Float,
    off: Float,
    block: Float,
    label: Int,
    parts: int,
    p: Float,
    prior: Int,
    keep: float,
) -> float:
    """Score of a labelling: the sum over its grids, and what leaving the prior grid costs."""
    totals = _totals(start, near, length, off, block, label, parts)
    cost = 0.0
    for a in range(parts):
        cost += grid_cost(totals[a, 0], totals[a, 1], totals[a, 2], totals[a, 3], p)
    for v in range(len(label)):
        if prior[v] >= 0 and prior[v] != label[v]:
            cost += keep * block[v, HOUSEHOLDS] / p[TARGET]
    return cost


@numba.njit(cache=True, nogil=True)
def _stays_whole(
    start: Int, near: Int, passable: Bool, label: Int, v: int, seen: Int, stamp: int, stack: Int
) -> bool:
    """Whether the grid of `v` stays connected, and not empty, without it."""
    a, needed = label[v], 0
    first = -1
    for e in range(start[v], start[v + 1]):
        u = near[e]
        if passable[e] and label[u] == a:
            needed += 1
            first = u
    if needed <= 1:
        return needed == 1
    goal = stamp + 1
    for e in range(start[v], start[v + 1]):
        if passable[e] and label[near[e]] == a:
            seen[near[e]] = goal
    seen[v], seen[first] = stamp, stamp
    stack[0], top, found = first, 1, 1
    while top > 0:
        top -= 1
        node = stack[top]
        for e in range(start[node], start[node + 1]):
            u = near[e]
            if passable[e] and label[u] == a and seen[u] != stamp:
                if seen[u] == goal:
                    found += 1
                    if found == needed:
                        return True
                seen[u] = stamp
                stack[top] = u
                top += 1
    return False


@numba.njit(cache=True, nogil=True)
def _move(
    start: Int,
    near: Int,
    length: Float,
    off: Float,
    block: Float,
    label: Int,
    totals: Float,
    v: int,
    b: int,
) -> None:
    """Take block `v` from its grid to grid `b`."""
    a = label[v]
    edge_a, edge_b, off_a, off_b = 0.0, 0.0, 0.0, 0.0
    for e in range(start[v], start[v + 1]):
        side = label[near[e]]
        if side == a:
            edge_a += length[e]
            off_a += off[e]
        elif side == b:
            edge_b += length[e]
            off_b += off[e]
    totals[a, HOUSEHOLDS] -= block[v, HOUSEHOLDS]
    totals[b, HOUSEHOLDS] += block[v, HOUSEHOLDS]
    totals[a, AREA] -= block[v, AREA]
    totals[b, AREA] += block[v, AREA]
    totals[a, PERIMETER] += 2.0 * edge_a - block[v, PERIMETER]
    totals[b, PERIMETER] += block[v, PERIMETER] - 2.0 * edge_b
    totals[a, OFF_STREET] += 2.0 * off_a - block[v, OFF_STREET]
    totals[b, OFF_STREET] += block[v, OFF_STREET] - 2.0 * off_b
    label[v] = b


@numba.njit(cache=True, nogil=True)
def _moved(block: Float, label: Int, v: int, prior: Int, keep: float, target: float) -> float:
    return keep * block[v, HOUSEHOLDS] / target if prior[v] >= 0 and prior[v] != label[v] else 0.0


@numba.njit(cache=True, nogil=True)
def _partner(start: Int, near: Int, passable: Bool, label: Int, u: int, v: int, a: int) -> int:
    """A block of the grid of `u`, near it, that touches grid `a` elsewhere than at `v`; or -1."""
    w = u
    if np.random.random() < 0.7:
        e = start[u] + np.random.randint(start[u + 1] - start[u])
        if label[near[e]] == label[u]:
            w = near[e]
    for e in range(start[w], start[w + 1]):
        if passable[e] and near[e] != v and label[near[e]] == a:
            return w
    return -1


@numba.njit(cache=True, nogil=True)
def anneal(
    start: Int,
    near: Int,
    passable: Bool,
    length: Float,
    off: Float,
    block: Float,
    label: Int,
    parts: int,
    p: Float,
    prior: Int,
    keep: float,
    steps: int,
    hot: float,
    cold: float,
    seed: int,
) -> float:
    """Improve `label` in place; return the score at the best moment, which `label` then holds.

    Parameters
    ----------
    start, near, passable, length, off
        Graph: neighbours, whether an edge joins, its length and what of it follows no street.
    block : ndarray of float64, shape (n, 4)
        Households, area, perimeter and off-street perimeter of each block.
    prior : ndarray of int64, shape (n,)
        Grid that each block was in, -1 for none; leaving it costs `keep` a target of households.
    steps : int
        Steps tried, O(degree + size of a grid) each.
    hot, cold : float
        Temperatures at the start and the end, geometric in between.
    """
    np.random.seed(seed)
    n = len(label)
    totals = _totals(start, near, length, off, block, label, parts)
    cost = np.empty(parts)
    for a in range(parts):
        cost[a] = grid_cost(totals[a, 0], totals[a, 1], totals[a, 2], totals[a, 3], p)
    now = total_cost(start, near, length, off, block, label, parts, p, prior, keep)
    best, best_label = now, label.copy()
    seen, stack, stamp = np.zeros(n, np.int64), np.empty(n, np.int64), 1
    old_a, old_b = np.empty(4), np.empty(4)
    cooling = (cold / hot) ** (1.0 / max(steps, 1))
    heat = hot
    for step in range(steps):
        heat *= cooling
        # Keeping the best at every step would copy all labels each time.
        if step % n == 0 and now < best:
            best = now
            best_label[:] = label
        v = np.random.randint(n)
        degree = start[v + 1] - start[v]
        if degree == 0:
            continue
        e = start[v] + np.random.randint(degree)
        u = near[e]
        a, b = label[v], label[u]
        if a == b or not passable[e]:
            continue
        w = -1
        if np.random.random() < 0.5:
            w = _partner(start, near, passable, label, u, v, a)
            if w < 0:
                continue
        stamp += 2
        if w < 0 and not _stays_whole(start, near, passable, label, v, seen, stamp, stack):
            continue
        old_a[:], old_b[:] = totals[a], totals[b]
        before = cost[a] + cost[b] + _moved(block, label, v, prior, keep, p[TARGET])
        if w >= 0:
            before += _moved(block, label, w, prior, keep, p[TARGET])
            # The block that comes is there before the other leaves: a grid of one may swap.
            whole = _swap(
                start, near, passable, length, off, block, label, totals, v, w, seen, stamp, stack
            )
            stamp += 4
            if not whole:
                _move(start, near, length, off, block, label, totals, w, b)
                _move(start, near, length, off, block, label, totals, v, a)
                totals[a], totals[b] = old_a, old_b
                continue
        else:
            _move(start, near, length, off, block, label, totals, v, b)
        cost_a = grid_cost(totals[a, 0], totals[a, 1], totals[a, 2], totals[a, 3], p)
        cost_b = grid_cost(totals[b, 0], totals[b, 1], totals[b, 2], totals[b, 3], p)
        after = cost_a + cost_b + _moved(block, label, v, prior, keep, p[TARGET])
        if w >= 0:
            after += _moved(block, label, w, prior, keep, p[TARGET])
        if after <= before or np.random.random() < np.exp((before - after) / heat):
            cost[a], cost[b] = cost_a, cost_b
            now += after - before
        else:
            if w >= 0:
                _move(start, near, length, off, block, label, totals, w, b)
            _move(start, near, length, off, block, label, totals, v, a)
            totals[a], totals[b] = old_a, old_b
    if now < best:
        return now
    label[:] = best_label
    return best


@numba.njit(cache=True, nogil=True)
def _swap(
    start: Int,
    near: Int,
    passable: Bool,
    length: Float,
    off: Float,
    block: Float,
    label: Int,
    totals: Float,
    v: int,
    w: int,
    seen: Int,
    stamp: int,
    stack: Int,
) -> bool:
    """Exchange `v` and `w`; whether both grids are whole after it."""
    a, b = label[v], label[w]
    _move(start, near, length, off, block, label, totals, v, b)
    _move(start, near, length, off, block, label, totals, w, a)
    return _joined(start, near, passable, label, v, w, seen, stamp, stack) and _joined(
        start, near, passable, label, w, v, seen, stamp + 2, stack
    )


@numba.njit(cache=True, nogil=True)
def _joined(
    start: Int,
    near: Int,
    passable: Bool,
    label: Int,
    came: int,
    left: int,
    seen: Int,
    stamp: int,
    stack: Int,
) -> bool:
    """Whether the grid of `came` is one piece now that `left` has left it.

    It was one before: enough that all neighbours of `left` in it, and `came`, still meet.
    """
    a, needed, goal = label[came], 1, stamp + 1
    seen[came] = goal
    for e in range(start[left], start[left + 1]):
        u = near[e]
        if passable[e] and label[u] == a and seen[u] != goal:
            seen[u] = goal
            needed += 1
    seen[came] = stamp
    stack[0], top, found = came, 1, 1
    while top > 0 and found < needed:
        top -= 1
        node = stack[top]
        for e in range(start[node], start[node + 1]):
            u = near[e]
            if passable[e] and label[u] == a and seen[u] != stamp:
                if seen[u] == goal:
                    found += 1
                seen[u] = stamp
                stack[top] = u
                top += 1
    return found == needed
