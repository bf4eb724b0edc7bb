"""The right to hear: who listens to a stream is asked again while it lasts.

One thread of the process asks for all its streams at once, by one query a pulse. A stream passes
nothing on by an answer that is older than two pulses, and ends with the session, the account or
the role; an area or a class that is taken away is no longer heard of.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import randbelow
from typing import Any

from sse_starlette import EventSourceResponse

from data.background import Background, Rounds
from data.database import Database
from data.sessions import SignedIn, still_signed_in

__all__ = ["PULSE_S", "Right", "Rights", "Stream", "put_soon"]

PULSE_S = 3.0
_STALE_S, _POLL_S = 2 * PULSE_S, 1.0
# How soon a listener comes back that was sent elsewhere, and how long it may take to tell them.
_BACK_MS, _SPREAD_MS, _GRACE_S = 200, 1500, 3.0
_PING_S = 15
Event = dict[str, Any]


@dataclass(eq=False)
class Right:
    """What somebody who listens is known to be, and since when; `who` is None once they may not."""

    token: str
    who: SignedIn | None
    asked_s: float = field(default_factory=time.monotonic)

    @property
    def is_fresh(self) -> bool:
        """Whether the answer is young enough to pass something on by it."""
        return time.monotonic() - self.asked_s < _STALE_S


class Rights:
    """The rights of this process's streams, asked for every `PULSE_S` seconds."""

    def __init__(self, county: str, database: Database) -> None:
        self._county, self._database = county, database
        self._lock = threading.Lock()
        self._held: set[Right] = set()
        # The streams fall silent until it answers.
        self.asker = Background("rights", self._ask_on)

    def start(self) -> None:
        """Begin to ask."""
        self.asker.start()

    def stop(self) -> None:
        """End asking."""
        self.asker.stop()

    def hold(self, token: str, who: SignedIn) -> Right:
        """Keep asking about somebody, until they are let go."""
        right = Right(token, who)
        with self._lock:
            self._held.add(right)
        return right

    def let_go(self, right: Right) -> None:
        """Ask no more."""
        with self._lock:
            self._held.discard(right)

    def ask(self) -> None:
        """Ask once for all that are held."""
        with self._lock:
            held = list(self._held)
        if not held:
            return
        begun = time.monotonic()
        with self._database.session() as session:
            known = still_signed_in(session, {one.token for one in held})
        for one in held:
            who = known.get(one.token)
            one.who = who if who is not None and who.county == self._county else None
            one.asked_s = begun

    def _ask_on(self, rounds: Rounds) -> None:
        while rounds.wait(PULSE_S):
            self.ask()
            rounds.done()


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of events that lasts as long as the right to hear it.

    Attributes
    ----------
    may : callable
        Whether somebody may listen on; asked of the latest answer.
    leaving : Event
        Set when this process is told to end: the listener is sent to another.
    """

    rights: Rights
    right: Right
    may: Callable[[SignedIn], bool]
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_open(self) -> bool:
        """Whether the one who listens still may."""
        return self.right.who is not None and self.may(self.right.who)

    async def following(
        self, queue: "asyncio.Queue[Event]", beat_s: float
    ) -> AsyncIterator[Event | None]:
        """What is put into a queue, and None after each silence of `beat_s`.

        It ends with the right; nothing is passed on by an old answer.
        """
        heard_s = time.monotonic()
        while self.is_open and not self.leaving.is_set():
            try:
                event = await asyncio.wait_for(queue.get(), _POLL_S)
            except TimeoutError:
                if time.monotonic() - heard_s >= beat_s:
                    heard_s = time.monotonic()
                    yield None
                continue
            while not self.right.is_fresh:  # noqa: ASYNC110 - a thread renews it
                await asyncio.sleep(_POLL_S)
            if self.is_open:
                yield event

    def farewell(self) -> Event:
        """What is told last: to come back at once, elsewhere, or that the right has ended."""
        if self.is_open:
            # Not all of them in the same moment.
            return {"comment": "come back", "retry": _BACK_MS + randbelow(_SPREAD_MS)}
        return {"event": "ended", "data": "{}"}

    def answer(self, events: AsyncIterator[Event]) -> EventSourceResponse:
        """The stream as server-sent events."""
        return EventSourceResponse(
            events,
            ping=_PING_S,
            shutdown_event=self.leaving,  # type: ignore[arg-type]  # it is only set
            shutdown_grace_period=_GRACE_S,
        )

    def close(self) -> None:
        """Ask no more about the one who listened."""
        self.rights.let_go(self.right)


def put_soon(
    loop: asyncio.AbstractEventLoop, queue: "asyncio.Queue[Event]", event: Event, missed: Event
) -> None:
    """Put an event into a queue of another thread's loop.

    Parameters
    ----------
    missed : dict
        Put in its place where the queue is full, which is emptied: who does not read looks at
        everything when they do.
    """
    with suppress(RuntimeError):  # the loop is closed, and whoever listened is gone
        loop.call_soon_threadsafe(_put, queue, event, missed)


def _put(queue: "asyncio.Queue[Event]", event: Event, missed: Event) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        event = missed
    queue.put_nowait(event)
