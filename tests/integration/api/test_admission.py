"""Many at once: no request waits for a connection on a thread that another one needs."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from api.admission import Admission, BusyError
from api.app import create_app
from api.demo import DEMO_LOGIN, DEMO_PASSWORD
from api.session import Db
from data.database import Database
from data.settings import Settings
from tests.aside import run_aside


def test_far_more_requests_than_connections_and_threads_are_all_answered(
    city: Database, city_settings: Settings
) -> None:
    pooled = Database.at(city.conninfo)
    with (
        TestClient(create_app(city_settings, pooled)) as web,
        ThreadPoolExecutor(150) as crowd,
    ):
        asked = [crowd.submit(web.get, "/card?lon=122.31&lat=43.575") for _ in range(300)]
        assert {one.result().status_code for one in asked} == {200}
    pooled.engine.dispose()


def test_who_waits_too_long_is_told_to_come_again() -> None:
    async def crowd() -> None:
        gate = Admission(most=1, wait_s=0.01)
        async with gate.turn():
            with pytest.raises(BusyError, match="try again"):
                async with gate.turn():
                    pass
        async with gate.turn():  # the turn of the first is free again
            pass

    run_aside(crowd)


def test_a_database_that_is_gone_is_503_with_a_time_to_come_back(
    city: Database, city_settings: Settings
) -> None:
    app = create_app(city_settings, city)

    @app.get("/api/v1/gone")
    def gone(_db: Db) -> None:
        raise OperationalError("SELECT 1", {}, ConnectionError("server closed the connection"))

    with TestClient(app) as web:
        answer = web.get("/api/v1/gone")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "does not answer" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/report",
        "/open311/v2/requests.json",
        "/api/v1/incidents/1/photos",
        "/api/v1/incidents/table?crs=EPSG:4326",
    ],
)
def test_nobody_has_a_turn_while_a_body_is_still_on_its_way(
    city: Database, city_settings: Settings, path: str
) -> None:
    app = create_app(city_settings, city)
    with TestClient(app) as web:
        web.post("/login", data={"login": DEMO_LOGIN, "password": DEMO_PASSWORD})
        cookie = "; ".join(f"{name}={value}" for name, value in web.cookies.items())
    with city.session() as session:
        query = text("SELECT csrf FROM session ORDER BY expires_at DESC LIMIT 1")
        token = session.scalar(query)
    app.state.admission = gate = Admission(most=1)
    had: list[bool] = []

    async def slowly() -> dict:
        had.append(gate._turns.locked())
        return {"type": "http.request", "body": b"key=x", "more_body": False}

    async def answered(_: dict) -> None:
        pass

    plain, _, query = path.partition("?")
    kind = (b"content-type", b"application/x-www-form-urlencoded")
    scope = {
        "type": "http",
        "method": "POST",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "headers": [
            kind,
            (b"host", b"localhost"),
            (b"content-length", b"5"),
            (b"cookie", cookie.encode()),
            (b"x-csrf-token", token.encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
    }
    run_aside(app, scope, slowly, answered)
    assert had[:1] == [False]
