"""A thread that listens to one channel of the database, for as long as the process lives."""

import json
import socket
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any

import psycopg
from psycopg.pq.abc import PGconn

from data.asking import require_answer
from data.background import Background, Rounds
from data.database import Database
from data.descriptors import wait_for_any
from data.log import LOG

__all__ = ["Listener", "facts_of"]

# How often a listener that hears nothing asks whether the server lives.
_WAIT_S = 5.0


class Listener:
    """Hears what is told on a channel, several notices at once where they come thick.

    Parameters
    ----------
    hear : callable
        Given the notices' payloads, in order.
    begun : callable
        Called whenever listening begins: what was told before is not known.
    """

    def __init__(
        self,
        channel: str,
        database: Database,
        hear: Callable[[Sequence[str]], None],
        begun: Callable[[], None],
    ) -> None:
        self._channel, self._database = channel, database
        self._hear, self._begun = hear, begun
        self._is_heard, self._heard_s = False, time.monotonic()
        self.thread = Background(channel, self._follow)

    @property
    def is_heard(self) -> bool:
        """Whether whatever is told now will be heard."""
        return self._is_heard

    @property
    def silent_s(self) -> float:
        """How long ago, in seconds, it was last sure that nothing was missed."""
        return time.monotonic() - self._heard_s

    def start(self) -> None:
        """Begin to listen."""
        self.thread.start()

    def stop(self) -> None:
        """End listening."""
        self.thread.stop()

    def _listen(self, heard: "psycopg.Connection[Any]") -> None:
        """Listen, and be sure of it: silence alone does not say that nothing was told."""
        asked_s = time.monotonic()
        require_answer(self._database, heard, f"LISTEN {self._channel}")
        self._heard_s = asked_s

    def _follow(self, rounds: Rounds) -> None:
        ears, bell = socket.socketpair()
        bell.setblocking(False)
        try:
            with (
                ears,
                bell,
                rounds.roused_by(partial(_ring, bell)),
                # Its own end would roll back, and say that it cannot where the server has gone.
                closing(psycopg.connect(self._database.conninfo, autocommit=True)) as heard,
            ):
                self._listen(heard)
                self._begun()
                self._is_heard = True
                while not rounds.is_over:
                    # Once more: it changes nothing, and says whether anything was missed. What was
                    # told meanwhile has come with the answer.
                    self._listen(heard)
                    if notes := _told(heard.pgconn):
                        self._hear(notes)
                    rounds.done()
                    wait_for_any((heard.fileno(), ears.fileno()), _WAIT_S)
        finally:
            self._is_heard = False


def _told(connection: PGconn) -> list[str]:
    """Payloads of the notices that have come, in order."""
    connection.consume_input()
    return [note.extra.decode() for note in iter(connection.notifies, None)]


def _ring(bell: socket.socket) -> None:
    with suppress(OSError):  # who listened has ended meanwhile
        bell.send(b".")


def facts_of(payloads: Sequence[str], needed: Collection[str]) -> list[dict[str, Any] | None]:
    """Payloads as objects of JSON that have what is needed; None for whatever is none.

    Anybody who may connect to the database may tell anything on a channel.
    """
    found: list[dict[str, Any] | None] = []
    for payload in payloads:
        try:
            told = json.loads(payload)
        except ValueError:
            told = None
        fits = isinstance(told, dict) and told.keys() >= set(needed)
        if not fits:
            LOG.warning("a notice of the database is not understood", characters=len(payload))
        found.append(told if fits else None)
    return found
