"""First solutions: recursive bisection along edges of random spanning trees."""

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["bisect"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def bisect(
    start: Int,
    near: Int,
    passable: NDArray[np.bool_],
    weight: Float,
    parts: int,
    tries: int,
    seed: int,
) -> Int:
    """Label the nodes of a connected graph 0…parts-1, each label connected.

    Parameters
    ----------
    start, near : ndarray of int64
        Neighbours of node i are ``near[start[i]:start[i + 1]]``.
    passable : ndarray of bool
        For each entry of `near`, whether the edge joins.
    weight : ndarray of float64, shape (n,)
    parts : int, at most n
    tries : int
        Trees tried for each cut; the best balanced one is taken.

    Raises
    ------
    ValueError
        If the graph is not connected.

    Notes
    -----
    O(tries · n log parts) on balanced input.
    """
    np.random.seed(seed)
    n = len(weight)
    label = np.zeros(n, np.int64)
    # Members of a part stand side by side in `order`.
    order = np.arange(n)
    begin, end, wanted = (
        np.zeros(parts, np.int64),
        np.zeros(parts, np.int64),
        np.zeros(parts, np.int64),
    )
    begin[0], end[0], wanted[0], top, made = 0, n, parts, 1, 0
    parent, below = np.empty(n, np.int64), np.empty(n)
    visited, tree = np.empty(n, np.int64), np.empty(n, np.int64)
    best, side = np.empty(n, np.int64), np.zeros(n, np.bool_)
    part = np.zeros(n, np.int64)
    stamp = 0
    while top > 0:
        top -= 1
        lo, hi, k = begin[top], end[top], wanted[top]
        if k == 1:
            for i in range(lo, hi):
                label[order[i]] = made
            made += 1
            continue
        stamp += 1
        for i in range(lo, hi):
            part[order[i]] = stamp
        size, total = hi - lo, 0.0
        for i in range(lo, hi):
            total += weight[order[i]]
        best_miss, best_size, best_share = np.inf, 0, 0
        for _ in range(tries):
            reached = _grow(
                start,
                near,
                passable,
                part,
                stamp,
                order[lo + np.random.randint(size)],
                parent,
                tree,
                visited,
            )
            if reached != size:
                raise ValueError("the graph to bisect is not connected")
            for i in range(size):
                below[tree[i]] = weight[tree[i]]
            count = np.ones(size, np.int64)
            place = visited
            for i in range(size):
                place[tree[i]] = i
            for i in range(size - 1, 0, -1):
                below[parent[tree[i]]] += below[tree[i]]
                count[place[parent[tree[i]]]] += count[i]
            for i in range(1, size):
                inside = below[tree[i]]
                share = round(inside / max(total, 1e-9) * k)
                # Each side must hold as many nodes as it will have parts.
                share = max(1, k - (size - count[i]), min(share, k - 1, count[i]))
                if share > count[i] or k - share > size - count[i] or share > k - 1:
                    continue
                miss = abs(inside - total * share / k) / min(share, k - share)
                if miss < best_miss:
                    best_miss, best_share = miss, share
                    best_size = _under(tree, parent, i, size, side, best)
        fill, rest = lo, lo + best_size
        for i in range(best_size):
            side[best[i]] = True
        copy = order[lo:hi].copy()
        for node in copy:
            if side[node]:
                order[fill] = node
                fill += 1
            else:
                order[rest] = node
                rest += 1
        for i in range(best_size):
            side[best[i]] = False
        middle = lo + best_size
        begin[top], end[top], wanted[top] = lo, middle, best_share
        begin[top + 1], end[top + 1], wanted[top + 1] = middle, hi, k - best_share
        top += 2
    return label


@numba.njit(cache=True, nogil=True)
def _grow(
    start: Int,
    near: Int,
    passable: NDArray[np.bool_],
    part: Int,
    stamp: int,
    root: int,
    parent: Int,
    tree: Int,
    frontier: Int,
) -> int:
    """Grow a random spanning tree of a part from a root; nodes stand in `tree` parent first."""
    parent[root] = root
    part[root] = -stamp
    frontier[0], waiting, size = root, 1, 0
    while waiting > 0:
        # Mostly first in, first out, which gives round trees; some chance for variety.
        pick = np.random.randint(waiting)
        node = frontier[pick]
        waiting -= 1
        frontier[pick] = frontier[waiting]
        tree[size] = node
        size += 1
        for e in range(start[node], start[node + 1]):
            other = near[e]
            if passable[e] and part[other] == stamp:
                part[other] = -stamp
                parent[other] = node
                frontier[waiting] = other
                waiting += 1
    for i in range(size):
        part[tree[i]] = stamp
    return size


@numba.njit(cache=True, nogil=True)
def _under(tree: Int, parent: Int, cut: int, size: int, mark: NDArray[np.bool_], out: Int) -> int:
    """Write the nodes at and below position `cut` of a tree to `out`; return how many."""
    count = 1
    out[0] = tree[cut]
    mark[tree[cut]] = True
    for i in range(cut + 1, size):
        node = tree[i]
        if mark[parent[node]]:
            mark[node] = True
            out[count] = node
            count += 1
    for i in range(count):
        mark[out[i]] = False
    return count
