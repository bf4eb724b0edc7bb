"""Responders on the road: kept by the node that each drives to first, found from a place.

Around a place the search goes backwards until the k-th responder is nearer than all that is not
yet reached: it costs little where there are many. Over the hierarchy each responder is asked by
its label: that costs the same wherever they are, and little where there are few.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from routing.hierarchy.labels import common_depth, meeting
from routing.hierarchy.layout import INFINITE, Hierarchy, Times
from routing.kernels.places import direct_ms, label_from, label_to, offset_ms
from routing.kernels.search import Room, advance, begin, neighbours, tidy
from routing.kernels.ways import chain_of
from routing.network import Links

__all__ = ["Crew", "Ranking", "ask_labels", "place", "search_around", "take_away", "write_label"]

Int = NDArray[np.int32]
Long = NDArray[np.int64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

# Nodes that are settled between two looks at who drives to them.
_TOGETHER = 16


class Crew(NamedTuple):
    """Responders of one mode, or of all; row by row.

    Attributes
    ----------
    mode : ndarray of int8, shape (r,)
    road : ndarray of int32, shape (r,)
        Road on which each is; -1 for an empty row or one off the network.
    share : ndarray of float64, shape (r,)
    ahead_ms : ndarray of int32, shape (2r,)
        Time to the node that row i drives to first, one way (2i) and the other (2i + 1).
    node : ndarray of int32, shape (2r,)
        That node, -1 for none.
    following, former : ndarray of int32, shape (2r,)
        Chain of all that drive to the same node.
    at_node : ndarray of int32, shape (3, n)
        First of the chain for each mode and node, -1 for none.
    labelled : ndarray of int64, shape (r,)
        Which times the label was made of; 0 for none.
    base : ndarray of int32, shape (r,)
    label : ndarray of int32, shape (r, depth)
    """

    mode: NDArray[np.int8]
    road: Int
    share: Float
    ahead_ms: Int
    node: Int
    following: Int
    former: Int
    at_node: Int
    labelled: Long
    base: Int
    label: Int


class Ranking(NamedTuple):
    """The k first responders found so far, by time and then by row.

    Attributes
    ----------
    ms, row : ndarray of int32, shape (k,)
    found : ndarray of int64, shape (1,)
        How many there are.
    """

    ms: Int
    row: Int
    found: Long


@numba.njit(cache=True, nogil=True)
def take_away(crew: Crew, row: int) -> None:
    """Take a responder off the road."""
    for i in (2 * row, 2 * row + 1):
        if crew.node[i] < 0:
            continue
        before, after = crew.former[i], crew.following[i]
        if before >= 0:
            crew.following[before] = after
        else:
            crew.at_node[crew.mode[row], crew.node[i]] = after
        if after >= 0:
            crew.former[after] = before
        crew.node[i] = -1
    crew.road[row] = -1
    crew.labelled[row] = 0


@numba.njit(cache=True, nogil=True)
def place(crew: Crew, links: Links, arc_ms: Int, row: int, road: int, share: float) -> None:
    """Put a responder that was taken away on a road."""
    crew.road[row], crew.share[row] = road, share
    if road < 0:
        return
    mode = crew.mode[row]
    for way in range(2):
        arc, i = 2 * road + way, 2 * row + way
        v = links.arc_head[arc]
        if arc_ms[arc] >= INFINITE or v < 0:
            continue
        crew.node[i] = v
        crew.ahead_ms[i] = arc_ms[arc] - offset_ms(arc_ms, arc, share)
        first = crew.at_node[mode, v]
        crew.following[i], crew.former[i] = first, -1
        if first >= 0:
            crew.former[first] = i
        crew.at_node[mode, v] = i


@numba.njit(cache=True, nogil=True)
def _rank(ranking: Ranking, ms: int, row: int) -> None:
    """Note that a responder takes `ms`, where that is among the k best."""
    k, count = len(ranking.ms), ranking.found[0]
    i = 0
    while i < count and ranking.row[i] != row:
        i += 1
    if i < count:
        if ranking.ms[i] <= ms:
            return
    elif count < k:
        ranking.found[0] += 1
    else:
        i = k - 1
        if (ranking.ms[i], ranking.row[i]) <= (ms, row):
            return
    while i > 0 and (ranking.ms[i - 1], ranking.row[i - 1]) > (ms, row):
        ranking.ms[i], ranking.row[i] = ranking.ms[i - 1], ranking.row[i - 1]
        i -= 1
    ranking.ms[i], ranking.row[i] = ms, row


@numba.njit(cache=True, nogil=True)
def _rank_on_road(
    crew: Crew,
    links: Links,
    arc_ms: Int,
    asked: Bool,
    ranking: Ranking,
    mode: int,
    road: int,
    share: float,
) -> None:
    """Rank those that are on the place's own road and drive straight along it."""
    for arc in (2 * road, 2 * road + 1):
        v = links.arc_head[arc]
        i = crew.at_node[mode, v] if v >= 0 else -1
        while i >= 0:
            row = i >> 1
            if asked[row] and crew.road[row] == road:
                ms, _ = direct_ms(arc_ms, road, crew.share[row], road, share)
                if ms < INFINITE:
                    _rank(ranking, ms, row)
            i = crew.following[i]


@numba.njit(cache=True, nogil=True)
def search_around(
    crew: Crew,
    links: Links,
    times: Times,
    room: Room,
    mode: int,
    road: int,
    share: float,
    asked: Bool,
    ranking: Ranking,
    most: int,
) -> int:
    """Rank the responders of a mode by a search backwards from a place.

    Parameters
    ----------
    road, share
        The place.
    asked : ndarray of bool, shape (r,)
        Rows that may go.
    ranking : Ranking
        Changed in place.
    most : int
        Give up after so many nodes.

    Returns
    -------
    int
        Nodes settled; negative where the search gave up and the ranking may miss some.
    """
    k = len(ranking.ms)
    _rank_on_road(crew, links, times.arc, asked, ranking, mode, road, share)
    count, size = begin(links, times, room, 0, 0, road, share, 0, True)
    start, other, link_ms = neighbours(links, times, True)
    at_node, ahead_ms, following = crew.at_node[mode], crew.ahead_ms, crew.following
    done, found, limit_ms = 0, 0, INFINITE - 1
    everywhere = len(room.settled)
    while size and found < min(most, everywhere):
        if ranking.found[0] == k:
            limit_ms = int(ranking.ms[k - 1])
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
            found,
            limit_ms,
            min(found + _TOGETHER, everywhere),
        )
        for s in range(done, found):
            node = room.settled[s]
            i = at_node[node]
            while i >= 0:
                if asked[i >> 1]:
                    _rank(ranking, room.ms[node] + ahead_ms[i], i >> 1)
                i = following[i]
        done = found
    tidy(room, count)
    return -found if size and found < everywhere else found


@numba.njit(cache=True, nogil=True)
def write_label(
    crew: Crew, h: Hierarchy, links: Links, times: Times, generation: int, row: int
) -> None:
    """Make a responder's label, if they are on a road, and keep it."""
    if crew.road[row] >= 0:
        crew.base[row] = label_from(
            h, links, times, crew.road[row], crew.share[row], crew.label[row]
        )
        crew.labelled[row] = generation


@numba.njit(cache=True, nogil=True)
def ask_labels(
    crew: Crew,
    h: Hierarchy,
    links: Links,
    times: Times,
    generation: int,
    mode: int,
    road: int,
    share: float,
    asked: Bool,
    ranking: Ranking,
) -> int:
    """Rank the responders of a mode over the hierarchy; return how many labels were made anew.

    Parameters
    ----------
    generation : int
        Of the times; labels of another are made anew and kept.
    """
    depth = crew.label.shape[1]
    there, chain = np.empty(depth, np.int32), np.empty(depth, np.int32)
    b = label_to(h, links, times, road, share, there)
    length = chain_of(h, b, chain) if b >= 0 else 0
    made = 0
    for row in range(len(crew.road)):
        if not asked[row] or crew.mode[row] != mode or crew.road[row] < 0:
            continue
        if crew.labelled[row] != generation:
            write_label(crew, h, links, times, generation, row)
            made += 1
        best, _ = direct_ms(times.arc, crew.road[row], crew.share[row], road, share)
        if length and crew.base[row] >= 0:
            shared = common_depth(chain, length, h.first, crew.base[row])
            best = min(best, meeting(crew.label[row], there, shared))
        if best < INFINITE:
            _rank(ranking, best, row)
    return made
