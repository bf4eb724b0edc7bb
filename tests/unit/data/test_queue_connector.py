"""The queue tells of an outage as others do: once, by what its queries meet, and nothing raw."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException, NoResult

from data import queue_connector
from data.log import OWN
from data.log_setup import _Libraries
from data.outages import DATABASE
from data.queue_connector import QUEUE, ToldConnector
from data.reasons import is_away, reason_of


def away() -> ConnectorException:
    error = ConnectorException()
    error.__cause__ = psycopg.OperationalError("connection refused")
    return error


def ask(connector: ToldConnector, outcome: object, *, after_s: float = 0.0) -> object:
    async def query() -> object:
        await asyncio.sleep(after_s)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def told() -> object:
        return await connector._told(query())

    # Tests in a browser leave a loop in the thread that all tests run in.
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, told()).result()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.message for one in caplog.records if one.name == OWN]


@pytest.fixture
def connector():
    yield ToldConnector(conninfo="")
    DATABASE.forget(QUEUE)


def test_the_queues_own_error_is_what_stands_behind_it() -> None:
    assert is_away(away())
    assert reason_of(away()) == "OperationalError: connection refused"
    assert not is_away(ConnectorException())


def test_an_outage_is_over_with_the_first_query_that_is_answered(
    connector: ToldConnector, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        with pytest.raises(ConnectorException):
            ask(connector, away())
    assert connector.answered_s == 0
    assert said(caplog) == ["the database does not answer"]
    assert ask(connector, "row") == "row"
    assert connector.answered_s > 0
    assert said(caplog) == ["the database does not answer", "the database answers again"]
    assert caplog.records[-1].attempts == 3


def test_what_the_database_says_of_a_query_is_an_answer(
    connector: ToldConnector, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with pytest.raises(NoResult):
            ask(connector, NoResult())
        assert said(caplog)[-1:] != ["the database does not answer"]
        with pytest.raises(ConnectorException):
            ask(connector, away())
    with pytest.raises(ConnectorException):
        ask(connector, ConnectorException())
    assert said(caplog)[-1] == "the database answers again"


def test_a_query_that_hangs_is_told_of_while_it_hangs(
    connector: ToldConnector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_connector, "_SILENT_S", 0.05)
    assert ask(connector, "row", after_s=0.3) == "row"
    assert said(caplog) == ["the database does not answer", "the database answers again"]


@pytest.mark.parametrize("is_queue", [True, False])
def test_what_libraries_say_of_an_outage_is_counted_and_not_told(
    connector: ToldConnector, caplog: pytest.LogCaptureFixture, is_queue: bool
) -> None:
    libraries = _Libraries(in_full=False, is_queue=is_queue)
    lost = psycopg.OperationalError("connection refused")
    pool, queue = (logging.getLogger(name) for name in ("psycopg.pool", "procrastinate.utils"))
    records = [
        pool.makeRecord(pool.name, 30, "", 0, "error connecting in %r: %s", ("pool-4", lost), None),
        pool.makeRecord(pool.name, 30, "", 0, "reconnection attempt in pool %r", ("p",), None),
        queue.makeRecord(
            queue.name, 40, "", 0, "heartbeat error", (), (ConnectorException, away(), None)
        ),
    ]
    # Two handlers pass the same record.
    assert not any(libraries.filter(one) for one in records + records)
    assert said(caplog) == (["the database does not answer"] if is_queue else [])
    ask(connector, "row")
    assert not is_queue or caplog.records[-1].attempts == 2


def test_whatever_else_libraries_say_is_told() -> None:
    libraries = _Libraries(in_full=False, is_queue=True)
    log = logging.getLogger("procrastinate.worker")
    fault = (ValueError, ValueError("x"), None)
    assert libraries.filter(log.makeRecord(log.name, 40, "", 0, "a job failed", (), fault))
    assert not DATABASE.is_on
