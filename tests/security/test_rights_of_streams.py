"""Attack: listening on after the right to hear has ended.

A disabled account whose console was open went on hearing of new cases, for as long as it kept the
connection. Each way in which a right ends is tried on a stream that is open: the account, the
session, the role, the area, the class. What happens after a pulse is not heard any more.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from sqlalchemy import text

from api.rights import PULSE_S
from data.accounts import Grant, add_account, disable_account, grant_role, revoke_role
from data.database import Database
from data.scope import Scope
from data.settings import DEMO_COUNTY
from grids.directory import load_directory
from grids.drafting import Workbench
from routing.incidents.intake import Report, report_incident
from tests.served import Served

PASSWORD = "a long Password"
INSIDE, OUTSIDE = "990100001001", "990100001004"
FEED = "/api/v1/incidents/feed"


@dataclass
class Ear:
    """A stream that is read by a thread."""

    base: str
    opener: OpenerDirector
    path: str
    lines: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    status: int = 0

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.status and time.monotonic() < deadline:
            time.sleep(0.05)

    def _listen(self) -> None:
        with self.opener.open(self.base + self.path, timeout=60) as answer:
            self.status = answer.status
            for line in answer:
                self.lines.append(line.decode().rstrip())
        self.ended.set()

    @property
    def cases(self) -> set[str]:
        told = [json.loads(line[6:]) for line in self.lines if line.startswith("data: {")]
        return {one["case"] for one in told if "case" in one}


def sign_in(served: Served, login: str) -> OpenerDirector:
    opener = build_opener(HTTPCookieProcessor(CookieJar()))
    form = urlencode({"login": login, "password": PASSWORD}).encode()
    opener.open(f"{served.base}/login", form, timeout=20).close()
    return opener


def happen(served: Served, community: str, class_code: str = "E01") -> str:
    """Something is reported in a community; its case number."""
    place = text(
        "SELECT ST_X(p) AS lon, ST_Y(p) AS lat FROM (SELECT ST_PointOnSurface(geom) AS p "
        "FROM grid WHERE community = :code AND upper_inf(valid) LIMIT 1) AS x"
    )
    with served.database.session() as session:
        lon, lat = session.execute(place, {"code": community}).one()
        directory = load_directory(session, DEMO_COUNTY)
        report = Report("console", class_code, lon, lat, "EPSG:4326")
        made, _ = report_incident(session, DEMO_COUNTY, report, directory, actor="x")
        return str(made.source_ref)


def hears(ear: Ear, case: str, seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if case in ear.cases:
            return True
        time.sleep(0.05)
    return False


def end_session(database: Database, login: str) -> None:
    statement = "DELETE FROM session USING account WHERE account.id = account_id AND login = :login"
    with database.session() as session:
        session.execute(text(statement), {"login": login})


def idle(database: Database, login: str) -> None:
    statement = (
        "UPDATE session SET seen_at = now() - interval '31 minutes' FROM account "
        "WHERE account.id = account_id AND login = :login"
    )
    with database.session() as session:
        session.execute(text(statement), {"login": login})


def disable(database: Database, login: str) -> None:
    with database.session() as session:
        disable_account(session, login)


def revoke(database: Database, login: str) -> None:
    with database.session() as session:
        revoke_role(session, login, Grant("dispatcher", INSIDE))


WAYS = {"disabled": disable, "signed out": end_session, "idle": idle, "role revoked": revoke}


@pytest.mark.parametrize("way", WAYS)
def test_the_feed_ends_with_the_right_to_hear(served: Served, way: str) -> None:
    end: Callable[[Database, str], None] = WAYS[way]
    with served.database.session() as session:
        grants = (Grant("dispatcher", INSIDE),)
        add_account(session, DEMO_COUNTY, "ear", "ear", PASSWORD, grants)
    ear = Ear(served.base, sign_in(served, "ear"), FEED)
    assert ear.status == 200
    assert hears(ear, happen(served, INSIDE))
    end(served.database, "ear")
    time.sleep(PULSE_S + 0.5)
    after = happen(served, INSIDE)
    assert ear.ended.wait(4 * PULSE_S)
    assert after not in ear.cases
    assert "event: ended" in ear.lines


def test_an_area_or_a_class_that_is_taken_away_is_not_heard_of_any_more(served: Served) -> None:
    grants = (Grant("dispatcher", INSIDE), Grant("dispatcher", OUTSIDE))
    with served.database.session() as session:
        add_account(session, DEMO_COUNTY, "ear", "ear", PASSWORD, grants)
    ear = Ear(served.base, sign_in(served, "ear"), FEED)
    assert hears(ear, happen(served, OUTSIDE))
    with served.database.session() as session:
        revoke_role(session, "ear", grants[1])
    time.sleep(PULSE_S + 1.5)
    unheard = happen(served, OUTSIDE)
    assert hears(ear, happen(served, INSIDE))
    assert unheard not in ear.cases
    with served.database.session() as session:
        grant_role(session, "ear", Grant("dispatcher", INSIDE, "E01"))
        revoke_role(session, "ear", grants[0])
    time.sleep(PULSE_S + 1.5)
    unheard = happen(served, INSIDE, "E02")
    assert hears(ear, happen(served, INSIDE))
    assert unheard not in ear.cases
    assert not ear.ended.is_set()


def test_a_draft_is_not_watched_any_longer_than_it_may_be_read(served: Served) -> None:
    bench = Workbench(DEMO_COUNTY)
    with served.database.session() as session:
        grants = (Grant("planner", INSIDE),)
        add_account(session, DEMO_COUNTY, "ear", "ear", PASSWORD, grants)
        whole = Scope.whole(DEMO_COUNTY)
        draft = bench.create(session, whole, author="x", title="", area=INSIDE).id
    ear = Ear(served.base, sign_in(served, "ear"), f"/api/v1/drafts/{draft}/events")
    assert ear.status == 200
    disable(served.database, "ear")
    assert ear.ended.wait(5 * PULSE_S)
    assert "event: ended" in ear.lines


def test_that_somebody_listens_is_noted(served: Served) -> None:
    with served.database.session() as session:
        add_account(session, DEMO_COUNTY, "ear", "ear", PASSWORD, (Grant("dispatcher", INSIDE),))
    ear = Ear(served.base, sign_in(served, "ear"), f"{FEED}?after=0")
    assert ear.status == 200
    query = text("SELECT count(*) FROM audit_read WHERE action = :action AND actor = 'ear'")
    deadline = time.monotonic() + 8
    noted = 0
    while not noted and time.monotonic() < deadline:
        time.sleep(0.2)
        with served.database.session() as session:
            noted = session.scalar(query, {"action": f"see {FEED}"}) or 0
    assert noted == 1
