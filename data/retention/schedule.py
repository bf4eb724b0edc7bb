"""When the rules run: every night, each apart, unless the database's clock is in doubt."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from data.database import Database
from data.errors import StateError
from data.log import LOG
from data.models import RetentionRun
from data.retention.logs import periods_of
from data.retention.rules import RULES, Rule
from data.retention.runs import limit_of_rule, run_row, run_rule
from data.settings import Settings

__all__ = ["RuleState", "overdue_rules", "run_due", "states"]

_NOW = text("SELECT now()")
# A rule is due again after most of a day, and late after three.
_DUE, _LATE = timedelta(hours=20), timedelta(days=3)
# After so long a rest a clock that jumped looks the same as a server that stood: somebody says.
_LONGEST_REST = timedelta(days=45)
_AHEAD = timedelta(days=1)
_NOTED = text(
    "SELECT at FROM audit_log WHERE county = :county AND at < now() - interval '1 hour' "
    "OR county = :county AND at > now() ORDER BY id DESC LIMIT 1"
)
_OVERDUE = text(
    "SELECT rule FROM (SELECT DISTINCT ON (rule) rule, outcome, begun_at, held_against "
    "FROM retention_run WHERE county = :county ORDER BY rule, id DESC) AS newest LEFT JOIN "
    "(SELECT rule, max(ended_at) AS done_at FROM retention_run WHERE county = :county "
    "AND outcome = 'done' GROUP BY rule) AS done USING (rule) WHERE outcome = 'failed' "
    # A clock that is right again has been waited for: nothing is late yet.
    "OR outcome = 'refused' AND (held_against BETWEEN now() - CAST(:rest AS interval) "
    "AND now() + CAST(:ahead AS interval)) IS NOT TRUE "
    "OR coalesce(done_at, begun_at) < now() - CAST(:late AS interval) ORDER BY rule"
)


@dataclass(frozen=True, slots=True)
class RuleState:
    """A rule with its period and its last run.

    Attributes
    ----------
    days : int
        By the settings of this process.
    held_days : int
        By the database, which says it of the audit logs.
    last : RetentionRun or None
        The newest run, None before the first.
    done_at : datetime or None
        When a run was last done.
    """

    rule: Rule
    days: int
    held_days: int
    last: RetentionRun | None
    done_at: datetime | None


def states(session: Session, settings: Settings) -> list[RuleState]:
    """Every rule, as it is set and as it last ran."""
    days = settings.retention_days
    held = days | periods_of(session, settings.county)
    return [
        RuleState(
            rule,
            days[rule.name],
            held[rule.name],
            _newest(session, settings.county, rule.name),
            _done_at(session, settings.county, rule.name),
        )
        for rule in RULES
    ]


def _newest(session: Session, county: str, rule: str) -> RetentionRun | None:
    mine = (RetentionRun.county == county, RetentionRun.rule == rule)
    return session.scalar(
        select(RetentionRun).where(*mine).order_by(RetentionRun.id.desc()).limit(1)
    )


def _done_at(session: Session, county: str, rule: str) -> datetime | None:
    mine = (RetentionRun.county == county, RetentionRun.rule == rule)
    done = select(RetentionRun.ended_at).where(*mine, RetentionRun.outcome == "done")
    return session.scalar(done.order_by(RetentionRun.id.desc()).limit(1))


def overdue_rules(connection: Connection, county: str) -> list[str]:
    """Rules whose last run failed, or is refused by a clock in doubt, or none was done for days."""
    limits = {"late": _LATE, "rest": _LONGEST_REST, "ahead": _AHEAD}
    return list(connection.execute(_OVERDUE, limits | {"county": county}).scalars())


def run_due(database: Database, settings: Settings, *, is_night: bool, most_s: float) -> None:
    """Run the rules that are due: at night, or at any hour where they are late.

    Parameters
    ----------
    most_s : float
        How long all of them may take; what is not done by then is gone on with next time.

    Raises
    ------
    StateError
        If a rule failed; all others were run, and the reasons stand in ``retention_run``.
    """
    ends = time.monotonic() + most_s
    failed = []
    with database.session() as session:
        now: datetime = session.execute(_NOW).scalar_one()
        found = states(session, settings)
        noted = session.scalar(_NOTED, {"county": settings.county})
    for one in found:
        if time.monotonic() >= ends or not _is_due(one, now, is_night=is_night):
            continue
        against = _held_against(one, noted)
        if reason := _doubt(one, now, against):
            failed.append(one.rule.name)
            _refuse(database, settings, one, reason, against)
        elif run_rule(database, settings, one.rule, ends=ends).outcome == "failed":
            failed.append(one.rule.name)
    if failed:
        raise StateError(f"retention rules that did not run: {', '.join(failed)}")


def _is_due(one: RuleState, now: datetime, *, is_night: bool) -> bool:
    if one.last is None:
        return True
    if one.last.outcome in {"refused", "failed"} and abs(now - one.last.begun_at) < _DUE:
        return False
    since = now - (one.done_at or one.last.begun_at)
    if one.last.outcome in {"unfinished", "interrupted", "running"}:
        return is_night or since > _LATE
    return since < -_AHEAD or (since > _DUE and (is_night or since > _LATE))


def _held_against(one: RuleState, noted: datetime | None) -> datetime | None:
    """The time that the clock is held against: the last run that was done.

    Before a rule's first one it is what was noted last before this hour. Where that spoke against
    the clock it stays: what was noted since was noted by the clock that is in doubt.
    """
    if one.done_at is not None:
        return one.done_at
    if one.last is not None and one.last.outcome == "refused":
        return one.last.held_against
    return noted


def _doubt(one: RuleState, now: datetime, against: datetime | None) -> str:
    """Why a program alone should not decide now what is old; empty where nothing speaks against."""
    if against is None or -_AHEAD <= now - against <= _LONGEST_REST:
        return ""
    what = "run" if one.done_at else "entry of the log"
    return (
        f"the database's clock says {now:%Y-%m-%d} and the last {what} was on {against:%Y-%m-%d}: "
        f"it may have been set. See that it is right, then: onegrid retention run {one.rule.name}"
    )


def _refuse(
    database: Database,
    settings: Settings,
    one: RuleState,
    reason: str,
    against: datetime | None,
) -> None:
    LOG.warning("a retention rule is not run", rule=one.rule.name, reason=reason)
    with database.session() as session:
        until = limit_of_rule(session.connection(), settings, one.rule)
        row = run_row(session, settings, one.rule, until, None)
        row.outcome, row.reason, row.ended_at = "refused", reason, datetime.now(UTC)
        row.held_against = against
        session.add(row)
