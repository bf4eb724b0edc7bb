"""Whether a process lives, and whether it can answer: for those who watch it or send requests on.

``/livez`` is the process alone. ``/readyz`` names what it needs and how each of it is. Neither
waits for anything: a thread looks at the database every few seconds, and what is in memory is asked
there. What all processes share (the database, the queue, the periodic work, the calendar) is named
too, but takes no process out of service: it would take all of them out at once, and what they hold
in memory still answers. See decision 23.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text

from api.errors import WITHOUT_DATABASE
from data.background import Background, BackgroundState, Rounds
from data.database import Database
from data.retention.schedule import overdue_rules
from data.ticks import TickState, tick_states
from routing.incidents.rules import known_until

__all__ = ["NOT_LOOKED_AT", "Health", "Part", "router"]

router = APIRouter(include_in_schema=False)

# Said of what nobody has asked the database for yet: it may well be there.
NOT_LOOKED_AT = "not looked at yet"
_LOOK_S, _OLD_S = 5.0, 30.0
# A file waits for its turn, a notice for its gateway; longer than this nobody works on them.
_MOST_WAIT_S = 900.0
# The State Council tells the next year's days in November.
_DAYS_AHEAD = 14
_SHARED = ("database", "queue", "clock", "retention")
_WAITING = text(
    "SELECT coalesce(extract(epoch FROM now() - least("
    "(SELECT min(made_at) FROM assign_job WHERE county = :county AND state = 'waiting'), "
    "(SELECT min(next_at) FROM outbox WHERE county = :county AND state = 'waiting' "
    "AND channel <> 'app'))), 0)"
)


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a process needs.

    Attributes
    ----------
    name : str
    is_ready : bool
    is_needed : bool
        Whether this process cannot answer without it.
    said : str
        How it is, in a few words, with nothing of what an error said; why it is not ready, always.
    """

    name: str
    is_ready: bool
    is_needed: bool
    said: str = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the database said when it was last looked at."""

    at_s: float
    waited_s: float
    ticks: tuple[TickState, ...]
    overdue: tuple[str, ...]


class Health:
    """How a process is.

    Parameters
    ----------
    database : Database
    county : str
    parts : callable
        The parts that this process holds in memory.
    threads : callable
        Its background threads.
    """

    def __init__(
        self,
        database: Database,
        county: str,
        parts: Callable[[], Iterable[Part]],
        threads: Callable[[], Iterable[BackgroundState]],
    ) -> None:
        self._database, self._county = database, county
        self._parts, self._threads = parts, threads
        self._seen: _Seen | None = None
        self.looker = Background("health", self._look_on)

    def start(self) -> None:
        """Begin to look."""
        self.looker.start()

    def stop(self) -> None:
        """Look no more."""
        self.looker.stop()

    def parts(self) -> list[Part]:
        """All parts, as they are now."""
        why_not = self._why_not_seen()
        ill = [one for one in self._threads() if not one.is_well]
        stuck = any(one.is_stuck for one in ill)
        # Threads that wait for a database that says nothing are not at fault.
        own = Part("threads", not stuck, not why_not, _how_they_are(ill))
        return [*self._parts(), own, _calendar(), *self._of_database(why_not)]

    def _why_not_seen(self) -> str:
        """Why what the database said last does not tell how it is; empty where it does."""
        seen, is_failing = self._seen, bool(self.looker.state.failing)
        if seen is None:
            return "no answer yet" if is_failing else NOT_LOOKED_AT
        age_s = time.monotonic() - seen.at_s
        is_away = is_failing or self._database.silence.is_on
        return f"no answer for {age_s:.0f} s" if is_away or age_s > _OLD_S else ""

    def _of_database(self, why_not: str) -> list[Part]:
        seen = self._seen
        if seen is None or why_not:
            return [Part(name, False, False, why_not) for name in _SHARED]
        waited_s, late = seen.waited_s, _how_late(seen.ticks)
        return [
            Part("database", True, False),
            Part("queue", waited_s < _MOST_WAIT_S, False, _how_long(waited_s)),
            Part("clock", not late, False, late),
            Part("retention", not seen.overdue, False, _how_overdue(seen.overdue)),
        ]

    def _look_on(self, rounds: Rounds) -> None:
        rounds.repeat(self._look, _LOOK_S)

    def _look(self) -> None:
        with self._database.engine.connect() as connection:
            waited = connection.execute(_WAITING, {"county": self._county}).scalar_one()
            ticks = tuple(tick_states(connection, self._county))
            overdue = tuple(overdue_rules(connection, self._county))
        self._seen = _Seen(time.monotonic(), float(waited), ticks, overdue)
        WITHOUT_DATABASE.well()


def _calendar() -> Part:
    days = (known_until() - datetime.now(UTC).date()).days
    is_ready = days >= _DAYS_AHEAD
    said = f"known for {max(days, 0)} days" + ("" if is_ready else f", fewer than {_DAYS_AHEAD}")
    return Part("calendar", is_ready, False, said)


def _how_they_are(ill: Sequence[BackgroundState]) -> str:
    """What is wrong with threads, each by its name."""
    stuck = [one.name for one in ill if one.is_stuck]
    failing = [one.name for one in ill if not one.is_stuck and one.failing]
    others = [one.name for one in ill if not one.is_stuck and not one.failing]
    kinds = {"hang": stuck, "fail and are begun again": failing, "do not run": others}
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names)


def _how_long(waited_s: float) -> str:
    if waited_s < _MOST_WAIT_S:
        return f"the oldest file or notice waits for {waited_s:.0f} s"
    return f"a file or a notice has waited for {waited_s:.0f} s: more than {_MOST_WAIT_S:.0f} s"


def _how_late(ticks: Sequence[TickState]) -> str:
    """Which periodic work is late, and since when it was not done; ``""`` where none is."""
    if not ticks:
        return "no periodic work has been done yet: does the clock run?"
    late = [
        f"{one.name} ({'never done' if one.age_s is None else f'done {one.age_s:.0f} s ago'})"
        for one in ticks
        if one.is_late
    ]
    return f"late: {', '.join(late)}" if late else ""


def _how_overdue(rules: Sequence[str]) -> str:
    return f"failed, refused or late: {', '.join(rules)}" if rules else ""


@router.get("/livez")
async def live() -> dict[str, str]:
    """Whether the process answers at all."""
    return {"status": "alive"}


@router.get("/readyz")
async def ready(request: Request) -> JSONResponse:
    """Whether the process can answer, and how each thing is that it needs."""
    health: Health = request.app.state.health
    parts = health.parts()
    is_ready = all(one.is_ready for one in parts if one.is_needed)
    told: dict[str, Any] = {
        one.name: {name: said for name, said in asdict(one).items() if name != "name"}
        for one in parts
    }
    status = 200 if is_ready else 503
    return JSONResponse({"status": "ready" if is_ready else "not ready", "parts": told}, status)
