"""Searching the links around a place, as far as asked (Dijkstra, Numer. Math. 1 (1959)).

A search needs room for every node; a `Room` is kept by its thread and left as it was found, so
that a search costs what it touches. The queue, a heap of four, holds (time, node) in one 64-bit
number each.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.layout import INFINITE, Times
from routing.kernels.places import offset_ms
from routing.network import Links

__all__ = ["Room", "advance", "begin", "neighbours", "reach", "tidy"]

Int = NDArray[np.int32]
Long = NDArray[np.int64]
Float = NDArray[np.float64]

# After every entry of a queue.
_NEVER = np.int64(2**62)


class Room(NamedTuple):
    """What a search writes to; one for each thread.

    Attributes
    ----------
    ms : ndarray of int32, shape (n,)
        Times to each node, `INFINITE` between searches.
    touched, settled : ndarray of int32, shape (n,)
    queue : ndarray of int64, shape (n + l,)
    """

    ms: Int
    touched: Int
    settled: Int
    queue: Long

    @classmethod
    def for_links(cls, links: Links) -> "Room":
        """Room for any search."""
        n = len(links.node)
        return cls(
            np.full(n, INFINITE, np.int32),
            np.empty(n, np.int32),
            np.empty(n, np.int32),
            np.empty(n + len(links.tail) + 8, np.int64),
        )


@numba.njit(cache=True, nogil=True)
def begin(
    links: Links,
    times: Times,
    room: Room,
    count: int,
    size: int,
    road: int,
    share: float,
    spent_ms: int,
    back: bool,
) -> tuple[int, int]:
    """Queue the nodes that a place leads to, or those that lead to it.

    Parameters
    ----------
    count, size : int
        Nodes touched so far, and entries in the queue.
    road, share
        The place, where `spent_ms` are spent already.
    back : bool
        Ways to the place instead of from it.

    Returns
    -------
    count, size : int
    """
    for arc in (2 * road, 2 * road + 1):
        if times.arc[arc] >= INFINITE:
            continue
        behind = offset_ms(times.arc, arc, share)
        if back:
            for i in range(links.arc_start[arc], links.arc_start[arc + 1]):
                link = links.arc_link[i]
                if times.link[link] < INFINITE:
                    count, size = _queue(room, count, size, links.tail[link], spent_ms + behind)
        elif links.arc_head[arc] >= 0:
            reached = spent_ms + times.arc[arc] - behind
            count, size = _queue(room, count, size, links.arc_head[arc], reached)
    return count, size


@numba.njit(cache=True, nogil=True)
def _queue(room: Room, count: int, size: int, node: int, reached: int) -> tuple[int, int]:
    if reached >= room.ms[node]:
        return count, size
    if room.ms[node] == INFINITE:
        room.touched[count] = node
        count += 1
    room.ms[node] = reached
    entry = (np.int64(reached) << 32) | np.int64(node)
    i = size
    while i > 0 and room.queue[(i - 1) >> 2] > entry:
        room.queue[i] = room.queue[(i - 1) >> 2]
        i = (i - 1) >> 2
    room.queue[i] = entry
    return count, size + 1


@numba.njit(cache=True, nogil=True)
def neighbours(links: Links, times: Times, back: bool) -> tuple[Int, Int, Int]:
    """Where each node's links begin, and the other ends and times of all links."""
    if back:
        return links.in_start, links.in_tail, times.into
    return links.start, links.head, times.link


@numba.njit(cache=True, nogil=True)
def advance(
    start: Int,
    other: Int,
    link_ms: Int,
    ms: Int,
    touched: Int,
    queue: Long,
    settled: Int,
    count: int,
    size: int,
    found: int,
    limit_ms: int,
    most: int,
) -> tuple[int, int, int]:
    """Go on with a search until it has settled so many nodes, or all within a time.

    Parameters
    ----------
    start, other, link_ms
        Of `neighbours`.
    ms, touched, queue, settled
        Of the `Room`.
    count, size, found : int
        Nodes touched, entries in the queue, nodes settled.
    limit_ms, most : int

    Returns
    -------
    count, size, found : int
        The queue is empty where all within the time is settled.

    Notes
    -----
    All in one loop: the queue's steps as functions of their own made it twice as slow, inlined
    or not, and this loop is what a search consists of.
    """
    while size and found < most:
        entry = queue[0]
        node, here = entry & 0xFFFFFFFF, entry >> 32
        if here > limit_ms:
            size = 0
            break
        size -= 1
        last = queue[size]
        # Entries past the end are never first: four children are compared without asking.
        queue[size] = queue[size + 1] = queue[size + 2] = queue[size + 3] = _NEVER
        i, child = 0, 1
        while child < size:
            least, value = child, queue[child]
            if queue[child + 1] < value:
                least, value = child + 1, queue[child + 1]
            if queue[child + 2] < value:
                least, value = child + 2, queue[child + 2]
            if queue[child + 3] < value:
                least, value = child + 3, queue[child + 3]
            if value >= last:
                break
            queue[i] = value
            i, child = least, 4 * least + 1
        queue[i] = last
        if here > ms[node]:
            continue
        settled[found] = node
        found += 1
        for k in range(start[node], start[node + 1]):
            u, reached = np.int64(other[k]), here + np.int64(link_ms[k])
            before = np.int64(ms[u])
            if reached >= before:
                continue
            if before == INFINITE:
                touched[count] = u
                count += 1
            ms[u] = reached
            entry = (reached << 32) | u
            i = size
            size += 1
            while i > 0:
                above = (i - 1) >> 2
                if queue[above] <= entry:
                    break
                queue[i] = queue[above]
                i = above
            queue[i] = entry
    return count, size, found


@numba.njit(cache=True, nogil=True)
def tidy(room: Room, touched: int) -> None:
    """Leave the room as it was found."""
    for i in range(touched):
        room.ms[room.touched[i]] = INFINITE


@numba.njit(cache=True, nogil=True)
def reach(
    links: Links,
    times: Times,
    room: Room,
    roads: Int,
    shares: Float,
    spent_ms: Int,
    limit_ms: int,
    back: bool,
) -> tuple[Int, Int]:
    """All nodes within a time of any of some places, or from which any is within a time.

    Parameters
    ----------
    roads, shares : ndarray, shape (p,)
        Places; a road of -1 is none.
    spent_ms : ndarray of int32, shape (p,)
        Time already spent at each.
    limit_ms : int
    back : bool
        Ways to the places instead of from them.

    Returns
    -------
    nodes, ms : ndarray of int32
        By rising time.
    """
    count, size = 0, 0
    for p in range(len(roads)):
        if roads[p] >= 0:
            count, size = begin(
                links, times, room, count, size, roads[p], shares[p], spent_ms[p], back
            )
    start, other, link_ms = neighbours(links, times, back)
    count, size, found = advance(
        start,
        other,
        link_ms,
        room.ms,
        room.touched,
        room.queue,
        room.settled,
        count,
        size,
        0,
        limit_ms,
        len(room.settled),
    )
    nodes, settled_ms = room.settled[:found].copy(), np.empty(found, np.int32)
    for i in range(found):
        settled_ms[i] = room.ms[nodes[i]]
    tidy(room, count)
    return nodes, settled_ms
