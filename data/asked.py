"""Counting how often somebody asks: a storage of `limits` in PostgreSQL that all processes share.

A count is kept in memory and written together with others, so that an answer does not wait for
a commit; whoever asks often before it is written waits for it. A process can therefore be ahead
of the others by a few for each key, never by more.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from limits.storage import Storage
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from data.background import Background, Rounds

__all__ = ["AskedStorage"]

# How long somebody waits for others who write.
_PATIENCE_S = 0.5
_FLUSH_S = 0.5
_MOST_KEYS = 200_000
# Keys in one order: two processes that write the same ones wait for each other, and no more.
_ADD = text(
    "INSERT INTO asked AS held (key, county, count, expires_at) "
    "SELECT key, :county, count, now() + expiry * interval '1 second' "
    "FROM unnest(CAST(:keys AS text[]), CAST(:counts AS int[]), CAST(:expiries AS int[])) "
    "AS new (key, count, expiry) ORDER BY key ON CONFLICT ON CONSTRAINT pk_asked DO UPDATE SET "
    # A time that lies too far ahead was counted before the clock was set back.
    "count = CASE WHEN held.expires_at > now() AND held.expires_at <= excluded.expires_at "
    "THEN held.count ELSE 0 END + excluded.count, "
    "expires_at = CASE WHEN held.expires_at > now() AND held.expires_at <= excluded.expires_at "
    "THEN held.expires_at ELSE excluded.expires_at END "
    "RETURNING key, count AS total, extract(epoch FROM expires_at - now()) AS left_s"
)
_TIDY = text("DELETE FROM asked WHERE expires_at < now() - interval '1 minute'")
# What is lost by a crash of the database is half a second of counts.
_QUICKLY = text("SET LOCAL synchronous_commit = off")


@dataclass(slots=True)
class _Count:
    """What is known of a key: counted by all, and by this process since it was last told.

    Until when it counts (`until_s`) goes by a clock that nobody sets: those of two machines differ.
    """

    told: int
    unsaid: int
    expiry_s: int
    until_s: float

    @property
    def left_s(self) -> float:
        """How long it still counts."""
        return max(self.until_s - time.monotonic(), 0.0)

    @property
    def is_current(self) -> bool:
        """Whether it still counts."""
        return self.left_s > 0


class AskedStorage(Storage):
    """Counts until a time; `limits.strategies.FixedWindowRateLimiter` decides by them.

    Parameters
    ----------
    engine : Engine
    county : str
    ahead : int
        How often a key may be counted before the others are told.
    name : str
        What its thread is called.
    """

    STORAGE_SCHEME = None

    def __init__(self, engine: Engine, county: str, ahead: int, name: str = "counts") -> None:
        super().__init__(None, wrap_exceptions=False)
        self._engine, self._county, self._ahead = engine, county, ahead
        self._counts: dict[str, _Count] = {}
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self.writer = Background(name, self._write_on)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the database raises."""
        return SQLAlchemyError

    def waits(self, key: str) -> bool:
        """Whether the next `incr` of a key asks the database."""
        held = self._counts.get(key)
        return held is not None and held.unsaid >= self._ahead and not self._is_away

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and return how often it was counted until its time."""
        with self._changing:
            held = self._current(key, expiry)
            held.unsaid += amount
            due = held.unsaid > self._ahead and not self._is_away
        if due:
            self._write_at_once(key)
        return held.told + held.unsaid

    def get(self, key: str) -> int:
        """How often a key has been counted, as far as this process knows."""
        held = self._counts.get(key)
        return held.told + held.unsaid if held is not None and held.is_current else 0

    def get_expiry(self, key: str) -> float:
        """Until when a key is counted, in seconds since 1970."""
        held = self._counts.get(key)
        return time.time() + (held.left_s if held is not None else 0.0)

    def check(self) -> bool:
        """Whether the database answers."""
        try:
            with self._engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except OperationalError:
            return False
        return True

    def reset(self) -> int | None:
        """Forget everything."""
        with self._changing, self._engine.begin() as connection:
            self._counts.clear()
            gone = connection.execute(
                text("DELETE FROM asked WHERE county = :county"), {"county": self._county}
            )
            return int(gone.rowcount)

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self._changing, self._engine.begin() as connection:
            self._counts.pop(key, None)
            connection.execute(text("DELETE FROM asked WHERE key = :key"), {"key": key})

    def start(self) -> None:
        """Begin to write what has been counted twice a second."""
        self.writer.start()

    def stop(self) -> None:
        """Write the rest, and end."""
        self.writer.stop()

    @property
    def _is_away(self) -> bool:
        """Whether the database did not answer a moment ago: then this process counts alone."""
        return bool(self.writer.state.failing)

    def _current(self, key: str, expiry: int) -> _Count:
        held = self._counts.get(key)
        # What nobody was told while it counted, as where the database was away, is over with it.
        if held is None or not held.is_current:
            if len(self._counts) >= _MOST_KEYS:
                self._forget()
            held = self._counts[key] = _Count(0, 0, expiry, time.monotonic() + expiry)
        return held

    def _forget(self) -> None:
        """Forget what the database knows or what is over; where it is away, the oldest half too."""
        kept = [(key, one) for key, one in self._counts.items() if one.unsaid and one.is_current]
        self._counts = dict(kept[-_MOST_KEYS // 2 :])

    def _write_on(self, rounds: Rounds) -> None:
        goes_on = True
        while goes_on:
            goes_on = rounds.wait(_FLUSH_S)
            with self._changing:
                due = [k for k, one in self._counts.items() if one.unsaid and one.is_current]
            for at in range(0, len(due), 2000):
                self._write(due[at : at + 2000])
            rounds.done()

    def _write_at_once(self, key: str) -> None:
        try:
            self._write([key], patience_s=_PATIENCE_S)
        except SQLAlchemyError:
            # It is counted here all the same; the writer, which tries too, tells of it.
            self.writer.wake()

    def _write(self, keys: Sequence[str], *, patience_s: float = -1) -> None:
        if not self._writing.acquire(timeout=patience_s):
            return  # the database hangs: who asks does not hang with it
        try:
            with self._changing:
                held = {key: self._counts[key] for key in keys if key in self._counts}
                said = {key: (one.unsaid, one.expiry_s) for key, one in held.items() if one.unsaid}
            if said:
                self._note(held, said, self._added(said))
        finally:
            self._writing.release()

    def _note(
        self,
        held: dict[str, _Count],
        said: dict[str, tuple[int, int]],
        rows: list[tuple[str, int, float]],
    ) -> None:
        with self._changing:
            for key, count, left_s in rows:
                one = held[key]
                one.told, one.until_s = int(count), time.monotonic() + float(left_s)
                one.unsaid -= said[key][0]

    def _added(self, said: dict[str, tuple[int, int]]) -> list[tuple[str, int, float]]:
        asked = {
            "county": self._county,
            "keys": list(said),
            "counts": [count for count, _ in said.values()],
            "expiries": [expiry_s for _, expiry_s in said.values()],
        }
        with self._engine.begin() as connection:
            connection.execute(_QUICKLY)
            rows = [(r.key, r.total, r.left_s) for r in connection.execute(_ADD, asked)]
            if int(time.time()) % 60 == 0:
                connection.execute(_TIDY)
        return rows
