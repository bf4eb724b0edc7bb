"""The travel-time engine beside its peers: exactness, whole requests, ways, matrices, changes.

OSRM (contraction hierarchies, car profile) and Valhalla run in processes of their own and time
themselves; SciPy, networkx, pandana and RoutingKit run here. Engines take turns by blocks of 20
requests; medians are given. Positions lie beside roads, uniform over the network's points. Nothing
of the engine was tuned on one city but the search's patience and how many changed arcs are few,
both on Porto.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._cases import shared_data
from benchmarks._osrm import osrm_worker
from benchmarks._peer_worker import PeerAbsentError, PeerWorker
from benchmarks._road_cases import cached, luxembourg, on_roads, roads_of_city, tiled
from benchmarks._routing_changes import closing, moving, new_speeds, under_threads
from benchmarks._routing_exact import against_brute_force, against_references
from benchmarks._routing_peers import PEERS
from benchmarks._routing_requests import (
    beside_valhalla,
    curve,
    isochrone_times,
    matrix,
    point_to_point,
    whole_request,
)
from benchmarks._routing_timing import US, Row, say, taken
from benchmarks._valhalla import valhalla_worker
from routing.building import build_network
from routing.fleet import Fleet
from routing.network import RoadNetwork
from routing.travel import TravelTimes

Bar = tuple[str, float, float, bool]


def building(name: str) -> Row:
    """From the OSM file to a network, to a file, and to a server that answers."""
    path = shared_data() / "osm" / f"{name}.osm.pbf"
    found: list[RoadNetwork] = []
    built = taken(lambda: found.append(build_network(path)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "roads.arrow"
        found[0].save(file)
        size = file.stat().st_size
        before = resident_mb()
        loaded: list[TravelTimes] = []
        load = taken(lambda: loaded.append(TravelTimes(RoadNetwork.load(file))))
        place = on_roads(found[0], 1, np.random.default_rng(1))[0].tolist()
        fleet = Fleet(loaded[0])
        fleet.put(1, *place, "car")
        fleet.nearest((place[0], place[1]), 1)
        after = resident_mb()
    row: Row = {"case": f"build {name}", "s": built, "load_s": load, "file_mb": size / 2**20}
    row |= {"more_mb": after - before, "process_mb": after}
    say(row)
    return row


def resident_mb() -> float:
    """Memory that the process holds now."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def peers(travel: TravelTimes, times: int) -> list[Row]:
    """The three nearest of 100 by libraries that answer between nodes, without lines."""
    rows = []
    for name, peer in PEERS.items():
        try:
            took, note = peer(travel, times)
        except ImportError as absent:
            say({"skipped": f"{name}: {absent}"})
            continue
        row: Row = {"peer": name, "p50_us": took * US, "what": note}
        say(row)
        rows.append(row)
    return rows


def bars(report: dict[str, Any]) -> list[Bar]:
    """Every bar of the issue that was measured: name, figure, bar, met."""
    found = [
        at_most(f"{row['network']}: {key}", row[key], 0)
        for row in report["exactness"]
        for key in ("differ", "ways_wrong")
        if key in row
    ]
    for row in report["whole"]:
        found.append(at_most(f"p50 of R={row['responders']}, µs", row["p50_us"], 1000))
        if "ratio" in row and row["responders"] <= 1000:
            name = f"whole request against OSRM, R={row['responders']}"
            found.append(at_least(name, row["ratio"], 8))
    for row, bar in ((report["route"], 4), (report["matrix"], 1.5)):
        if "ratio" in row:
            found.append(at_least(f"{row['case']} against OSRM", row["ratio"], bar))
    for row in report["isochrone"]:
        found.append(at_most(f"{row['case']} of SciPy", row["of_scipy"], 1.3))
        found.append(at_most(f"{row['case']}: times that differ", row["differ"], 0))
    found += [
        at_most(f"one move among {row['responders']}, µs", row["us"], 50) for row in report["moves"]
    ]
    speeds, build, threads = report["speeds"], report["build"], report["threads"]
    if speeds:
        found.append(at_most("new speeds meanwhile asked, s", speeds["s"], 1))
        found.append(at_most("failed or mixed meanwhile", speeds["failed_or_mixed"], 0))
    return [
        *found,
        at_most("10 closures, ms", report["closures"]["ms"], 5),
        at_most("exceptions under threads", threads["exceptions"], 0),
        at_most("wrong under threads", threads["wrong"], 0),
        at_most("build, s", build["s"], 60),
        at_most("load, s", build["load_s"], 2),
        at_most("memory of the network in the server, MB", build["more_mb"], 500),
    ]


def at_most(name: str, value: float, bar: float) -> Bar:
    """A bar that a figure must not exceed."""
    return name, value, bar, value <= bar


def at_least(name: str, value: float, bar: float) -> Bar:
    """A bar that a figure must reach."""
    return name, value, bar, value >= bar


def measured(*, small: bool) -> dict[str, Any]:
    """Run everything; small on Monaco without OSRM."""
    city = "monaco" if small else "porto"
    report: dict[str, Any] = {"city": city, "build": building(city)}
    roads = roads_of_city(city)
    travel = TravelTimes(cached(city, roads))
    extract = shared_data() / "osm" / f"{city}.osm.pbf"
    osrm = None if small else started(osrm_worker, extract)
    requests = 60 if small else 400
    report["whole"] = [
        whole_request(travel, osrm, count, requests) for count in (10, 100, 1_000, 20_000)
    ]
    report["route"] = point_to_point(travel, osrm, 100 if small else 1_000)
    report["matrix"] = matrix(travel, osrm, 100 if small else 300, 5 if small else 50)
    if osrm is not None:
        osrm.close()
    report["valhalla"] = None
    if not small and (valhalla := started(valhalla_worker, extract)) is not None:
        report["valhalla"] = beside_valhalla(travel, valhalla, requests)
    report["isochrone"] = [isochrone_times(travel, minutes, 50) for minutes in (5.0, 15.0)]
    report["closures"] = closing(travel, 50)
    report["moves"] = [moving(travel, count, 1_000) for count in (100, 20_000)]
    report["threads"] = under_threads(travel, 3.0 if small else 60.0, 8)
    report["peers"] = [] if small else peers(travel, 50)
    report["speeds"], report["curve"] = None, []
    count = 40 if small else 1000
    report["exactness"] = [against_brute_force(city, roads, travel.network, count, people=60)]
    say(report["exactness"][0])
    lux, queries = luxembourg()
    lux_network = cached("luxembourg", lux, whole=True)
    limit = 2_000 if small else 100_000
    report["exactness"].append(against_references(lux, TravelTimes(lux_network), queries, limit))
    say(report["exactness"][-1])
    if not small:
        report |= large(report, roads, travel, lux, lux_network)
    return report


def started(worker: Callable[[Path], PeerWorker], extract: Path) -> PeerWorker | None:
    """A peer's worker, or None and why."""
    try:
        return worker(extract)
    except (PeerAbsentError, OSError) as absent:
        say({"skipped": f"{worker.__name__}: {absent}"})
        return None


def large(
    report: dict[str, Any], roads: Any, travel: TravelTimes, lux: Any, lux_network: RoadNetwork
) -> dict[str, Any]:
    """Malta, Luxembourg and Porto nine times."""
    malta = roads_of_city("malta")
    malta_network = cached("malta", malta)
    nine = tiled(roads, 3)
    nine_network = cached("porto3x3", nine)
    cases = (
        ("malta", malta, malta_network, 60, ("car", "moped", "foot")),
        ("luxembourg", lux, lux_network, 60, ("car",)),
        ("porto 3×3", nine, nine_network, 600, ("car",)),
    )
    for name, one, network, people, modes in cases:
        row = against_brute_force(name, one, network, 1000, people=people, modes=modes)
        say(row)
        report["exactness"].append(row)
    big = TravelTimes(nine_network)
    speeds = new_speeds(big, 7)
    networks = {"malta": TravelTimes(malta_network), "porto": travel, "porto 3×3": big}
    return {"speeds": speeds, "curve": curve(networks, 100)}


def main() -> int:
    """Run the benchmark; exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--small", action="store_true", help="Monaco, within a minute")
    options = parser.parse_args()
    report = measured(small=options.small)
    judged = bars(report)
    if options.json:
        report["bars"] = [
            {"name": name, "value": value, "bar": bar, "met": met}
            for name, value, bar, met in judged
        ]
        print(json.dumps(report, ensure_ascii=False, default=float))
    else:
        for name, value, bar, met in judged:
            print(f"{'ok    ' if met else 'MISSED'} {name}: {value:.4g} (bar {bar:g})")
    return 0 if all(met for *_, met in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
