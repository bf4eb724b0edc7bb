"""Libraries that a city could take instead: the three nearest of 100, between nodes, no lines.

RoutingKit answers one pair, and fills in new times.
"""

import os
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from benchmarks._road_cases import on_roads
from benchmarks._routing_timing import fastest_links
from routing.hierarchy import INFINITE, customize
from routing.travel import TravelTimes

__all__ = ["PEERS"]

Peer = Callable[[TravelTimes, int], tuple[float, str]]
_PEOPLE = 100


def _edges(travel: TravelTimes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]  # plain
    """Tail, head and seconds of the car's fastest link between two nodes."""
    links, ms = travel.network.links, travel.conditions.times[0].link
    first = fastest_links(links, ms)
    return links.tail[first], links.head[first], ms[first] / 1000.0


def _nodes(travel: TravelTimes, count: int, seed: int) -> list[int]:
    """Nodes that lie beside places on the road."""
    snaps = travel.snap(*on_roads(travel.network, count, np.random.default_rng(seed)).T, "car")
    heads = travel.network.links.arc_head[2 * np.maximum(snaps.road, 0)]
    return [int(node) for node in np.where(heads < 0, 0, heads)]


def _median(run: Callable[[int], object], nodes: list[int]) -> float:
    took = []
    for node in nodes:
        begun = time.perf_counter()
        run(node)
        took.append(time.perf_counter() - begun)
    return float(np.median(took))


def scipy_search(travel: TravelTimes, times: int) -> tuple[float, str]:
    """One reverse search over the whole city."""
    tail, head, seconds = _edges(travel)
    n = len(travel.network.links.node)
    graph = csr_array((seconds, (head, tail)), shape=(n, n))
    people = np.array(_nodes(travel, _PEOPLE, 1))

    def run(node: int) -> object:
        return np.sort(dijkstra(graph, indices=[node])[0][people])[:3]

    return _median(run, _nodes(travel, times, 2)), "times only"


def networkx_search(travel: TravelTimes, times: int) -> tuple[float, str]:
    """A reverse search that ends at the third responder, as osmnx's graphs are asked."""
    import heapq

    import networkx as nx

    tail, head, seconds = _edges(travel)
    graph = nx.DiGraph()
    graph.add_weighted_edges_from(zip(head.tolist(), tail.tolist(), seconds.tolist(), strict=True))
    people = set(_nodes(travel, _PEOPLE, 1))

    def run(node: int) -> object:
        found, seen, queue = [], set(), [(0.0, node)]
        while queue and len(found) < 3:
            took, at = heapq.heappop(queue)
            if at in seen:
                continue
            seen.add(at)
            if at in people:
                found.append((took, at))
            for other, facts in graph.adj[at].items():
                heapq.heappush(queue, (took + facts["weight"], other))
        return found

    return _median(run, _nodes(travel, min(times, 20), 2)), "times only"


def pandana_search(travel: TravelTimes, times: int) -> tuple[float, str]:
    """Contraction hierarchies by pandana: nearest points of interest of one node."""
    import pandana
    import pandas as pd

    links, net = travel.network.links, travel.network
    tail, head, seconds = _edges(travel)
    x, y = (pd.Series(values[links.node]) for values in (net.node_lon, net.node_lat))
    weights = pd.DataFrame({"s": seconds})
    # It talks on standard output, where the figures go.
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        # Against the arcs: the way from a responder is one to it.
        city = pandana.Network(x, y, pd.Series(head), pd.Series(tail), weights, twoway=False)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    people = _nodes(travel, _PEOPLE, 1)

    def run(node: int) -> object:
        return city.shortest_path_lengths([node] * _PEOPLE, people)

    return _median(run, _nodes(travel, times, 2)), "100 times one by one, times only"


def routingkit_query(travel: TravelTimes, times: int) -> tuple[float, str]:
    """Customizable contraction hierarchies by RoutingKit: ways between two nodes."""
    import routingkit_cch

    hierarchy, ms = _routingkit(travel)
    query = routingkit_cch.CCHQuery(routingkit_cch.CCHMetric(hierarchy, ms))
    ends = iter(_nodes(travel, times, 3))
    took = _median(lambda node: query.run(node, next(ends)), _nodes(travel, times, 2))
    return took, "one pair with its nodes and arcs"


def routingkit_customization(travel: TravelTimes, times: int) -> tuple[float, str]:
    """RoutingKit's customization of the car's times, beside ours."""
    import routingkit_cch

    hierarchy, ms = _routingkit(travel)
    own, link_ms = [], travel.conditions.times[0].link.copy()
    for _ in range(times):
        begun = time.perf_counter()
        customize(travel.network.hierarchy, link_ms)
        own.append(time.perf_counter() - begun)
    took = _median(lambda _: routingkit_cch.CCHMetric(hierarchy, ms), list(range(times)))
    return took, f"customizing one mode; ours {float(np.median(own)) * 1e6:.0f} µs"


def _routingkit(travel: TravelTimes) -> tuple[object, list[int]]:
    import routingkit_cch

    links, net = travel.network.links, travel.network
    tail, head, ms = links.tail.tolist(), links.head.tolist(), travel.conditions.times[0].link
    lon, lat = net.node_lon[links.node].tolist(), net.node_lat[links.node].tolist()
    order = routingkit_cch.compute_order_inertial(len(lon), tail, head, lat, lon)
    never = 2**31 - 1
    weights = np.where(ms < INFINITE, ms, never).tolist()
    return routingkit_cch.CCH(order, tail, head, False), weights


PEERS: dict[str, Peer] = {
    "SciPy": scipy_search,
    "networkx": networkx_search,
    "pandana": pandana_search,
    "RoutingKit query": routingkit_query,
    "RoutingKit customization": routingkit_customization,
}
