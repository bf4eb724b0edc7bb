"""A database that says nothing: its connections are cut, and nobody waits for it.

A server that was stopped (not ended), or whose disk hangs, goes on to take what is sent to it: its
kernel does. No limit of libpq, TCP or PostgreSQL ends a query there; it is seen only by asking
something and waiting for the answer.
"""

import os
import socket
import threading
import weakref
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import Engine, event

__all__ = ["UNANSWERED", "Silence"]

UNANSWERED = "the database takes what is asked and does not answer"


class Silence:
    """Whether the database says nothing; whoever waits for it then is told so.

    Parameters
    ----------
    engine : Engine
        Its connections are cut when silence begins.
    """

    def __init__(self, engine: Engine) -> None:
        # A connection that fails as soon as it is made is dropped without a word.
        self._lines: WeakKeyDictionary[Any, socket.socket] = WeakKeyDictionary()
        self._changing = threading.Lock()
        self._is_on = False
        event.listen(engine, "do_connect", self._refuse)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "close", self._closed)
        event.listen(engine, "close_detached", self._closed)

    @property
    def is_on(self) -> bool:
        """Whether the database did not answer when it was last asked."""
        return self._is_on

    def begin(self) -> None:
        """Note that it does not answer: cut what waits for it, and let nobody begin to."""
        with self._changing:
            self._is_on = True
            lines = list(self._lines.values())
        for line in lines:
            with suppress(OSError):  # it has ended already
                line.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Note that it answers."""
        self._is_on = False

    def _refuse(self, *_: object) -> None:
        """Make no connection to a database that does not answer: SQLAlchemy tells of this error."""
        if self._is_on:
            raise psycopg.OperationalError(UNANSWERED)

    def _connected(self, connection: Any, _record: object) -> None:
        # A descriptor of our own: the connection's may be another file's by the time it is cut.
        line = socket.socket(fileno=os.dup(connection.fileno()))
        weakref.finalize(connection, line.close)
        with self._changing:
            self._lines[connection] = line

    def _closed(self, connection: Any, _record: object = None) -> None:
        with self._changing:
            line = self._lines.pop(connection, None)
        if line is not None:
            line.close()
