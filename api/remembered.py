"""Answers from what a process holds in memory, for as long as the database is away.

Who is responsible for a place is asked most when something has happened, and that may be what took
the database away. An answer from memory says of when it is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from api.admission import BusyError
from api.session import engines
from data.errors import DatabaseError
from data.reasons import UNREACHABLE, is_locked
from grids.address_book import AddressBook
from grids.who import Directory

__all__ = ["AWAY", "Absence", "Known", "by_database_or_memory", "known_in_turn"]

R = TypeVar("R")
# How a database that is away shows.
AWAY = (*UNREACHABLE, DatabaseError)
# How soon the database is asked again that did not answer.
_AGAIN_S = 2.0


class Absence:
    """Whether the database was away a moment ago: then one request in a while tries it."""

    def __init__(self) -> None:
        self._until_s = 0.0

    @property
    def is_likely(self) -> bool:
        """Whether to answer from memory at once."""
        return time.monotonic() < self._until_s

    def note(self) -> None:
        """Note that the database has not answered."""
        self._until_s = time.monotonic() + _AGAIN_S


@dataclass(frozen=True, slots=True)
class Known:
    """What an answer is made of.

    Attributes
    ----------
    directory : Directory
    book : callable
        The address book of its places.
    session : Session or None
        None where the database is away.
    as_of : datetime or None
        Of when it is, where that is not now.
    """

    directory: Directory
    book: Callable[[], AddressBook]
    session: Session | None = None
    as_of: datetime | None = None


def by_database_or_memory(request: Request, answer: Callable[[Known], R]) -> R:
    """Answer with the database, or with what is held in memory where it is away.

    Raises
    ------
    OperationalError, InterfaceError, TimeoutError, DatabaseError
        If the database is away and nothing is held.
    """
    absence: Absence = request.app.state.absence
    remembered = _remembered(request)
    if remembered is None or not (absence.is_likely or engines(request).is_silent):
        try:
            with request.app.state.database.session() as session:
                return answer(_asked(request, session))
        except AWAY as error:
            if not is_locked(error):
                absence.note()
            if remembered is None:
                raise
    return answer(remembered)


async def known_in_turn(request: Request, answer: Callable[[Known], R]) -> R:
    """`by_database_or_memory` in a thread, with one turn at the database."""
    if engines(request).is_silent:  # those who have turns may be waiting for it
        return await run_in_threadpool(by_database_or_memory, request, answer)
    try:
        async with request.app.state.admission.turn():
            return await run_in_threadpool(by_database_or_memory, request, answer)
    except BusyError:
        remembered = _remembered(request)
        if remembered is None:
            raise
    return await run_in_threadpool(answer, remembered)


def _asked(request: Request, session: Session) -> Known:
    held = engines(request)
    return Known(held.directory(session), lambda: held.book(session), session)


def _remembered(request: Request) -> Known | None:
    held = engines(request)
    now = datetime.now(UTC)
    directory = held.remembered(now)
    if directory is None:
        return None

    def book() -> AddressBook:
        found = held.remembered_book(directory)
        if found is None:
            raise BusyError("the addresses are being loaded: try again in a moment")
        return found

    return Known(directory, book, as_of=now - timedelta(seconds=held.listener.silent_s))
