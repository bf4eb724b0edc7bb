"""A year of a county's records is deleted while requests go on, beside one statement for all.

The database is made a year old: notices, and reads in sealed batches with their entries in the
chain. Then the rules run as the clock runs them, while sixteen threads do what requests do (a
notice with an entry of the chain, a look at the inbox) and reads are noted. The peer is one DELETE
over a table of the same rows. The cluster is durable: commits are flushed to the disk.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import event, text

from benchmarks._cases import spare_database
from benchmarks.locator import say
from data.audit import audit
from data.audit_check import verify_all
from data.audit_heads import HeadKeeper
from data.audit_reads import ReadLog
from data.database import Database
from data.retention.logs import set_periods
from data.retention.rules import rule_named
from data.retention.runs import run_rule
from data.settings import Settings

__all__ = ["main"]

Row = dict[str, Any]
# A county's sessions, some thirty requests a second in all: the machine is not to be full of them.
_PAUSE_S = 0.5
_COUNTY, _SESSIONS, _BATCH = "990300", 16, 500
# Bars: a request beside the deletion, and what it must get done in a night's four hours of half.
_MOST_P99_MS, _MOST_MS, _LEAST_PER_S = 100.0, 1_000.0, 5_000.0
# So much stays of each kind: a tenth.
_STAYS = 10
_NOTICES = text(
    "INSERT INTO outbox (county, key, channel, address, subject, content, state, made_at) "
    "SELECT :county, 'made:' || n, 'app', 'person:' || n % 2000, 'case_dispatched', "
    "jsonb_build_object('case', n, 'place', md5(n::text)), 'seen', now() - interval '366 days' "
    "- n * interval '6 seconds' FROM generate_series(1, :rows) AS n UNION ALL "
    "SELECT :county, 'young:' || n, 'app', 'person:' || n % 2000, 'case_dispatched', "
    "jsonb_build_object('case', n), 'sent', now() - n * interval '1 second' "
    "FROM generate_series(1, :young) AS n"
)
_MONTHS = text(
    "DO $$ DECLARE month timestamptz; BEGIN FOR month IN SELECT generate_series("
    "date_trunc('month', now() - interval '26 months', 'UTC'), now(), interval '1 month') LOOP "
    "month := date_trunc('month', month, 'UTC'); "
    "EXECUTE format('CREATE TABLE IF NOT EXISTS audit.%I PARTITION OF audit_read FOR VALUES FROM "
    "(%L) TO (%L)', 'read_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'), month, "
    "date_trunc('month', month + interval '32 days', 'UTC')); END LOOP; END $$"
)
_READS = text(
    "INSERT INTO audit_read (at, county, batch, actor, action, subject) "
    "SELECT now() - interval '366 days' - (1 - n::float / :rows) * interval '365 days', "
    ":county, 1 + n / :batch, 'staff' || n % 500, 'see /api/v1/incidents/{incident}', "
    "'incident=' || n FROM generate_series(0, :rows - 1) AS n"
)
_SEQUENCE = text("SELECT setval('audit.batch', (SELECT max(batch) FROM audit_read))")
_SEALS = text(
    "INSERT INTO audit_log (county, at, actor, action, subject, detail) SELECT CAST(:county AS "
    "text), max(at), 'system', 'reads.seal', batch::text, jsonb_build_object('rows', count(*), "
    "'hash', audit_read_hash(CAST(:county AS text), batch)) FROM audit_read GROUP BY batch "
    "ORDER BY batch"
)
_CHAIN = text(
    "DO $$ DECLARE entry audit_log; before text := ''; BEGIN "
    "FOR entry IN SELECT * FROM audit_log ORDER BY id LOOP "
    "entry.hash := audit_hash(before, entry); before := entry.hash; "
    "UPDATE audit_log SET hash = before WHERE id = entry.id; END LOOP; END $$"
)
_INBOX = text(
    "SELECT id, subject, content FROM outbox WHERE county = :county AND channel = 'app' "
    "AND address = :address AND state <> 'seen' ORDER BY id DESC LIMIT 20"
)
_TELL = text(
    "INSERT INTO outbox (county, key, channel, address, subject, state) "
    "VALUES (:county, :key, 'app', :address, 'case_dispatched', 'sent')"
)


@dataclass
class _Times:
    """How long requests took, in milliseconds, while something was going on."""

    took_ms: list[float] = field(default_factory=list)

    def told(self) -> Row:
        """Count and percentiles."""
        took = np.array(self.took_ms or [0.0])
        p50, p99 = np.percentile(took, (50, 99))
        return {
            "requests": len(self.took_ms),
            "p50_ms": round(float(p50), 1),
            "p99_ms": round(float(p99), 1),
            "most_ms": round(float(took.max()), 1),
        }


def fill(database: Database, rows: int) -> None:
    """A year of notices and of reads that are due, and what is younger."""
    key = {"county": _COUNTY, "rows": rows, "young": rows // _STAYS, "batch": _BATCH}
    with database.session() as session:
        session.execute(_NOTICES, key)
        session.execute(_MONTHS)
        session.execute(_READS, key)
        session.execute(_SEQUENCE)
    with database.session() as session:
        # As the owner, who alone may: the triggers would date and chain the entries anew.
        session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        session.execute(_SEALS, {"county": _COUNTY})
        session.execute(_CHAIN)
        session.execute(text("ALTER TABLE audit_log ENABLE TRIGGER USER"))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE) outbox, audit_read, audit_log")


@contextmanager
def requests_going_on(database: Database, log: ReadLog) -> Iterator[_Times]:
    """Sixteen threads do what requests do, for as long as the block lasts."""
    over, times = threading.Event(), _Times()

    def work(number: int) -> None:
        count = 0
        while not over.wait(_PAUSE_S):
            begin = time.perf_counter()
            _one_request(database, log, number, count)
            times.took_ms.append((time.perf_counter() - begin) * 1e3)
            count += 1

    with ThreadPoolExecutor(_SESSIONS) as pool:
        done = [pool.submit(work, number) for number in range(_SESSIONS)]
        try:
            yield times
        finally:
            over.set()
    for one in done:
        one.result()


def _one_request(database: Database, log: ReadLog, number: int, count: int) -> None:
    address = f"person:{number}"
    log.note(address, "see /api/v1/notices", f"{count}")
    with database.session() as session:
        session.execute(_INBOX, {"county": _COUNTY, "address": address}).all()
        if count % 5 == 0:
            key = f"{number}:{time.perf_counter_ns()}"
            session.execute(_TELL, {"county": _COUNTY, "key": key, "address": address})
            audit(session, _COUNTY, address, "try", key)


@contextmanager
def _longest_transaction(database: Database) -> Iterator[list[float]]:
    """How long each transaction of the deletion's own connections lasted, in milliseconds."""
    lasted: list[float] = []
    begun: dict[int, float] = {}

    def begin(connection: Any) -> None:
        begun[id(connection)] = time.perf_counter()

    def end(connection: Any) -> None:
        if id(connection) in begun:
            lasted.append((time.perf_counter() - begun.pop(id(connection))) * 1e3)

    for name, hear in (("begin", begin), ("commit", end), ("rollback", end)):
        event.listen(database.engine, name, hear)
    yield lasted


def by_rules(database: Database, settings: Settings) -> Row:
    """The rules, as the clock runs them."""
    told: Row = {}
    for name in ("notices", "audit_reads", "audit_log"):
        begin = time.perf_counter()
        outcome = run_rule(database, settings, rule_named(name))
        took_s = time.perf_counter() - begin
        told[name] = {
            "outcome": outcome.outcome,
            "rows": outcome.rows,
            "took_s": round(took_s, 1),
            "per_second": round(outcome.rows / took_s),
        }
    return told


def by_one_statement(database: Database) -> Row:
    """The peer: one DELETE for all notices that are due, in a copy of the table."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE plain_outbox (LIKE outbox INCLUDING ALL); "
            "INSERT INTO plain_outbox OVERRIDING SYSTEM VALUE SELECT * FROM outbox"
        )
    begin = time.perf_counter()
    with database.engine.begin() as connection:
        query = "DELETE FROM plain_outbox WHERE state <> 'waiting' AND made_at < now() - interval "
        rows = connection.exec_driver_sql(f"{query} '365 days'").rowcount
    took_s = time.perf_counter() - begin
    return {"rows": rows, "took_s": round(took_s, 1), "transaction_ms": round(took_s * 1e3)}


def measure(database: Database, folder: Path, rows: int, rest_s: float) -> Row:
    """Requests alone, beside one statement, and beside the rules."""
    settings = Settings(
        home=folder, county=_COUNTY, retention={"audit_reads": 365, "audit_log": 366}
    )
    with database.session() as session:
        set_periods(session, _COUNTY, settings.retention_days)
    log = ReadLog(database, _COUNTY, folder, HeadKeeper(settings))
    log.start()
    report: Row = {"rows_each": rows}
    report["peer"], report["beside_peer"] = _beside(
        database, log, lambda: by_one_statement(database)
    )
    _, report["alone"] = _beside(database, log, lambda: {"slept": time.sleep(rest_s)})
    worker = Database.at(database.engine.url.render_as_string(hide_password=False))
    with _longest_transaction(worker) as lasted:
        report["rules"], report["beside_rules"] = _beside(
            database, log, lambda: by_rules(worker, settings)
        )
    worker.engine.dispose()
    report["longest_transaction_ms"] = round(max(lasted), 1)
    log.stop()
    with database.session() as session:
        report["is_whole"] = verify_all(session, _COUNTY, folder, is_protected=True).is_whole
        report["stays"] = session.scalar(text("SELECT count(*) FROM outbox WHERE key ^@ 'young'"))
    return report


def _beside(database: Database, log: ReadLog, work: Callable[[], Row]) -> tuple[Row, Row]:
    with requests_going_on(database, log) as times:
        told = work()
    return told, times.told()


def judge(report: Row, *, small: bool) -> list[str]:
    """Bars that were missed; small runs are too small to time."""
    rows, missed = report["rows_each"], []
    for name in ("notices", "audit_reads"):
        ran = report["rules"][name]
        if (ran["outcome"], ran["rows"]) != ("done", rows):
            missed.append(f"{name}: {ran['rows']} of {rows} rows, {ran['outcome']}")
        if not small and ran["per_second"] < _LEAST_PER_S:
            missed.append(f"{name}: {ran['per_second']} rows/s, bar {_LEAST_PER_S:.0f}")
    if not report["is_whole"] or report["stays"] != rows // _STAYS:
        missed.append("what is left is not whole")
    beside = report["beside_rules"]
    if not small and beside["p99_ms"] > max(_MOST_P99_MS, 2 * report["alone"]["p99_ms"]):
        missed.append(f"p99 of requests {beside['p99_ms']} ms, bar {_MOST_P99_MS:.0f}")
    for name, took_ms in (
        ("a request", beside["most_ms"]),
        ("a transaction of the deletion", report["longest_transaction_ms"]),
    ):
        if not small and took_ms > _MOST_MS:
            missed.append(f"{name} took {took_ms} ms, bar {_MOST_MS:.0f}")
    return missed


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="20,000 rows of each kind")
    parser.add_argument("--rows", type=int, default=5_000_000, help="of each kind")
    options = parser.parse_args()
    rows = 20_000 if options.small else options.rows
    with spare_database(durable=True) as spare, tempfile.TemporaryDirectory() as folder:
        database = Database.at(spare.conninfo)
        fill(database, rows)
        say({"filled": rows})
        report = measure(database, Path(folder), rows, 2.0 if options.small else 30.0)
        database.engine.dispose()
    missed = judge(report, small=options.small)
    print(json.dumps(report | {"missed": missed}, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
