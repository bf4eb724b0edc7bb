"""Runs of the rules: each apart, noted with what it deleted, and gone on with where it ended early.

A run's row is written before its first batch and counts each batch in that batch's transaction, so
that what was deleted is known whatever ends the process.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from data.audit import audit
from data.database import Database
from data.errors import StateError
from data.log import LOG
from data.models import RetentionRun
from data.retention import logs
from data.retention.files import delete_left, left_files
from data.retention.rules import AUDIT_LOG, AUDIT_READS, Rule
from data.retention.sweeping import SWEEPS, Batch, Sweep, count_due, sweep_batch
from data.settings import Settings

__all__ = ["Outcome", "limit_of_rule", "run_row", "run_rule"]

_ALONE = text("SELECT pg_try_advisory_lock(20197, CAST(:county AS int))")
_TOGETHER = text("SELECT pg_advisory_unlock(20197, CAST(:county AS int))")
_NOW = text("SELECT now()")
_LOGS = (AUDIT_READS, AUDIT_LOG)
# Between two batches others have their turn: half of the time is the deletion's.
_REST = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of a rule ended.

    Attributes
    ----------
    outcome : str
        ``done``, ``unfinished`` where its time was over, ``failed``, ``refused``; ``due`` where
        it was only counted what a run would delete.
    passed : int
        Rows or files that could not be deleted.
    """

    rule: str
    until: datetime
    outcome: str
    rows: int = 0
    files: int = 0
    bytes: int = 0
    passed: int = 0
    reason: str = ""


@dataclass(slots=True)
class _Counts:
    rows: int = 0
    files: int = 0
    bytes: int = 0
    passed: int = 0


Step = Callable[[Connection], Batch]


def run_rule(
    database: Database,
    settings: Settings,
    rule: Rule,
    *,
    dry_run: bool = False,
    ends: float | None = None,
) -> Outcome:
    """Run one rule, to its end or until its time is over; its failure is an outcome.

    Parameters
    ----------
    dry_run : bool
        Count only what would be deleted.
    ends : float, optional
        When to stop, by the monotonic clock.

    Raises
    ------
    StateError
        If another process runs rules of the county just now.
    """
    if dry_run:
        return _counted(database, settings, rule)
    with _alone(database, settings.county):
        number, until = _begin(database, settings, rule)
        try:
            is_done = _delete(database, settings, rule, until, number, ends)
        except Exception as error:  # noqa: BLE001 - each rule is run apart from the others
            # The kind alone: what an error says may hold anything.
            LOG.error("a retention rule fails", rule=rule.name, exc_info=error)
            return _end(database, settings, number, "failed", type(error).__name__)
        return _end(database, settings, number, "done" if is_done else "unfinished")


@contextmanager
def _alone(database: Database, county: str) -> Iterator[None]:
    with database.engine.connect() as connection:
        if not connection.execute(_ALONE, {"county": county}).scalar_one():
            raise StateError(f"retention of county {county} is being run by another process")
        connection.commit()
        try:
            yield
        finally:
            with suppress(OperationalError):  # it was cut, and the lock has gone with it
                connection.execute(_TOGETHER, {"county": county})
                connection.commit()


def limit_of_rule(connection: Connection, settings: Settings, rule: Rule) -> datetime:
    """What is older is due; of the logs, by the period that the database's owner has set."""
    if rule.name in _LOGS:
        return logs.limit_of(connection, settings.county, rule.name)
    now: datetime = connection.execute(_NOW).scalar_one()
    return now - timedelta(days=settings.retention_days[rule.name])


def run_row(
    session: Session, settings: Settings, rule: Rule, until: datetime, since: datetime | None
) -> RetentionRun:
    """A run to be noted, from the limit of the one before; of the logs with the owner's period."""
    days = (settings.retention_days | logs.periods_of(session, settings.county))[rule.name]
    return RetentionRun(county=settings.county, rule=rule.name, days=days, since=since, until=until)


def _begin(database: Database, settings: Settings, rule: Rule) -> tuple[int, datetime]:
    """Note that a run begins; close what one that was killed has left open."""
    county = settings.county
    with database.session() as session:
        mine = (RetentionRun.county == county, RetentionRun.rule == rule.name)
        left = (*mine, RetentionRun.outcome == "running")
        for run in session.scalars(select(RetentionRun).where(*left)):
            run.outcome, run.ended_at = "interrupted", datetime.now(UTC)
            _audit(session, run)
        done = select(RetentionRun.until).where(*mine, RetentionRun.outcome == "done")
        since = session.scalar(done.order_by(RetentionRun.id.desc()).limit(1))
        until = limit_of_rule(session.connection(), settings, rule)
        row = run_row(session, settings, rule, until, since)
        session.add(row)
        session.flush()
        return row.id, until


def _end(
    database: Database, settings: Settings, number: int, outcome: str, reason: str = ""
) -> Outcome:
    with database.session() as session:
        run = session.get_one(RetentionRun, number)
        if run.outcome == "running":
            run.outcome, run.reason, run.ended_at = outcome, reason, datetime.now(UTC)
            _audit(session, run)
        told = Outcome(
            run.rule, run.until, outcome, run.rows, run.files, run.bytes, run.passed, reason
        )
    if told.rows or told.files:
        LOG.info(
            "old records are deleted",
            rule=told.rule,
            county=settings.county,
            rows=told.rows,
            files=told.files,
            before=f"{told.until:%Y-%m-%d}",
        )
    return told


def _audit(session: Session, run: RetentionRun) -> None:
    """The deletion is an entry of the log itself, where anything was deleted."""
    if run.rows or run.files:
        audit(
            session,
            run.county,
            "system",
            "retention.delete",
            run.rule,
            run=run.id,
            days=run.days,
            before=run.until.isoformat(timespec="seconds"),
            rows=run.rows,
            files=run.files,
        )


def _delete(
    database: Database,
    settings: Settings,
    rule: Rule,
    until: datetime,
    number: int,
    ends: float | None,
) -> bool:
    """Delete what is due; whether all of it was, before the time was over."""
    for sweep in SWEEPS.get(rule.name, ()):
        if not _sweep(database, settings, sweep, until, number, ends):
            return False
    if rule.name in _LOGS:
        return _expire(database, settings, rule.name, number, ends)
    if not rule.tables:
        _delete_files(database, settings, settings.retention_days[rule.name], number)
    return True


def _sweep(
    database: Database,
    settings: Settings,
    sweep: Sweep,
    until: datetime,
    number: int,
    ends: float | None,
) -> bool:
    after, goes_on = "", True
    while goes_on:
        if _is_over(ends):
            return False
        step = partial(sweep_batch, sweep=sweep, county=settings.county, until=until, after=after)
        after = _in_turn(database, number, step).last
        goes_on = bool(after)
    return True


def _expire(
    database: Database, settings: Settings, log: str, number: int, ends: float | None
) -> bool:
    def step(connection: Connection) -> Batch:
        rows = logs.expire(connection, settings.county, log)
        return Batch("more" if rows else "", rows, 0, 0)

    while _in_turn(database, number, step).last:
        if _is_over(ends):
            return False
    if log == AUDIT_READS:
        _drop_months(database)
        return True
    with database.engine.begin() as connection:
        size = logs.forget_old_heads(connection, settings.county, settings.home)
        _count(connection, number, _Counts(bytes=size))
    return True


def _drop_months(database: Database) -> None:
    """Each in a transaction of its own: the lock on the table is held for one alone."""
    is_dropped = True
    while is_dropped:
        with database.engine.begin() as connection:
            is_dropped = bool(logs.drop_month(connection))


def _delete_files(database: Database, settings: Settings, days: int, number: int) -> None:
    with database.engine.connect() as connection:
        found = list(left_files(connection, settings, days))
    counts = _Counts()
    for left in found:
        if delete_left(left):
            counts.files, counts.bytes = counts.files + left.files, counts.bytes + left.bytes
        else:
            counts.passed += 1
    with database.engine.begin() as connection:
        _count(connection, number, counts)


def _in_turn(database: Database, number: int, step: Step) -> Batch:
    """One batch and its count in one transaction; then a rest, so that others have their turn."""
    begin = time.monotonic()
    with database.engine.begin() as connection:
        batch = step(connection)
        counts = _Counts(rows=batch.rows, bytes=batch.bytes, passed=batch.passed)
        _count(connection, number, counts)
    if batch.last:
        time.sleep((time.monotonic() - begin) * _REST)
    return batch


def _count(connection: Connection, number: int, counts: _Counts) -> None:
    """Count a batch; one of a run that another process has ended meanwhile is not deleted."""
    counted = connection.execute(
        update(RetentionRun)
        .where(RetentionRun.id == number, RetentionRun.outcome == "running")
        .values(
            rows=RetentionRun.rows + counts.rows,
            files=RetentionRun.files + counts.files,
            bytes=RetentionRun.bytes + counts.bytes,
            passed=RetentionRun.passed + counts.passed,
        )
    )
    if not counted.rowcount:
        raise StateError("another process has gone on with the rule")


def _is_over(ends: float | None) -> bool:
    return ends is not None and time.monotonic() >= ends


def _counted(database: Database, settings: Settings, rule: Rule) -> Outcome:
    with database.engine.connect() as connection:
        until = limit_of_rule(connection, settings, rule)
        if rule.name in _LOGS:
            rows = logs.count_old(connection, settings.county, rule.name, until)
            return Outcome(rule.name, until, "due", rows)
        if not rule.tables:
            days = settings.retention_days[rule.name]
            found = list(left_files(connection, settings, days))
            files, size = sum(one.files for one in found), sum(one.bytes for one in found)
            return Outcome(rule.name, until, "due", files=files, bytes=size)
        sweeps = SWEEPS[rule.name]
        rows = sum(count_due(connection, one, settings.county, until) for one in sweeps)
        return Outcome(rule.name, until, "due", rows)
