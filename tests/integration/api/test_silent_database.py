"""A database that takes what is asked and does not answer, as a stopped server or a hung disk."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from psycopg.pq import ExecStatus
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

import api.listening
import data.asking
from api.app import create_app
from data.database import Database
from data.settings import Settings
from tests.integration.api.test_away import PLACE, an_address
from tests.integration.api.test_health import within


class Line:
    """A way to the database on which everything can come to rest."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._goes = threading.Event()
        self._goes.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def rest(self) -> None:
        self._goes.clear()

    def go_on(self) -> None:
        self._goes.set()

    def close(self) -> None:
        self.go_on()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(here,), daemon=True).start()

    def _carry(self, here: socket.socket) -> None:
        self._goes.wait()
        with here, self._server() as there:
            back = threading.Thread(target=self._pass_on, args=(there, here), daemon=True)
            back.start()
            self._pass_on(here, there)
            back.join()

    def _server(self) -> socket.socket:
        host, port = self._to
        if not host.startswith("/"):
            return socket.create_connection(self._to)
        there = socket.socket(socket.AF_UNIX)
        there.connect(f"{host}/.s.PGSQL.{port}")
        return there

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while held := one.recv(65536):
                self._goes.wait()
                other.sendall(held)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)


@pytest.fixture
def line(city: Database) -> Iterator[Line]:
    with city.engine.connect() as connection:
        info = connection.connection.driver_connection.info
        made = Line(info.host, info.port)
    yield made
    made.close()


@pytest.fixture
def web(
    line: Line, city: Database, city_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    monkeypatch.setattr(api.listening, "_WAIT_S", 0.5)
    monkeypatch.setattr(data.asking, "_ANSWER_S", 1.5)
    url = city.engine.url.set(host="127.0.0.1", port=line.port)
    # What the address says beside them would go first.
    database = Database.at(url.set(query={}).render_as_string(hide_password=False))
    with TestClient(create_app(city_settings, database)) as client:
        assert within(lambda: client.get("/readyz").status_code == 200)
        yield client
        line.go_on()


def test_nobody_waits_for_a_database_that_says_nothing(
    web: TestClient, line: Line, city: Database
) -> None:
    typed = an_address(city)
    before = web.get("/api/v1/who", params=PLACE).json()
    assert before["is_current"]
    for _ in range(2):
        line.rest()
        asked = threading.Thread(target=web.get, args=("/healthz",))
        asked.start()
        assert within(lambda: not web.get("/api/v1/who", params=PLACE).json()["is_current"])
        # Who had begun to wait is told too.
        asked.join(timeout=20)
        assert not asked.is_alive()
        begun = time.monotonic()
        told = web.get("/api/v1/who", params=PLACE).json()
        assert (told["grid"], told["is_current"]) == (before["grid"], False)
        assert 'id="code"' in web.post("/card", data={"q": typed}).text
        assert web.get("/login").status_code in {200, 503}
        assert web.get("/healthz").status_code == 503
        assert time.monotonic() - begun < 5
        assert web.get("/readyz").status_code == 200
        line.go_on()
        assert within(lambda: web.get("/api/v1/who", params=PLACE).json()["is_current"])
        assert within(lambda: web.get("/healthz").status_code == 200)


def test_sessions_are_refused_and_waiting_ones_cut(city: Database, line: Line) -> None:
    url = city.engine.url.set(host="127.0.0.1", port=line.port, query={})
    database = Database.at(url.render_as_string(hide_password=False))
    with database.engine.connect():
        pass
    line.rest()
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            with database.engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        except Exception as error:  # noqa: BLE001 - whatever it is
            failed.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    time.sleep(0.3)
    database.silence.begin()
    refused = pytest.raises(OperationalError, match="does not answer")
    with refused, database.session() as session:
        session.connection()
    line.go_on()
    waiting.join(timeout=20)
    # A connection that was asked only whether it lives is replaced by another one.
    assert not waiting.is_alive()
    database.silence.end()
    with database.session() as session:
        assert session.connection().exec_driver_sql("SELECT 1").scalar() == 1
    database.engine.dispose()


def test_a_forgotten_transaction_keeps_nobody_for_long(
    city: Database, city_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database.at(city.engine.url.render_as_string(hide_password=False))
    database.limit_locks(0.5)
    with TestClient(create_app(city_settings, database)) as web, city.session() as forgotten:
        assert within(lambda: web.get("/readyz").status_code == 200)
        forgotten.connection().exec_driver_sql("LOCK TABLE directory_version, door_sign")
        begun = time.monotonic()
        for _ in range(3):
            card = web.get("/card", params=PLACE)
            assert (card.status_code, 'id="code"' in card.text) == (200, True)
        assert web.get("/d/unknown").status_code == 503
        now = web.get("/api/v1/who", params=PLACE | {"at": datetime.now(UTC).isoformat()})
        assert (now.status_code, now.json()["detail"][:13]) == (503, "somebody else")
        assert time.monotonic() - begun < 10
        assert "waits for another transaction" in caplog.text
    database.engine.dispose()


def test_half_an_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stops after the result and before it says that it is ready for more."""
    monkeypatch.setattr(data.asking, "_ANSWER_S", 0.3)
    ours, theirs = socket.socketpair()

    class Half:
        socket = ours.fileno()
        told = 0

        def send_query(self, query: bytes) -> None:
            assert query == b"LISTEN x"

        def is_busy(self) -> bool:
            return self.told > 0

        def get_result(self) -> object:
            self.told += 1
            return SimpleNamespace(status=ExecStatus.COMMAND_OK)

    with ours, theirs:
        assert not data.asking._answers(Half(), "LISTEN x")


def test_connections_that_fail_as_soon_as_they_are_made_leave_nothing_open(city: Database) -> None:
    database = Database.at(city.engine.url.render_as_string(hide_password=False))

    def fail(*_: object) -> None:
        raise ValueError("no")

    event.listen(database.engine, "connect", fail)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with pytest.raises(ValueError, match="no"), database.engine.connect():
            pass
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 5
    database.engine.dispose()
