"""Workers killed every ten seconds: how late timers are, and how often a file is tried.

``onegrid up`` starts on an empty folder. For two minutes (`--small`: 25 s) one of the worker's two
processes after the other is killed without a word. Meanwhile orders that nobody takes fall due,
one every two seconds, and authors send files, one of which never ends. Judged are the latest
order that was taken back, beside its due time, and how often a file was tried.
"""

import argparse
import json
import os
import re
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.hostile import house, signed_in
from data.accounts import add_account
from data.cluster import Cluster
from data.database import Database
from data.jobs import MOST_TRIES
from data.settings import DEMO_COUNTY
from tests import hostile

__all__ = ["main"]

Row = dict[str, Any]
_LATE_S = 15.0
_EVERY_S, _APART_S = 10.0, 2.0
_LOGIN, _PASSWORD = "author", secrets.token_urlsafe(18)
_PART = re.compile(r"from api\.(?:worker|clock) import (clock|uploads)")
# Cases that were reported a moment ago are sent to somebody, and nobody takes them.
_ORDERS = text(
    "WITH chosen AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM incident "
    "WHERE county = :county AND state NOT IN ('dispatched', 'closed', 'void') AND NOT EXISTS "
    "(SELECT 1 FROM deadline WHERE incident_id = incident.id AND kind = 'take') LIMIT :count), "
    "moved AS (UPDATE incident SET state = 'dispatched' FROM chosen "
    "WHERE incident.id = chosen.id RETURNING incident.id) "
    "INSERT INTO deadline (county, incident_id, kind, amount, unit, starts_at, warn_at, due_at) "
    "SELECT :county, chosen.id, 'take', 1, 'minutes', now(), now(), now() "
    "+ (:first + chosen.n * :apart) * interval '1 second' FROM chosen JOIN moved USING (id) "
    "RETURNING incident_id"
)
_LATE = text(
    "SELECT extract(epoch FROM coalesce(ended_at, now()) - due_at) AS late, ended_at IS NULL "
    "FROM deadline WHERE kind = 'take' AND incident_id = ANY (:incidents) AND due_at < now()"
)


def worker_process(home: Path, part: str) -> int:
    """Number of the process of a part; 0 while it does not run."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            named = _PART.search(path.read_bytes().replace(b"\0", b" ").decode())
            environment = (path.parent / "environ").read_bytes()
        except OSError:
            continue
        if named and named[1] == part and str(home).encode() in environment:
            return int(path.parent.name)
    return 0


def send_files(base: str, home: Path) -> None:
    """Some files that are read, and one that never ends."""
    web = signed_in(base, _LOGIN, _PASSWORD)
    endless = hostile.gpkg_with_recursive_view(home / "endless.gpkg").read_bytes()
    plain = b"lon,lat\n" + b"122.31,43.575\n" * 200_000
    for name, content in (("a.gpkg", endless), *(("a.csv", plain) for _ in range(6))):
        sent = web.post(
            "/api/v1/assign/jobs", files={"file": (name, content)}, data={"crs": "EPSG:4326"}
        )
        sent.raise_for_status()


def run(seconds: float) -> Row:
    """Kill, and look how late timers were and how often files were tried."""
    with house() as (home, base, _):
        database = Database.at(Cluster(home).url)
        with database.session() as session:
            add_account(session, DEMO_COUNTY, _LOGIN, _LOGIN, _PASSWORD, ("dispatcher",))
        send_files(base, home)
        asked = {
            "county": DEMO_COUNTY,
            "count": int(seconds / _APART_S),
            "first": 2.0,
            "apart": _APART_S,
        }
        with database.session() as session:
            incidents = list(session.scalars(_ORDERS, asked).all())
        kills = {"clock": 0, "uploads": 0}
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            part = "clock" if kills["clock"] <= kills["uploads"] else "uploads"
            if number := worker_process(home, part):
                os.kill(number, signal.SIGKILL)
                kills[part] += 1
            time.sleep(_EVERY_S)
        time.sleep(_LATE_S + 5)
        with database.session() as session:
            rows = session.execute(_LATE, {"incidents": incidents}).all()
            tries = session.execute(text("SELECT name, state, tries FROM assign_job ORDER BY id"))
            jobs = [tuple(row) for row in tries]
        database.engine.dispose()
        return {
            "seconds": seconds,
            "kills": kills,
            "orders": len(rows),
            "open": sum(row[1] for row in rows),
            "latest_s": round(max(float(row[0]) for row in rows), 1),
            "jobs": jobs,
            "most_tries": max(job[2] for job in jobs),
        }


def main() -> int:
    """Run, print, and say with the exit code whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    row = run(25.0 if asked.small else 120.0)
    bars = {
        "no order taken back later than 15 s": row["latest_s"] <= _LATE_S and not row["open"],
        "no file tried more than three times": row["most_tries"] <= MOST_TRIES,
        "both parts were killed": min(row["kills"].values()) > 0,
    }
    row["bars"] = bars
    if asked.json:
        print(json.dumps(row, ensure_ascii=False))
    else:
        for name, value in row.items():
            print(f"{name}: {value}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
