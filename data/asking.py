"""Asking a database whether it is there, by whoever does not wait for it for ever.

A server that hangs goes on to take what is sent to it, and ends nothing: whoever waits for it waits
until it is asked beside them, and their connections are cut (`data.silence`).
"""

import time
from contextlib import closing
from functools import partial
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from data.background import Background, Rounds
from data.database import Database
from data.descriptors import wait_for_any
from data.errors import UnansweredError
from data.silence import UNANSWERED

__all__ = ["asker", "require_answer"]

# How often it is asked, and how long an answer may take on a busy machine.
_EVERY_S, _ANSWER_S = 5.0, 15.0


def require_answer(
    database: Database, connection: "psycopg.Connection[Any]", query: str = "SELECT"
) -> None:
    """Ask a connection, which nobody else uses, for an answer to a query without rows.

    Raises
    ------
    UnansweredError
        If none comes in time: the connection is closed, and those of the database are cut.
    OperationalError
        If the connection has ended, or the query is refused.
    """
    if not _answers(connection.pgconn, query):
        database.silence.begin()
        connection.close()
        raise UnansweredError(UNANSWERED)
    database.silence.end()


def asker(database: Database) -> Background:
    """A thread that asks every few seconds; what it finds is told as an outage."""
    return Background("database", partial(_ask_on, database))


def _ask_on(database: Database, rounds: Rounds) -> None:
    # Not of the pool: that all of it is in use says nothing of the server.
    with closing(psycopg.connect(database.conninfo, autocommit=True)) as connection:
        rounds.repeat(partial(require_answer, database, connection), _EVERY_S)


def _answers(connection: PGconn, query: str) -> bool:
    connection.send_query(query.encode())
    until_s = time.monotonic() + _ANSWER_S
    while True:
        while connection.is_busy():
            if not wait_for_any((connection.socket,), max(until_s - time.monotonic(), 0.0)):
                return False
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            return True
        if result.status == ExecStatus.FATAL_ERROR:
            raise psycopg.OperationalError(result.get_error_message())
