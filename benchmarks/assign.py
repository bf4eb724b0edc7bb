"""Bulk assignment: a CSV of places → the same with grid, people and H3 cell.

Grids are the 17,387 official units of Kaohsiung with made-up staff (`--small`: 900 made-up
grids); places are clustered as people are. Each run is a process of its own, whose peak memory
the operating system tells. The peer reads the file with pandas, joins it with geopandas.sjoin
and writes only the grid's code: no people, no cell, no refused rows.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import pandas as pd

from benchmarks._cases import shared_data, spare_database
from benchmarks._places import Areas, kaohsiung_units, lattice_areas, places
from benchmarks._staffed import COUNTY, make_staffed
from benchmarks.locator import say
from data.database import Database
from data.memory import held_for_long
from grids.assign import Assigner, AssignOptions, assign_table
from grids.directory import load_directory

Row = dict[str, Any]
_MIB = 1024.0
# Four times the rows may take this much more memory: the parts of a chunk come and go.
_FLAT = 1.25


def write_places(areas: Areas, count: int, path: Path) -> None:
    """A CSV of places, written in pieces."""
    with path.open("w", encoding="utf-8") as handle:
        handle.write("id,lon,lat,note\n")
        for number, begin in enumerate(range(0, count, 500_000)):
            lon, lat = places("clustered", areas, min(500_000, count - begin), seed=number)
            handle.writelines(
                f"{begin + at},{x:.7f},{y:.7f},第{at}件\n"
                for at, (x, y) in enumerate(zip(lon.tolist(), lat.tolist(), strict=True))
            )


def ours(url: str, source: Path, target: Path, chunk_rows: int) -> Row:
    """One run of ours, in this process."""
    database, now = Database.at(url), datetime.now(UTC)
    with database.session() as session:
        assigner = Assigner(load_directory(session, COUNTY, now), now)
    assigner.assign([120.0], [22.0])
    held_for_long()
    begin = time.perf_counter()
    options = AssignOptions("EPSG:4326", rows=chunk_rows)
    report = assign_table(assigner, source, target, options=options)
    return {"seconds": time.perf_counter() - begin, "placed": report.placed}


def sjoin(url: str, source: Path, target: Path) -> Row:
    """The peer, in this process."""
    grids = geopandas.read_postgis("SELECT code, geom FROM grid", Database.at(url).engine)
    begin = time.perf_counter()
    frame = pd.read_csv(source, dtype={"id": str})
    points = geopandas.points_from_xy(frame.lon, frame.lat)
    found = geopandas.sjoin(
        geopandas.GeoDataFrame(frame, geometry=points, crs=4326), grids, predicate="covered_by"
    )
    found.drop(columns=["geometry", "index_right"]).to_csv(target, index=False)
    return {"seconds": time.perf_counter() - begin, "placed": len(found)}


def run(name: str, url: str, source: Path, count: int) -> Row:
    """One run in a process of its own, with its peak memory."""
    command = [sys.executable, "-m", "benchmarks.assign", "--one", name]
    done = subprocess.run(
        [*command, "--url", url, "--source", str(source)],
        check=True,
        capture_output=True,
        text=True,
    )
    row: Row = {"method": name, "rows": count, **json.loads(done.stdout)}
    row["rows_per_second"] = count / row["seconds"]
    say(row)
    return row


def one(name: str, url: str, source: Path) -> int:
    """What the child process does."""
    target = source.with_name(f"{name}.csv")
    small = source.stat().st_size < 10_000_000
    row = (
        sjoin(url, source, target)
        if name == "geopandas.sjoin"
        else ours(url, source, target, 10_000 if small else 100_000)
    )
    row["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    print(json.dumps(row))
    return 0


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="900 grids, 20,000 and 80,000 rows")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return one(options.one, options.url, options.source)
    if not options.small and not shared_data().is_dir():
        raise SystemExit(f"the real data is not here: {shared_data()}; try --small")
    areas = lattice_areas(30) if options.small else kaohsiung_units()
    sizes = (20_000, 80_000) if options.small else (1_000_000, 4_000_000)
    rows: list[Row] = []
    with spare_database() as database, tempfile.TemporaryDirectory() as folder:
        with database.session() as session:
            make_staffed(session, areas)
        url = database.engine.url.render_as_string(hide_password=False)
        source = Path(folder) / "places.csv"
        for count in sizes:
            write_places(areas, count, source)
            rows += [run(name, url, source, count) for name in ("OneGrid", "geopandas.sjoin")]
    missed = judge(rows)
    print(json.dumps({"runs": rows, "missed": missed}, indent=1))
    return 1 if missed else 0


def judge(rows: list[Row]) -> list[str]:
    """Bars that were missed: memory that grows with the rows, rows that differ."""
    mine = [row for row in rows if row["method"] == "OneGrid"]
    peer = [row for row in rows if row["method"] != "OneGrid"]
    missed = []
    growth = mine[1]["peak_mib"] / mine[0]["peak_mib"]
    if growth > _FLAT:
        missed.append(f"memory grew {growth:.2f} times over four times the rows, bar {_FLAT}")
    # The peer lists a place on a shared edge once for each grid.
    for a, b in zip(mine, peer, strict=True):
        if a["placed"] > b["placed"]:
            missed.append(f"{a['placed']} placed, the peer {b['placed']}")
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
