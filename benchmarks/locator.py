"""The locator beside its peers: exactness, bulk, one place, building, growth.

Grids are the 17,387 official units of Kaohsiung (`--small`: 900 made-up ones). Places are uniform
over their frame, clustered as people are, or adversarial: on vertices, on edges, an ulp or 1e-9°
off. Every join counts its pairs; all run on one thread but for the row that says two.
"""

import argparse
import json
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks._cases import shared_data
from benchmarks._places import (
    ADVERSARIAL,
    JOINS,
    Areas,
    Places,
    PostGis,
    covering_by_fractions,
    duckdb_seconds,
    kaohsiung_units,
    lattice_areas,
    places,
    postgis,
)
from gis.locator import Locator
from gis.locator.query import has_record

Row = dict[str, Any]
_NS = 1e9


def best(run: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest run."""
    return min(timeit.repeat(run, number=1, repeat=times))


def in_turns(runs: list[Callable[[], object]], times: int = 7) -> list[float]:
    """Seconds of the fastest run of each; they take turns, so that a slow spell meets all."""
    took = [[timeit.timeit(run, number=1) for run in runs] for _ in range(times)]
    return [min(one) for one in zip(*took, strict=True)]


def exactness(locator: Locator, areas: Areas, server: PostGis, sizes: dict[str, int]) -> list[Row]:
    """Disagreements with ST_Covers and with rational arithmetic, kind by kind."""
    rows = []
    for number, (kind, size) in enumerate(sizes.items()):
        mine = places(kind, areas, size, seed=10 + number)
        found = locator.locate(*mine)
        server.hold(mine)
        pairs = server.pairs()
        wrong = differing(found.area, found.count, pairs, size)
        few = min(size, 2500 if kind in ADVERSARIAL else 1000)
        sample = (mine[0][:few], mine[1][:few])
        exact = covering_by_fractions(areas, sample)
        rank = np.argsort(np.argsort(np.array(areas[1])))
        slips = sum(
            found.count[i] != len(one)
            or found.area[i] != (min(one, key=lambda a: rank[a]) if one else -1)
            for i, one in enumerate(exact)
        )
        row = {"kind": kind, "places": size, "covered": float((found.count > 0).mean())}
        row |= {"shared": float((found.count > 1).mean()), "postgis_differs": int(wrong.sum())}
        row |= {"by_fractions": few, "fractions_differ": int(slips)}
        row["postgis_wrong"] = rounded_by_postgis(areas, mine, np.flatnonzero(wrong), found)
        rows.append(row)
        say(row)
    return rows


def differing(
    area: NDArray[np.int64], count: NDArray[np.int64], pairs: NDArray[np.int64], size: int
) -> NDArray[np.bool_]:
    """Places whose smallest code or number of areas is another than in the pairs."""
    expected_count = np.bincount(pairs[:, 0], minlength=size)
    expected = np.full(size, -1)
    place, first = np.unique(pairs[:, 0], return_index=True)
    expected[place] = pairs[first, 1]
    differs: NDArray[np.bool_] = (area != expected) | (count != expected_count)
    return differs


def rounded_by_postgis(areas: Areas, mine: Places, where: NDArray[np.int64], found: Any) -> int:
    """Of the places where PostGIS differs, those where rational arithmetic sides with us."""
    exact = covering_by_fractions(areas, (mine[0][where], mine[1][where]))
    return sum(found.count[i] == len(one) for i, one in zip(where, exact, strict=True))


def bulk(locator: Locator, areas: Areas, server: PostGis, kind: str, size: int) -> Row:
    """Nanoseconds a place of everyone, on the same places."""
    mine = places(kind, areas, size)
    locator.locate(*mine)
    one, two = in_turns([lambda: locator.locate(*mine), lambda: locator.locate(*mine, threads=2)])
    copied = (np.empty(size), np.empty(size))

    def copy() -> None:
        np.copyto(copied[0], mine[0])
        np.copyto(copied[1], mine[1])

    row: Row = {"kind": kind, "places": size, "onegrid": one, "onegrid_two_threads": two}
    row["copying"] = best(copy)
    near = in_cells_with_edges(locator, mine)
    for name, chosen in (("whole_cells", ~near), ("cells_with_edges", near)):
        part = (mine[0][chosen], mine[1][chosen])
        # Scaled so that the division below gives nanoseconds for one of these places.
        row[name] = best(partial(locator.locate, *part)) * size / max(int(chosen.sum()), 1)
    frame = geopandas.GeoDataFrame(geometry=areas[0], crs="EPSG:4326")
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(*mine), crs="EPSG:4326")
    row["geopandas.sjoin"] = best(lambda: geopandas.sjoin(points, frame, predicate="covered_by"), 2)
    tree, shapes = shapely.STRtree(areas[0]), points.geometry.to_numpy()
    row["STRtree.query"] = best(lambda: tree.query(shapes, "covered_by"), 2)
    server.hold(mine, cells=True)
    for join in JOINS:
        row[f"PostGIS {join}"] = server.seconds(join)
    try:
        row["DuckDB spatial"] = duckdb_seconds(areas, mine)
    except ImportError as absent:
        say({"skipped": f"DuckDB: {absent}"})
    nanoseconds = {
        name: value / size * _NS for name, value in row.items() if name not in ("kind", "places")
    }
    say({"kind": kind} | nanoseconds)
    row = {"kind": kind, "places": size, "share_in_cells_with_edges": float(near.mean())}
    return row | nanoseconds


def in_cells_with_edges(locator: Locator, mine: Places) -> NDArray[np.bool_]:
    """Which places lie in a cell that has a record: what the look-up of a whole cell is not."""
    raster = locator._raster  # noqa: SLF001 - no caller needs to know but this one
    return np.array([has_record(raster, x, y) for x, y in np.column_stack(mine).tolist()])


def one_place(locator: Locator, areas: Areas, server: PostGis, size: int) -> Row:
    """Nanoseconds of one look-up from Python, and of one prepared query."""
    mine = places("clustered", areas, size, seed=5)
    lon, lat = (values.tolist() for values in mine)

    def run() -> None:
        find = locator.find
        for x, y in zip(lon, lat, strict=True):
            find(x, y)

    row = {"onegrid": best(run) / size * _NS}
    few = (mine[0][:20_000], mine[1][:20_000])
    row["PostGIS prepared"] = server.one_seconds(few) * _NS
    say(row)
    return row


def building(areas: Areas) -> Row:
    """Seconds to build, memory, milliseconds to redraw ten grids and to map the file."""
    seconds = best(lambda: Locator(*areas), 3)
    locator = Locator(*areas)
    shapes, codes = areas
    middle = shapely.centroid(shapely.MultiPoint(shapely.centroid(shapes)))
    ten = np.argsort(shapely.distance(shapes, middle))[:10]
    gone, fresh = [codes[i] for i in ten], [codes[i] + "+" for i in ten]
    redrawn = best(lambda: locator.redrawn(gone, shapes[ten], fresh))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grids.locator"
        locator.save(path)
        loaded = best(lambda: Locator.load(path).find(0.0, 0.0))
    row = {"areas": len(locator), "seconds": seconds, "mb": locator.nbytes / 1e6}
    row |= {"redraw_ten_ms": redrawn * 1e3, "load_ms": loaded * 1e3}
    say(row)
    return row


def growth(sides: list[int], size: int) -> list[Row]:
    """Nanoseconds a place against the number of grids over the same degree."""
    rows: list[Row] = []
    runs: dict[str, list[Callable[[], object]]] = {"uniform": [], "clustered": []}
    for side in sides:
        areas = lattice_areas(side)
        began = time.perf_counter()
        locator = Locator(*areas)
        built = time.perf_counter() - began
        rows.append({"grids": side * side, "build_s": built, "mb": locator.nbytes / 1e6})
        for kind, mine in runs.items():
            mine.append(partial(locator.locate, *places(kind, areas, size)))
    for kind, mine in runs.items():
        for row, seconds in zip(rows, in_turns(mine), strict=True):
            row[kind] = seconds / size * _NS
    for row in rows:
        say(row)
    return rows


def judge(report: dict[str, Any], *, small: bool) -> list[str]:
    """Bars that are missed; a small run judges exactness alone."""
    missed = [
        f"not exact: {row}"
        for row in report["exactness"]
        if row["postgis_differs"] != row["postgis_wrong"] or row["fractions_differ"]
    ]
    if small:
        return missed
    for row in report["bulk"]:
        missed += [f"{row['kind']}: {one}" for one in _slow(row)]
    one = report["one"]
    if one["onegrid"] > 1000 or one["PostGIS prepared"] < 100 * one["onegrid"]:
        missed.append(f"one place: {one}")
    made = report["building"]
    over = made["seconds"] > 5 or made["mb"] > 100
    if over or made["redraw_ten_ms"] > 50 or made["load_ms"] > 1000:
        missed.append(f"building: {made}")
    for kind in ("uniform", "clustered"):
        costs = [row[kind] for row in report["growth"]]
        if max(costs) > 2 * min(costs):
            missed.append(f"{kind}: {max(costs) / min(costs):.1f} times over the sizes, bar 2")
    return missed


def _slow(row: Row) -> list[str]:
    ratios = {
        "geopandas.sjoin": (row["geopandas.sjoin"] / row["onegrid"], 20.0),
        "PostGIS ST_Covers": (row["PostGIS ST_Covers"] / row["onegrid"], 250.0),
        "one thread by two": (row["onegrid"] / row["onegrid_two_threads"], 1.8),
        "ST_Covers by H3 cells": (row["PostGIS ST_Covers"] / row["PostGIS H3 cells"], 3.0),
    }
    return [
        f"{k} {ratio:.2f} times, bar {bar}" for k, (ratio, bar) in ratios.items() if ratio < bar
    ]


def say(row: Row) -> None:
    """Tell a figure as soon as it is known."""
    print(
        {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()},
        file=sys.stderr,
        flush=True,
    )


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="900 made-up grids, 20,000 places")
    options = parser.parse_args()
    if not options.small and not shared_data().is_dir():
        raise SystemExit(f"the real data is not here: {shared_data()}; try --small")
    areas = lattice_areas(30) if options.small else kaohsiung_units()
    size = 20_000 if options.small else 1_000_000
    sizes = {"uniform": size // 2, "clustered": size // 2}
    sizes |= dict.fromkeys(ADVERSARIAL, 2000 if options.small else 50_000)
    locator = Locator(*areas)
    report: dict[str, Any] = {}
    with postgis(areas) as server:
        report["exactness"] = exactness(locator, areas, server, sizes)
        report["bulk"] = [bulk(locator, areas, server, k, size) for k in ("uniform", "clustered")]
        report["one"] = one_place(locator, areas, server, size // 10)
    if not options.small:
        mine = places("clustered", areas, 10 * size)
        ten = best(lambda: locator.locate(*mine), 3) / (10 * size) * _NS
        report["ten_million"] = {"places": 10 * size, "onegrid": ten}
        say(report["ten_million"])
    report["building"] = building(areas)
    report["growth"] = growth([10, 30] if options.small else [10, 32, 100, 316], size)
    missed = judge(report, small=options.small)
    print(json.dumps(report | {"missed": missed}, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
