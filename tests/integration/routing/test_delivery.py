"""Notices leave the house at least once: with retries, a key that is the same, and an end."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import text

from data.database import Database
from data.models import NoticeChannel
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from grids.directory import load_directory
from routing.incidents.delivery import MOST_ATTEMPTS, carriers, deliver_one
from routing.incidents.inbox import mark_seen, unseen
from routing.incidents.intake import Report, report_incident

WHOLE = Scope.whole(COUNTY)


class Gateway(BaseHTTPRequestHandler):
    """Takes what it is sent, unless it is told to fail."""

    answers: list[int]
    taken: list[tuple[str, dict]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.taken.append((self.headers["Idempotency-Key"], body))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[type[Gateway]]:
    kind = type("Ours", (Gateway,), {"answers": [], "taken": []})
    server = HTTPServer(("127.0.0.1", 0), kind)
    kind.address = f"http://127.0.0.1:{server.server_port}/notices"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield kind
    server.shutdown()
    server.server_close()


def told(city: Database, address: str, channel: str = "webhook") -> int:
    """A notice that waits for a gateway: of a new report."""
    with city.session() as session:
        session.add(
            NoticeChannel(county=COUNTY, code=channel, channel=channel, target=address, kinds=[])
        )
        session.flush()
        report = Report("console", "E01", 122.31, 43.575, "EPSG:4326")
        directory = load_directory(session, COUNTY)
        made, _ = report_incident(session, COUNTY, report, directory, actor="t")
        return made.id


def test_a_notice_is_carried_once_under_its_key(city: Database, gateway: type[Gateway]) -> None:
    told(city, gateway.address)
    carry = carriers()
    with city.session() as session:
        assert deliver_one(session, COUNTY, carry)
    with city.session() as session:
        assert not deliver_one(session, COUNTY, carry)
    ((key, body),) = gateway.taken
    assert body["key"] == key
    assert body["kind"] == "accept"
    assert "phone" not in body


def test_what_was_carried_and_not_marked_is_carried_again_under_the_same_key(
    city: Database, gateway: type[Gateway]
) -> None:
    told(city, gateway.address)
    session = city.session().__enter__()
    assert deliver_one(session, COUNTY, carriers())
    session.rollback()  # killed between carrying and committing
    session.close()
    with city.session() as again:
        assert deliver_one(again, COUNTY, carriers())
    assert len(gateway.taken) == 2
    assert len({key for key, _ in gateway.taken}) == 1


def test_a_gateway_that_fails_is_asked_again_later_and_given_up_in_the_end(
    city: Database, gateway: type[Gateway]
) -> None:
    told(city, gateway.address)
    gateway.answers = [500, 302, *[503] * MOST_ATTEMPTS]
    now, carry = datetime.now(UTC), carriers()
    waits = []
    for _ in range(MOST_ATTEMPTS):
        with city.session() as session:
            assert deliver_one(session, COUNTY, carry, at=now)
            assert not deliver_one(session, COUNTY, carry, at=now), "it waits"
            row = session.execute(
                text("SELECT state, next_at, reason FROM outbox WHERE channel = 'webhook'")
            ).one()
        waits.append(row.next_at - now)
        now += timedelta(hours=2)
    assert gateway.taken == []
    assert (row.state, row.reason) == ("failed", "answered 503")
    assert waits[0] < waits[1]
    with city.session() as session:
        kinds = {one.kind for one in unseen(session, WHOLE, desk=True)}
        assert kinds == {"accept", "notice_failed"}, "the desk is told"


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:9/", "ftp://x/"])
def test_an_address_that_nobody_answers_at_is_a_failure_not_a_crash(
    city: Database, address: str
) -> None:
    told(city, address)
    with city.session() as session:
        assert deliver_one(session, COUNTY, carriers())
        state = session.scalar(text("SELECT state FROM outbox WHERE channel = 'webhook'"))
    assert state == "waiting"


def test_a_notice_is_shown_until_somebody_has_seen_it(city: Database) -> None:
    with city.session() as session:
        report = Report("console", "E01", 122.31, 43.575, "EPSG:4326")
        report_incident(session, COUNTY, report, load_directory(session, COUNTY), actor="t")
        (one,) = unseen(session, WHOLE, desk=True)
        assert unseen(session, WHOLE, person=1) == []
        assert unseen(session, Scope.of_grants(COUNTY, [(None, "D01")]), desk=True) == []
        mark_seen(session, WHOLE, one.id, desk=True)
        assert unseen(session, WHOLE, desk=True) == []
