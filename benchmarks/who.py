"""Who: a place, a class and a time → grid, people, lead and trace; in process and over HTTP.

Grids are the 17,387 official units of Kaohsiung with made-up staff (see `benchmarks._staffed`;
`--small`: 900 made-up grids). Places are clustered as people are, every class of incident in
turn. Over HTTP, wrk on the same machine asks one and two processes of ours, and of the peer: the
same answer composed by PostGIS in one statement behind the same framework and server. The better
of the two counts for each.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import psycopg

from benchmarks._cases import shared_data, spare_database
from benchmarks._places import Areas, kaohsiung_units, lattice_areas, places
from benchmarks._staffed import COUNTY, make_staffed
from benchmarks._who_sql import QUERY
from benchmarks._wrk import asked_by_wrk, require_wrk
from benchmarks.locator import say
from data.database import Database
from grids.directory import load_directory
from grids.who import Directory

Row = dict[str, Any]
_US = 1e6
# Bars of the issue.
_P50_US, _PER_SECOND, _TIMES_SQL = 100.0, 1500.0, 5.0


def asked(areas: Areas, directory: Directory, count: int) -> list[tuple[float, float, str]]:
    """Places with a class each."""
    lon, lat = places("clustered", areas, count)
    classes = sorted(directory.staff.classes)
    kinds = [classes[n % len(classes)] for n in range(count)]
    return list(zip(lon.tolist(), lat.tolist(), kinds, strict=True))


def in_process(directory: Directory, mine: list[tuple[float, float, str]]) -> Row:
    """Microseconds of one answer with and without a class."""
    directory.answer(*mine[0][:2])
    took = []
    for lon, lat, kind in mine:
        begin = time.perf_counter_ns()
        directory.answer(lon, lat, class_code=kind)
        took.append(time.perf_counter_ns() - begin)
    p50, p99 = np.percentile(took, [50, 99]) / 1000
    return {"answers": len(mine), "p50_us": float(p50), "p99_us": float(p99)}


def by_sql(database: Database, mine: list[tuple[float, float, str]]) -> Row:
    """Microseconds of the statement over the Unix socket."""
    took = []
    with psycopg.connect(database.conninfo) as connection:
        for lon, lat, kind in mine:
            key = {"lon": lon, "lat": lat, "county": COUNTY, "class": kind}
            begin = time.perf_counter_ns()
            connection.execute(QUERY, key, prepare=True).fetchone()
            took.append(time.perf_counter_ns() - begin)
    p50, p99 = np.percentile(took, [50, 99]) / 1000
    return {"answers": len(mine), "p50_us": float(p50), "p99_us": float(p99)}


def differing(
    directory: Directory, database: Database, mine: list[tuple[float, float, str]]
) -> int:
    """How many answers name another grid, other people or another lead than the statement."""
    wrong = 0
    with psycopg.connect(database.conninfo) as connection:
        for lon, lat, kind in mine:
            key = {"lon": lon, "lat": lat, "county": COUNTY, "class": kind}
            row = connection.execute(QUERY, key, prepare=True).fetchone()
            peer = json.loads(row[0]) if row else {}
            answer = directory.answer(lon, lat, class_code=kind)
            if answer.grid is None:
                wrong += peer["grid"] is not None
                continue
            # A roster names the person of a unit, which the statement does not.
            ours = {(p.role, p.name.split()[0]) for p in answer.people}
            theirs = {(p["role"], p["name"]) for p in peer["people"]}
            lead = answer.lead.name if answer.lead else None
            wrong += (answer.grid.code, ours, lead) != (
                peer["grid"]["code"],
                theirs,
                peer["lead"],
            )
    return wrong


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """A server in a process of its own, until it has answered once and is not needed more."""
    trusted = {"ONEGRID_TRUSTED_NETWORKS": "127.0.0.0/8"}
    process = subprocess.Popen(command, env=os.environ | trusted | environment)
    try:
        for _ in range(600):
            try:
                with urlopen(f"http://127.0.0.1:{port}/api/v1/who?lon=1&lat=1", timeout=60):
                    break
            except URLError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def wrk(mine: list[tuple[float, float, str]], port: int, seconds: int, folder: Path) -> Row:
    """Requests a second and latency of one server; every answer must be 200."""
    paths = [f"/api/v1/who?lon={x!r}&lat={y!r}&class={kind}" for x, y, kind in mine]
    listed = ",\n".join(f'"{path}"' for path in paths)
    script = (
        f"local paths = {{{listed}}}\nlocal at = 0\n"
        "request = function()\n  at = at % #paths + 1\n"
        "  return wrk.format('GET', paths[at])\nend\n"
    )
    return asked_by_wrk(script, port, seconds, folder)


def over_http(
    database: Database, mine: list[tuple[float, float, str]], seconds: int, *, small: bool
) -> dict[str, Row]:
    """Wrk against one process of ours, two of ours, and the statement; small, one of each."""
    own = [sys.executable, "-c", "from api.cli import main; main()", "serve"]
    peer = [sys.executable, "-m", "benchmarks._who_sql"]
    found: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        url = database.engine.url.render_as_string(hide_password=False)
        environment = {
            "ONEGRID_DATABASE_URL": url.replace("+psycopg", ""),
            "ONEGRID_COUNTY": COUNTY,
            "ONEGRID_HOME": folder,
        }
        for name, command in {
            "onegrid": own,
            "onegrid, two processes": [*own, "--workers", "2"],
            "PostGIS statement": peer,
            "PostGIS statement, two processes": [*peer, "--workers", "2"],
        }.items():
            if small and "two" in name:
                continue
            port = free_port()
            with served([*command, "--port", str(port)], port, environment):
                wrk(mine, port, 1, Path(folder))
                found[name] = wrk(mine, port, seconds, Path(folder))
                say({"server": name, **found[name]})
    return found


def judge(report: dict[str, Any], *, small: bool) -> list[str]:
    """Bars that were missed; small runs are too small to time."""
    missed = [f"{report['differing']} answers differ"] if report["differing"] else []
    if small:
        return missed
    if report["in_process"]["p50_us"] > _P50_US:
        missed.append(f"who p50 {report['in_process']['p50_us']:.0f} µs, bar {_P50_US:.0f}")
    best, peer = (
        max(row["per_second"] for server, row in report["http"].items() if server.startswith(name))
        for name in ("onegrid", "PostGIS")
    )
    if best < _PER_SECOND:
        missed.append(f"{best:.0f} requests/s, bar {_PER_SECOND:.0f}")
    ratio = best / peer
    if ratio < _TIMES_SQL:
        missed.append(f"{ratio:.1f} times the statement, bar {_TIMES_SQL:.0f}")
    return missed


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="900 made-up grids, short runs")
    options = parser.parse_args()
    if not options.small and not shared_data().is_dir():
        raise SystemExit(f"the real data is not here: {shared_data()}; try --small")
    require_wrk()
    areas = lattice_areas(30) if options.small else kaohsiung_units()
    count = 2000 if options.small else 20_000
    report: dict[str, Any] = {}
    with spare_database() as database:
        with database.session() as session:
            report["county"] = make_staffed(session, areas)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT; ANALYZE")
        with database.session() as session:
            begin = time.perf_counter()
            directory = load_directory(session, COUNTY)
            report["load_s"] = time.perf_counter() - begin
        say({"county": report["county"], "load_s": report["load_s"]})
        mine = asked(areas, directory, count)
        report["in_process"] = in_process(directory, mine)
        say({"in_process": report["in_process"]})
        report["sql"] = by_sql(database, mine[:2000])
        say({"sql": report["sql"]})
        report["differing"] = differing(directory, database, mine[: count // 10])
        report["http"] = over_http(
            database, mine[:2000], 2 if options.small else 10, small=options.small
        )
    missed = judge(report, small=options.small)
    print(json.dumps(report | {"missed": missed}, indent=1, ensure_ascii=False))
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
