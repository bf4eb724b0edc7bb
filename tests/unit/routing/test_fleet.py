import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._line_graph import NEVER, LineGraph
from routing.assembly import Roads, assemble
from routing.costs import Costs
from routing.errors import NetworkError, OffNetworkError
from routing.fleet import Fleet
from routing.hierarchy import INFINITE
from routing.network import MODES
from routing.travel import TravelTimes
from routing.warming import warm
from tests.roads import lonlat, random_roads, roads_of

SEEDS = st.integers(0, 2**32 - 1)
# A search costs nothing, or a label does: the engine that is asked is known.
ALWAYS = {"search": Costs(1e-12, 1.0, 1.0), "labels": Costs(1.0, 1e-12, 1e-12)}


class Crowd:
    """Responders and where they are, kept beside the fleet."""

    def __init__(self, roads: Roads, engine: str) -> None:
        self.roads, self.travel = roads, TravelTimes(assemble(roads))
        self.fleet = Fleet(self.travel, costs=ALWAYS[engine])
        self.at: dict[int, tuple[float, float, str]] = {}

    def put(self, key: int, place: tuple[float, float], mode: str) -> None:
        self.fleet.put(key, *place, mode)
        self.at[key] = (*place, mode)

    def remove(self, key: int) -> None:
        self.fleet.remove(key)
        self.at.pop(key, None)

    def change(self, arcs: list[int], modes: list[int], ms: int | None) -> None:
        numbers = np.unique(arcs)
        wanted = self.travel.network.time_ms[:, numbers].copy()
        if ms is not None:
            wanted[modes] = ms
        self.travel.change(numbers, wanted)

    def expected(self, incident: tuple[float, float]) -> list[tuple[int, int]]:
        """Milliseconds and keys, fastest first; by brute force."""
        now, found = self.travel.conditions, []
        for number, mode in enumerate(MODES):
            mine = {key: one for key, one in self.at.items() if one[2] == mode}
            if not mine:
                continue
            snaps = self.travel.snap(
                [incident[0], *(one[0] for one in mine.values())],
                [incident[1], *(one[1] for one in mine.values())],
                mode,
                now,
            )
            places = list(zip(snaps.road.tolist(), snaps.share.tolist(), strict=True))
            if places[0][0] < 0:
                continue
            arc_ms = now.times[number].arc
            brute = LineGraph(self.roads.tail, self.roads.head, arc_ms, self.roads.bans, number)
            to_end = brute.times_to(*places[0])
            for key, place in zip(mine, places[1:], strict=True):
                ms = brute.between(to_end, place, places[0]) if place[0] >= 0 else NEVER
                if ms < NEVER:
                    found.append((ms, key))
        return sorted(found)

    def check(self, incident: tuple[float, float], k: int) -> None:
        expected = self.expected(incident)
        found = self.fleet.nearest(incident, k)
        assert found.generation == self.travel.conditions.generation
        got = [round(way.time_s * 1000) for way in found.ways]
        assert got == [ms for ms, _ in expected[:k]]
        times = {key: ms for ms, key in expected}
        assert [times[key] for key in found.keys] == got
        all_times = self.fleet.times_s(incident)
        assert set(all_times) == set(self.at)
        assert {key: round(s * 1000) for key, s in all_times.items() if s < np.inf} == times


@pytest.mark.parametrize("engine", ["search", "labels"])
@given(seed=SEEDS)
def test_the_nearest_are_as_brute_force_finds_them(engine: str, seed: int) -> None:
    """While responders come, move and go, and roads close, slow down and open again."""
    rng = np.random.default_rng(seed)
    crowd = Crowd(random_roads(seed), engine)
    arcs = crowd.travel.network.time_ms.shape[1]
    for step in range(24):
        what = rng.random()
        place = lonlat(*rng.uniform(-20, 420, 2))
        if what < 0.6 or not crowd.at:
            crowd.put(int(rng.integers(0, 8)), place, MODES[rng.integers(0, 3)])
        elif what < 0.7:
            crowd.remove(int(rng.choice(list(crowd.at))))
        else:
            ms = [INFINITE, None, 30_000][rng.integers(0, 3)]
            chosen = rng.integers(0, arcs, 4).tolist()
            crowd.change(chosen, [int(rng.integers(0, 3))], ms)
        if step % 4 == 3:
            crowd.check(lonlat(*rng.uniform(0, 400, 2)), int(rng.integers(1, 5)))


def test_a_search_that_goes_too_far_asks_the_labels() -> None:
    crowd = Crowd(random_roads(4, side=30), "search")
    # All at one end, the incident at the other: far more is settled than was expected.
    for key in range(40):
        crowd.put(key, lonlat(2 * key, 0), "foot")
    crowd.fleet._costs = Costs(1e-7, 1e-6, 1e-9)
    crowd.check(lonlat(2900, 2900), 3)
    assert np.count_nonzero(crowd.fleet._crew.labelled) == 40


def test_labels_are_made_when_searches_have_cost_as_much() -> None:
    crowd = Crowd(random_roads(4, side=12), "search")
    for key in range(5):
        crowd.put(key, lonlat(200 * key, 300), "foot")
    nodes = len(crowd.travel.network.links.node)
    crowd.fleet._costs = Costs(1.0 / nodes, 0.3, 1e-9)
    labelled = []
    for _ in range(6):
        crowd.check(lonlat(500, 500), 3)
        labelled.append(int(np.count_nonzero(crowd.fleet._crew.labelled)))
    assert labelled[0] == 0
    assert labelled[-1] == 5


def test_only_those_asked_are_found() -> None:
    crowd = Crowd(random_roads(9), "search")
    for key in range(6):
        crowd.put(key, lonlat(60 * key, 200), "foot")
    found = crowd.fleet.nearest(lonlat(0, 200), 3, asked={5, 3, "nobody"})
    assert found.keys == (3, 5)
    assert set(crowd.fleet.times_s(lonlat(0, 200), asked=[1, 2])) == {1, 2}
    assert crowd.fleet.nearest(lonlat(0, 200), 3, asked=()).keys == ()


def test_replacing_moves_adds_and_removes() -> None:
    crowd = Crowd(random_roads(9), "labels")
    places = [lonlat(60 * i, 200) for i in range(4)]
    fleet = crowd.fleet
    fleet.replace("abcd", *zip(*places, strict=True), ["foot"] * 4)
    fleet.replace("bcx", *zip(*places[:3], strict=True), ["foot", "moped", "foot"])
    assert len(fleet) == 3
    for key, place, mode in zip("bcx", places, ("foot", "moped", "foot"), strict=False):
        crowd.at[key] = (*place, mode)
    crowd.check(lonlat(100, 100), 3)


def test_who_is_off_the_road_is_told_so() -> None:
    crowd = Crowd(random_roads(9), "search")
    assert crowd.fleet.put("lost", *lonlat(5000, 5000), "car") == np.inf
    assert crowd.fleet.put("here", *lonlat(100, 100), "car") < 100
    assert crowd.fleet.nearest(lonlat(0, 0), 5).keys == ("here",)
    assert "off the road network" in crowd.fleet.why_unreachable("lost")
    assert "no open road" in crowd.fleet.why_unreachable("here")
    with pytest.raises(OffNetworkError):
        crowd.fleet.nearest(lonlat(9000, 9000), 1)
    with pytest.raises(NetworkError, match="at least one"):
        crowd.fleet.nearest(lonlat(0, 0), 0)
    with pytest.raises(NetworkError, match="'nan' is at"):
        crowd.fleet.put("nan", np.nan, 24.18, "car")
    assert len(crowd.fleet) == 2


def test_who_stood_on_a_closed_road_comes_back_when_it_opens() -> None:
    points = [(0, 0), (100, 0), (200, 0), (0, 300), (200, 300)]
    ladder = roads_of(
        points, [(0, 1, False), (1, 2, False), (0, 3, False), (3, 4, False), (4, 2, False)]
    )
    crowd = Crowd(ladder, "search")
    crowd.put(1, lonlat(50, 5), "car")
    before = crowd.fleet.nearest(lonlat(150, 0), 1).ways[0].time_s
    crowd.change([0, 1], [0], INFINITE)
    crowd.check(lonlat(150, 0), 1)
    crowd.change([0, 1], [0], None)
    assert crowd.fleet.nearest(lonlat(150, 0), 1).ways[0].time_s == before


def test_answers_are_of_one_generation_while_roads_close_under_threads() -> None:
    crowd = Crowd(random_roads(17, side=8), "labels")
    rng = np.random.default_rng(1)
    for key in range(20):
        crowd.put(key, lonlat(*rng.uniform(0, 700, 2)), MODES[key % 3])
    travel, incident = crowd.travel, lonlat(350, 350)
    arcs = rng.integers(0, travel.network.time_ms.shape[1], 6)
    arcs = np.unique(arcs)
    seen: list[tuple[int, list[int]]] = []
    errors: list[BaseException] = []
    expected: dict[int, list[int]] = {1: [ms for ms, _ in crowd.expected(incident)[:4]]}
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                found = crowd.fleet.nearest(incident, 4)
                seen.append((found.generation, [round(w.time_s * 1000) for w in found.ways]))
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for step in range(30):
        crowd.change(arcs.tolist(), [0, 1, 2], INFINITE if step % 2 == 0 else None)
        expected[travel.conditions.generation] = [ms for ms, _ in crowd.expected(incident)[:4]]
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {generation for generation, _ in seen} <= set(expected)
    assert all(expected[generation] == times for generation, times in seen)


def test_warming_asks_one_of_everything() -> None:
    warm(assemble(random_roads(6)))
