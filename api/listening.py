"""A thread that listens to one channel of the database, for as long as the process lives."""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy.exc import OperationalError

from data.database import Database

__all__ = ["Listener"]

_LOG = logging.getLogger("onegrid")
_RETRY_S, _WAIT_S = 1.0, 0.5
_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5}
Told = dict[str, Any]


class Listener:
    """Hears what is told on a channel, several notices at once where they come thick.

    Parameters
    ----------
    hear : callable
        Given the notices, in order.
    begun : callable
        Called whenever listening begins: what was told before is not known.
    """

    def __init__(
        self,
        channel: str,
        database: Database,
        hear: Callable[[Sequence[Told]], None],
        begun: Callable[[], None],
    ) -> None:
        self._channel, self._database = channel, database
        self._hear, self._begun = hear, begun
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._listen, daemon=True, name=self._channel)
        self._thread.start()

    def stop(self) -> None:
        """End listening."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (psycopg.Error, OperationalError):
                _LOG.info("the database does not tell of %s; trying again", self._channel)
                self._stop.wait(_RETRY_S)

    def _follow(self) -> None:
        conninfo = self._database.conninfo
        with psycopg.connect(conninfo, autocommit=True, **_KEEPALIVE) as connection:  # type: ignore[arg-type]
            connection.execute(f"LISTEN {self._channel}")
            self._begun()
            while not self._stop.is_set():
                notes = list(connection.notifies(timeout=_WAIT_S, stop_after=1))
                notes += connection.notifies(timeout=0)
                if notes:
                    self._hear([json.loads(note.payload) for note in notes])
