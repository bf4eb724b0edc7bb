"""A road network from plain arrays: turns expanded, stray parts taken off, hierarchy made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from routing.cells import index_cells, roads_of_points
from routing.errors import NetworkError
from routing.hierarchy import INFINITE, contract, postorder
from routing.network import MODES, FellOff, Links, RoadNetwork
from routing.ordering import inertial_rank
from routing.turns import TurnGraph, expand_turns

__all__ = ["Roads", "assemble"]

Int = NDArray[np.int32]
Long = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Roads:
    """What a network is made of; see `RoadNetwork` for the arrays.

    Attributes
    ----------
    time_ms : ndarray of int32, shape (3, 2r)
        0 to `INFINITE`.
    bans : mapping of tuple of int to int
        Sequences of arcs that may not be driven one after the other, and the bits of the modes.
    rank : ndarray of int64, optional
        Order of contraction of the nodes, where one is known and there are no bans.
    """

    node_lon: Float
    node_lat: Float
    tail: Int
    head: Int
    length_m: Float
    time_ms: Int
    point_start: Int
    lon: Float
    lat: Float
    way: Long
    kind: Int
    name: Int
    kinds: Sequence[str] = ("",)
    names: Sequence[str] = ("",)
    bans: Mapping[tuple[int, ...], int] = field(default_factory=dict)
    rank: Long | None = None


def assemble(roads: Roads, *, whole: bool = False) -> RoadNetwork:
    """Make a network.

    Parameters
    ----------
    roads : Roads
    whole : bool
        Keep what hangs together with the largest part in one direction only, or not at all.

    Raises
    ------
    NetworkError
        If there is no road, or a mode's every road is closed to it in a network for modes.
    """
    if not len(roads.tail):
        raise NetworkError("a network without roads")
    ends = np.column_stack([roads.tail, roads.head])
    tail, head = ends.ravel().astype(np.int32), ends[:, ::-1].ravel().astype(np.int32)
    used = np.any(roads.time_ms < INFINITE, axis=0, keepdims=True)[0]
    if not used.any():
        raise NetworkError("no mode may use any road of this network")
    graph = expand_turns(len(roads.node_lon), tail, head, used, roads.bans)
    time_ms: Int = roads.time_ms.astype(np.int32)
    fell_off: tuple[FellOff, ...] = ()
    if not whole:
        time_ms, fell_off = _largest_parts(graph, time_ms, np.repeat(roads.length_m, 2))
    return _built(roads, graph, time_ms, fell_off)


def _built(
    roads: Roads, graph: TurnGraph, time_ms: Int, fell_off: tuple[FellOff, ...]
) -> RoadNetwork:
    joined = _ends_together(graph)
    if roads.rank is None or len(graph.origin) > len(roads.node_lon):
        a, b = (
            np.concatenate([graph.tail, joined[:, 0]]),
            np.concatenate([graph.head, joined[:, 1]]),
        )
        rank = inertial_rank(roads.node_lon[graph.origin], roads.node_lat[graph.origin], a, b)
    else:
        rank = roads.rank
    # The hierarchy renumbers nodes; links are sorted by the numbers that their tails will have.
    place = postorder(rank, graph.tail, graph.head, joined)
    order = np.lexsort((graph.arc, place[graph.tail]))
    graph = graph._replace(
        tail=graph.tail[order],
        head=graph.head[order],
        arc=graph.arc[order],
        banned=graph.banned[order],
    )
    hierarchy, position = contract(place, graph.tail, graph.head, joined)
    point_road = roads_of_points(roads.point_start)
    lon, lat = roads.lon.astype(float), roads.lat.astype(float)
    return RoadNetwork(
        node_lon=roads.node_lon.astype(float),
        node_lat=roads.node_lat.astype(float),
        tail=roads.tail.astype(np.int32),
        head=roads.head.astype(np.int32),
        way=roads.way.astype(np.int64),
        kind=roads.kind.astype(np.int32),
        name=roads.name.astype(np.int32),
        length_m=roads.length_m.astype(float),
        point_start=roads.point_start.astype(np.int32),
        lon=lon,
        lat=lat,
        along=_along(lon, lat, roads.point_start, point_road),
        time_ms=time_ms,
        links=_links(graph, position),
        hierarchy=hierarchy,
        cells=index_cells(lon, lat, point_road),
        names=tuple(roads.names),
        kinds=tuple(roads.kinds),
        fell_off=fell_off,
    )


def _along(lon: Float, lat: Float, point_start: Int, point_road: Int) -> Float:
    """Share of its road's length at which each point lies; by points where it has no length."""
    dy = np.diff(lat)
    dx = np.diff(lon) * np.cos(np.radians((lat[1:] + lat[:-1]) / 2))
    step = np.concatenate([[0.0], np.hypot(dx, dy)])
    first = point_start[:-1]
    step[first] = 0.0
    for _ in range(2):
        total = np.cumsum(step)
        total -= total[first][point_road]
        length = total[point_start[1:] - 1]
        empty = np.isin(point_road, np.flatnonzero(length <= 0.0))
        if not empty.any():
            break
        step[empty] = 1.0
        step[first] = 0.0
    share = total / length[point_road]
    share[point_start[1:] - 1] = 1.0
    clipped: Float = np.clip(share, 0.0, 1.0)
    return clipped


def _links(graph: TurnGraph, position: Int) -> Links:
    tail, head = position[graph.tail], position[graph.head]
    n, arcs = len(position), len(graph.arc_head)
    node = np.empty(n, np.int32)
    node[position] = graph.origin
    in_link = np.argsort(head, kind="stable").astype(np.int32)
    arc_link = np.argsort(graph.arc, kind="stable").astype(np.int32)
    arc_head = np.where(graph.arc_head < 0, -1, position[graph.arc_head])
    return Links(
        node=node,
        tail=tail,
        head=head,
        arc=graph.arc,
        banned=graph.banned,
        start=np.searchsorted(tail, np.arange(n + 1)).astype(np.int32),
        in_start=np.searchsorted(head[in_link], np.arange(n + 1)).astype(np.int32),
        in_link=in_link,
        in_tail=tail[in_link],
        in_place=np.argsort(in_link, kind="stable").astype(np.int32),
        arc_start=np.searchsorted(graph.arc[arc_link], np.arange(arcs + 1)).astype(np.int32),
        arc_link=arc_link,
        arc_head=arc_head.astype(np.int32),
    )


def _ends_together(graph: TurnGraph) -> Int:
    """Pairs of nodes that a place on one road may begin or end at, where there are copies.

    A place's ends must lie on one way to the hierarchy's root; those that a link joins do.
    """
    plain = int(graph.origin.max()) + 1
    copied = (graph.tail >= plain) | (graph.head >= plain)
    ends: dict[int, set[int]] = {road: set() for road in np.unique(graph.arc[copied] >> 1).tolist()}
    for link in np.flatnonzero(np.isin(graph.arc >> 1, list(ends))).tolist():
        ends[int(graph.arc[link]) >> 1] |= {int(graph.tail[link]), int(graph.head[link])}
    pairs = {pair for nodes in ends.values() for pair in combinations(sorted(nodes), 2)}
    return np.array(sorted(pairs), np.int32).reshape(-1, 2)


def _largest_parts(
    graph: TurnGraph, time_ms: Int, length_m: Float
) -> tuple[Int, tuple[FellOff, ...]]:
    """Close to each mode what lies outside its largest strongly connected part."""
    kept, fell_off = time_ms.copy(), []
    n = len(graph.origin)
    for mode, name in enumerate(MODES):
        open_links = (time_ms[mode][graph.arc] < INFINITE) & ((graph.banned >> mode & 1) == 0)
        links = np.flatnonzero(open_links)
        if not len(links):
            fell_off.append(FellOff(name, 0, 0.0))
            continue
        a, b = graph.tail[links], graph.head[links]
        joins = csr_array((np.ones(len(links), np.int8), (a, b)), shape=(n, n))
        _, part = connected_components(joins, connection="strong")
        inside = part[a] == part[b]
        size = np.bincount(part[a[inside]], length_m[graph.arc[links[inside]]], part.max() + 1)
        stays = np.zeros(time_ms.shape[1], bool)
        stays[graph.arc[links[inside & (part[a] == size.argmax())]]] = True
        lost = (time_ms[mode] < INFINITE) & ~stays
        kept[mode, lost] = INFINITE
        fell_off.append(FellOff(name, int(lost.sum()), float(length_m[lost].sum())))
    return kept, tuple(fell_off)
