"""The audit logs' old ends: deleted by functions of the owner, for periods that the owner has set.

Whoever serves may ask for what is due to be deleted, and for nothing else (migration 0021).
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from data.audit import audit
from data.audit_heads import forget_heads
from data.retention.rules import AUDIT_LOG, AUDIT_READS, RECORDS_DAYS

__all__ = [
    "BATCH",
    "count_old",
    "drop_month",
    "expire",
    "forget_old_heads",
    "limit_of",
    "may_set_periods",
    "periods_of",
    "set_periods",
]

BATCH = 5_000
_PERIODS = text("SELECT log, days FROM audit.period WHERE county = :county")
_MAY_SET = text("SELECT has_table_privilege('audit.period', 'INSERT, UPDATE')")
_SET = text(
    "INSERT INTO audit.period (county, log, days) VALUES (:county, :log, :days) "
    "ON CONFLICT (county, log) DO UPDATE SET days = excluded.days"
)
_LIMIT = text("SELECT audit_limit(:county, :log)")
_EXPIRE = {
    AUDIT_LOG: text("SELECT audit_expire_log(:county, :most)"),
    AUDIT_READS: text("SELECT audit_expire_reads(:county, :most)"),
}
_COUNT = {
    AUDIT_LOG: text("SELECT count(*) FROM audit_log WHERE county = :county AND at < :until"),
    AUDIT_READS: text("SELECT count(*) FROM audit_read WHERE county = :county AND at < :until"),
}
_THROUGH = text("SELECT through FROM audit.checkpoint WHERE county = :county AND log = 'audit_log'")
_DROP_MONTH = text("SELECT audit_drop_month()")


def periods_of(session: Session, county: str) -> dict[str, int]:
    """For how many days the database keeps the logs: three years where nobody has set it."""
    return dict.fromkeys((AUDIT_READS, AUDIT_LOG), RECORDS_DAYS) | _periods_set(session, county)


def _periods_set(session: Session, county: str) -> dict[str, int]:
    return {row.log: row.days for row in session.execute(_PERIODS, {"county": county})}


def may_set_periods(session: Session) -> bool:
    """Whether the role that is connected is their owner."""
    return bool(session.execute(_MAY_SET).scalar_one())


def set_periods(session: Session, county: str, days: Mapping[str, int]) -> list[str]:
    """Set how long the logs are kept, as the database's owner; each change is an entry of the log.

    Parameters
    ----------
    days : mapping of str to int
        Of all rules; those of the logs are read.

    Returns
    -------
    list of str
        Logs whose period was another.
    """
    present = _periods_set(session, county)
    changed = [log for log in (AUDIT_READS, AUDIT_LOG) if present.get(log) != days[log]]
    for log in changed:
        session.execute(_SET, {"county": county, "log": log, "days": days[log]})
        audit(session, county, "command line", "retention.period", log, days=days[log])
    return changed


def limit_of(connection: Connection, county: str, log: str) -> datetime:
    """What is older than this is due, by the period that the owner has set."""
    limit: datetime = connection.execute(_LIMIT, {"county": county, "log": log}).scalar_one()
    return limit


def count_old(connection: Connection, county: str, log: str, until: datetime) -> int:
    """How many entries are older."""
    found = connection.execute(_COUNT[log], {"county": county, "until": until})
    return int(found.scalar_one())


def expire(connection: Connection, county: str, log: str) -> int:
    """Delete the oldest entries that are due, a batch of them; return how many."""
    found = connection.execute(_EXPIRE[log], {"county": county, "most": BATCH})
    return int(found.scalar_one())


def drop_month(connection: Connection) -> str:
    """Drop the oldest month of reads of which nothing is left; return its name, or ``""``."""
    return str(connection.execute(_DROP_MONTH).scalar_one())


def forget_old_heads(connection: Connection, county: str, home: Path) -> int:
    """Drop the kept heads of entries that are gone; return how many bytes."""
    through = connection.execute(_THROUGH, {"county": county}).scalar_one_or_none()
    return 0 if through is None else forget_heads(home, county, int(through))
