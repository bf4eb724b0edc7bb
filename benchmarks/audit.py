"""Audited reads a second, from sixteen sessions, beside a plain table and the former way.

Sixteen threads note reads as requests do; the process writes them by batches that the chain
seals, and waits until the last is written. Peers, by sixteen connections with a commit for each
row: a plain table with the same columns, and an entry in the hash chain for each read (the way
until now). The cluster is durable: commits are flushed to the disk.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks._cases import spare_database
from benchmarks.locator import say
from data.audit import audit
from data.audit_check import verify_all
from data.audit_heads import HeadKeeper
from data.audit_reads import ReadLog
from data.database import Database
from data.settings import Settings

__all__ = ["main"]

Row = dict[str, Any]
# Bar of the issue.
_PER_SECOND = 2_000.0
_SESSIONS, _COUNTY = 16, "990300"
_PLAIN = text("INSERT INTO plain_read (actor, action, subject) VALUES (:actor, 'see', :subject)")


def _by_sessions(seconds: float, one: Callable[[int, int], None]) -> tuple[int, float]:
    """Do something from sixteen threads for some seconds; how often, and how long it took."""
    ends = time.perf_counter() + seconds

    def work(session: int) -> int:
        count = 0
        while time.perf_counter() < ends:
            one(session, count)
            count += 1
        return count

    begin = time.perf_counter()
    with ThreadPoolExecutor(_SESSIONS) as pool:
        counts = list(pool.map(work, range(_SESSIONS)))
    return sum(counts), time.perf_counter() - begin


def batched(database: Database, folder: Path, seconds: float, pace_s: float) -> Row:
    """Reads that are noted by `ReadLog`, until the last of them is written and sealed."""
    log = ReadLog(database, _COUNTY, folder, HeadKeeper(Settings(home=folder, county=_COUNTY)))
    log.start()

    def note(session: int, count: int) -> None:
        log.note(f"session-{session}", "see /api/v1/incidents/{incident}", f"incident={count}")
        time.sleep(pace_s)

    begin = time.perf_counter()
    count, _ = _by_sessions(seconds, note)
    log.stop()
    took = time.perf_counter() - begin
    with database.session() as session:
        found = verify_all(session, _COUNTY, folder, is_protected=True)
    return {
        "noted": count,
        "held": found.reads,
        "per_second": round(found.reads / took),
        "batches": found.batches,
        "is_whole": found.is_whole,
    }


def plain(database: Database, seconds: float) -> Row:
    """A row and a commit each, in a table without a chain."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE plain_read (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), "
            "actor text, action text, subject text)"
        )

    def insert(session: int, count: int) -> None:
        with database.session() as connection:
            connection.execute(_PLAIN, {"actor": f"s{session}", "subject": f"incident={count}"})

    count, took = _by_sessions(seconds, insert)
    return {"per_second": round(count / took)}


def chained(database: Database, seconds: float) -> Row:
    """An entry of the chain each."""

    def enter(session: int, count: int) -> None:
        with database.session() as connection:
            audit(connection, _COUNTY, f"s{session}", "see", f"incident={count}")

    count, took = _by_sessions(seconds, enter)
    return {"per_second": round(count / took)}


def judge(report: Row, *, small: bool) -> list[str]:
    """Bars that were missed; small runs are too small to time."""
    ours = report["batched"]
    missed = []
    if ours["noted"] != ours["held"] or not ours["is_whole"]:
        missed.append(f"{ours['noted']} reads noted, {ours['held']} held")
    if not small and ours["per_second"] < _PER_SECOND:
        missed.append(f"{ours['per_second']} audited reads/s, bar {_PER_SECOND:.0f}")
    return missed


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="two seconds each")
    options = parser.parse_args()
    seconds = 2.0 if options.small else 15.0
    report: Row = {}
    with spare_database(durable=True) as spare, tempfile.TemporaryDirectory() as folder:
        database = Database.at(spare.conninfo)
        # Some thousand a second of each session's own pace: a request takes longer than noting.
        report["batched"] = batched(database, Path(folder), seconds, 0.002)
        say({"batched": report["batched"]})
        report["plain"] = plain(database, seconds)
        say({"plain": report["plain"]})
        report["chained"] = chained(database, seconds)
        say({"chained": report["chained"]})
        database.engine.dispose()
    missed = judge(report, small=options.small)
    print(json.dumps(report | {"missed": missed}, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
