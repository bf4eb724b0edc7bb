"""Periodic work whatever the clocks do: one process of all, once however much was missed."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from data.database import Database
from data.ticks import Periodic, Ticker, TickState, tick_states

COUNTY = "990100"


def states(database: Database) -> dict[str, TickState]:
    with database.engine.connect() as connection:
        return {one.name: one for one in tick_states(connection, COUNTY)}


def shift(database: Database, by: str) -> None:
    """As if the clock of the database had been set since."""
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE tick SET done_at = done_at - CAST(:by AS interval)"), {"by": by}
        )


def within(check: Callable[[], bool], seconds: float = 15.0) -> bool:
    ends = time.monotonic() + seconds
    while not check():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def done() -> list[float]:
    return []


@pytest.fixture
def hourly(done: list[float]) -> Periodic:
    return Periodic("hourly", 3600.0, lambda: done.append(time.monotonic()))


def test_it_is_done_when_due_and_not_before(
    database: Database, done: list[float], hourly: Periodic
) -> None:
    ticker = Ticker(database, COUNTY, [hourly])
    assert [ticker.do(hourly) for _ in range(3)] == [True, False, False]
    shift(database, "59 minutes")
    assert ticker.do(hourly)
    assert len(done) == 2
    assert states(database)["hourly"].age_s == pytest.approx(0, abs=5)


@pytest.mark.parametrize("step", ["1 day", "-1 day", "10 years", "-10 years"])
def test_a_clock_that_was_set_costs_one_round(
    database: Database, hourly: Periodic, step: str
) -> None:
    ticker = Ticker(database, COUNTY, [hourly])
    ticker.do(hourly)
    shift(database, step)
    assert [ticker.do(hourly) for _ in range(5)] == [True, False, False, False, False]


def test_one_process_of_all_does_it(database: Database) -> None:
    at_once, most = [0], [0]
    lock = threading.Lock()

    def work() -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.05)
        with lock:
            at_once[0] -= 1

    often = Periodic("often", 0.01, work)
    tickers = [Ticker(database, COUNTY, [often]) for _ in range(3)]
    for one in tickers:
        one.start()
    time.sleep(1.5)
    for one in tickers:
        one.stop()
    assert most == [1]


def test_what_fails_does_not_hold_up_the_rest_and_is_seen(
    database: Database, done: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise LookupError("somebody's place")

    works = [Periodic("bad", 0.1, fail), Periodic("good", 0.1, lambda: done.append(0.0))]
    ticker = Ticker(database, COUNTY, works)
    ticker.start()
    assert within(lambda: len(done) > 5 and states(database)["bad"].failures > 1)
    ticker.stop()
    bad = states(database)["bad"]
    assert (bad.failing, bad.age_s, bad.is_late) == ("LookupError", None, True)
    assert not states(database)["good"].is_late
    told = [one for one in caplog.records if getattr(one, "work", "") == "bad"]
    assert len(told) == 1, "it is said once, and counted"


def test_what_hangs_is_told_of(database: Database) -> None:
    hold, told = threading.Event(), threading.Event()
    slow = Periodic("slow", 1.0, hold.wait, most_s=0.2)
    ticker = Ticker(database, COUNTY, [slow], stuck=lambda _: told.set())
    ticker.start()
    assert told.wait(10)
    hold.set()
    ticker.stop()


def test_a_database_that_went_away_is_waited_for(database: Database, done: list[float]) -> None:
    ticker = Ticker(database, COUNTY, [Periodic("often", 0.05, lambda: done.append(0.0))])
    ticker.start()
    assert within(lambda: len(done) > 2)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    so_far = len(done)
    assert within(lambda: len(done) > so_far + 2)
    ticker.stop()
