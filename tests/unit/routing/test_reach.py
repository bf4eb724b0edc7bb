from itertools import pairwise, product

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._line_graph import NEVER, LineGraph
from routing.assembly import assemble
from routing.assignment import assign_batch
from routing.coverage import coverage
from routing.errors import NetworkError
from routing.isochrone import isochrone
from routing.network import MODES
from routing.reach import reach_from
from routing.tours import Visit, plan_tours
from routing.travel import TravelTimes
from tests.roads import LOCAL, lonlat, random_roads, roads_of

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.sampled_from(MODES), st.integers(1, 300))
def test_times_within_a_limit_are_those_of_brute_force(seed: int, mode: str, limit_s: int) -> None:
    roads = random_roads(seed)
    travel = TravelTimes(assemble(roads))
    rng = np.random.default_rng(seed)
    now, number = travel.conditions, MODES.index(mode)
    xy = np.array([lonlat(*rng.uniform(0, 400, 2)) for _ in range(12)])
    snaps = travel.snap(xy[:, 0], xy[:, 1], mode)
    brute = LineGraph(roads.tail, roads.head, now.times[number].arc, roads.bans, number)
    places = list(zip(snaps.road.tolist(), snaps.share.tolist(), strict=True))
    start = travel.snap(xy[:2, 0], xy[:2, 1], mode)
    found = reach_from(travel, start, mode, limit_s, now).times_ms(snaps)
    back = reach_from(travel, start, mode, limit_s, now, back=True).times_ms(snaps)
    to_start = [brute.times_to(*place) for place in places[:2]]
    for j, place in enumerate(places):
        to_place = brute.times_to(*place)
        there = min(brute.between(to_place, one, place) for one in places[:2])
        home = min(
            brute.between(to_one, place, one)
            for to_one, one in zip(to_start, places[:2], strict=True)
        )
        assert found[j] == (there if there <= limit_s * 1000 else NEVER)
        assert back[j] == (home if home <= limit_s * 1000 else NEVER)


@given(SEEDS, st.integers(5, 60))
def test_reached_pieces_are_where_the_times_are(seed: int, limit_s: int) -> None:
    travel = TravelTimes(assemble(random_roads(seed)))
    now = travel.conditions
    start = travel.snap(*lonlat(200, 200), "car")
    reach = reach_from(travel, start, "car", limit_s, now)
    road, begin, end = reach.pieces()
    assert (begin <= end).all()
    for one in np.unique(road):
        spans = sorted(zip(begin[road == one], end[road == one], strict=True))
        assert all(a[1] < b[0] for a, b in pairwise(spans))
    # A share a little inside a piece is within the limit, one a little outside is not.
    for r, a, b in zip(road.tolist(), begin.tolist(), end.tolist(), strict=True):
        for share in np.clip([a + 0.01, b - 0.01, (a + b) / 2], a, b):
            at = type(start)(np.array([r], np.int32), np.array([share]), np.zeros(1))
            assert reach.times_ms(at)[0] < NEVER
        for share in (a - 0.01, b + 0.01):
            inside = any(
                x <= share <= y for q, x, y in zip(road, begin, end, strict=True) if q == r
            )
            if 0 < share < 1 and not inside:
                at = type(start)(np.array([r], np.int32), np.array([share]), np.zeros(1))
                assert reach.times_ms(at)[0] == NEVER


def test_an_isochrone_is_a_polygon_around_what_is_reached() -> None:
    travel = TravelTimes(assemble(random_roads(3, side=20, bans=0)))
    place = lonlat(1000, 1000)
    small, large = (isochrone(travel, place, minutes, "car") for minutes in (0.5, 1.0))
    for one in (small, large):
        assert one.polygon.is_valid
        assert one.polygon.geom_type in {"Polygon", "MultiPolygon"}
        assert one.polygon.buffer(1e-6).contains(one.roads)
        ground = LOCAL.forward(np.array([one.polygon]))[0]
        roads = LOCAL.forward(np.array([one.roads]))[0]
        assert roads.length == pytest.approx(one.length_m, rel=0.01)
        # No teeth, no spikes: shrinking and growing again by 25 m takes hardly anything away.
        assert ground.buffer(-25).buffer(25).area > 0.97 * ground.area
        assert ground.area < shapely.convex_hull(roads).buffer(100).area
    assert large.polygon.buffer(1e-6).contains(small.polygon)
    to_place = isochrone(travel, place, 0.5, "foot", back=True)
    assert (
        to_place.polygon.symmetric_difference(isochrone(travel, place, 0.5, "foot").polygon).area
        < 1e-3 * to_place.polygon.area
    )
    with pytest.raises(NetworkError, match="0 minutes"):
        isochrone(travel, place, 0, "car")


def test_coverage_counts_households_and_a_dispatch_leaves_a_hole() -> None:
    street = roads_of([(0, 0), (1000, 0), (2000, 0)], [(0, 1, False), (1, 2, False)])
    travel = TravelTimes(assemble(street))
    people = [lonlat(0, 0), lonlat(2000, 0)]
    homes = [lonlat(x, 3) for x in (100, 900, 1100, 1900)]
    args = (
        ([p[0] for p in people], [p[1] for p in people], ["foot", "foot"]),
        ([h[0] for h in homes], [h[1] for h in homes], [10, 20, 30, 40]),
    )
    # On foot 1.3 m/s: five minutes are 390 m.
    now = coverage(travel, *args, 5)
    assert now.share == 0.5
    assert np.isfinite(now.time_s).tolist() == [True, False, False, True]
    assert now.time_s[0] == pytest.approx(100 / 1.3, abs=0.1)
    after = coverage(travel, *args, 5, without=[1])
    assert now.hole(after).tolist() == [False, False, False, True]
    assert now.lost(after) == 40
    assert coverage(travel, ([], [], []), args[1], 5).share == 0
    assert coverage(travel, args[0], ([], [], []), 5).share == 0


def test_a_batch_is_best_as_a_whole() -> None:
    street = roads_of([(0, 0), (1000, 0), (2000, 0)], [(0, 1, False), (1, 2, False)])
    travel = TravelTimes(assemble(street))
    # The nearest to the first is the only one near the second.
    people = [lonlat(400, 0), lonlat(0, 0)]
    incidents = [lonlat(300, 0), lonlat(1000, 0)]
    pairs = assign_batch(travel, incidents, people, ["car", "car"])
    assert [(p.incident, p.responder) for p in pairs] == [(0, 1), (1, 0)]
    one = assign_batch(travel, incidents, people[:1], ["car"], priority=[1, 3])
    assert [(p.incident, p.responder) for p in one] == [(1, 0)]
    assert assign_batch(travel, [], people, ["car", "car"]) == []
    assert assign_batch(travel, [lonlat(90_000, 0)], people, ["car", "car"]) == []
    with pytest.raises(NetworkError, match="priorities"):
        assign_batch(travel, incidents, people, ["car", "car"], priority=[0, 1])
    with pytest.raises(NetworkError, match="a mode for each"):
        assign_batch(travel, incidents, people, ["car"])


@given(SEEDS)
def test_a_batch_is_no_worse_than_any_other(seed: int) -> None:
    travel = TravelTimes(assemble(random_roads(seed)))
    rng = np.random.default_rng(seed)
    incidents = [lonlat(*rng.uniform(0, 400, 2)) for _ in range(3)]
    people = [lonlat(*rng.uniform(0, 400, 2)) for _ in range(4)]
    modes = [MODES[i] for i in rng.integers(0, 3, 4)]
    priority = rng.integers(1, 4, 3)
    time_s = np.full((3, 4), np.inf)
    for j, (place, mode) in enumerate(zip(people, modes, strict=True)):
        row = travel.matrix([place[0]], [place[1]], *np.array(incidents).T, mode)
        time_s[:, j] = row[0]

    def worth(pairs: list[tuple[int, int]]) -> tuple[int, float]:
        served = sum(int(priority[i]) for i, _ in pairs)
        return (-served, sum(time_s[i, j] * priority[i] for i, j in pairs))

    every = [
        [(i, j) for i, j in enumerate(choice) if j is not None]
        for choice in product([None, 0, 1, 2, 3], repeat=3)
        if len({j for j in choice if j is not None}) == sum(j is not None for j in choice)
    ]
    possible = [pairs for pairs in every if all(np.isfinite(time_s[i, j]) for i, j in pairs)]
    found = assign_batch(travel, incidents, people, modes, priority=priority.tolist())
    got = worth([(p.incident, p.responder) for p in found])
    best = min(worth(pairs) for pairs in possible)
    assert got[0] == best[0]
    assert got[1] == pytest.approx(best[1])


def test_tours_share_the_visits() -> None:
    pytest.importorskip("vroom", reason="pyvroom is an extra")
    street = roads_of([(0, 0), (1000, 0), (2000, 0)], [(0, 1, False), (1, 2, False)])
    travel = TravelTimes(assemble(street))
    visits = [Visit(lonlat(x, 0), stay_s=60) for x in (100, 1900, 200, 1800)]
    visits.append(Visit(lonlat(90_000, 0)))
    tours, left = plan_tours(travel, [lonlat(0, 0), lonlat(2000, 0)], visits, "foot")
    assert left == [4]
    assert [sorted(tour.visits) for tour in tours] == [[0, 2], [1, 3]]
    assert tours[0].length_s == pytest.approx(2 * 200 / 1.3 + 120, abs=4)
    short, left = plan_tours(travel, [lonlat(0, 0)], visits[:2], "foot", shift_s=400)
    assert (short[0].visits, left) == ((0,), [1])
    assert plan_tours(travel, [], visits, "foot") == ([], [0, 1, 2, 3, 4])
