"""What the processes of a large county hold: the first, the second, and while a book is swapped in.

18,225 grids with staff, open cases and roads, and 1,000,000 addresses (`--small`: 900 grids, 40,000
addresses). The server starts with one process, then with two; each is asked for who, cards by
address, suggestions and lists. Then addresses change and a plan is published, and the memory of
all of its processes, the one that makes the new book too, is sampled. What several processes share
counts once (PSS); what the second costs is what it alone holds (USS).
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from sqlalchemy import text

from benchmarks._busy_county import COUNTY, make_busy
from benchmarks._cases import spare_database
from benchmarks._made_addresses import made_addresses
from benchmarks.card import copy_addresses
from benchmarks.who import free_port
from data.database import Database

__all__ = ["main"]

Row = dict[str, Any]
_FIRST_MB, _SECOND_MB, _PEAK_MB = 700, 150, 1024
_ASKED = 3000
_PLACES = text(
    "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) AS p FROM grid ORDER BY id) AS q"
)
# As towns number: a street's houses, not a street for each house.
_STREETS = text(
    "UPDATE address SET text = '第' || (split_part(source_ref, '/', 1)::int / 405) || '街' || "
    "(split_part(source_ref, '/', 1)::int % 405 * 2 + split_part(source_ref, '/', 2)::int + 1) "
    "|| '号'"
)
_ONE_MORE = text("UPDATE address SET text = text || '甲' WHERE id = (SELECT max(id) FROM address)")


def add_addresses(database: Database, count: int) -> None:
    """Fill the county's addresses up to so many."""
    with database.session() as session:
        session.execute(_STREETS)
        held = session.scalar(text("SELECT count(*) FROM address")) or 0
        places = [tuple(row) for row in session.execute(_PLACES)]
    copy_addresses(database, COUNTY, places, made_addresses(count - held))


@contextmanager
def serving(database: Database, home: Path, workers: int) -> Iterator[tuple[int, str]]:
    """A server whose county is ready: its parent process, its address."""
    port = free_port()
    environment = {
        "ONEGRID_DATABASE_URL": database.conninfo,
        "ONEGRID_HOME": str(home),
        "ONEGRID_COUNTY": COUNTY,
        "ONEGRID_TRUSTED_NETWORKS": "127.0.0.0/8",
    }
    command = [sys.executable, "-c", "from api.cli import main; main()", "serve"]
    options = ["--port", str(port), "--workers", str(workers)]
    program = subprocess.Popen([*command, *options], env=os.environ | environment)
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 900
        while not _is_ready(base):
            if time.monotonic() > deadline or program.poll() is not None:
                raise SystemExit("the server does not come up")
            time.sleep(0.5)
        yield program.pid, base
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(timeout=120)


def _is_ready(base: str) -> bool:
    """Whether every process has its address book; they answer in turn."""
    try:
        for _ in range(20):
            with urlopen(f"{base}/readyz", timeout=20) as answer:  # noqa: S310 - our own server
                if answer.status != 200:
                    return False
    except (URLError, OSError):
        return False
    return True


def ask(base: str, addresses: list[str], count: int) -> None:
    """Ask for what residents and programs ask."""
    dice = random.Random(3)  # noqa: S311 - a load's dice
    for number in range(count):
        typed = dice.choice(addresses)
        if number % 3:
            request = Request(f"{base}/card", urlencode({"q": typed}).encode())  # noqa: S310 - ours
        else:
            body = json.dumps({"typed": typed[:6]}).encode()
            request = Request(  # noqa: S310 - our own server
                f"{base}/api/v1/addresses/suggest", body, {"Content-Type": "application/json"}
            )
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
            answer.read()


def memory_of(parent: int) -> Row:
    """MB of a process and all that it has started: together, and what each alone holds."""
    whole, own = 0.0, []
    for pid in _family(parent):
        try:
            said = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", said, re.MULTILINE))
        whole += int(sizes["Pss"]) / 1024
        own.append(round((int(sizes["Private_Clean"]) + int(sizes["Private_Dirty"])) / 1024, 1))
    return {"whole_mb": round(whole, 1), "own_mb": own}


def _family(parent: int) -> list[int]:
    found, told = [parent], [parent]
    while told:
        try:
            pid = told.pop()
            for task in Path(f"/proc/{pid}/task").iterdir():
                below = [int(child) for child in (task / "children").read_text().split()]
                found += below
                told += below
        except OSError:
            continue
    return found


@contextmanager
def peak_of(parent: int) -> Iterator[Row]:
    """The most that a family holds together while the block lasts, sampled four times a second."""
    row: Row = {"peak_mb": 0.0}
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.25):
            row["peak_mb"] = max(row["peak_mb"], memory_of(parent)["whole_mb"])

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield row
    finally:
        over.set()
        sampler.join()


def await_book(home: Path, known: set[Path], seconds: float = 900.0) -> None:
    """Wait until a book has been made that was not known."""
    deadline = time.monotonic() + seconds
    while not set((home / "locators").glob("*.addresses")) - known:
        if time.monotonic() > deadline:
            raise SystemExit("no new address book was made")
        time.sleep(0.5)
    time.sleep(10.0)


def run(*, small: bool) -> Row:
    """Make the county, and measure."""
    with tempfile.TemporaryDirectory(prefix="onegrid-memory-") as folder, spare_database() as base:
        home = Path(folder)
        busy = make_busy(base, home, side=10 if small else 45, part=0.05 if small else 1.0, main=6)
        add_addresses(base, 40_000 if small else 1_000_000)
        with base.session() as session:
            some = text("SELECT text FROM address ORDER BY id % 977, id LIMIT 2000")
            addresses = list(session.scalars(some))
        with serving(base, home, 1) as (parent, address):
            ask(address, addresses, 100 if small else _ASKED)
            first = memory_of(parent)
            swaps: Row = {}
            for name, change in (("book", _change_address), ("plan", _publish_again)):
                known = set((home / "locators").glob("*.addresses"))
                with peak_of(parent) as peak:
                    change(base)
                    await_book(home, known)
                    ask(address, addresses, 100)
                swaps[name] = peak["peak_mb"]
            after = memory_of(parent)
        with serving(base, home, 2) as (parent, address):
            ask(address, addresses, 200 if small else 2 * _ASKED)
            both = memory_of(parent)
    return {
        "grids": busy.grids,
        "addresses": 40_000 if small else 1_000_000,
        "first_mb": first["whole_mb"],
        "after_swaps_mb": after["whole_mb"],
        "second_mb": max(both["own_mb"][1:]),
        "both_mb": both["whole_mb"],
        "peaks_mb": swaps,
    }


def _change_address(database: Database) -> None:
    with database.session() as session:
        session.execute(_ONE_MORE)


def _publish_again(database: Database) -> None:
    """The same grids as new ones from now on: every address belongs to another grid."""
    with database.session() as session:
        session.execute(
            text(
                "WITH begun AS (SELECT now() AS at), ended AS (UPDATE generation SET valid = "
                "tstzrange(lower(valid), (SELECT at FROM begun)) WHERE county = :county "
                "AND upper_inf(valid) RETURNING id) INSERT INTO generation (county, state, author, "
                "valid, area) SELECT :county, 'published', 'benchmark', "
                "tstzrange((SELECT at FROM begun), NULL), :county FROM ended"
            ),
            {"county": COUNTY},
        )
        session.execute(
            text(
                "WITH old AS (UPDATE grid SET valid = tstzrange(lower(valid), now()) "
                "WHERE county = :county AND upper_inf(valid) RETURNING *) "
                "INSERT INTO grid (county, generation_id, code, name, kind, community, households, "
                "valid, geom) SELECT county, (SELECT max(id) FROM generation), code, name, kind, "
                "community, households, tstzrange(now(), NULL), geom FROM old"
            ),
            {"county": COUNTY},
        )


def missed(row: Row) -> list[str]:
    """Bars that were missed."""
    found = []
    if row["first_mb"] > _FIRST_MB:
        found.append(f"the first process holds {row['first_mb']} MB, bar {_FIRST_MB}")
    if row["second_mb"] > _SECOND_MB:
        found.append(f"the second process costs {row['second_mb']} MB, bar {_SECOND_MB}")
    for name, peak in row["peaks_mb"].items():
        if peak > _PEAK_MB:
            found.append(f"{peak} MB while a {name} is swapped in, bar {_PEAK_MB}")
    return found


def main() -> int:
    """Run, print, and say with the exit code whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    row = run(small=asked.small)
    row["missed"] = missed(row)
    print(json.dumps(row, indent=None if asked.json else 1, ensure_ascii=False))
    return 1 if row["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
