from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import LocalProjection
from routing.errors import NetworkError
from routing.network import MODES, RoadNetwork
from routing.travel import nearest_responders, snap

LOCAL = LocalProjection(120.6, 24.18)


def network_of(
    points: list[tuple[float, float]], roads: list[tuple[int, int, bool]]
) -> RoadNetwork:
    """A network in metres around Taichung: roads are (from, to, one-way), 10 m/s by car."""
    lonlat = shapely.get_coordinates(LOCAL.inverse(shapely.points(np.array(points, float))))
    arcs = [(a, b, oneway) for a, b, oneway in roads]
    tail, head, twin, car = [], [], [], []
    for a, b, oneway in arcs:
        first = len(tail)
        tail += [a, b]
        head += [b, a]
        twin += [first + 1, first]
        car += [True, not oneway]
    length = np.array(
        [np.hypot(*np.subtract(points[a], points[b])) for a, b in zip(tail, head, strict=True)]
    )
    drive = np.where(car, length / 10.0, np.inf)
    ends = np.column_stack([tail, head]).ravel()
    return RoadNetwork(
        node_lon=lonlat[:, 0],
        node_lat=lonlat[:, 1],
        tail=np.array(tail),
        head=np.array(head),
        twin=np.array(twin),
        length_m=length,
        time_s=np.array([drive, drive * 1.5, length / 1.3]),
        offset=np.arange(0, 2 * len(tail) + 1, 2),
        lon=lonlat[ends, 0],
        lat=lonlat[ends, 1],
        name=np.array([f"road {i // 2}" for i in range(len(tail))]),
    )


def lonlat(x: float, y: float) -> tuple[float, float]:
    return tuple(shapely.get_coordinates(LOCAL.inverse(shapely.points([(x, y)])))[0].tolist())


def random_network(seed: int) -> RoadNetwork:
    rng = np.random.default_rng(seed)
    side = 5
    points = [
        (x * 100 + rng.uniform(-20, 20), y * 100 + rng.uniform(-20, 20))
        for x in range(side)
        for y in range(side)
    ]
    roads = []
    for x in range(side):
        for y in range(side):
            here = x * side + y
            if x + 1 < side and rng.random() < 0.8:
                roads.append((here, here + side, bool(rng.random() < 0.4)))
            if y + 1 < side and rng.random() < 0.8:
                roads.append((here, here + 1, bool(rng.random() < 0.4)))
    return network_of(points, roads)


def oracle_time_s(network: RoadNetwork, mode: str, start: tuple, end: tuple) -> float:
    """networkx Dijkstra on a graph with the two snapped places put in as nodes."""
    times = network.time_s[MODES.index(mode)]
    graph = nx.DiGraph()
    graph.add_nodes_from(["start", "end"])
    for arc in range(network.arc_count):
        if not np.isfinite(times[arc]):
            continue
        # Where places fall on an end of the arc: tail, start, head, end.
        stops = [(0.0, 0, int(network.tail[arc])), (1.0, 2, int(network.head[arc]))]
        for name, place in (("start", start), ("end", end)):
            rank = 1 if name == "start" else 3
            snapped = snap(network, [place[0]], [place[1]], mode)[0]
            if snapped.arc == arc:
                stops.append((snapped.share, rank, name))
            elif network.twin[snapped.arc] == arc:
                stops.append((1 - snapped.share, rank, name))
        stops.sort(key=lambda stop: stop[:2])
        for (share, _, a), (further, _, b) in pairwise(stops):
            weight = times[arc] * (further - share)
            if graph.get_edge_data(a, b, {"weight": np.inf})["weight"] > weight:
                graph.add_edge(a, b, weight=weight)
    try:
        return nx.dijkstra_path_length(graph, "start", "end")
    except nx.NetworkXNoPath:
        return np.inf


@given(st.integers(0, 2**32 - 1), st.sampled_from(MODES))
def test_times_agree_with_networkx(seed: int, mode: str) -> None:
    network = random_network(seed)
    rng = np.random.default_rng(seed)
    incident = lonlat(*rng.uniform(0, 400, 2))
    people = [lonlat(*rng.uniform(0, 400, 2)) for _ in range(6)]
    lons, lats = zip(*people, strict=True)
    found = nearest_responders(network, incident, lons, lats, [mode] * 6)
    assert sorted(journey.responder for journey in found) == list(range(6))
    for journey in found:
        expected = oracle_time_s(network, mode, people[journey.responder], incident)
        assert journey.time_s == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert bool(journey.reason) == (not np.isfinite(expected))
    reached = [journey.time_s for journey in found if not journey.reason]
    assert reached == sorted(reached)


def test_just_past_the_incident_on_a_one_way_goes_around() -> None:
    square = network_of(
        [(0, 0), (100, 0), (100, 100), (0, 100)],
        [(0, 1, True), (1, 2, True), (2, 3, True), (3, 0, True)],
    )
    incident = lonlat(40, 0)
    before, past = lonlat(30, 0), lonlat(50, 0)
    one, two = nearest_responders(
        square, incident, [before[0], past[0]], [before[1], past[1]], ["car", "car"]
    )
    assert (one.responder, round(one.time_s, 3)) == (0, 1.0)
    assert (two.responder, round(two.time_s, 3)) == (1, 39.0)
    walker = nearest_responders(square, incident, [past[0]], [past[1]], ["foot"])[0]
    assert walker.distance_m == pytest.approx(10, abs=1e-3)


def test_the_route_is_clipped_at_both_ends() -> None:
    line = network_of([(0, 0), (100, 0), (200, 0)], [(0, 1, False), (1, 2, False)])
    start, end = lonlat(30, 5), lonlat(160, -5)
    journey = nearest_responders(line, end, [start[0]], [start[1]], ["car"])[0]
    ends = shapely.get_coordinates(LOCAL.forward(np.array([journey.route]))[0])[[0, -1]]
    assert np.allclose(ends, [(30, 0), (160, 0)], atol=0.01)
    assert journey.streets == ("road 0", "road 1")
    assert journey.distance_m == pytest.approx(130, abs=0.01)


def test_unreachable_is_said_and_never_a_straight_line() -> None:
    island = network_of([(0, 0), (100, 0), (500, 500), (600, 500)], [(0, 1, False), (2, 3, False)])
    start, end = lonlat(50, 0), lonlat(550, 500)
    journey = nearest_responders(island, end, [start[0]], [start[1]], ["car"])[0]
    assert (journey.time_s, journey.route) == (np.inf, None)
    assert "no road" in journey.reason
    far = lonlat(50_000, 0)
    lost = nearest_responders(island, end, [far[0]], [far[1]], ["car"])[0]
    assert "off the road network" in lost.reason


def test_a_place_without_finite_coordinates_is_refused() -> None:
    line = network_of([(0, 0), (100, 0)], [(0, 1, False)])
    with pytest.raises(NetworkError, match="finite"):
        snap(line, [np.nan], [0.0], "car")


def test_a_network_comes_back_from_its_file(tmp_path) -> None:
    network = random_network(5)
    network.save(tmp_path / "roads.npz")
    back = RoadNetwork.load(tmp_path / "roads.npz")
    assert np.array_equal(network.time_s, back.time_s)
    with pytest.raises(NetworkError, match="import osm"):
        RoadNetwork.load(tmp_path / "other.npz")
