"""Closures, speeds and moves, alone and while threads ask."""

import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

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
from routing.kernels.places import offset_ms
from routing.travel import TravelTimes

__all__ = ["closing", "moving", "new_speeds", "under_threads"]


def closing(travel: TravelTimes, times: int) -> Row:
    """Ten roads closed to all modes, both ways, until the next request goes around them."""
    net, rng = travel.network, np.random.default_rng(6)
    shut, opened = [], []
    for _ in range(times):
        roads = rng.choice(net.road_count, 10, replace=False)
        arcs = np.sort(np.concatenate([2 * roads, 2 * roads + 1]))
        never = np.full((3, 20), INFINITE, np.int32)
        shut.append(taken(lambda a=arcs, m=never: travel.change(a, m)))
        opened.append(taken(lambda a=arcs: travel.change(a, net.time_ms[:, a])))
    row: Row = {"case": "10 closures", "times": times}
    row |= {"ms": float(np.median(shut)) * MS, "p95_ms": float(np.quantile(shut, 0.95)) * MS}
    row["reopening_ms"] = float(np.median(opened)) * MS
    say(row)
    return row


def moving(travel: TravelTimes, responders: int, times: int) -> Row:
    """One responder moves among so many."""
    fleet = Fleet(travel)
    for key, (x, y) in enumerate(crew_on(travel.network, responders, 8)):
        fleet.put(key, x, y, "car")
    places = crew_on(travel.network, times, 9)
    for place in places[:50]:
        fleet.nearest(place, 3)
    took = [
        taken(lambda i=i, p=p: fleet.put(i % responders, *p, "car")) for i, p in enumerate(places)
    ]
    row: Row = {"case": "one move", "responders": responders, "us": float(np.median(took)) * US}
    row["p99_us"] = quantile(took, 0.99)
    say(row)
    return row


def new_speeds(travel: TravelTimes, times: int) -> Row:
    """New speeds for every arc of a network while four threads ask for ways."""
    net, rng = travel.network, np.random.default_rng(2)
    arcs = np.arange(2 * net.road_count)
    pairs = crew_on(net, 400, 12)
    done, failed, asked = threading.Event(), [], [0] * 4

    def ask(number: int) -> None:
        i = number
        while not done.is_set():
            ends = pairs[i % 200], pairs[200 + i % 200]
            now = travel.conditions
            try:
                at = [travel.snapped(place, "car", now) for place in ends]
                way = travel.ways([(0, *at[0], *at[1])], now)[0]
                if way is not None and not one_generation(way, now, at):
                    failed.append("mixed")
            except NetworkError:
                pass
            except BaseException as error:  # noqa: BLE001 - counted, shown below
                failed.append(repr(error))
            asked[number] += 1
            i += 4

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    took = []
    for thread in threads:
        thread.start()
    for _ in range(times):
        factor = rng.uniform(0.7, 2.0, len(arcs))
        ms = net.time_ms.copy()
        slower = np.minimum(np.maximum(ms * factor, 1), INFINITE).astype(np.int32)
        ms[:2] = np.where(ms[:2] < INFINITE, slower[:2], INFINITE)
        took.append(taken(lambda m=ms: travel.change(arcs, m)))
    done.set()
    for thread in threads:
        thread.join()
    alone = []
    for _ in range(times):
        ms = np.minimum(net.time_ms.astype(np.int64) * 2, INFINITE).astype(np.int32)
        alone.append(taken(lambda m=ms: travel.change(arcs, m)))
        travel.change(arcs, net.time_ms)
    row: Row = {"case": "new speeds", "arcs": len(arcs), "links": len(net.links.tail)}
    row |= {"s": float(np.median(took)), "s_alone": float(np.median(alone))}
    row |= {"asked_meanwhile": sum(asked), "failed_or_mixed": len(failed)}
    say(row)
    return row


def one_generation(way: Any, now: Any, at: list[tuple[int, float]]) -> bool:
    """Whether a way's time is the sum of its arcs' in the conditions that it names."""
    arc_ms, arcs = now.times[0].arc, way.arcs
    total = int(arc_ms[arcs[:-1]].astype(np.int64).sum())
    total += offset_ms(arc_ms, arcs[-1], at[1][1]) - offset_ms(arc_ms, arcs[0], at[0][1])
    return way.generation == now.generation and total == round(way.time_s * 1000)


def under_threads(travel: TravelTimes, seconds: float, threads: int) -> Row:
    """Threads ask for the nearest while roads close; each answer is checked on its generation."""
    net, rng = travel.network, np.random.default_rng(3)
    fleet = Fleet(travel)
    for key, (x, y) in enumerate(crew_on(net, 60, 14)):
        fleet.put(key, x, y, "car")
    places = crew_on(net, 12, 15)
    answers: list[tuple[int, int, list[int]]] = []
    held = {travel.conditions.generation: travel.conditions}
    failed: list[str] = []
    end = time.perf_counter() + seconds

    def ask(number: int) -> None:
        own = np.random.default_rng(number)
        while time.perf_counter() < end:
            which = int(own.integers(0, len(places)))
            try:
                found = fleet.nearest(places[which], 3)
            except NetworkError:
                continue
            except BaseException as error:  # noqa: BLE001 - counted, shown below
                failed.append(repr(error))
                continue
            ms = [round(way.time_s * 1000) for way in found.ways]
            answers.append((found.generation, which, ms))

    workers = [threading.Thread(target=ask, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    shut: NDArray[np.int64] = np.empty(0, np.int64)
    while time.perf_counter() < end:
        time.sleep(0.25)
        travel.change(shut, net.time_ms[:, shut])
        held[travel.conditions.generation] = travel.conditions
        shut = np.unique(rng.integers(0, 2 * net.road_count, 400))
        travel.change(shut, np.full((3, len(shut)), INFINITE, np.int32))
        held[travel.conditions.generation] = travel.conditions
    for worker in workers:
        worker.join()
    wrong = checked_on_generations(travel, fleet, places, answers, held)
    row: Row = {"case": "under threads", "threads": threads, "seconds": seconds}
    row |= {"answers": len(answers), "generations": len(held)}
    row |= {"exceptions": len(failed), "wrong": wrong}
    say(row)
    return row


def checked_on_generations(
    travel: TravelTimes,
    fleet: Fleet,
    places: list[Place],
    answers: list[tuple[int, int, list[int]]],
    held: dict[int, Any],
) -> int:
    """Answers that differ from one backward search of SciPy on their generation."""
    links, wrong = travel.network.links, 0
    n = len(links.node)
    expected: dict[tuple[int, int], list[int]] = {}
    by_generation: dict[int, set[int]] = {}
    for generation, which, _ in answers:
        by_generation.setdefault(generation, set()).add(which)
    people = [fleet._lon[: len(fleet)], fleet._lat[: len(fleet)]]  # noqa: SLF001 - the benchmark's own
    for generation, asked in by_generation.items():
        now = held[generation]
        own = now.times[0]
        first = fastest_links(links, own.link)
        graph = csr_array(
            (own.link[first].astype(float), (links.head[first], links.tail[first])), shape=(n, n)
        )
        starts = travel.snap(*people, "car", now)
        for which in asked:
            end = travel.snap(*places[which], "car", now)
            expected[generation, which] = nearest_by_scipy(links, own, graph, starts, end)
    for generation, which, ms in answers:
        wrong += expected[generation, which] != ms
    return wrong


def nearest_by_scipy(links: Any, own: Any, graph: csr_array, starts: Any, end: Any) -> list[int]:
    """Milliseconds of the three nearest, by one search for each node before the place."""
    road, share = int(end.road[0]), float(end.share[0])
    best = np.full(graph.shape[0], np.inf)
    for way in (0, 1):
        arc = 2 * road + way
        for link in links.arc_link[links.arc_start[arc] : links.arc_start[arc + 1]].tolist():
            if own.link[link] < INFINITE:
                spent = int((share if way == 0 else 1 - share) * own.arc[arc] + 0.5)
                found = dijkstra(graph, indices=[int(links.tail[link])])[0]
                best = np.minimum(best, found + spent)
    took = []
    for i in range(len(starts.road)):
        least = np.inf
        for way in (0, 1):
            arc = 2 * int(starts.road[i]) + way
            ms = int(own.arc[arc])
            if starts.road[i] < 0 or ms >= INFINITE or links.arc_head[arc] < 0:
                continue
            at = float(starts.share[i]) if way == 0 else 1 - float(starts.share[i])
            behind = int(at * ms + 0.5)
            least = min(least, ms - behind + best[links.arc_head[arc]])
            goal = share if way == 0 else 1 - share
            if starts.road[i] == road and at <= goal:
                least = min(least, int(goal * ms + 0.5) - behind)
        if np.isfinite(least):
            took.append(int(least))
    return sorted(took)[:3]
