"""The fastest way between two places on roads, and the times between many."""

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.labels import common_depth, join_labels, meeting
from routing.hierarchy.layout import INFINITE, Hierarchy, Times
from routing.hierarchy.unpacking import unpack_label
from routing.kernels.lines import draw, points_at_most
from routing.kernels.places import begin_from, begin_to, direct_ms, label_from, label_to, offset_ms
from routing.network import Ground, Links

__all__ = ["chain_of", "draw_ways", "fill_matrix", "find_way"]

Int = NDArray[np.int32]
Float = NDArray[np.float64]

# Arcs that a way is given room for at first.
_ROOM = 512


@numba.njit(cache=True, nogil=True)
def chain_of(h: Hierarchy, base: int, chain: Int) -> int:
    """Write the ancestors of a node from the root down to itself; return how many."""
    v, length = base, int(h.depth[base]) + 1
    for d in range(length - 1, -1, -1):
        chain[d] = v
        v = h.parent[v]
    return length


@numba.njit(cache=True, nogil=True)
def find_way(
    h: Hierarchy,
    depth: int,
    links: Links,
    times: Times,
    from_road: int,
    from_share: float,
    to_road: int,
    to_share: float,
    out: Int,
) -> tuple[int, int]:
    """Arcs of the fastest way between two places on roads.

    Parameters
    ----------
    depth : int
        Room for the label of any node.
    out : ndarray of int32
        Takes the arcs in driving order, the first and the last in part.

    Returns
    -------
    ms : int
        `INFINITE` where there is no way.
    size : int
        Arcs; more than ``len(out)`` where they had no room and some are missing.
    """
    here, there = np.empty(depth, np.int32), np.empty(depth, np.int32)
    by, on = np.full(depth, -1, np.int32), np.full(depth, -1, np.int32)
    best, direct = direct_ms(times.arc, from_road, from_share, to_road, to_share)
    a = begin_from(h, links, times, from_road, from_share, here)
    b = begin_to(h, links, times, to_road, to_share, there)
    meet = join_labels(h, times.up, times.down, a, b, here, there, by, on)
    if meet >= 0 and here[meet] + there[meet] < best:
        best, direct = here[meet] + there[meet], -1
    if best >= INFINITE:
        return INFINITE, 0
    if direct >= 0:
        out[0] = direct
        return best, 1
    size, begin = unpack_label(h, times, by, meet, True, out, 1)
    size, end = unpack_label(h, times, on, meet, False, out, size)
    for i in range(1, min(size, len(out))):
        out[i] = links.arc[out[i]]
    out[0] = _first_arc(h, links, times, from_road, from_share, begin, here[begin])
    if size < len(out):
        out[size] = _last_arc(h, links, times, to_road, to_share, end, there[end])
    return best, size + 1


@numba.njit(cache=True, nogil=True)
def draw_ways(
    ground: Ground,
    h: Hierarchy,
    depth: int,
    links: Links,
    times: tuple[Times, Times, Times],
    trips: Float,
) -> tuple[Int, Float, Int, Int, Float, Int]:
    """Find and draw some ways, each in a mode of its own.

    Parameters
    ----------
    depth : int
        Room for the label of any node.
    trips : ndarray of float64, shape (k, 5)
        Mode, road and share where it begins, road and share where it ends.

    Returns
    -------
    ms : ndarray of int32, shape (k,)
    length_m : ndarray of float64, shape (k,)
    ends : ndarray of int32, shape (k + 1, 3)
        Where the arcs, points and streets of each way begin.
    arcs : ndarray of int32
    lonlat : ndarray of float64, shape (q, 2)
    streets : ndarray of int32
    """
    k = len(trips)
    ms, length_m, ends = np.empty(k, np.int32), np.empty(k), np.zeros((k + 1, 3), np.int32)
    arcs, lonlat = np.empty(2 * _ROOM, np.int32), np.empty((4 * _ROOM, 2))
    streets = np.empty(_ROOM, np.int32)
    for w in range(k):
        at, own = ends[w], times[int(trips[w, 0])]
        if len(arcs) - at[0] < _ROOM:
            arcs = np.concatenate((arcs[: at[0]], np.empty(2 * _ROOM + len(arcs), np.int32)))
        start, end = (int(trips[w, 1]), trips[w, 2]), (int(trips[w, 3]), trips[w, 4])
        ms[w], size = find_way(h, depth, links, own, *start, *end, arcs[at[0] :])
        if size > len(arcs) - at[0]:
            longer = np.empty(at[0] + 2 * size, np.int32)
            longer[: at[0]] = arcs[: at[0]]
            arcs = longer
            ms[w], size = find_way(h, depth, links, own, *start, *end, arcs[at[0] :])
        mine = arcs[at[0] : at[0] + size]
        points = points_at_most(ground, mine)
        if at[1] + points > len(lonlat):
            wider = np.empty((2 * (at[1] + points), 2))
            wider[: at[1]] = lonlat[: at[1]]
            lonlat = wider
        if at[2] + size > len(streets):
            streets = np.concatenate((streets[: at[2]], np.empty(2 * size, np.int32)))
        length_m[w], drawn, called = draw(
            ground, mine, start[1], end[1], lonlat[at[1] :], streets[at[2] :]
        )
        ends[w + 1, 0], ends[w + 1, 1], ends[w + 1, 2] = at[0] + size, at[1] + drawn, at[2] + called
    return ms, length_m, ends, arcs, lonlat, streets


@numba.njit(cache=True, nogil=True)
def _first_arc(
    h: Hierarchy, links: Links, times: Times, road: int, share: float, depth: int, ms: int
) -> int:
    for arc in (2 * road, 2 * road + 1):
        v = links.arc_head[arc]
        if times.arc[arc] >= INFINITE or v < 0 or h.depth[v] != depth:
            continue
        if times.arc[arc] - offset_ms(times.arc, arc, share) == ms:
            return arc
    return -1


@numba.njit(cache=True, nogil=True)
def _last_arc(
    h: Hierarchy, links: Links, times: Times, road: int, share: float, depth: int, ms: int
) -> int:
    for arc in (2 * road, 2 * road + 1):
        if times.arc[arc] >= INFINITE or offset_ms(times.arc, arc, share) != ms:
            continue
        for i in range(links.arc_start[arc], links.arc_start[arc + 1]):
            link = links.arc_link[i]
            if times.link[link] < INFINITE and h.depth[links.tail[link]] == depth:
                return arc
    return -1


@numba.njit(cache=True, nogil=True)
def fill_matrix(
    h: Hierarchy,
    depth: int,
    links: Links,
    times: Times,
    from_road: Int,
    from_share: Float,
    to_road: Int,
    to_share: Float,
    out: Int,
) -> None:
    """Milliseconds between all pairs of places; a road of -1 is reached from nowhere.

    Parameters
    ----------
    depth : int
        Room for the label of any node.
    out : ndarray of int32, shape (s, t)
    """
    labels = np.empty((len(to_road), depth), np.int32)
    bases = np.full(len(to_road), -1, np.int32)
    for j in range(len(to_road)):
        if to_road[j] >= 0:
            bases[j] = label_to(h, links, times, to_road[j], to_share[j], labels[j])
    here, chain = np.empty(depth, np.int32), np.empty(depth, np.int32)
    out[:] = INFINITE
    for i in range(len(from_road)):
        if from_road[i] < 0:
            continue
        a = label_from(h, links, times, from_road[i], from_share[i], here)
        length = chain_of(h, a, chain) if a >= 0 else 0
        for j in range(len(to_road)):
            if to_road[j] < 0:
                continue
            best, _ = direct_ms(times.arc, from_road[i], from_share[i], to_road[j], to_share[j])
            if length and bases[j] >= 0:
                shared = common_depth(chain, length, h.first, bases[j])
                best = min(best, meeting(here, labels[j], shared))
            out[i, j] = best
