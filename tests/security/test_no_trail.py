"""Attack: putting a gridworker's day together from what the server keeps.

Only a worker's latest position is held, for fifteen minutes. Yet the ways that they asked for
stood in the audit log with the place they asked from. A worker goes through a day here: positions
sent from the page and by a device, own tasks, ways asked, positions that are refused, requests
that fail. The places are found nowhere else. Then every table is dumped (the queue's too), with
all logs of the server and of PostgreSQL and all files of the state folder, and each pair is
searched for in each spelling: decimals of four digits and more, and the bytes of doubles. Only the
last may be there.
"""

import json
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import numpy as np
import pytest
from sqlalchemy import text

from data.accounts import add_account, stand_for
from data.binaries import find_postgres
from data.cluster import Cluster
from data.database import Database
from data.settings import DEMO_COUNTY
from routing.positions import enrol_device
from tests.conftest import ROOT, Furnished, free_port

PASSWORD = "a long Password"
Pair = tuple[float, float]


class Worker:
    """Somebody on duty, with the page open and a device in the pocket."""

    def __init__(self, base: str, login: str) -> None:
        self._base = base
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))
        form = urlencode({"login": login, "password": PASSWORD}).encode()
        self._opener.open(f"{base}/login", form, timeout=20).close()
        page = self._opener.open(f"{base}/work", timeout=20).read().decode()
        self._csrf = re.search(r'"csrf": "([^"]+)"', page)[1]

    def ask(self, path: str, body: object = None) -> int:
        headers = {"Content-Type": "application/json", "X-CSRF-Token": self._csrf}
        content = None if body is None else json.dumps(body).encode()
        try:
            asked = Request(self._base + path, content, headers)  # noqa: S310 - our own server
            with self._opener.open(asked, timeout=30) as answer:
                answer.read()
                return int(answer.status)
        except HTTPError as error:
            error.close()
            return error.code


def visited(count: int) -> list[Pair]:
    """Places inside the city."""
    rng = np.random.default_rng(20)
    lon, lat = rng.uniform(122.298, 122.322, count), rng.uniform(43.567, 43.583, count)
    return [(round(float(x), 7), round(float(y), 7)) for x, y in zip(lon, lat, strict=True)]


def spellings(value: float) -> list[bytes]:
    """How a degree may stand in a text or in a file."""
    decimals = {f"{value:.{digits}f}" for digits in (4, 5, 6, 7)}
    decimals |= {str(int(value * 1e4) / 1e4), f"{int(value * 1e7)}", f"{round(value * 1e6)}"}
    raw = [struct.pack(order, value) for order in ("<d", ">d")]
    hexes = [one.hex().encode() for one in raw]
    return [*(one.encode() for one in decimals), *raw, *hexes, *(h.upper() for h in hexes)]


def found(pair: Pair, content: bytes) -> bool:
    """Whether both of a pair stand close together."""
    for lon in spellings(pair[0]):
        at = content.find(lon)
        while at >= 0:
            near = content[max(at - 80, 0) : at + 80]
            if any(lat in near for lat in spellings(pair[1])):
                return True
            at = content.find(lon, at + 1)
    return False


@pytest.fixture
def served(
    cluster: Cluster, furnished: Furnished, tmp_path: Path
) -> Iterator[tuple[str, Database, Path]]:
    """The city, served by a process whose words go to a file."""
    database = furnished.city(cluster, "trail_city")
    home = tmp_path / "home"
    subprocess.run(["cp", "-r", furnished.home, home], check=True)  # noqa: S607 - of every system
    port, log = free_port(), tmp_path / "server.log"
    environment = os.environ | {
        "ONEGRID_HOME": str(home),
        "ONEGRID_DATABASE_URL": database.engine.url.render_as_string(),
        "ONEGRID_COUNTY": DEMO_COUNTY,
    }
    command = [
        sys.executable,
        "-c",
        "from api.cli import main; main()",
        "serve",
        "--port",
        str(port),
    ]
    with log.open("wb") as words:
        program = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=words, stderr=subprocess.STDOUT
        )
        base, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                build_opener().open(f"{base}/healthz", timeout=2).close()
            except OSError:
                time.sleep(0.1)
            else:
                break
        yield base, database, tmp_path
        program.terminate()
        program.wait(timeout=30)
    database.engine.dispose()


def a_day(base: str, database: Database, places: list[Pair]) -> None:
    """Everything that a worker's page and device ask for, from place to place."""
    with database.session() as session:
        add_account(session, DEMO_COUNTY, "hand", "hand", PASSWORD, ("worker",))
        person, ref, number = session.execute(
            text(
                "SELECT person.id, person.source_ref, incident.id FROM person, incident "
                "WHERE person.role = 'gridworker' AND state = 'accepted' ORDER BY 1, 3 LIMIT 1"
            )
        ).one()
        session.execute(
            text("UPDATE incident SET person_id = :person WHERE id = :number"),
            {"person": person, "number": number},
        )
        for table in ("position", "duty_roster", "leave"):  # on duty, whatever the hour
            session.execute(text(f"DELETE FROM {table} WHERE person_id = :p"), {"p": person})
        stand_for(session, "hand", ref)
        token = enrol_device(session, DEMO_COUNTY, person)
    worker, begun = Worker(base, "hand"), datetime.now(UTC) - timedelta(minutes=10)
    statuses: dict[str, set[int]] = {}
    for step, (lon, lat) in enumerate(places):
        at = begun + timedelta(seconds=5 * step)
        device = urlencode(
            {"id": token, "lon": lon, "lat": lat, "timestamp": int(at.timestamp() + 2)}
        )
        asked = {
            "own": ("/api/v1/positions/own", {"lon": lon, "lat": lat, "at": at.isoformat()}),
            "late": (
                "/api/v1/positions/own",
                {"lon": lon, "lat": lat, "at": (at - timedelta(seconds=1)).isoformat()},
            ),
            "device": (f"/api/v1/positions?{device}", None),
            "unknown": (f"/api/v1/positions?{device}x&id=nobody", None),
            "tasks": ("/api/v1/incidents/tasks", None),
            "way": (f"/api/v1/incidents/{number}/way", {"lon": lon, "lat": lat, "mode": "foot"}),
            "read": (f"/api/v1/incidents/{number}?lon={lon}&lat={lat}", None),
            "old way": (f"/api/v1/incidents/{number}/way?lon={lon}&lat={lat}", None),
            "wrong": (f"/api/v1/incidents/{number}/way", {"lon": lon, "lat": f"{lat} x"}),
            "path": (f"/api/v1/incidents/{lon},{lat}", None),
            "notices": (f"/api/v1/notices?near={lon},{lat}", None),
            "card": (f"/card?lon={lon}&lat={lat}", None),
            "words": (f"/work?q={lon},{lat}", None),
        }
        for name, (path, body) in asked.items():
            statuses.setdefault(name, set()).add(worker.ask(path, body))
    assert statuses["own"] == {204}
    assert statuses["late"] == {409}
    assert statuses["device"] == {200}
    assert 200 in statuses["way"]
    assert statuses["tasks"] == statuses["read"] == {200}
    assert all(code < 500 for codes in statuses.values() for code in codes), statuses


def said_by(cluster: Cluster) -> bytes:
    """All that PostgreSQL has written to its log."""
    return b"".join(path.read_bytes() for path in cluster.log.files)


def kept(database: Database, folder: Path, cluster: Cluster) -> dict[str, bytes]:
    """All that remains: a dump of every table, the logs, and the files of the state folder."""
    dump = [
        find_postgres() / "pg_dump",
        "--data-only",
        "--inserts",
        f"--dbname={database.conninfo}",
    ]
    said = subprocess.run(dump, check=True, capture_output=True)
    remains = {"dump": said.stdout, "postgres": said_by(cluster)}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            remains[str(path.relative_to(folder))] = path.read_bytes()
    return remains


def test_a_day_leaves_no_trail(served: tuple[str, Database, Path], cluster: Cluster) -> None:
    base, database, folder = served
    before = kept(database, folder, cluster)
    # Four digits are eleven metres: something may stand there.
    free = [one for one in visited(150) if not any(found(one, held) for held in before.values())]
    places = free[:40]
    assert len(places) == 40
    a_day(base, database, places)
    time.sleep(1.5)  # counts are written twice a second
    after = kept(database, folder, cluster)
    trail = {
        (name, pair)
        for name, content in after.items()
        for pair in places[:-1]
        if found(pair, content)
    }
    assert trail == set()
    assert found(places[-1], after["dump"]), "the search finds what is there"
    assert b"/way" in after["dump"], "who asked for the way to which case is known"


def test_an_error_of_the_database_tells_no_values(city: Database, cluster: Cluster) -> None:
    lon = 122.3123457
    statement = text(
        "INSERT INTO position (person_id, county, at, geom) VALUES (-1, :county, now(), "
        "ST_SetSRID(ST_MakePoint(:lon, 43.5712345), 4326))"
    )
    before = said_by(cluster)
    with pytest.raises(Exception, match="position") as failed, city.session() as session:
        session.execute(statement, {"county": DEMO_COUNTY, "lon": lon})
    said = f"{failed.value!r} {failed.value} {failed.value.__cause__!r}".encode()
    told = said_by(cluster).removeprefix(before)
    assert b"foreign key" in told
    said += told
    hidden = [one for one in spellings(lon) if len(one) > 6]
    assert [one for one in hidden if one in said] == []
    assert b"DETAIL" not in said
