"""What can be reached within a time: nodes, shares of roads, and places beside them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.conditions import Conditions
from routing.hierarchy import INFINITE
from routing.kernels.search import reach
from routing.network import mode_index
from routing.travel import Snaps, TravelTimes

__all__ = ["Reach", "reach_from"]

Int = NDArray[np.int32]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """Times from some places, or to them, as far as a limit.

    Attributes
    ----------
    places : Snaps
    back : bool
        Ways to the places instead of from them.
    limit_ms : int
    arc_ms : ndarray of int32, shape (a,)
        Time over each arc.
    entry_ms : ndarray of int32, shape (a,)
        Time to the beginning of each arc; of ways to the places, from its end. `INFINITE`
        beyond the limit.
    """

    places: Snaps
    back: bool
    limit_ms: int
    arc_ms: Int
    entry_ms: Int

    def shares(self) -> Float:
        """How much of each arc is reached from where it is entered, 0 to 1; shape (a,)."""
        left = np.maximum(self.limit_ms - self.entry_ms.astype(np.int64), 0)
        open_arcs = self.arc_ms < INFINITE
        return np.where(open_arcs, np.minimum(left / np.maximum(self.arc_ms, 1), 1.0), 0.0)

    def pieces(self) -> tuple[Int, Float, Float]:
        """Road pieces that are reached: road, and the shares of it between which; disjoint.

        Both directions of a road and the places' own roads are put together.
        """
        share = self.shares().reshape(-1, 2)
        # A road is entered where it begins or where it ends; ways to a place leave it there.
        first, last = (share[:, 1], share[:, 0]) if self.back else (share[:, 0], share[:, 1])
        road = np.arange(len(share), dtype=np.int32)
        found = [
            (road[first > 0], np.zeros(int((first > 0).sum())), first[first > 0]),
            (road[last > 0], 1.0 - last[last > 0], np.ones(int((last > 0).sum()))),
            self._own_pieces(),
        ]
        return _joined(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _own_pieces(self) -> tuple[Int, Float, Float]:
        """Around each place, along its own road both ways."""
        at = np.flatnonzero(self.places.road >= 0)
        road, share = self.places.road[at], self.places.share[at]
        ahead_of = (2 * road + 1, 2 * road) if self.back else (2 * road, 2 * road + 1)
        ahead, behind = (
            np.where(
                self.arc_ms[arc] < INFINITE, self.limit_ms / np.maximum(self.arc_ms[arc], 1), 0.0
            )
            for arc in ahead_of
        )
        return road, np.maximum(share - behind, 0.0), np.minimum(share + ahead, 1.0)

    def times_ms(self, ends: Snaps) -> Int:
        """Time to each place (or from it); `INFINITE` beyond the limit or off the network."""
        out = np.full(len(ends.road), INFINITE, np.int64)
        on = np.flatnonzero(ends.road >= 0)
        for way in (0, 1):
            arc = 2 * ends.road[on] + way
            share = ends.share[on] if way == 0 else 1.0 - ends.share[on]
            ms = self.arc_ms[arc].astype(np.int64)
            behind = np.floor(share * ms + 0.5).astype(np.int64)
            spent = ms - behind if self.back else behind
            took = np.where(ms < INFINITE, self.entry_ms[arc] + spent, INFINITE)
            out[on] = np.minimum(out[on], took)
        self._straight(ends, on, out)
        return np.where(out <= self.limit_ms, out, INFINITE).astype(np.int32)

    def _straight(self, ends: Snaps, on: NDArray[np.int64], out: NDArray[np.int64]) -> None:
        """Lower the times of those that share a road with a place and lie ahead of it."""
        by_road: dict[int, list[int]] = {}
        own = set(self.places.road[self.places.road >= 0].tolist())
        for i in on[np.isin(ends.road[on], list(own))].tolist():
            by_road.setdefault(int(ends.road[i]), []).append(i)
        for road, share in zip(self.places.road.tolist(), self.places.share.tolist(), strict=True):
            for i in by_road.get(road, ()):
                begin, end = share, float(ends.share[i])
                if self.back:
                    begin, end = end, begin
                for arc, a, b in ((2 * road, begin, end), (2 * road + 1, 1.0 - begin, 1.0 - end)):
                    ms = int(self.arc_ms[arc])
                    if ms < INFINITE and a <= b:
                        out[i] = min(out[i], int(b * ms + 0.5) - int(a * ms + 0.5))


def reach_from(
    travel: TravelTimes,
    places: Snaps,
    mode: str,
    limit_s: float,
    conditions: Conditions,
    *,
    back: bool = False,
) -> Reach:
    """Search from places as far as a time.

    Parameters
    ----------
    places : Snaps
        Those off the network reach nothing.
    limit_s : float
        Infinite for no limit.
    back : bool
        Ways to the places instead of from them.

    Notes
    -----
    The search costs what it reaches; laying it out over the arcs, what the network has.
    """
    links, times = travel.network.links, conditions.times[mode_index(mode)]
    limit_ms = int(min(max(limit_s * 1000.0, 0.0), INFINITE - 1))
    spent = np.zeros(len(places.road), np.int32)
    nodes, ms = reach(links, times, travel.room(), places.road, places.share, spent, limit_ms, back)
    node_ms = np.full(len(links.node), INFINITE, np.int32)
    node_ms[nodes] = ms
    usable = times.link < INFINITE
    entry = np.full(len(times.arc), INFINITE, np.int32)
    ends = links.head if back else links.tail
    np.minimum.at(entry, links.arc[usable], node_ms[ends[usable]])
    return Reach(places, back, limit_ms, times.arc, entry)


def _joined(road: Int, begin: Float, end: Float) -> tuple[Int, Float, Float]:
    """Pieces of the same road that touch or overlap are one."""
    order = np.lexsort((begin, road))
    road, begin, end = road[order], begin[order], end[order]
    if not len(road):
        return road, begin, end
    # Ends rise within a road once each is the greatest so far; roads are 2 apart on that scale.
    reached = np.maximum.accumulate(end + 2.0 * road) - 2.0 * road
    fresh = np.ones(len(road), bool)
    fresh[1:] = (road[1:] != road[:-1]) | (begin[1:] > reached[:-1])
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(road)) - 1
    return road[first], begin[first], np.minimum(reached[last], 1.0)
