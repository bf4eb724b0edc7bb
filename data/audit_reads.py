"""Reads are noted by batches: one process keeps them for half a second, then writes them at once.

A batch is a transaction of its own: its rows in `audit_read`, and one entry of the chain with a
hash over them, both written by a function of the database's owner (migration 0019). Killed, a
process loses what it kept; a file that it has locked in the state folder shows the next one that
it did not end, and the chain is told of the gap.
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from data.audit import audit
from data.audit_heads import HeadKeeper
from data.background import Background, Rounds
from data.database import Database
from data.log import LOG

__all__ = ["ReadLog", "make_partitions"]

_FLUSH_S = 0.5
# A batch of so many is written at once; more than the most that are kept is a fault to be seen.
_BATCH, _MOST_KEPT = 2_000, 50_000
_MOST_LOST_S = 1.0
# What pages ask for again and again is noted so often.
_ONCE_S, _MOST_LATELY = 60.0, 10_000
_NOTE = text(
    "SELECT audit_note_reads(:county, CAST(:ats AS timestamptz[]), CAST(:actors AS text[]), "
    "CAST(:actions AS text[]), CAST(:subjects AS text[]))"
)
_PARTITION = text("SELECT audit_read_partition(CAST(:moment AS timestamptz))")
_AHEAD = text(
    "SELECT audit_read_partition(now() + make_interval(months => n)) "
    "FROM generate_series(0, 2) AS n"
)


@dataclass(frozen=True, slots=True)
class _Read:
    at: datetime
    actor: str
    action: str
    subject: str


def make_partitions(session: Session) -> None:
    """Make the partitions of this month and the two that follow."""
    session.execute(_AHEAD)


class ReadLog:
    """Keeps what was read, and writes it twice a second.

    Parameters
    ----------
    database : Database
    county : str
    home : Path
        State folder; the lock files and the heads of the chain lie in ``audit`` below it.
    keeper : HeadKeeper
        Keeps the chain's head outside the database.
    """

    def __init__(self, database: Database, county: str, home: Path, keeper: HeadKeeper) -> None:
        self._database, self._county, self._keeper = database, county, keeper
        self._folder = home / "audit"
        self._kept: deque[_Read] = deque()
        self._writing = threading.Lock()
        self.writer = Background("reads", self._write_on)
        self._file: IO[str] | None = None
        self._lately: dict[tuple[str, str, str], float] = {}

    @property
    def is_full(self) -> bool:
        """Whether more is kept than may be: the database has not taken it for long."""
        return len(self._kept) >= _MOST_KEPT

    def note(self, actor: str, action: str, subject: str = "", *, once: bool = False) -> None:
        """Keep who looked at what; it is written within a second.

        Parameters
        ----------
        once : bool
            Only where it was not noted within the last minute.
        """
        # PostgreSQL holds no U+0000; a path may.
        plain = subject.replace("\0", "")[:200]
        if once and not self._is_news((actor, action, plain)):
            return
        self._kept.append(_Read(datetime.now(UTC), actor[:100], action[:100], plain))
        if len(self._kept) >= _BATCH:
            self.writer.wake()

    def start(self) -> None:
        """Tell of processes that did not end, and begin to write; what has begun goes on."""
        if self.writer.is_running:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._tell_gaps()
        self._hold_file()
        self.writer.start()

    def stop(self) -> None:
        """Write the rest, and end."""
        self.writer.stop()
        if self._file is not None:
            if not self._kept:
                Path(self._file.name).unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def _hold_file(self) -> None:
        """Hold a file open and locked for as long as the process lives."""
        path = self._folder / f"reader-{os.getpid()}-{time.time_ns()}.lock"
        self._file = path.open("w")
        path.chmod(0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _tell_life(self) -> None:
        """Say by its time when this process wrote last; a folder may have been replaced."""
        if self._file is None:
            return
        try:
            os.utime(self._file.name)
        except FileNotFoundError:
            self._file.close()
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._hold_file()

    def flush(self) -> None:
        """Write what is kept."""
        with self._writing:
            waiting = len(self._kept)  # what comes meanwhile makes the next batch larger
            while waiting:
                rows = [self._kept[at] for at in range(min(waiting, _BATCH))]
                self._write(rows)
                for _ in rows:
                    self._kept.popleft()
                waiting -= len(rows)

    def _is_news(self, read: tuple[str, str, str]) -> bool:
        now = time.monotonic()
        if self._lately.get(read, 0.0) > now:
            return False
        if len(self._lately) >= _MOST_LATELY:
            self._lately = {one: until for one, until in self._lately.copy().items() if until > now}
        self._lately[read] = now + _ONCE_S
        return True

    def _write_on(self, rounds: Rounds) -> None:
        goes_on = True
        while goes_on:
            goes_on = rounds.wait(_FLUSH_S)
            self._tell_life()
            # What fails is kept, and written with the next.
            self.flush()
            self._keeper.keep(self._database, force=not goes_on)
            rounds.done()

    def _write(self, rows: Sequence[_Read]) -> None:
        with self._database.session() as session:
            connection = session.connection()
            self._require_partitions(connection, rows)
            facts = {
                "county": self._county,
                "ats": [row.at for row in rows],
                "actors": [row.actor for row in rows],
                "actions": [row.action for row in rows],
                "subjects": [row.subject for row in rows],
            }
            connection.execute(_NOTE, facts)

    def _require_partitions(self, connection: Connection, rows: Sequence[_Read]) -> None:
        months = {(row.at.year, row.at.month): row.at for row in rows}
        for moment in months.values():
            connection.execute(_PARTITION, {"moment": moment})

    def _tell_gaps(self) -> None:
        """A file that nobody holds is of a process that was killed: what it kept is lost."""
        for path in sorted(self._folder.glob("reader-*.lock")):
            with path.open("r+") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue  # its process lives
                if not path.exists():
                    continue  # another has told of it
                since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                self._tell_gap(since)
                path.unlink()

    def _tell_gap(self, since: datetime) -> None:
        said = since.isoformat(timespec="seconds")
        LOG.warning("a process ended without a word: reads may be missing", since=said)
        with self._database.session() as session:
            county = self._county
            audit(session, county, "system", "reads.gap", since=said, most_s=_MOST_LOST_S)
