"""What once ended a thread in silence: it goes on, and says how often it did not."""

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import MagicMock

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import data.asked
from api.listening import Listener
from data.asked import AskedStorage
from data.database import Database
from tests.integration.api.test_health import within


@pytest.fixture
def tell(city: Database) -> Iterator[Callable[[str], None]]:
    with psycopg.connect(city.conninfo, autocommit=True) as connection:
        yield lambda payload: connection.execute("SELECT pg_notify('x', %s)", [payload])  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    "error", [KeyError("event"), TypeError(), ValueError(), psycopg.DataError()]
)
def test_whatever_a_hearer_raises_the_next_notice_is_heard(
    city: Database, tell: Callable[[str], None], error: Exception
) -> None:
    heard: list[str] = []
    begun = threading.Semaphore(0)

    def hear(payloads: Sequence[str]) -> None:
        if "bad" in payloads:
            raise error
        heard.extend(payloads)

    listener = Listener("x", city, hear, begun.release)
    listener.start()
    for failures in (1, 2):
        assert begun.acquire(timeout=10)
        assert within(lambda: listener.is_heard)
        tell("bad")
        assert within(lambda n=failures: listener.thread.state.failures == n)
    assert begun.acquire(timeout=10), "whoever missed something is told to look at everything"
    assert within(lambda: listener.is_heard)
    tell("good")
    assert within(lambda: heard == ["good"])
    listener.stop()


def test_a_connection_that_was_cut_is_made_again(
    city: Database, tell: Callable[[str], None]
) -> None:
    heard: list[str] = []
    listener = Listener("x", city, heard.extend, lambda: None)
    listener.start()
    assert within(lambda: listener.is_heard)
    with psycopg.connect(city.conninfo, autocommit=True) as other:
        for failures in (1, 2):
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN x'"
            )
            assert within(lambda n=failures: listener.thread.state.failures == n)
            assert within(lambda: listener.is_heard)
    tell("good")
    assert within(lambda: heard == ["good"])
    listener.stop()


def test_a_notice_that_comes_with_an_answer_is_heard_at_once(
    city: Database, tell: Callable[[str], None]
) -> None:
    """It was left in the driver until the next one came, or for five seconds."""
    heard: list[str] = []
    listener = Listener("x", city, heard.extend, lambda: None)
    listener.start()
    assert within(lambda: listener.is_heard)
    for number in range(200):
        tell(str(number))
        time.sleep(0.003 * (number % 3))
    assert within(lambda: len(heard) == 200, 3.0)
    assert heard == [str(number) for number in range(200)]
    listener.stop()


def test_counts_are_written_while_keys_come_and_go(city: Database) -> None:
    """The dictionary changed while it was listed: the thread ended, and nothing was counted."""
    storage = AskedStorage(city.engine, "990100", ahead=2)
    storage.start()
    stop = threading.Event()

    def come_and_go() -> None:
        number = 0
        while not stop.is_set():
            storage.incr(f"k{number % 5000}", 60)
            storage.clear(f"k{(number * 7) % 5000}") if number % 500 == 0 else None
            number += 1

    crowd = [threading.Thread(target=come_and_go) for _ in range(4)]
    for one in crowd:
        one.start()
    stop.wait(5)
    stop.set()
    for one in crowd:
        one.join()
    assert storage.writer.state.failures == 0
    storage.incr("last", 60)
    storage.stop()
    with city.engine.connect() as connection:
        assert connection.execute(text("SELECT count FROM asked WHERE key = 'last'")).scalar() == 1


def test_counts_survive_a_column_of_another_type(city: Database) -> None:
    storage = AskedStorage(city.engine, "990100", ahead=2)
    storage.start()
    storage.incr("a", 60)
    with city.engine.begin() as connection:
        connection.execute(text("ALTER TABLE asked ALTER COLUMN count TYPE text USING count::text"))
    storage.incr("b", 60)
    assert within(lambda: storage.writer.state.failures > 0)
    assert not storage.writer.state.is_well
    with city.engine.begin() as connection:
        connection.execute(text("ALTER TABLE asked ALTER COLUMN count TYPE int USING count::int"))
    assert within(lambda: storage.writer.state.is_well)
    storage.stop()
    with city.engine.connect() as connection:
        rows = connection.execute(text("SELECT key, count FROM asked ORDER BY key")).all()
    assert [tuple(row) for row in rows] == [("a", 1), ("b", 1)]


def test_counts_end_with_their_time_while_the_database_is_away(
    city: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody could be told kept its window open: a resident was refused for ever."""
    now_s = time.monotonic()
    monkeypatch.setattr(data.asked.time, "monotonic", lambda: now_s)
    storage = AskedStorage(city.engine, "990100", ahead=0)
    away = OperationalError("SELECT 1", {}, Exception("away"))
    monkeypatch.setattr(storage, "_added", MagicMock(side_effect=away))
    assert [storage.incr("k", 60) for _ in range(3)] == [1, 2, 3]
    now_s += 61
    assert (storage.get("k"), storage.incr("k", 60), storage.get("k")) == (0, 1, 1)
    monkeypatch.undo()
    assert storage.incr("k", 60) == 2, "what is over is not told either"


def test_counts_are_bounded_while_the_database_is_away(
    city: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data.asked, "_MOST_KEYS", 100)
    storage = AskedStorage(city.engine, "990100", ahead=2)
    for number in range(1000):
        storage.incr(f"k{number}", 60)
    assert len(storage._counts) <= 100
    assert storage.get("k999") == 1


@pytest.mark.parametrize("step_s", [-86_400.0, 86_400.0])
def test_a_clock_that_is_set_lets_nobody_wait_for_a_day(city: Database, step_s: float) -> None:
    """What was counted before a clock was set back would be counted until it has come again."""
    storage = AskedStorage(city.engine, "990100", ahead=0)
    assert [storage.incr("k", 60) for _ in range(3)] == [1, 2, 3]
    with city.engine.begin() as connection:
        step = {"step": -step_s}
        connection.execute(
            text("UPDATE asked SET expires_at = expires_at + :step * interval '1 second'"), step
        )
    assert storage.incr("k", 60) == 1


@pytest.mark.parametrize("apart_s", [-86_400.0, -60.0, 60.0, 86_400.0])
def test_counts_hold_where_two_machines_clocks_differ(
    city: Database, monkeypatch: pytest.MonkeyPatch, apart_s: float
) -> None:
    """A web server whose clock was behind its database's forgot each count when it was written."""
    right = time.time
    monkeypatch.setattr(data.asked.time, "time", lambda: right() + apart_s)
    storage = AskedStorage(city.engine, "990100", ahead=0)
    assert [storage.incr("k", 60) for _ in range(3)] == [1, 2, 3]
    assert storage.get("k") == 3
    assert 50 < storage.get_expiry("k") - data.asked.time.time() <= 60


def test_a_listener_hears_in_a_process_with_many_files(
    city: Database, tell: Callable[[str], None]
) -> None:
    """``select`` refuses numbers from 1,024 on: each listener of a busy server failed for ever."""
    heard: list[str] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with ExitStack() as many:
        for _ in range(1100):
            many.enter_context(Path(os.devnull).open("rb"))
        listener = Listener("x", city, heard.extend, lambda: None)
        listener.start()
        assert within(lambda: listener.is_heard)
        tell("good")
        assert within(lambda: heard == ["good"])
        assert not listener.thread.state.failures
        listener.stop()
