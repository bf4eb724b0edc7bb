"""Whether a process lives and can answer: asked without a turn, each thing by its name."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from api.admission import Admission
from api.app import create_app
from api.clock import periodic_works
from api.engines import Engines
from api.health import Health
from data.background import Background
from data.database import Database
from data.settings import Settings
from data.ticks import Ticker
from routing.live import LiveRoads

SHARED = {"calendar", "database", "queue", "clock", "retention"}
OWN = {"plan", "roads", "addresses", "feed", "threads"}


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city)) as client:
        yield client


def within(check: Callable[[], bool], seconds: float = 20.0) -> bool:
    ends = time.monotonic() + seconds
    while not check():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


def parts(web: TestClient) -> dict[str, dict]:
    return web.get("/readyz").json()["parts"]


def test_each_thing_is_named(web: TestClient, city: Database, city_settings: Settings) -> None:
    assert within(lambda: web.get("/readyz").status_code == 200)
    assert within(lambda: parts(web)["database"]["is_ready"])
    told = parts(web)
    assert set(told) == SHARED | OWN
    assert not told["clock"]["is_ready"], "nobody does what time brings"
    assert told["clock"]["said"] == "no periodic work has been done yet: does the clock run?"
    ticker = Ticker(city, city_settings.county, periodic_works(city, city_settings))
    ticker.start()
    assert within(lambda: parts(web)["clock"]["is_ready"])
    ticker.stop()
    assert all(one["is_ready"] for one in parts(web).values()), parts(web)


def test_a_county_without_a_plan_lives_and_is_not_ready(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, county="990199", public_url="http://localhost")
    with TestClient(create_app(settings, database)) as web:
        assert within(lambda: parts(web)["database"]["is_ready"])
        assert web.get("/livez").json() == {"status": "alive"}
        answer = web.get("/readyz")
        assert answer.status_code == 503
        told = answer.json()["parts"]
        assert {name for name, one in told.items() if not one["is_ready"] and one["is_needed"]} == {
            "plan",
            "addresses",
        }
        assert told["plan"]["said"] == "none is published"
        assert told["addresses"]["said"] == "not loaded: no plan is published"
        assert within(lambda: parts(web)["roads"]["said"].startswith("none that can be read"))


def test_what_is_not_ready_says_why_from_the_first_moment_on(
    city: Database, city_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, catch_up, look = threading.Event(), Engines._catch_up, Health._look
    monkeypatch.setattr(Engines, "_catch_up", lambda one: hold.wait() and catch_up(one))
    monkeypatch.setattr(Health, "_look", lambda one: hold.wait() and look(one))
    with TestClient(create_app(city_settings, city)) as web:
        told = parts(web)
        for name in ("plan", "addresses", *SHARED - {"calendar"}):
            assert (told[name]["is_ready"], told[name]["said"]) == (False, "not looked at yet")
        assert [name for name, one in told.items() if not (one["is_ready"] or one["said"])] == []
        hold.set()
        assert within(lambda: web.get("/readyz").status_code == 200)
        assert parts(web)["plan"]["said"] == ""


def test_what_cannot_be_loaded_says_so(
    city: Database, city_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("a fault of the program")

    monkeypatch.setattr("api.books.load_book", fails)
    monkeypatch.setattr("api.books.kept_book", fails)
    monkeypatch.setattr(LiveRoads, "now", fails)
    again = "loading fails and is tried again"
    with TestClient(create_app(city_settings, city)) as web:
        for name in ("addresses", "roads"):
            assert within(lambda name=name: parts(web)[name]["said"] == again)
        assert web.get("/readyz").status_code == 503
        assert "fail and are begun again: " in parts(web)["threads"]["said"]


def test_neither_waits_for_a_turn(web: TestClient) -> None:
    web.app.state.admission = Admission(0, wait_s=0.1)
    assert web.get("/livez").status_code == 200
    assert within(lambda: web.get("/readyz").status_code == 200)
    assert web.get("/healthz").status_code == 503


def test_every_thread_that_is_begun_is_asked_how_it_is(
    city: Database, city_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Background] = []
    start = Background.start

    def noted(self: Background) -> None:
        begun.append(self)
        start(self)

    monkeypatch.setattr(Background, "start", noted)
    settings = city_settings.model_copy(update={"metrics": "local"})
    with TestClient(create_app(settings, city)) as web:
        asked = {state.name for state in web.app.state.health._threads()}
    assert len({one.name for one in begun}) == len(begun), "each has a name of its own"
    assert {one.name for one in begun} == asked


def test_a_thread_that_hangs_takes_the_process_out_of_service(web: TestClient) -> None:
    assert within(lambda: web.get("/readyz").status_code == 200)
    hold = threading.Event()
    asker = web.app.state.rights.asker
    asker.stop()
    hangs = Background("rights", lambda _: hold.wait(), silent_s=0.1)
    web.app.state.rights.asker = hangs
    hangs.start()
    assert within(lambda: web.get("/readyz").status_code == 503)
    assert parts(web)["threads"]["said"] == "hang: rights"
    hold.set()


def test_a_database_that_is_away_is_said_and_takes_nobody_out(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert within(lambda: web.get("/readyz").status_code == 200)
    assert within(lambda: parts(web)["database"]["is_ready"])
    monkeypatch.setattr("api.health._OLD_S", 0.0)
    answer = web.get("/readyz")
    assert answer.status_code == 200
    told = answer.json()["parts"]["database"]
    assert (told["is_ready"], told["is_needed"]) == (False, False)
    assert told["said"].startswith("no answer for")


def test_a_database_that_fails_is_not_called_ready_until_its_last_answer_is_old(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert within(lambda: parts(web)["database"]["is_ready"])

    def fails() -> None:
        raise OperationalError("", {}, Exception())

    health = web.app.state.health
    fails_now = SimpleNamespace(
        engine=SimpleNamespace(connect=fails), silence=health._database.silence
    )
    monkeypatch.setattr(health, "_database", fails_now)
    health.looker.wake()
    assert within(lambda: not parts(web)["database"]["is_ready"], 5.0)
    assert parts(web)["database"]["said"].startswith("no answer for")


def test_late_work_is_named(web: TestClient, city: Database, city_settings: Settings) -> None:
    with city.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tick (county, name, every_s, done_at) VALUES "
                "(:county, 'timers', 5, now() - interval '2 minutes'), "
                "(:county, 'jobs', 3600, now() - interval '2 minutes')"
            ),
            {"county": city_settings.county},
        )
    assert within(lambda: parts(web)["clock"]["said"].startswith("late: timers (done 12"))
    assert "jobs" not in parts(web)["clock"]["said"]
