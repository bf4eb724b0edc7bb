"""Requests to the travel-time engine and to OSRM and SciPy, in turns."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from benchmarks._peer_worker import PeerWorker
from benchmarks._road_cases import on_roads
from benchmarks._routing_timing import (
    MS,
    US,
    Place,
    Row,
    crew_on,
    fastest_links,
    quantile,
    say,
    taken,
)
from routing.errors import NetworkError
from routing.fleet import Fleet
from routing.hierarchy import INFINITE
from routing.kernels.search import reach
from routing.travel import TravelTimes

__all__ = [
    "beside_valhalla",
    "curve",
    "isochrone_times",
    "matrix",
    "point_to_point",
    "whole_request",
]

_TOGETHER = 20


def whole_request(
    travel: TravelTimes, osrm: PeerWorker | None, responders: int, requests: int
) -> Row:
    """Snap, the three nearest of R, their clipped lines; OSRM by its short cut of 30."""
    people = crew_on(travel.network, responders, responders)
    fleet = Fleet(travel)
    for key, (x, y) in enumerate(people):
        fleet.put(key, x, y, "car")
    if osrm is not None:
        osrm.ask("crew", name=str(responders), people=people)
    ours: list[float] = []
    theirs: list[float] = []
    missed, compared = 0, 0
    places = [place for place in crew_on(travel.network, requests, 7) if answered(fleet, place)]
    for block in blocks(places):
        ours += [taken(lambda place=place: fleet.nearest(place, 3)) for place in block]
        task = {"crew": str(responders), "k": 3, "first": 30}
        theirs += asked(osrm, [{"kind": "nearest", "place": place} | task for place in block])
        if responders > 30:
            compared += len(block)
            missed += sum(short_cut_misses(fleet, people, place) for place in block)
    half = len(ours) // 4
    row: Row = {"responders": responders, "requests": len(ours)}
    row |= {"p50_us": float(np.median(ours[half:])) * US, "p99_us": quantile(ours[half:], 0.99)}
    if theirs:
        row["osrm_p50_us"] = float(np.median(theirs[half:])) * US
        row["ratio"] = row["osrm_p50_us"] / row["p50_us"]
    if compared:
        row["short_cut_misses_nearest"] = missed / compared
    say(row)
    return row


def blocks(values: list[Any]) -> Iterator[list[Any]]:
    """A few at a time: the engines take turns, and each answers as it does under load."""
    for first in range(0, len(values), _TOGETHER):
        yield values[first : first + _TOGETHER]


def asked(osrm: PeerWorker | None, tasks: list[dict[str, Any]]) -> list[float]:
    """Seconds of OSRM for those tasks that it could answer."""
    found = [osrm.ask(**task)[0] for task in tasks] if osrm is not None else []
    return [took for took in found if took is not None]


def answered(fleet: Fleet, place: Place) -> bool:
    """Whether a place lies on the network."""
    try:
        fleet.nearest(place, 1)
    except NetworkError:
        return False
    return True


def short_cut_misses(fleet: Fleet, people: list[Place], place: Place) -> bool:
    """Whether the 30 nearest in a straight line miss the first by road, by our own times."""
    xy = np.array(people)
    scale = np.cos(np.radians(place[1]))
    away = np.hypot((xy[:, 0] - place[0]) * scale, xy[:, 1] - place[1])
    near = np.argpartition(away, 30)[:30].tolist()
    best = fleet.nearest(place, 1)
    among = fleet.nearest(place, 1, near)
    return not among.ways or among.ways[0].time_s > best.ways[0].time_s


def point_to_point(travel: TravelTimes, osrm: PeerWorker | None, requests: int) -> Row:
    """One way with its arcs and line between two places."""
    places = crew_on(travel.network, 2 * requests, 3)
    ours: list[float] = []
    theirs: dict[str, list[float]] = {"line": [], "line_and_nodes": []}
    pairs = list(zip(places[:requests], places[requests:], strict=True))
    for number, block in enumerate(blocks(pairs)):
        for ends in block:
            with suppress(NetworkError):
                ours.append(taken(lambda ends=ends: travel.route(*ends, "car")))
        kind = ("line", "line_and_nodes")[number % 2]
        task = {"kind": "route", "annotations": ["nodes"] if number % 2 else []}
        theirs[kind] += asked(osrm, [task | {"ends": ends} for ends in block])
    row: Row = {"case": "point to point", "requests": len(ours)}
    row["us"] = float(np.median(ours)) * US
    for kind, took in theirs.items():
        if took:
            row[f"osrm_{kind}_us"] = float(np.median(took)) * US
            row[f"ratio_{kind}"] = row[f"osrm_{kind}_us"] / row["us"]
    if osrm is not None:
        row["ratio"] = row["ratio_line_and_nodes"]
    say(row)
    return row


def matrix(travel: TravelTimes, osrm: PeerWorker | None, side: int, times: int) -> Row:
    """All times between `side` starts and as many ends."""
    xy = np.array(crew_on(travel.network, 2 * side, 5))
    starts, ends = xy[:side], xy[side:]
    ours, theirs = [], []
    for _ in range(times):
        ours.append(taken(lambda: travel.matrix(*starts.T, *ends.T, "car")))  # type: ignore[call-arg]  # four
        if osrm is not None:
            took, _ = osrm.ask("matrix", starts=starts.tolist(), ends=ends.tolist())
            if took is not None:
                theirs.append(took)
    row: Row = {"case": f"matrix {side} × {side}", "times": times}
    row["ms"] = float(np.median(ours)) * MS
    if theirs:
        row["osrm_ms"] = float(np.median(theirs)) * MS
        row["ratio"] = row["osrm_ms"] / row["ms"]
    say(row)
    return row


def beside_valhalla(travel: TravelTimes, valhalla: PeerWorker, requests: int) -> Row:
    """Ways with their lines, and a matrix of 100 × 100, beside Valhalla's."""
    places = crew_on(travel.network, 2 * requests, 3)
    ours: list[float] = []
    theirs: list[float] = []
    for block in blocks(list(zip(places[:requests], places[requests:], strict=True))):
        for ends in block:
            with suppress(NetworkError):
                ours.append(taken(lambda ends=ends: travel.route(*ends, "car")))
        theirs += asked(valhalla, [{"kind": "route", "ends": ends} for ends in block])
    xy = np.array(places[:200])
    lon, lat = xy.T
    own = [
        taken(lambda: travel.matrix(lon[:100], lat[:100], lon[100:], lat[100:], "car"))
        for _ in range(10)
    ]
    task = {"kind": "matrix", "starts": xy[:100].tolist(), "ends": xy[100:].tolist()}
    other = asked(valhalla, [task] * 3)
    valhalla.close()
    row: Row = {"case": "beside Valhalla", "requests": len(theirs)}
    row |= {"us": float(np.median(ours)) * US, "valhalla_us": float(np.median(theirs)) * US}
    row |= {"ms": float(np.median(own)) * MS, "valhalla_ms": float(np.median(other)) * MS}
    row |= {"ratio": row["valhalla_us"] / row["us"], "ratio_matrix": row["valhalla_ms"] / row["ms"]}
    say(row)
    return row


def link_graph(travel: TravelTimes) -> csr_array:
    """The car's links for SciPy; of several between two nodes the fastest."""
    links, ms = travel.network.links, travel.conditions.times[0].link
    first = fastest_links(links, ms)
    n = len(links.node)
    values = np.maximum(ms[first], 1).astype(float)
    return csr_array((values, (links.tail[first], links.head[first])), shape=(n, n))


def isochrone_times(travel: TravelTimes, minutes: float, times: int) -> Row:
    """Times of all nodes within some minutes, and SciPy's with a limit from the same node."""
    graph, net = link_graph(travel), travel.network
    rng = np.random.default_rng(4)
    ours, theirs, nodes, differ = [], [], 0, 0
    limit = int(minutes * 60_000)
    none, room, own = np.zeros(1, np.int32), travel.room(), travel.conditions.times[0]
    for _ in range(times):
        x, y = on_roads(net, 1, rng)[0].tolist()
        snaps = travel.snap(x, y, "car")
        road = int(snaps.road[0])
        arc = 2 * road if own.arc[2 * road] < INFINITE else 2 * road + 1
        # From the road's end, so that SciPy has one source and the same answer.
        place = (np.array([road], np.int32), np.array([1.0 if arc == 2 * road else 0.0]))
        source = int(net.links.arc_head[arc])
        begun = time.perf_counter()
        reached, ms = reach(net.links, own, room, *place, none, limit, False)
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        expected = dijkstra(graph, indices=[source], limit=limit)[0]
        theirs.append(time.perf_counter() - begun)
        nodes += len(reached)
        both_ways = max(own.arc[2 * road], own.arc[2 * road + 1]) < INFINITE
        differ += 0 if both_ways else int((expected[reached] != ms).sum())
    row: Row = {"case": f"isochrone {minutes:g} min", "nodes": nodes // times, "differ": differ}
    row |= {"ms": float(np.median(ours)) * MS, "scipy_ms": float(np.median(theirs)) * MS}
    row["of_scipy"] = row["ms"] / row["scipy_ms"]
    say(row)
    return row


def curve(networks: dict[str, TravelTimes], requests: int) -> list[Row]:
    """Whole requests against the size of the network and the number of responders."""
    rows = []
    for name, travel in networks.items():
        for responders in (10, 100, 1_000, 20_000):
            row = whole_request(travel, None, responders, requests)
            row = {"network": name, "roads": travel.network.road_count} | row
            rows.append(row)
    return rows
