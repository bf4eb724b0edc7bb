"""The live feed: every step of every incident, told to each console within its area.

The database tells every process of each step (channel ``incident``). A process reads new steps
once and passes them on to its own consoles. A console that comes back says which step it saw
last and gets what it missed; steps are numbered before they are committed, so that a few before
are told again, and the console shows each number once.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from api.listening import Listener, facts_of
from api.rights import Stream, put_soon
from api.session import desk_role
from data.database import Database
from data.scope import Scope
from data.sessions import SignedIn
from routing.incidents.overview import events_since

__all__ = ["Feed", "Seat"]

_AGAIN, MOST_MISSED = 200, 2000
# How often a quiet console takes its seat anew.
_BEAT_S = 2.0
Event = dict[str, Any]
_MISSED: Event = {"resync": True}


@dataclass(frozen=True, slots=True)
class Seat:
    """What a console may hear of."""

    scope: Scope

    @classmethod
    def of(cls, who: SignedIn) -> "Seat":
        """What somebody at the dispatchers' desk may hear of."""
        return cls(who.scope(desk_role(who)))

    def hears(self, event: Event) -> bool:
        """Whether a step is of its area and the classes there."""
        return self.scope.sees(event["community"], event["class_code"])


@dataclass(eq=False)
class _Console:
    stream: Stream
    seat: Seat
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(maxsize=500))


class Feed:
    """The consoles of this process; `listener` hears the database for all of them."""

    def __init__(self, county: str, database: Database) -> None:
        self._county, self._database = county, database
        self._lock = threading.Lock()
        self._consoles: set[_Console] = set()
        self._resync = partial(self._pass_on, [_MISSED])
        self.listener = Listener("incident", database, self._hear, self._resync)

    @property
    def listeners(self) -> int:
        """How many consoles listen."""
        return len(self._consoles)

    async def events(self, stream: Stream, who: SignedIn, last: int | None) -> AsyncIterator[Event]:
        """Steps from now on, after those that were missed since one.

        Yields
        ------
        dict
            ``{"id": n, "event": "step", "data": …}``, ``{"event": "resync"}`` where more was
            missed than is told again: look at everything, and ``{"event": "ended"}`` once the
            right to hear has ended.
        """
        console = _Console(stream, Seat.of(who), asyncio.get_running_loop())
        with self._lock:
            self._consoles.add(console)
        try:
            if last is not None:
                for event in await asyncio.to_thread(self._missed, console.seat, last):
                    yield _told(event)
            async for heard in stream.following(console.queue, _BEAT_S):
                if stream.right.who is not None:
                    console.seat = Seat.of(stream.right.who)
                if heard is not None and ("resync" in heard or console.seat.hears(heard)):
                    yield _told(heard)
            yield stream.farewell()
        finally:
            stream.close()
            with self._lock:
                self._consoles.discard(console)

    def _missed(self, seat: Seat, last: int) -> list[Event]:
        with self._database.session() as session:
            after = max(last - _AGAIN, 0)
            rows = events_since(session, self._county, after=after, limit=MOST_MISSED + 1)
        if len(rows) > MOST_MISSED:
            return [{"resync": True}]
        return [event for event in map(_event, rows) if seat.hears(event)]

    def _hear(self, payloads: Sequence[str]) -> None:
        told = facts_of(payloads, {"event", "county"})
        if None in told:
            self._resync()
        ids = [one["event"] for one in told if one is not None and one["county"] == self._county]
        if not ids or not self._consoles:
            return
        with self._database.session() as session:
            rows = events_since(session, self._county, ids=ids, limit=len(ids))
        self._pass_on([_event(row) for row in rows])

    def _pass_on(self, events: Sequence[Event]) -> None:
        with self._lock:
            consoles = list(self._consoles)
        for event in events:
            for one in consoles:
                if "resync" in event or one.seat.hears(event):
                    put_soon(one.loop, one.queue, event, _MISSED)


def _event(row: Any) -> Event:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's name for it


def _told(event: Event) -> Event:
    if "resync" in event:
        return {"event": "resync", "data": "{}"}
    shown = {name: value for name, value in event.items() if name != "community"}
    data = json.dumps(shown | {"at": event["at"].isoformat()}, ensure_ascii=False)
    return {"id": str(event["id"]), "event": "step", "data": data}
