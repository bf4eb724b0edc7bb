"""A city's year as load: Houston's 86,314 incidents of 2010, in their order and mix, by the table.

Time of day and class are theirs. The places are re-sampled onto the made-up county, since
Houston's are in no grid of it, and the year is the last twelve months. Tables of 500 rows are
posted to a server process over HTTP while devices tell a hundred positions a second; afterwards
the first thousand rows are posted again. The bar is that every row is one case, none twice.
"""

import argparse
import csv
import gzip
import io
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from benchmarks._busy_county import Busy, Console, Devices, make_busy
from benchmarks._cases import shared_data, spare_database
from benchmarks._server import served

__all__ = ["main"]

Row = dict[str, Any]
_ROWS = 500
_HEADING = ["ref", "class", "x", "y", "reported_at"]


def houston(busy: Busy, most: int) -> list[list[Any]]:
    """Rows of reports as the table takes them."""
    path = shared_data() / "incidents" / "houston_2010.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        held = list(csv.DictReader(file))[:most]
    first = datetime.fromisoformat(held[0]["time"]).replace(tzinfo=UTC)
    begin = datetime.now(UTC) - timedelta(days=366)
    places = busy.places(len(held), 13).tolist()
    rows = []
    for number, (one, (lon, lat)) in enumerate(zip(held, places, strict=True)):
        at = begin + (datetime.fromisoformat(one["time"]).replace(tzinfo=UTC) - first)
        code = "S02" if "theft" in one["offense"] or one["offense"] == "burglary" else "S01"
        rows.append([f"H{number}", code, lon, lat, at.isoformat()])
    return rows


def table_of(rows: list[list[Any]]) -> bytes:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out).writerows([_HEADING, *rows])
    return out.getvalue().encode()


def replay(base: str, database: Any, busy: Busy, rows: list[list[Any]]) -> Row:
    """Post everything, and the first thousand again."""
    console = Console(base, database, "one")
    path = "/api/v1/incidents/table?crs=EPSG:4326"
    headers = {"X-CSRF-Token": console.csrf}
    refused, took = 0, []
    began = time.perf_counter()
    with Devices(base, busy, per_s=100.0) as devices:
        for first in [*range(0, len(rows), _ROWS), *range(0, min(1000, len(rows)), _ROWS)]:
            start = time.perf_counter()
            body = table_of(rows[first : first + _ROWS])
            told = console.web.post(path, content=body, headers=headers, timeout=300).json()
            took.append(time.perf_counter() - start)
            refused += told["refused"]
    seconds = time.perf_counter() - began
    with database.session() as session:
        held = session.scalar(text("SELECT count(*) FROM incident WHERE channel = 'csv'"))
        steps = session.scalar(text("SELECT count(*) FROM incident_event WHERE kind = 'accept'"))
    return {
        "rows": len(rows),
        "cases": held,
        "accepted": steps,
        "refused": refused,
        "positions_told": devices.told,
        "seconds": round(seconds, 1),
        "rows_a_second": round(len(rows) / seconds, 1),
        "slowest_table_s": round(float(np.max(took)), 2),
    }


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="324 grids, 1,000 rows")
    options = parser.parse_args()
    side, part, most = (6, 0.02, 1000) if options.small else (45, 1.0, 10**9)
    with spare_database(durable=True) as database, tempfile.TemporaryDirectory() as folder:
        busy = make_busy(database, Path(folder), side=side, part=part)
        rows = houston(busy, most)
        with served(database, folder) as base:
            row = replay(base, database, busy, rows)
    print(json.dumps([row]) if options.json else "\n".join(f"{k:18} {v}" for k, v in row.items()))
    return int(row["refused"] or not row["rows"] == row["cases"] == row["accepted"])


if __name__ == "__main__":
    sys.exit(main())
