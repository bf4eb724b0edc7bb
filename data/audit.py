"""The audit log: who saw and did what, append-only and chained by hashes.

An entry waits in its session and is written just before the commit: the lock on the county's
chain is then held for as long as the commit takes, whatever else the transaction does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, exists, func, select, text
from sqlalchemy.orm import Session

from data.models import AuditLog

__all__ = ["Verdict", "audit", "entries", "verify"]

_WAITING = "audit"
# The chain goes on from its checkpoint, which is what its newest entry about it says.
_BROKEN = text(
    "WITH checkpoint AS (SELECT through, hash, deleted FROM audit.checkpoint "
    "  WHERE county = :county AND log = 'audit_log'), "
    "told AS (SELECT max(id) AS id FROM audit_log "
    "  WHERE county = :county AND action = 'log.expire'), "
    "chain AS (SELECT id, subject, detail, hash, audit_hash(coalesce("
    "  lag(hash) OVER (PARTITION BY county ORDER BY id), (SELECT hash FROM checkpoint), ''), "
    "  audit_log) AS right_hash FROM audit_log WHERE county = :county) "
    "SELECT min(chain.id) FROM chain LEFT JOIN checkpoint ON true LEFT JOIN told ON true "
    "WHERE chain.hash <> right_hash OR chain.id <= through "
    "OR told.id IS NULL AND through IS NOT NULL OR chain.id = told.id AND (subject, detail) "
    "IS DISTINCT FROM (through::text, "
    "jsonb_build_object('hash', checkpoint.hash, 'deleted', deleted))"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the chain found.

    Attributes
    ----------
    entries : int
    head : str
        Hash of the newest entry; kept elsewhere, it shows later that nothing was cut off.
    broken_at : int or None
        Number of the first entry that does not fit the one before, or the checkpoint that
        retention has left.
    holds_head : bool
        Whether the hash that was kept is still that of an entry.
    """

    entries: int
    head: str
    broken_at: int | None
    holds_head: bool


def audit(
    session: Session, county: str, actor: str, action: str, subject: str = "", **detail: Any
) -> None:
    """Note who saw or did what; it is held if and only if the transaction is.

    Parameters
    ----------
    action : str
        A verb and what it is done to, such as ``draft.publish``.
    subject : str
        Number or code of what it was done to.
    """
    entry = AuditLog(
        county=county, actor=actor[:100], action=action, subject=subject[:200], detail=detail
    )
    session.info.setdefault(_WAITING, []).append(entry)


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint: the commit is still to come
        return
    waiting: list[AuditLog] = session.info.pop(_WAITING, [])
    if waiting:
        session.flush()
        session.add_all(waiting)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_WAITING, None)


def entries(
    session: Session, county: str, *, before: int | None = None, limit: int = 100
) -> Iterator[AuditLog]:
    """Entries of a county, newest first, those before a number where one is given."""
    query = select(AuditLog).where(AuditLog.county == county)
    if before is not None:
        query = query.where(AuditLog.id < before)
    yield from session.scalars(query.order_by(AuditLog.id.desc()).limit(limit))


def verify(session: Session, county: str, *, head: str | None = None) -> Verdict:
    """Check every entry's hash against its content and the entry before.

    Parameters
    ----------
    head : str, optional
        A hash kept from an earlier check.
    """
    broken = session.scalar(_BROKEN, {"county": county})
    mine = AuditLog.county == county
    newest = session.scalar(select(AuditLog.hash).where(mine).order_by(AuditLog.id.desc()).limit(1))
    count = session.scalar(select(func.count()).select_from(AuditLog).where(mine))
    kept = not head or session.scalar(select(exists().where(mine, AuditLog.hash == head)))
    return Verdict(int(count or 0), newest or "", broken, bool(kept))
