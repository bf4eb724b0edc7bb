"""Exactness of the travel-time engine: RoutingKit's references, and brute force of our own."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._line_graph import NEVER, LineGraph
from benchmarks._road_cases import on_roads
from routing.assembly import Roads
from routing.conditions import Conditions
from routing.fleet import Fleet
from routing.hierarchy import INFINITE
from routing.kernels.places import offset_ms
from routing.network import MODES, RoadNetwork
from routing.travel import TravelTimes, Way

__all__ = ["against_brute_force", "against_references"]

Row = dict[str, Any]


def against_references(
    roads: Roads, travel: TravelTimes, queries: dict[str, NDArray[np.int64]], limit: int
) -> Row:
    """Luxembourg's travel times between nodes: from the end of an arc to the beginning of one."""
    first, head = queries["first"], roads.head.astype(np.int64)
    into = np.full(len(first), -1)
    into[head] = np.arange(len(head))
    arcs_into: dict[int, list[int]] = {}
    now, wrong = travel.conditions, 0
    for s, t, expected in zip(
        queries["source"][:limit].tolist(),
        queries["target"][:limit].tolist(),
        queries["time"][:limit].tolist(),
        strict=True,
    ):
        starts = [(int(into[s]), 1.0)] if into[s] >= 0 else _leaving(first, s)
        ends = [(int(first[t]), 0.0)] if first[t] < first[t + 1] else []
        if not ends:
            if t not in arcs_into:
                arcs_into[t] = np.flatnonzero(head == t).tolist()
            ends = [(arc, 1.0) for arc in arcs_into[t]]
        best = 0 if s == t else NEVER
        for start in starts:
            ways = travel.ways([(0, *start, *end) for end in ends], now)
            best = min([best, *(round(way.time_s * 1000) for way in ways if way is not None)])
        wrong += best != (expected if expected < 2**31 - 1 else NEVER)
    return {"network": "luxembourg", "references": min(limit, 100_000), "differ": wrong}


def _leaving(first: NDArray[np.int64], node: int) -> list[tuple[int, float]]:
    return [(arc, 0.0) for arc in range(int(first[node]), int(first[node + 1]))]


def against_brute_force(
    name: str,
    roads: Roads,
    network: RoadNetwork,
    requests: int,
    *,
    people: int,
    modes: tuple[str, ...] = MODES,
    rounds: int = 10,
) -> Row:
    """Requests for the nearest three, while roads close and slow down; every case counted."""
    rng = np.random.default_rng(11)
    travel = TravelTimes(network)
    fleet = Fleet(travel)
    own: dict[int, str] = {}
    for key in range(people):
        own[key] = modes[key % len(modes)]
        fleet.put(key, *on_roads(network, 1, rng, MODES.index(own[key]))[0].tolist(), own[key])
    seen: Counter[str] = Counter()
    usual = travel.conditions
    for number in range(rounds):
        _disturb(travel, rng, number)
        _move_some(fleet, travel, own, rng, number)
        brute = {
            mode: LineGraph(
                roads.tail,
                roads.head,
                travel.conditions.times[MODES.index(mode)].arc,
                roads.bans,
                MODES.index(mode),
            )
            for mode in modes
        }
        for place in on_roads(network, requests // rounds, rng).tolist():
            few = rng.random() < 0.5
            asked = rng.choice(people, 12, replace=False).tolist() if few else None
            _one(roads, travel, fleet, brute, (place[0], place[1]), asked, usual, rng, seen)
    return {"network": name, "requests": requests, "people": people} | dict(sorted(seen.items()))


def _disturb(travel: TravelTimes, rng: np.random.Generator, number: int) -> None:
    """Close a few hundred arcs, slow others down; in the first round all is as usual."""
    net = travel.network
    arcs = np.unique(rng.integers(0, 2 * net.road_count, 600 if number else 1))
    ms = net.time_ms[:, arcs].astype(np.int64)
    if number:
        ms[:, ::2] = INFINITE
        ms[:, 1::2] = np.minimum(ms[:, 1::2] * 3, INFINITE)
    travel.change(arcs, ms.astype(np.int32))


def _move_some(
    fleet: Fleet, travel: TravelTimes, own: dict[int, str], rng: np.random.Generator, number: int
) -> None:
    """A third of the responders move."""
    for key, mode in own.items():
        if key % 3 == number % 3:
            place = on_roads(travel.network, 1, rng, MODES.index(mode))[0].tolist()
            fleet.put(key, place[0], place[1], mode)


def _one(
    roads: Roads,
    travel: TravelTimes,
    fleet: Fleet,
    brute: dict[str, LineGraph],
    place: tuple[float, float],
    asked: list[int] | None,
    usual: Conditions,
    rng: np.random.Generator,
    seen: Counter[str],
) -> None:
    # A responder stands where the incident is, and another somewhere on the same road.
    fleet.put(0, *place, "car")
    road = int(travel.snap(place[0], place[1], "car").road[0])
    beside = travel.network.lines[road].interpolate(rng.random(), normalized=True)
    fleet.put(1, beside.x, beside.y, list(brute)[1 % len(brute)])
    if asked is not None:
        asked = sorted({0, 1, *asked})
    found = fleet.nearest(place, 3, asked)
    got = [(round(way.time_s * 1000), key) for key, way in zip(found.keys, found.ways, strict=True)]
    limit = max((ms for ms, _ in got), default=NEVER) if len(got) == 3 else NEVER
    expected = []
    for mode, graph in brute.items():
        rows = fleet.placed(mode)
        snaps = travel.snap(place[0], place[1], mode)
        end = (int(snaps.road[0]), float(snaps.share[0]))
        if end[0] < 0:
            continue
        to_end = graph.times_to(*end, limit_ms=limit)
        for key, start in rows.items():
            if asked is None or key in asked:
                ms = graph.between(to_end, start, end) if start[0] >= 0 else NEVER
                seen["unreachable"] += ms >= NEVER and limit >= NEVER
                seen["same_road"] += start[0] == end[0]
                expected.append((ms, key))
        seen["one_way"] += bool((graph.arc_ms[2 * end[0] : 2 * end[0] + 2] >= NEVER).any())
    expected = sorted(one for one in expected if one[0] < NEVER)[:3]
    seen["differ"] += [ms for ms, _ in expected] != [ms for ms, _ in got]
    firsts = {ban[0] for ban in roads.bans}
    for key, way in zip(found.keys, found.ways, strict=True):
        seen["ways"] += 1
        seen["ways_wrong"] += not _holds(roads, travel, way, fleet, key, place)
        seen["past_a_restricted_turn"] += not firsts.isdisjoint(way.arcs.tolist())
        mode = MODES.index(next(mode for mode in brute if key in fleet.placed(mode)))
        start, end = fleet.placed(MODES[mode])[key], travel.snapped(place, MODES[mode], usual)
        before = travel.ways([(mode, *start, *end)], usual)[0]
        seen["around_a_closure"] += before is None or before.time_s < way.time_s


def _holds(
    roads: Roads, travel: TravelTimes, way: Way, fleet: Fleet, key: Any, place: tuple[float, float]
) -> bool:
    """Connected, open, no banned turn, and the arcs' times sum to the answer."""
    mode = next(mode for mode in MODES if key in fleet.placed(mode))
    number = MODES.index(mode)
    arc_ms = travel.conditions.times[number].arc
    arcs = way.arcs.tolist()
    ends = [(roads.tail[a >> 1], roads.head[a >> 1])[:: -1 if a & 1 else 1] for a in arcs]
    banned = {ban for ban, modes in roads.bans.items() if modes >> number & 1}
    longest = max((len(ban) for ban in banned), default=1)
    spans = {
        tuple(arcs[i : i + n]) for n in range(2, longest + 1) for i in range(len(arcs) - n + 1)
    }
    start, end = fleet.placed(mode)[key], travel.snapped(place, mode, travel.conditions)
    total = int(arc_ms[arcs[:-1]].astype(np.int64).sum())
    total += offset_ms(arc_ms, arcs[-1], end[1]) - offset_ms(arc_ms, arcs[0], start[1])
    return (
        all(a[1] == b[0] for a, b in pairwise(ends))
        and bool((arc_ms[arcs] < INFINITE).all())
        and not banned & spans
        and total == round(way.time_s * 1000)
    )
