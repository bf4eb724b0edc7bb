"""Asking the hierarchy: the times between a place and all ancestors of its node, by depth.

A *label* holds, for the ancestors of a node from the root down to it, the times from the node
up to them (or from them down to it). The fastest way between two nodes goes over a common
ancestor, and common ancestors are the first entries of both labels: a query is the least sum of
two arrays. A place between nodes has several ends, all on one way to the root; its label is that
of the lowest.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.layout import INFINITE, Hierarchy

__all__ = ["common_depth", "fill_label", "join_labels", "meeting"]

Int = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def fill_label(
    base: int, depth: int, label: Int, parent: Int, up_start: Int, up_depth: Int, ms: Int
) -> None:
    """Carry the times of a label from its ends up to the root, in place.

    Parameters
    ----------
    base, depth : int
        Lowest node with an end, and its depth.
    label : ndarray of int32
        `INFINITE` but where there are ends, by depth.
    parent, up_start, up_depth : ndarray
        Of the hierarchy.
    ms : ndarray of int32
        Times over the edges: `up` for ways from the place, `down` for ways to it.
    """
    v = base
    while v >= 0:
        here = label[depth]
        if here < INFINITE:
            for e in range(up_start[v], up_start[v + 1]):
                label[up_depth[e]] = min(label[up_depth[e]], here + ms[e])
        v = parent[v]
        depth -= 1


@numba.njit(inline="always")
def _carry(
    v: int, here: int, label: Int, edges: Int, up_start: Int, up_depth: Int, ms: Int
) -> None:
    """Carry a node's time to its upper neighbours, and note the edge where that is faster."""
    for e in range(up_start[v], up_start[v + 1]):
        d = up_depth[e]
        if here + ms[e] < label[d]:
            label[d] = here + ms[e]
            edges[d] = e


@numba.njit(cache=True, nogil=True)
def join_labels(
    h: Hierarchy, up: Int, down: Int, a: int, b: int, here: Int, there: Int, by: Int, on: Int
) -> int:
    """Carry two labels upwards until they say how the fastest way goes; where they meet.

    Above the first common ancestor, what is no faster than the best way found is not carried on.

    Parameters
    ----------
    a, b : int
        Lowest nodes with an end of the way's beginning and of its end.
    here, there : ndarray of int32
        Labels of ways from the beginning and to the end, `INFINITE` but at the ends.
    by, on : ndarray of int32
        Take the edges by which each ancestor was reached; -1 before.

    Returns
    -------
    int
        Depth of the ancestor over which the fastest way goes; -1 where there is none.
    """
    parent, depth, up_start, up_depth = h.parent, h.depth, h.up_start, h.up_depth
    while a != b:
        if a < 0 or b < 0:
            return -1
        if a < b:
            if here[depth[a]] < INFINITE:
                _carry(a, here[depth[a]], here, by, up_start, up_depth, up)
            a = parent[a]
        else:
            if there[depth[b]] < INFINITE:
                _carry(b, there[depth[b]], there, on, up_start, up_depth, down)
            b = parent[b]
    best, meet = INFINITE, -1
    d = depth[a] if a >= 0 else -1
    while d >= 0:
        if here[d] + there[d] < best:
            best, meet = here[d] + there[d], d
        if here[d] < best:
            _carry(a, here[d], here, by, up_start, up_depth, up)
        if there[d] < best:
            _carry(a, there[d], there, on, up_start, up_depth, down)
        a = parent[a]
        d -= 1
    return meet


@numba.njit(cache=True, nogil=True)
def common_depth(chain: Int, length: int, first: Int, node: int) -> int:
    """How many of the ancestors ``chain[:length]``, from the root down, are ancestors of `node`.

    A node is an ancestor of itself.
    """
    low, high = 0, length
    while low < high:
        middle = (low + high) >> 1
        a = chain[middle]
        if first[a] <= node <= a:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True, nogil=True)
def meeting(one: Int, other: Int, depth: int) -> int:
    """Least sum of the first entries of two labels."""
    best = INFINITE
    for i in range(depth):
        best = min(best, one[i] + other[i])
    return best
