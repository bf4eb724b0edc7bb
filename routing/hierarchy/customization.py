"""Filling in times: the whole of a mode, or what a few changed links change."""

import heapq

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.layout import INFINITE, Hierarchy

__all__ = ["customize", "recustomize"]

Int = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def customize(h: Hierarchy, link_ms: Int) -> tuple[Int, Int]:
    """Times over each edge, up and down, by links and by way of lower nodes.

    Parameters
    ----------
    h : Hierarchy
    link_ms : ndarray of int32, shape (l,)
        Milliseconds of each link, at most `INFINITE`.

    Returns
    -------
    tuple of ndarray of int32, shape (e,)

    Notes
    -----
    Linear in the number of lower triangles, a few for each edge.
    """
    edges = len(h.up_head)
    up, down = np.empty(edges, np.int32), np.empty(edges, np.int32)
    for e in range(edges):
        best_up = _least(link_ms, h.next_link, h.up_link[e])
        best_down = _least(link_ms, h.next_link, h.down_link[e])
        for t in range(h.triangle_start[e], h.triangle_start[e + 1]):
            a, b = h.triangle_low[t], h.triangle_high[t]
            best_up = min(best_up, down[a] + up[b])
            best_down = min(best_down, down[b] + up[a])
        up[e], down[e] = best_up, best_down
    return up, down


@numba.njit(cache=True, nogil=True)
def recustomize(
    h: Hierarchy,
    link_ms: Int,
    changed: NDArray[np.int64],
    up: Int,
    down: Int,
) -> int:
    """Carry changed links into `up` and `down`, in place; how many edges were looked at.

    Parameters
    ----------
    changed : ndarray of int64
        Links whose `link_ms` differs from what `up` and `down` were made of.
    """
    queue = [np.int64(-1)]
    queue.clear()
    waiting = np.zeros(len(up), np.bool_)
    for i in changed:
        e = h.link_edge[i]
        if e >= 0 and not waiting[e]:
            waiting[e] = True
            heapq.heappush(queue, np.int64(e))
    looked_at = 0
    while queue:
        e = heapq.heappop(queue)
        waiting[e] = False
        looked_at += 1
        new_up, new_down = _time_of(h, link_ms, up, down, int(e))
        old_up, old_down = up[e], down[e]
        if new_up == old_up and new_down == old_down:
            continue
        up[e], down[e] = new_up, new_down
        v, u = h.up_tail[e], h.up_head[e]
        for j in range(h.up_start[v], h.up_start[v + 1]):
            if j == e:
                continue
            w = h.up_head[j]
            low, high = min(u, w), max(u, w)
            f = h.up_start[low] + np.searchsorted(
                h.up_head[h.up_start[low] : h.up_start[low + 1]], high
            )
            # Over this triangle from u to w, and back: was it the fastest, or is it now?
            there, back = (up, down) if u < w else (down, up)
            if (
                old_down + up[j] == there[f]
                or new_down + up[j] < there[f]
                or down[j] + old_up == back[f]
                or down[j] + new_up < back[f]
            ) and not waiting[f]:
                waiting[f] = True
                heapq.heappush(queue, np.int64(f))
    return looked_at


@numba.njit(cache=True, nogil=True)
def _time_of(h: Hierarchy, link_ms: Int, up: Int, down: Int, e: int) -> tuple[int, int]:
    """Times over an edge, from its links and all its lower triangles."""
    best_up = _least(link_ms, h.next_link, h.up_link[e])
    best_down = _least(link_ms, h.next_link, h.down_link[e])
    for t in range(h.triangle_start[e], h.triangle_start[e + 1]):
        a, b = h.triangle_low[t], h.triangle_high[t]
        best_up = min(best_up, down[a] + up[b])
        best_down = min(best_down, down[b] + up[a])
    return best_up, best_down


@numba.njit(inline="always")
def _least(link_ms: Int, next_link: Int, first: int) -> int:
    """Least time of a chain of links."""
    best, link = INFINITE, first
    while link >= 0:
        best = min(best, link_ms[link])
        link = next_link[link]
    return best
