"""The database is away: who is responsible is told from memory, and of when that is."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from data.cluster import Cluster
from data.database import Database
from data.settings import Settings
from tests.integration.api.test_health import within

PLACE = {"lon": "122.31", "lat": "43.575"}


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city)) as client:
        assert within(lambda: client.get("/readyz").status_code == 200)
        client.get("/api/v1/who", params=PLACE)  # the server's key is read once
        yield client


@pytest.fixture
def away(cluster: Cluster, city: Database) -> Callable:
    """The database takes no connections, and those that there are end."""
    address = cluster.url_of("postgres").replace("+psycopg", "")
    name = city.engine.url.database

    @contextmanager
    def block() -> Iterator[None]:
        with psycopg.connect(address, autocommit=True) as server:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            try:
                yield
            finally:
                server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    return block


def an_address(city: Database) -> str:
    with city.session() as session:
        return session.scalar(text("SELECT text FROM address ORDER BY id LIMIT 1"))


def test_who_goes_on_from_memory_and_says_of_when(web: TestClient, away: Callable) -> None:
    before = web.get("/api/v1/who", params=PLACE).json()
    assert before["is_current"]
    for _ in range(2):
        begun = datetime.now(UTC)
        with away():
            for _ in range(10):
                answer = web.get("/api/v1/who", params=PLACE)
                assert answer.status_code == 200
            told = answer.json()
            assert within(lambda: not web.get("/api/v1/who", params=PLACE).json()["is_current"])
            told = web.get("/api/v1/who", params=PLACE).json()
            assert (told["grid"], told["people"]) == (before["grid"], before["people"])
            as_of = datetime.fromisoformat(told["as_of"])
            assert begun - timedelta(seconds=10) < as_of < datetime.now(UTC)
            assert web.get("/livez").status_code == 200
            assert web.get("/healthz").status_code == 503
        assert within(lambda: web.get("/api/v1/who", params=PLACE).json()["is_current"])


def test_the_card_goes_on_by_place_and_by_address(
    web: TestClient, away: Callable, city: Database
) -> None:
    typed = an_address(city)
    before = web.post("/card", data={"q": typed})
    assert 'id="code"' in before.text
    handle = before.text.partition('name="handle" value="')[2].partition('"')[0]
    with away():
        assert within(lambda: 'id="remembered"' in web.get("/card", params=PLACE).text)
        for data in ({"q": typed}, {"handle": handle}, PLACE):
            answer = web.post("/card", data=data)
            assert answer.status_code == 200
            assert 'id="code"' in answer.text
            (moment,) = re.findall(r'<time datetime="([^"]+)">', answer.text)
            assert datetime.fromisoformat(moment).utcoffset() == timedelta(hours=8)
        for body in ({"address": typed}, {"lon": 122.31, "lat": 43.575}):
            told = web.post("/api/v1/card", json=body).json()
            assert (bool(told["card"]), told["is_current"]) == (True, False)
        said = web.post("/api/v1/addresses/suggest", json={"typed": typed[:5]})
        assert said.json()["suggestions"]
        assert web.get("/card").status_code == 200
        assert web.get("/d/unknown").status_code == 503
        assert (
            web.get("/api/v1/who", params=PLACE | {"at": "2026-11-01T00:00:00Z"}).status_code == 503
        )
    assert within(lambda: 'id="remembered"' not in web.get("/card", params=PLACE).text)
    assert web.post("/api/v1/card", json={"address": typed}).json()["is_current"]


def test_strangers_are_counted_on_while_it_is_away(
    away: Callable, city: Database, city_settings: Settings
) -> None:
    settings = city_settings.model_copy(update={"trusted_networks": "", "cards_free": "5 per hour"})
    with TestClient(create_app(settings, city), client=("198.51.100.7", 5000)) as stranger:
        assert within(lambda: stranger.get("/readyz").status_code == 200)
        assert stranger.get("/api/v1/who", params=PLACE).status_code == 200
        with away():
            statuses = [stranger.get("/api/v1/who", params=PLACE).status_code for _ in range(8)]
    assert statuses == [200] * 4 + [429] * 4


def test_what_the_log_does_not_tell_of_is_asked_for_by_its_time(
    web: TestClient, away: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    with away():
        assert within(lambda: web.get("/api/v1/who", params=PLACE).json()["is_current"] is False)
        page = web.get("/d/unknown", headers={"accept": "text/html"})
        assert (page.status_code, "<time>" in page.text, "<code>" in page.text) == (
            503,
            True,
            False,
        )
        assert within(lambda: web.get("/healthz").status_code == 503)
        problem = web.get("/api/v1/who", params=PLACE | {"at": "2026-11-01T00:00:00Z"}).json()
        assert (problem["status"], "request" in problem) == (503, False)
    assert within(lambda: "requests find the database" in caplog.text, 30)


def test_where_no_plan_is_published_a_resident_is_told_so(
    city: Database, city_settings: Settings
) -> None:
    elsewhere = city_settings.model_copy(update={"county": "990200"})
    with TestClient(create_app(elsewhere, city)) as web:
        page = web.post("/card", data={"q": "春晖花园3号楼"}, headers={"accept": "text/html"})
        assert "本地尚未发布网格方案" in page.text
        assert "请重新打开页面" not in page.text
