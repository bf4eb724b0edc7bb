"""A county at work while web server, worker and PostGIS are killed every few seconds.

The made-up county (`benchmarks._busy_county`: 20,000 open cases, 19,478 people whose devices tell a
hundred positions a second), 200 clients that report, send and carry on, five minutes
(``--small``: 324 grids, 12 clients, 40 seconds). The bar is that nothing acknowledged is lost or
done twice, every notice is carried and shown once, and nobody is sent to two cases.
"""

import argparse
import json
import sys
from typing import Any

from benchmarks._busy_county import COUNTY, Devices, make_busy
from benchmarks._cases import spare_cluster
from tests.storm import Storm, assert_nothing_lost

__all__ = ["main"]


def run(*, small: bool) -> dict[str, Any]:
    """Make the county, let the storm pass, and look at what is left."""
    side, part, clients, seconds = (6, 0.02, 12, 40.0) if small else (45, 1.0, 200, 300.0)
    with spare_cluster(durable=True) as (cluster, database):
        home = cluster.home
        busy = make_busy(database, home, side=side, part=part)
        storm = Storm(cluster, database, home, county=COUNTY)
        with Devices(f"http://127.0.0.1:{storm.port}", busy, per_s=100.0) as devices:
            told = storm.run(clients, seconds)
        row = {
            "clients": clients,
            "seconds": seconds,
            "staff": busy.staff,
            "incidents": busy.incidents,
            "kills": storm.kills,
            "positions_told": devices.told,
            "reports": len(told.reports),
            "steps": len(told.steps),
            "refused": told.refused,
            "notices": len(storm.gateway.shown),
            "carried_twice": sum(count > 1 for count in storm.gateway.shown.values()),
            "lost": "",
        }
        try:
            assert_nothing_lost(database, storm, told)
        except AssertionError as error:
            row["lost"] = str(error)[:500]
    return row


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="324 grids, 12 clients, 40 seconds")
    options = parser.parse_args()
    row = run(small=options.small)
    print(json.dumps([row]) if options.json else "\n".join(f"{k:16} {v}" for k, v in row.items()))
    return int(bool(row["lost"]) or not row["steps"] or min(row["kills"].values()) == 0)


if __name__ == "__main__":
    sys.exit(main())
