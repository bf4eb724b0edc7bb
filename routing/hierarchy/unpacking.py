"""Which links a way over the hierarchy stands for."""

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.layout import Hierarchy

__all__ = ["unpack_edge", "unpack_label"]

Int = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def unpack_label(
    h: Hierarchy,
    link_ms: Int,
    up: Int,
    down: Int,
    edges: Int,
    depth: int,
    rising: bool,
    out: Int,
    size: int,
) -> tuple[int, int]:
    """Append the links between a place and the ancestor at `depth`, in driving order.

    Parameters
    ----------
    edges : ndarray of int32
        Of `join_labels`.
    rising : bool
        Whether the way leads from the place up, or from the ancestor down.

    Returns
    -------
    size : int
        Links in `out` now; more than ``len(out)`` where they had no room.
    depth : int
        Depth of the place's end that is used.
    """
    stack = np.empty(len(edges) + 1, np.int32)
    if not rising:
        while edges[depth] >= 0:
            e = edges[depth]
            size = unpack_edge(h, link_ms, up, down, e, False, stack, out, size)
            depth = h.depth[h.up_tail[e]]
        return size, depth
    count = 0
    chain = np.empty(len(edges), np.int32)
    while edges[depth] >= 0:
        chain[count] = edges[depth]
        depth = h.depth[h.up_tail[edges[depth]]]
        count += 1
    for i in range(count - 1, -1, -1):
        size = unpack_edge(h, link_ms, up, down, chain[i], True, stack, out, size)
    return size, depth


@numba.njit(cache=True, nogil=True)
def unpack_edge(
    h: Hierarchy,
    link_ms: Int,
    up: Int,
    down: Int,
    edge: int,
    rising: bool,
    stack: Int,
    out: Int,
    size: int,
) -> int:
    """Append the links of one edge to `out`; return how many links there are now.

    Parameters
    ----------
    stack : ndarray of int32
        To work in, an entry for each depth of the hierarchy and one more: the halves of a
        shortcut meet in a node that lies deeper than both its ends.
    """
    up_link, down_link, next_link = h.up_link, h.down_link, h.next_link
    triangle_start, triangle_low = h.triangle_start, h.triangle_low
    triangle_high = h.triangle_high
    stack[0] = 2 * edge + rising
    top = 1
    while top:
        top -= 1
        e, upwards = stack[top] >> 1, stack[top] & 1
        ms = up[e] if upwards else down[e]
        link = _link_of(link_ms, next_link, up_link[e] if upwards else down_link[e], ms)
        if link >= 0:
            if size < len(out):
                out[size] = link
            size += 1
            continue
        first, second = (down, up) if upwards else (up, down)
        a, b = _triangle(triangle_start, triangle_low, triangle_high, e, first, second, ms)
        # The half that is driven first lies on top.
        stack[top] = 2 * b + 1 if upwards else 2 * a + 1
        stack[top + 1] = 2 * a if upwards else 2 * b
        top += 2
    return size


# Inlined, with plain arrays: to count references to what a tuple holds costs more than the look-up.
@numba.njit(inline="always")
def _link_of(link_ms: Int, next_link: Int, first: int, ms: int) -> int:
    """The link of a chain that takes just so long, -1 where none does."""
    link = first
    while link >= 0 and link_ms[link] != ms:
        link = next_link[link]
    return link


@numba.njit(inline="always")
def _triangle(
    start: Int, low: Int, high: Int, edge: int, to_low: Int, to_high: Int, ms: int
) -> tuple[int, int]:
    """The edges from the ends of an edge to the lower node by way of which it takes so long."""
    t = start[edge]
    while to_low[low[t]] + to_high[high[t]] != ms:
        t += 1
    return low[t], high[t]
