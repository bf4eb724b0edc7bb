from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._line_graph import NEVER, LineGraph
from routing.assembly import Roads, assemble
from routing.errors import NetworkError, OffNetworkError, UnreachableError
from routing.hierarchy import INFINITE
from routing.kernels.places import along_arc, offset_ms
from routing.network import MODES, RoadNetwork
from routing.travel import TravelTimes, Way
from tests.roads import LOCAL, lonlat, random_roads, roads_of

SEEDS = st.integers(0, 2**32 - 1)


def closed_at_random(travel: TravelTimes, rng: np.random.Generator, count: int) -> None:
    arcs = rng.integers(0, travel.network.time_ms.shape[1], count)
    arcs = np.unique(arcs)
    ms = travel.network.time_ms[:, arcs].copy()
    ms[rng.integers(0, 3)] = INFINITE
    travel.change(arcs, ms)


def oracle(roads: Roads, travel: TravelTimes, mode: str) -> LineGraph:
    number = MODES.index(mode)
    arc_ms = travel.conditions.times[number].arc
    return LineGraph(roads.tail, roads.head, arc_ms, roads.bans, number)


def assert_way_holds(
    roads: Roads,
    travel: TravelTimes,
    way: Way,
    mode: str,
    start: tuple[int, float],
    end: tuple[int, float],
) -> None:
    """Connected, open, no banned turn, and its arcs' times sum to its answer."""
    number = MODES.index(mode)
    arc_ms = travel.conditions.times[number].arc
    arcs = way.arcs.tolist()
    tail = np.column_stack([roads.tail, roads.head]).ravel()
    head = np.column_stack([roads.head, roads.tail]).ravel()
    assert (arc_ms[arcs] < INFINITE).all()
    assert all(head[a] == tail[b] for a, b in pairwise(arcs))
    for ban, modes in roads.bans.items():
        if modes >> number & 1:
            spans = [tuple(arcs[i : i + len(ban)]) for i in range(len(arcs))]
            assert ban not in spans
    assert arcs[0] >> 1 == start[0]
    assert arcs[-1] >> 1 == end[0]
    behind = offset_ms(arc_ms, arcs[0], start[1])
    into = offset_ms(arc_ms, arcs[-1], end[1])
    assert int(arc_ms[arcs[:-1]].sum()) - behind + into == round(way.time_s * 1000)
    metres = roads.length_m[np.array(arcs) >> 1].sum()
    metres -= roads.length_m[start[0]] * along_arc(arcs[0], start[1])
    metres -= roads.length_m[end[0]] * (1 - along_arc(arcs[-1], end[1]))
    assert way.distance_m == pytest.approx(metres, abs=1e-6)


@given(SEEDS, st.sampled_from(MODES))
def test_ways_are_as_brute_force_finds_them(seed: int, mode: str) -> None:
    roads = random_roads(seed)
    travel = TravelTimes(assemble(roads))
    rng = np.random.default_rng(seed)
    closed_at_random(travel, rng, int(rng.integers(1, 6)))
    places = [lonlat(*rng.uniform(0, 400, 2)) for _ in range(8)]
    now = travel.conditions
    at = [travel.snapped(place, mode, now) for place in places]
    # Also places on one road, and on each other.
    at += [(at[0][0], share) for share in (0.0, 0.25, 1.0)] + [at[1]]
    brute = oracle(roads, travel, mode)
    for end in at:
        to_end = brute.times_to(*end)
        ways = travel.ways([(MODES.index(mode), *start, *end) for start in at], now)
        for start, way in zip(at, ways, strict=True):
            expected = brute.between(to_end, start, end)
            assert (way is None) == (expected >= NEVER)
            if way is not None:
                assert round(way.time_s * 1000) == expected
                assert_way_holds(roads, travel, way, mode, start, end)


@given(SEEDS, st.sampled_from(MODES))
def test_a_matrix_holds_the_times_of_its_ways(seed: int, mode: str) -> None:
    travel = TravelTimes(assemble(random_roads(seed)))
    rng = np.random.default_rng(seed)
    closed_at_random(travel, rng, 4)
    places = np.array([lonlat(*rng.uniform(0, 400, 2)) for _ in range(6)])
    table = travel.matrix(places[:, 0], places[:, 1], places[:3, 0], places[:3, 1], mode)
    assert table.shape == (6, 3)
    for i, start in enumerate(places.tolist()):
        for j, end in enumerate(places[:3].tolist()):
            try:
                expected = travel.route(tuple(start), tuple(end), mode).time_s
            except UnreachableError:
                expected = np.inf
            assert table[i, j] == expected


def test_just_past_the_end_on_a_one_way_goes_around() -> None:
    corners = [(0, 0), (100, 0), (100, 100), (0, 100)]
    square = roads_of(corners, [(0, 1, True), (1, 2, True), (2, 3, True), (3, 0, True)])
    travel = TravelTimes(assemble(square))
    place = lonlat(40, 0)
    assert travel.route(lonlat(30, 0), place, "car").time_s == pytest.approx(1.0, abs=0.002)
    around = travel.route(lonlat(50, 0), place, "car")
    assert around.time_s == pytest.approx(39.0, abs=0.002)
    assert around.streets == ["road 0", "road 1", "road 2", "road 3", "road 0"]
    assert travel.route(lonlat(50, 0), place, "foot").distance_m == pytest.approx(10, abs=0.01)


def test_a_banned_turn_is_driven_around_by_cars_only() -> None:
    points = [(0, 0), (100, 0), (200, 0), (100, 100), (200, 100)]
    roads = [(0, 1, False), (1, 2, False), (1, 3, False), (2, 4, False), (4, 3, False)]
    # From road 0 at node 1 left into road 2 is forbidden to cars and mopeds.
    cross = roads_of(points, roads, {(0, 4): 0b011})
    travel = TravelTimes(assemble(cross))
    start, end = lonlat(50, 0), lonlat(100, 50)
    assert travel.route(start, end, "foot").distance_m == pytest.approx(100, abs=0.01)
    by_car = travel.route(start, end, "car")
    # To the next junction and back, or around the block: turning where one is allowed to.
    assert by_car.distance_m == pytest.approx(300, abs=0.1)
    free = TravelTimes(assemble(roads_of(points, roads)))
    assert free.route(start, end, "car").distance_m == pytest.approx(100, abs=0.01)


def test_the_line_is_clipped_at_both_ends() -> None:
    line = roads_of([(0, 0), (100, 0), (200, 0)], [(0, 1, False), (1, 2, False)])
    travel = TravelTimes(assemble(line))
    way = travel.route(lonlat(30, 5), lonlat(160, -5), "car")
    xy = shapely.get_coordinates(LOCAL.forward(np.array([way.line]))[0])
    assert np.allclose(xy, [(30, 0), (100, 0), (160, 0)], atol=0.02)
    back = travel.route(lonlat(160, -5), lonlat(30, 5), "car")
    assert np.allclose(back.lonlat, way.lonlat[::-1])
    nowhere = travel.route(lonlat(30, 5), lonlat(30, 5), "car")
    assert (nowhere.time_s, nowhere.distance_m, len(nowhere.lonlat)) == (0, 0, 2)


@given(SEEDS)
def test_snapping_is_to_the_nearest_open_road(seed: int) -> None:
    travel = TravelTimes(assemble(random_roads(seed)))
    rng = np.random.default_rng(seed)
    closed_at_random(travel, rng, 20)
    net, now = travel.network, travel.conditions
    lines = LOCAL.forward(net.lines)
    places = rng.uniform(-300, 700, (20, 2))
    ll = np.array([lonlat(*place) for place in places])
    for number, mode in enumerate(MODES):
        usable = (now.times[number].arc < INFINITE).reshape(-1, 2).any(axis=1)
        found = travel.snap(ll[:, 0], ll[:, 1], mode)
        for i, place in enumerate(places):
            expected = shapely.distance(lines[usable], shapely.Point(place)).min()
            assert found.distance_m[i] == pytest.approx(expected, rel=1e-3, abs=0.01)
            assert usable[found.road[i]]
            on = shapely.line_interpolate_point(
                lines[found.road[i]], found.share[i], normalized=True
            )
            assert shapely.distance(on, shapely.Point(place)) == pytest.approx(
                expected, rel=1e-3, abs=0.01
            )


def test_snapping_finds_a_road_from_far_and_none_from_farther() -> None:
    travel = TravelTimes(assemble(roads_of([(0, 0), (100, 0)], [(0, 1, False)])))
    west = travel.snap(*zip(lonlat(-900, 0), lonlat(-1100, 0), strict=True), "car")
    assert west.road.tolist() == [0, -1]
    assert west.distance_m[0] == pytest.approx(900, rel=1e-3)
    assert west.distance_m[1] == np.inf


def test_a_place_off_the_network_is_said_to_be() -> None:
    travel = TravelTimes(assemble(random_roads(1)))
    with pytest.raises(OffNetworkError, match=r"1000 m from any road.*'car'.*lon, lat"):
        travel.route(lonlat(50_000, 0), lonlat(0, 0), "car")
    for wrong in ((np.nan, 24.0), (120.0, np.inf), (24.18, 120.6)):
        with pytest.raises(NetworkError, match="finite degrees"):
            travel.route(wrong, lonlat(0, 0), "car")
        with pytest.raises(NetworkError, match="place 2 of 2"):
            travel.snap([120.6, wrong[0]], [24.18, wrong[1]], "car")
    with pytest.raises(NetworkError, match="car, moped, foot"):
        travel.route(lonlat(0, 0), lonlat(0, 0), "boat")


def test_islands_are_closed_and_told() -> None:
    points = [(0, 0), (100, 0), (200, 0), (500, 500), (600, 500)]
    network = assemble(roads_of(points, [(0, 1, False), (1, 2, False), (3, 4, False)]))
    assert [(one.mode, one.arcs, round(one.length_m)) for one in network.fell_off] == [
        (mode, 2, 200) for mode in MODES
    ]
    travel = TravelTimes(network)
    assert travel.snapped(lonlat(550, 400), "car", travel.conditions)[0] == 1
    with pytest.raises(UnreachableError, match="no open way"):
        apart = TravelTimes(assemble(roads_of(points, [(0, 1, False), (3, 4, False)]), whole=True))
        apart.route(lonlat(50, 0), lonlat(550, 500), "car")


def test_a_network_without_roads_or_without_a_mode_says_so() -> None:
    with pytest.raises(NetworkError, match="without roads"):
        assemble(roads_of([(0, 0)], []))
    line = roads_of([(0, 0), (100, 0)], [(0, 1, False)])
    line.time_ms[0] = INFINITE
    travel = TravelTimes(assemble(line))
    with pytest.raises(NetworkError, match="no road of this network is open to mode 'car'"):
        travel.route(lonlat(0, 0), lonlat(50, 0), "car")
    assert travel.route(lonlat(0, 0), lonlat(50, 0), "foot").time_s > 0
    line.time_ms[:] = INFINITE
    with pytest.raises(NetworkError, match="no mode may use any road"):
        assemble(line)


def test_a_network_comes_back_from_its_file(tmp_path) -> None:
    network = assemble(random_roads(5))
    path = tmp_path / "roads.arrow"
    network.save(path)
    back = RoadNetwork.load(path)
    assert back.checksum == network.checksum
    assert (back.names, back.fell_off) == (network.names, network.fell_off)
    ends = lonlat(10, 10), lonlat(350, 350)
    ways = [TravelTimes(one).route(*ends, "moped") for one in (network, back)]
    assert np.array_equal(ways[0].arcs, ways[1].arcs)
    with pytest.raises(NetworkError, match="import osm"):
        RoadNetwork.load(tmp_path / "other.arrow")
    path.write_bytes(b"no arrow")
    with pytest.raises(NetworkError, match="no road network"):
        RoadNetwork.load(path)


def test_a_damaged_file_is_noticed(tmp_path) -> None:
    path = tmp_path / "roads.arrow"
    assemble(random_roads(5)).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(NetworkError, match=r"damaged|no road network"):
        RoadNetwork.load(path)


def test_what_changes_no_time_is_refused_when_it_is_nonsense() -> None:
    travel = TravelTimes(assemble(random_roads(2)))
    with pytest.raises(NetworkError, match="shape"):
        travel.change(np.array([0, 1]), np.ones((3, 1), np.int32))
    with pytest.raises(NetworkError, match="negative"):
        travel.change(np.array([0]), np.full((3, 1), -1, np.int32))
    with pytest.raises(NetworkError, match="arcs are numbered"):
        travel.change(np.array([10**6]), np.ones((3, 1), np.int32))
    assert travel.conditions.generation == 1
