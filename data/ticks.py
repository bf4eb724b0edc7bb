"""Periodic work: done by one process of all, as often as it should be, whatever the clocks do.

Waiting goes by the monotonic clock, so that a clock that is set neither stops the work nor lets it
be caught up with many times over. When something was last done is asked of the database, whose
clock may be set as well: a time that lies ahead means that it is due. What was missed is done once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from data.background import Background, BackgroundState, Rounds
from data.database import Database

__all__ = ["Periodic", "TickState", "Ticker", "tick_states"]

# Work that comes seldom is looked at so often: a restart does not begin its time anew.
_LOOK_S = 60.0
# What is due so little later is due now: two looks lie never exactly as far apart as they should.
_EARLY = 0.9
_CLAIM = text("SELECT pg_try_advisory_xact_lock(20196, hashtext(:county || ' ' || :name))")
_DUE = text(
    "SELECT coalesce((SELECT done_at > now() OR done_at <= now() - :early * interval '1 second' "
    "FROM tick WHERE county = :county AND name = :name), true)"
)
_DONE = text(
    "INSERT INTO tick (county, name, every_s, done_at) "
    "VALUES (:county, :name, :every_s, clock_timestamp()) "
    "ON CONFLICT ON CONSTRAINT pk_tick DO UPDATE SET done_at = clock_timestamp(), "
    "tried_at = clock_timestamp(), every_s = excluded.every_s, failures = 0, failing = ''"
)
_FAILED = text(
    "INSERT INTO tick (county, name, every_s, failures, failing) "
    "VALUES (:county, :name, :every_s, 1, :failing) "
    "ON CONFLICT ON CONSTRAINT pk_tick DO UPDATE SET tried_at = clock_timestamp(), "
    "every_s = excluded.every_s, failures = tick.failures + 1, failing = excluded.failing"
)
_STATES = text(
    "SELECT name, every_s, failures, failing, CASE WHEN isfinite(done_at) "
    "THEN extract(epoch FROM clock_timestamp() - done_at) END AS age_s "
    "FROM tick WHERE county = :county ORDER BY name"
)


@dataclass(frozen=True, slots=True)
class Periodic:
    """One piece of periodic work.

    Attributes
    ----------
    name : str
    every_s : float
        How long after the last time it is due again, in seconds.
    work : callable
        Does it; may be done again from its beginning where it ended half way.
    most_s : float
        How long it may take; a process in which it takes longer hangs and is ended.
    """

    name: str
    every_s: float
    work: Callable[[], None]
    most_s: float = 600.0


@dataclass(frozen=True, slots=True)
class TickState:
    """How a piece of periodic work is, as all processes see it.

    Attributes
    ----------
    age_s : float or None
        Seconds since it was last done; negative where the clock was set back; None before the
        first time.
    failures : int
        How often it has failed in a row, for the reason `failing`.
    """

    name: str
    every_s: float
    age_s: float | None
    failures: int
    failing: str

    @property
    def is_late(self) -> bool:
        """Whether it should have been done by now: three times as long ago as it may be."""
        return self.age_s is None or self.age_s > max(3 * self.every_s, 30.0)


class Ticker:
    """Does periodic work in this process, each piece in a thread of its own.

    Parameters
    ----------
    database : Database
    county : str
    works : sequence of Periodic
    stuck : callable
        Told the name of a piece that takes longer than it may; by default nothing is done.
    """

    def __init__(
        self,
        database: Database,
        county: str,
        works: Sequence[Periodic],
        stuck: Callable[[str], None] | None = None,
    ) -> None:
        self._database, self._county, self._stuck = database, county, stuck
        self._threads = [
            Background(one.name, partial(self._follow, one), silent_s=one.most_s) for one in works
        ]
        self._watch = Background("watchdog", self._watch_on)

    @property
    def states(self) -> list[BackgroundState]:
        """How the threads of this process are."""
        return [one.state for one in self._threads]

    def start(self) -> None:
        """Begin; all work is looked at now."""
        for one in (*self._threads, self._watch):
            one.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let what is being done be done, for so long, and end."""
        ends = time.monotonic() + timeout_s
        self._watch.stop()
        stoppers = [
            threading.Thread(target=one.stop, args=(max(ends - time.monotonic(), 0.1),))
            for one in self._threads
        ]
        for one in stoppers:
            one.start()
        for one in stoppers:
            one.join()

    def do(self, one: Periodic) -> bool:
        """Do a piece of work if it is due and no other process does it; whether it was done."""
        with self._database.engine.begin() as connection:
            if not self._claim(connection, one):
                return False
            try:
                one.work()
            except Exception as error:
                self._note_failure(one, error)
                raise
            connection.execute(_DONE, self._key(one) | {"every_s": one.every_s})
        return True

    def _claim(self, connection: Connection, one: Periodic) -> bool:
        key = self._key(one)
        if not connection.execute(_CLAIM, key).scalar_one():
            return False
        early = key | {"early": one.every_s * _EARLY}
        return bool(connection.execute(_DUE, early).scalar_one())

    def _note_failure(self, one: Periodic, error: Exception) -> None:
        # The kind alone: what an error says may hold anything.
        row = self._key(one) | {"every_s": one.every_s, "failing": type(error).__name__[:200]}
        # Where the database does not answer it cannot be noted, and its thread tells of that.
        with suppress(SQLAlchemyError), self._database.engine.begin() as connection:
            connection.execute(_FAILED, row)

    def _follow(self, one: Periodic, rounds: Rounds) -> None:
        rounds.repeat(partial(self.do, one), min(one.every_s, _LOOK_S))

    def _watch_on(self, rounds: Rounds) -> None:
        while rounds.wait(1.0):
            for one in self._threads:
                if one.state.is_stuck and self._stuck is not None:
                    self._stuck(one.name)
            rounds.done()

    def _key(self, one: Periodic) -> dict[str, object]:
        return {"county": self._county, "name": one.name}


def tick_states(connection: Connection, county: str) -> list[TickState]:
    """How the periodic work of a county is, as the database knows it."""
    return [
        TickState(row.name, row.every_s, row.age_s, row.failures, row.failing)
        for row in connection.execute(_STATES, {"county": county})
    ]
