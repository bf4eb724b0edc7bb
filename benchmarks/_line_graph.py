"""Brute force on roads, by another way than the engine's: the graph of arcs, and SciPy.

A state is the arc that was driven last; what may follow it is known from the turn bans directly.
A ban of three or more arcs is followed by copies of its inner arcs. Nothing here uses the
engine's links, hierarchy or searches.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

__all__ = ["NEVER", "LineGraph"]

NEVER = 2**30 - 1
Int = NDArray[np.int64]


class LineGraph:
    """One mode's roads.

    Parameters
    ----------
    tail, head : ndarray, shape (r,)
        Nodes of each road; arc 2r drives along it, 2r + 1 back.
    arc_ms : ndarray, shape (2r,)
        `NEVER` where the mode may not.
    bans : mapping of tuple of arcs to bits of modes
    mode : int
    """

    def __init__(
        self,
        tail: NDArray[np.int32],
        head: NDArray[np.int32],
        arc_ms: NDArray[np.int32],
        bans: Mapping[tuple[int, ...], int],
        mode: int,
    ) -> None:
        self.arc_ms = arc_ms.astype(np.int64)
        mine = [ban for ban, modes in bans.items() if modes >> mode & 1]
        begin, end = np.column_stack([tail, head]).ravel(), np.column_stack([head, tail]).ravel()
        self._arc = np.arange(len(arc_ms))
        a, b = self._followers(begin, end)
        pairs = {ban for ban in mine if len(ban) == 2}
        keep = np.ones(len(a), bool)
        banned = {x * len(arc_ms) + y for x, y in pairs}
        keep &= ~np.isin(a * len(arc_ms) + b, list(banned))
        a, b = self._with_memory(a[keep], b[keep], [ban for ban in mine if len(ban) > 2])
        self._from, self._to = a, b

    def _followers(self, begin: Int, end: Int) -> tuple[Int, Int]:
        usable = np.flatnonzero(self.arc_ms < NEVER)
        order = usable[np.argsort(begin[usable], kind="stable")]
        first = np.searchsorted(begin[order], end[usable])
        count = np.searchsorted(begin[order], end[usable], side="right") - first
        a = np.repeat(usable, count)
        step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return a, order[np.repeat(first, count) + step]

    def _with_memory(self, a: Int, b: Int, bans: list[tuple[int, ...]]) -> tuple[Int, Int]:
        """Copies of arcs for all that was driven of a longer ban."""
        if not bans:
            return a, b
        after: dict[int, list[int]] = defaultdict(list)
        for x, y in zip(a.tolist(), b.tolist(), strict=True):
            after[x].append(y)
        arcs = [int(arc) for arc in self._arc]
        copy: dict[tuple[int, ...], int] = {}
        for ban in bans:
            for length in range(2, len(ban)):
                if ban[:length] not in copy:
                    copy[ban[:length]] = len(arcs)
                    arcs.append(ban[length - 1])
        edges = []
        states = [((arc,), arc) for arc in after] + list(copy.items())
        for driven, number in states:
            for arc in after[driven[-1]]:
                history = (*driven, arc)
                ends = [history[i:] for i in range(len(history))]
                if any(end in bans for end in ends):
                    continue
                known = next((end for end in ends if end in copy), None)
                edges.append((number, copy[known] if known else arc))
        self._arc = np.array(arcs)
        both = np.array(edges, np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def times_to(self, road: int, share: float, limit_ms: int = NEVER) -> Int:
        """Milliseconds from the end of each arc to a place; `NEVER` for none within the limit.

        A search to each arc of the place finds the ways that drive all of it; what lies behind
        the place on it is taken off again.
        """
        best = np.full(len(self._arc), NEVER, np.int64)
        ms = self.arc_ms[self._arc]
        for arc, s in ((2 * road, share), (2 * road + 1, 1.0 - share)):
            if self.arc_ms[arc] >= NEVER:
                continue
            beyond = int(self.arc_ms[arc]) - int(np.floor(s * self.arc_ms[arc] + 0.5))
            for state in np.flatnonzero(self._arc == arc).tolist():
                limit = float(limit_ms) + beyond
                found = dijkstra(self._graph, indices=[state], limit=limit)[0]
                # The arc itself is reached again only by a way around.
                after = self._to[self._from == state]
                around = (found[after] + ms[after]).min(initial=np.inf)
                found[state] = around
                reached = np.isfinite(found)
                best[reached] = np.minimum(best[reached], found[reached].astype(np.int64) - beyond)
        return np.where(best <= limit_ms, best, NEVER)[: len(self.arc_ms)]

    @cached_property
    def _graph(self) -> csr_array:
        """From each arc to those before it, at its own time; times are above zero or made so."""
        n = len(self._arc)
        ms = np.maximum(self.arc_ms[self._arc], 0).astype(float)
        return csr_array((ms[self._to], (self._to, self._from)), shape=(n, n))

    def between(self, to_end: Int, start: tuple[int, float], end: tuple[int, float]) -> int:
        """Milliseconds from a place to the place that `to_end` was made for."""
        best = NEVER
        for way in (0, 1):
            arc = 2 * start[0] + way
            ms = int(self.arc_ms[arc])
            if ms >= NEVER:
                continue
            share = start[1] if way == 0 else 1.0 - start[1]
            behind = int(np.floor(share * ms + 0.5))
            best = min(best, ms - behind + int(to_end[arc]))
            goal = end[1] if way == 0 else 1.0 - end[1]
            if start[0] == end[0] and share <= goal:
                best = min(best, int(np.floor(goal * ms + 0.5)) - behind)
        return best
