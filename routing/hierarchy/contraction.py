"""Contracting a graph in a given order: chordal supergraph and elimination tree.

The supergraph of an order is that of the symbolic Cholesky factorisation: the upper neighbours
of a node are its own, and those of its children in the elimination tree (George, Liu 1981).
"""

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.layout import Hierarchy

__all__ = ["contract", "postorder"]

Int = NDArray[np.int32]
Long = NDArray[np.int64]


def contract(rank: Long, tail: Int, head: Int, joined: Int) -> tuple[Hierarchy, Int]:
    """Contract nodes in an order.

    Parameters
    ----------
    rank : ndarray of int64, shape (n,)
        Position of each node in the order.
    tail, head : ndarray of int32, shape (l,)
        Links; the hierarchy covers both directions of each.
    joined : ndarray of int32, shape (j, 2)
        Pairs of nodes that shall be neighbours though no link joins them, so that one of them
        is an ancestor of the other.

    Returns
    -------
    hierarchy : Hierarchy
    position : ndarray of int32, shape (n,)
        New number of each node. The order is changed into a postorder of its own tree, which
        has the same supergraph.

    Notes
    -----
    Time and memory are linear in the size of the supergraph.
    """
    pairs = _pairs(tail, head, joined)
    place = postorder(rank, tail, head, joined)
    start, upper = _adjacency(place[pairs], len(rank))
    position = place.astype(np.int32)
    up_start, up_head, parent = _eliminate(start, upper)
    depth, first = _tree(parent)
    up_tail = np.repeat(np.arange(len(rank), dtype=np.int32), np.diff(up_start))
    triangle_start, triangle_low, triangle_high = _triangles(up_start, up_head)
    link_edge = _edges_of(up_start, up_head, position[tail], position[head])
    rises = position[tail] < position[head]
    up_link, down_link, next_link = _chains(len(up_head), link_edge, rises)
    made = Hierarchy(
        parent=parent,
        first=first,
        depth=depth,
        up_start=up_start,
        up_tail=up_tail,
        up_head=up_head,
        up_depth=depth[up_head],
        triangle_start=triangle_start,
        triangle_low=triangle_low,
        triangle_high=triangle_high,
        link_edge=link_edge,
        up_link=up_link,
        down_link=down_link,
        next_link=next_link,
    )
    return made, position


def postorder(rank: Long, tail: Int, head: Int, joined: Int) -> Long:
    """The place that `contract` gives each node; one that it gave before stays as it is."""
    start, upper = _adjacency(rank[_pairs(tail, head, joined)], len(rank))
    place: Long = _postorder(_eliminate(start, upper)[2])[rank]
    return place


def _pairs(tail: Int, head: Int, joined: Int) -> Long:
    return np.concatenate([np.column_stack([tail, head]), joined]).astype(np.int64)


def _adjacency(pairs: Long, n: int) -> tuple[Long, Int]:
    """For each node its higher neighbours, ascending and once each."""
    low, high = pairs.min(axis=1, initial=n), pairs.max(axis=1, initial=-1)
    keys = np.unique((low * n + high)[low != high])
    start = np.searchsorted(keys // n, np.arange(n + 1))
    return start, (keys % n).astype(np.int32)


@numba.njit(cache=True)
def _eliminate(start: Long, upper: Int) -> tuple[Int, Int, Int]:
    """Edges of the supergraph (CSR, heads ascending) and the parent of each node."""
    n = len(start) - 1
    parent = np.full(n, -1, np.int32)
    child, sibling = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    up_start = np.zeros(n + 1, np.int32)
    up_head = np.empty(max(16, 2 * len(upper)), np.int32)
    seen = np.full(n, -1, np.int32)
    row = np.empty(n, np.int32)
    size = 0
    for v in range(n):
        count = 0
        for i in range(start[v], start[v + 1]):
            seen[upper[i]] = v
            row[count] = upper[i]
            count += 1
        c = child[v]
        while c >= 0:
            for i in range(up_start[c], up_start[c + 1]):
                u = up_head[i]
                if u != v and seen[u] != v:
                    seen[u] = v
                    row[count] = u
                    count += 1
            c = sibling[c]
        if size + count > len(up_head):
            grown = np.empty(2 * len(up_head) + count, np.int32)
            grown[:size] = up_head[:size]
            up_head = grown
        if count:
            up_head[size : size + count] = np.sort(row[:count])
            parent[v] = up_head[size]
            sibling[v] = child[parent[v]]
            child[parent[v]] = v
        size += count
        up_start[v + 1] = size
    return up_start, up_head[:size].copy(), parent


@numba.njit(cache=True)
def _postorder(parent: Int) -> Long:
    """Place of each node in a postorder of the forest; one that is in postorder stays as it is."""
    n = len(parent)
    size = np.ones(n, np.int64)
    for v in range(n):
        if parent[v] >= 0:
            size[parent[v]] += size[v]
    # From above: a node has the last place of its span, its children's spans come before it.
    free = np.zeros(n, np.int64)
    place = np.empty(n, np.int64)
    end = n
    for v in range(n - 1, -1, -1):
        p = parent[v]
        if p < 0:
            place[v] = end - 1
            end -= size[v]
        else:
            place[v] = free[p] - 1
            free[p] -= size[v]
        free[v] = place[v]
    return place


@numba.njit(cache=True)
def _tree(parent: Int) -> tuple[Int, Int]:
    """Depth of each node, and the least node of its subtree."""
    n = len(parent)
    depth = np.zeros(n, np.int32)
    first = np.arange(n).astype(np.int32)
    for v in range(n):
        if parent[v] >= 0:
            first[parent[v]] = min(first[parent[v]], first[v])
    for v in range(n - 1, -1, -1):
        if parent[v] >= 0:
            depth[v] = depth[parent[v]] + 1
    return depth, first


@numba.njit(cache=True)
def _edges_of(up_start: Int, up_head: Int, tail: Int, head: Int) -> Int:
    found = np.full(len(tail), -1, np.int32)
    for i in range(len(tail)):
        low, high = min(tail[i], head[i]), max(tail[i], head[i])
        if low != high:
            edges = up_head[up_start[low] : up_start[low + 1]]
            found[i] = up_start[low] + np.searchsorted(edges, high)
    return found


@numba.njit(cache=True)
def _triangles(up_start: Int, up_head: Int) -> tuple[Int, Int, Int]:
    """For each edge the pairs of edges over a lower node; see `Hierarchy`."""
    start = np.zeros(len(up_head) + 1, np.int32)
    low, high = np.empty(0, np.int32), np.empty(0, np.int32)
    free = start
    for fill in range(2):
        if fill:
            start = np.cumsum(start).astype(np.int32)
            low, high = np.empty(start[-1], np.int32), np.empty(start[-1], np.int32)
            free = start.copy()
        for v in range(len(up_start) - 1):
            end = up_start[v + 1]
            for i in range(up_start[v], end):
                # The neighbours of v above u are neighbours of u as well, in the same order.
                e = up_start[up_head[i]]
                for j in range(i + 1, end):
                    while up_head[e] != up_head[j]:
                        e += 1
                    if fill:
                        low[free[e]], high[free[e]] = i, j
                        free[e] += 1
                    else:
                        start[e + 1] += 1
    return start, low, high


@numba.njit(cache=True)
def _chains(edges: int, link_edge: Int, rises: NDArray[np.bool_]) -> tuple[Int, Int, Int]:
    """First link of each edge in each direction, and the next of each link."""
    up, down = np.full(edges, -1, np.int32), np.full(edges, -1, np.int32)
    following = np.full(len(link_edge), -1, np.int32)
    for i in range(len(link_edge) - 1, -1, -1):
        e = link_edge[i]
        if e < 0:
            continue
        first = up if rises[i] else down
        following[i] = first[e]
        first[e] = i
    return up, down, following
