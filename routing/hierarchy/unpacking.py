"""Which links a way over the hierarchy stands for."""

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.layout import Hierarchy, Times

__all__ = ["unpack_label"]

Int = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def unpack_label(
    h: Hierarchy, times: Times, edges: Int, depth: int, rising: bool, out: Int, size: int
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
    # The halves of a shortcut meet in a node that lies deeper than both its ends.
    stack, chain = np.empty(len(edges) + 1, np.int32), np.empty(len(edges), np.int32)
    count = 0
    while edges[depth] >= 0:
        chain[count] = edges[depth]
        depth = h.depth[h.up_tail[edges[depth]]]
        count += 1
    for i in range(count):
        edge = chain[count - 1 - i] if rising else chain[i]
        size = _unpack_edge(
            h.triangle_low,
            h.triangle_high,
            times.up_by,
            times.down_by,
            edge,
            rising,
            stack,
            out,
            size,
        )
    return size, depth


@numba.njit(cache=True, nogil=True)
def _unpack_edge(
    triangle_low: Int,
    triangle_high: Int,
    up_by: Int,
    down_by: Int,
    edge: int,
    rising: bool,
    stack: Int,
    out: Int,
    size: int,
) -> int:
    """Append the links of one edge to `out`; return how many links there are now."""
    stack[0] = 2 * edge + rising
    top = 1
    while top:
        top -= 1
        e, upwards = stack[top] >> 1, stack[top] & 1
        by = up_by[e] if upwards else down_by[e]
        if by < 0:
            if size < len(out):
                out[size] = -1 - by
            size += 1
            continue
        # The half that is driven first lies on top.
        stack[top] = 2 * (triangle_high[by] if upwards else triangle_low[by]) + 1
        stack[top + 1] = 2 * (triangle_low[by] if upwards else triangle_high[by])
        top += 2
    return size
