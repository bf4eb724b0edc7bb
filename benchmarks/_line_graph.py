"""Brute force on roads, by another way than the engine's: the graph of arcs, and SciPy.

A state is the arc that was driven last; what may follow it is known from the turn bans directly.
A ban of three or more arcs is followed by copies of its inner arcs. Nothing here uses the
engine's links, hierarchy or searches.
"""

from collections import defaultdict
from collections.abc import Mapping

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

    def times_to(self, road: int, share: float) -> Int:
        """Milliseconds from the end of each arc to a place, `NEVER` where there is no way."""
        n = len(self._arc)
        spent = {}
        for arc, s in ((2 * road, share), (2 * road + 1, 1.0 - share)):
            if self.arc_ms[arc] < NEVER:
                spent[arc] = int(np.floor(s * self.arc_ms[arc] + 0.5))
        ms = self.arc_ms[self._arc]
        into = np.isin(self._arc[self._to], list(spent))
        # One millisecond more, so that no weight is zero.
        last = np.array([spent[arc] for arc in self._arc[self._to[into]].tolist()]) + 1
        rows = np.concatenate([self._to, np.full(into.sum(), n)])
        columns = np.concatenate([self._from, self._from[into]])
        weight = np.concatenate([ms[self._to], last])
        order = np.lexsort((weight, columns, rows))
        rows, columns, weight = rows[order], columns[order], weight[order]
        first = np.ones(len(rows), bool)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        graph = csr_array(
            (weight[first].astype(float), (rows[first], columns[first])), shape=(n + 1, n + 1)
        )
        found = dijkstra(graph, indices=[n])[0][: len(self.arc_ms)]
        return np.where(np.isfinite(found), found - 1, NEVER).astype(np.int64)

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
