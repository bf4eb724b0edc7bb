"""Filling in times: the whole of a mode, or what a few changed links change."""

import heapq

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.layout import INFINITE, Hierarchy

__all__ = ["customize", "recustomize"]

Int = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def customize(h: Hierarchy, link_ms: Int) -> tuple[Int, Int, Int, Int]:
    """Times over each edge, up and down, by links and by way of lower nodes.

    Parameters
    ----------
    h : Hierarchy
    link_ms : ndarray of int32, shape (l,)
        Milliseconds of each link, at most `INFINITE`.

    Returns
    -------
    up, down, up_by, down_by : ndarray of int32, shape (e,)
        See `Times`.

    Notes
    -----
    Linear in the number of lower triangles, a few for each edge.
    """
    edges = len(h.up_head)
    up, down = np.empty(edges, np.int32), np.empty(edges, np.int32)
    up_by, down_by = np.empty(edges, np.int32), np.empty(edges, np.int32)
    for e in range(edges):
        up[e], down[e], up_by[e], down_by[e] = _time_of(
            h.up_link,
            h.down_link,
            h.next_link,
            h.triangle_start,
            h.triangle_low,
            h.triangle_high,
            link_ms,
            up,
            down,
            e,
        )
    return up, down, up_by, down_by


@numba.njit(cache=True, nogil=True)
def recustomize(
    h: Hierarchy,
    link_ms: Int,
    changed: NDArray[np.int64],
    up: Int,
    down: Int,
    up_by: Int,
    down_by: Int,
) -> int:
    """Carry changed links into the times of edges, in place; how many edges were looked at.

    Parameters
    ----------
    changed : ndarray of int64
        Links whose `link_ms` differs from what the times were made of.
    up, down, up_by, down_by : ndarray of int32, shape (e,)
        Of `customize`.
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
        old_up, old_down = up[e], down[e]
        up[e], down[e], up_by[e], down_by[e] = _time_of(
            h.up_link,
            h.down_link,
            h.next_link,
            h.triangle_start,
            h.triangle_low,
            h.triangle_high,
            link_ms,
            up,
            down,
            int(e),
        )
        new_up, new_down = up[e], down[e]
        if new_up == old_up and new_down == old_down:
            continue
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
def _time_of(
    up_link: Int,
    down_link: Int,
    next_link: Int,
    triangle_start: Int,
    triangle_low: Int,
    triangle_high: Int,
    link_ms: Int,
    up: Int,
    down: Int,
    e: int,
) -> tuple[int, int, int, int]:
    """Times over an edge, from its links and all its lower triangles, and which of them it was."""
    best_up, best_down = INFINITE, INFINITE
    up_by, down_by = -1, -1
    link = up_link[e]
    while link >= 0:
        if link_ms[link] < best_up:
            best_up, up_by = link_ms[link], -1 - link
        link = next_link[link]
    link = down_link[e]
    while link >= 0:
        if link_ms[link] < best_down:
            best_down, down_by = link_ms[link], -1 - link
        link = next_link[link]
    for t in range(triangle_start[e], triangle_start[e + 1]):
        a, b = triangle_low[t], triangle_high[t]
        over_up, over_down = down[a] + up[b], down[b] + up[a]
        if over_up < best_up:
            best_up, up_by = over_up, t
        if over_down < best_down:
            best_down, down_by = over_down, t
    return best_up, best_down, up_by, down_by
