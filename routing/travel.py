"""Travel time on the road: places snapped on arcs, responders ranked, routes clipped.

First version: one reverse Dijkstra (scipy) from the incident per way of moving, exact for
all responders at once. A straight line is never the answer; unreachable is said.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from shapely import ops

from routing.errors import NetworkError
from routing.network import MODES, RoadNetwork

__all__ = ["MAX_SNAP_M", "Journey", "Snap", "nearest_responders", "snap"]

# Farther from a road than this is off the network.
MAX_SNAP_M = 1000.0
_TINY_S = 1e-9


@dataclass(frozen=True, slots=True)
class Snap:
    """A place on an arc.

    Attributes
    ----------
    arc : int
        -1 where no usable arc lies within `MAX_SNAP_M`.
    share : float
        How far along the arc, 0 at its tail and 1 at its head.
    distance_m : float
        From the place to the arc.
    """

    arc: int
    share: float
    distance_m: float


@dataclass(frozen=True, slots=True)
class Journey:
    """A responder's way to the incident.

    Attributes
    ----------
    responder : int
        Position in the input.
    time_s, distance_m : float
        By road from the snapped position to the snapped incident; infinite if unreachable.
    arcs : tuple of int
        Arcs in driving order; empty if unreachable.
    route : shapely.LineString or None
        Clipped at both ends, EPSG:4326.
    streets : tuple of str
        Names along the way, each once in order.
    reason : str
        Empty, or why there is no way.
    """

    responder: int
    time_s: float
    distance_m: float
    arcs: tuple[int, ...]
    route: Any
    streets: tuple[str, ...]
    reason: str = ""


def snap(network: RoadNetwork, lon: ArrayLike, lat: ArrayLike, mode: str) -> list[Snap]:
    """Snap places to the nearest arcs that a mode may use.

    Parameters
    ----------
    lon, lat : array_like of float, shape (n,), degrees, EPSG:4326
    mode : {'car', 'moped', 'foot'}

    Raises
    ------
    NetworkError
        If a coordinate is not finite or the mode has no road at all.
    """
    x, y = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise NetworkError("a place to snap has no finite coordinates")
    arcs, tree = network.trees[MODES.index(mode)]
    if not len(arcs):
        raise NetworkError(f"no road of this network is open to mode {mode!r}")
    points = shapely.points(*network.local.xy(x, y))
    (_, hit), distance = tree.query_nearest(points, all_matches=False, return_distance=True)
    lines = network.lines_m[arcs[hit]]
    share = shapely.line_locate_point(lines, points, normalized=True)
    return [
        Snap(int(arcs[h]) if d <= MAX_SNAP_M else -1, float(s), float(d))
        for h, s, d in zip(hit, share, distance, strict=True)
    ]


def nearest_responders(
    network: RoadNetwork,
    incident: tuple[float, float],
    lon: ArrayLike,
    lat: ArrayLike,
    modes: list[str],
    *,
    k: int | None = None,
) -> list[Journey]:
    """Rank responders by road travel time to an incident, each by their own way of moving.

    Parameters
    ----------
    network : RoadNetwork
    incident : tuple of float
        Longitude and latitude, EPSG:4326.
    lon, lat : array_like of float, shape (n,), degrees, EPSG:4326
        Positions of the responders.
    modes : list of str, length n
    k : int, optional
        How many reachable ones to return with routes; all by default.

    Returns
    -------
    list of Journey
        The k fastest, ties by position in the input; then everyone unreachable, with why.
    """
    x, y = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    found: list[Journey] = []
    for mode in sorted(set(modes)):
        mine = [i for i, own in enumerate(modes) if own == mode]
        target = snap(network, [incident[0]], [incident[1]], mode)[0]
        field = _Field(network, mode, target) if target.arc >= 0 else None
        for position, origin in zip(mine, snap(network, x[mine], y[mine], mode), strict=True):
            found.append(_journey(field, position, origin))
    found.sort(key=lambda journey: (journey.time_s, journey.responder))
    reached = [journey for journey in found if not journey.reason]
    return reached[:k] + [journey for journey in found if journey.reason]


def _journey(field: "_Field | None", position: int, origin: Snap) -> Journey:
    if field is None:
        return _unreachable(position, "the incident is off the road network")
    if origin.arc < 0:
        return _unreachable(position, "the responder is off the road network")
    return field.journey(position, origin)


def _unreachable(position: int, reason: str) -> Journey:
    return Journey(position, float("inf"), float("inf"), (), None, (), reason)


class _Field:
    """Travel times from every node to one target, by one reverse Dijkstra."""

    def __init__(self, network: RoadNetwork, mode: str, target: Snap) -> None:
        self.network, self.target = network, target
        self.times = network.time_s[MODES.index(mode)]
        # The target lies on an arc, and where that runs both ways on its twin too.
        twin = int(network.twin[target.arc])
        self.last = {target.arc: target.share}
        if twin >= 0 and np.isfinite(self.times[twin]):
            self.last[twin] = 1.0 - target.share
        self.arc_of: dict[tuple[int, int], int] = {}
        self.to_target, self.next_node = self._search()

    def _search(self) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        network, sink = self.network, self.network.node_count
        best = self._fastest_arcs()
        # Several ways from one node into the target: the matrix must hold the fastest.
        merged: dict[int, float] = {}
        for arc, share in self.last.items():
            tail, cost_s = int(network.tail[arc]), max(float(self.times[arc]) * share, _TINY_S)
            merged[tail] = min(merged.get(tail, np.inf), cost_s)
        rows = np.concatenate([network.head[best], np.full(len(merged), sink)])
        cols = np.concatenate([network.tail[best], np.array([*merged], np.int64)])
        data = np.concatenate([np.maximum(self.times[best], _TINY_S), [*merged.values()]])
        graph = csr_array((data, (rows, cols)), shape=(sink + 1, sink + 1))
        times, previous = dijkstra(graph, indices=[sink], return_predecessors=True)
        return times[0], previous[0]

    def _fastest_arcs(self) -> NDArray[np.int64]:
        """The fastest open arc for each pair of nodes."""
        network = self.network
        usable = np.flatnonzero(np.isfinite(self.times))
        order = usable[np.lexsort((self.times[usable], network.head[usable], network.tail[usable]))]
        pairs = np.column_stack([network.tail[order], network.head[order]])
        _, first = np.unique(pairs, axis=0, return_index=True)
        best = order[first].astype(np.int64)
        self._pair_arcs = best
        return best

    def journey(self, position: int, origin: Snap) -> Journey:
        """Fastest way from a snapped origin to the target."""
        best_time, best_start, direct = np.inf, -1, False
        for arc, share in self._starts(origin):
            if arc in self.last and share <= self.last[arc]:
                time_s = self.times[arc] * (self.last[arc] - share)
                if time_s < best_time:
                    best_time, best_start, direct = time_s, arc, True
            onward = self.times[arc] * (1.0 - share) + self.to_target[self.network.head[arc]]
            if onward < best_time:
                best_time, best_start, direct = onward, arc, False
        if not np.isfinite(best_time):
            return _unreachable(position, "no road leads from the responder to the incident")
        arcs = [best_start] if direct else self._arcs_from(best_start)
        first = dict(self._starts(origin))[best_start]
        return self._described(position, arcs, first)

    def _starts(self, origin: Snap) -> list[tuple[int, float]]:
        starts = [(origin.arc, origin.share)]
        twin = int(self.network.twin[origin.arc])
        if twin >= 0 and np.isfinite(self.times[twin]):
            starts.append((twin, 1.0 - origin.share))
        return starts

    def _arcs_from(self, start: int) -> list[int]:
        network, sink = self.network, self.network.node_count
        arcs, node = [start], int(network.head[start])
        while (following := int(self.next_node[node])) != sink:
            arcs.append(self._arc(node, following))
            node = following
        ends = [arc for arc in self.last if network.tail[arc] == node]
        return [*arcs, min(ends, key=lambda arc: self.times[arc] * self.last[arc])]

    def _arc(self, tail: int, head: int) -> int:
        if not self.arc_of:
            network = self.network
            self.arc_of = {
                (int(network.tail[arc]), int(network.head[arc])): int(arc)
                for arc in self._pair_arcs
            }
        return self.arc_of[tail, head]

    def _described(self, position: int, arcs: list[int], first: float) -> Journey:
        network = self.network
        final = self.last[arcs[-1]]
        shares = np.ones(len(arcs))
        shares[0] -= first
        shares[-1] -= 1.0 - final
        time_s = float((self.times[arcs] * shares).sum())
        distance_m = float((network.length_m[arcs] * shares).sum())
        names = [str(network.name[arc]) for arc in arcs if network.name[arc]]
        streets = tuple(name for i, name in enumerate(names) if i == 0 or names[i - 1] != name)
        return Journey(
            position, time_s, distance_m, tuple(arcs), self._line(arcs, first, final), streets
        )

    def _line(self, arcs: list[int], first: float, final: float) -> Any:
        network = self.network
        parts = []
        for index, arc in enumerate(arcs):
            begin = first if index == 0 else 0.0
            end = final if index == len(arcs) - 1 else 1.0
            part = ops.substring(network.lines_m[arc], begin, end, normalized=True)
            parts.append(shapely.get_coordinates(part))
        xy = np.concatenate(parts)
        keep = np.concatenate([[True], (np.diff(xy, axis=0) != 0).any(axis=1)])
        xy = xy[keep] if keep.sum() > 1 else xy[[0, 0]]
        line = shapely.LineString(xy)
        return network.local.inverse(np.array([line], dtype=object))[0]
