"""Notices within the house: what somebody has not seen yet, and that they saw it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.scope import Scope, seen_sql

__all__ = ["mark_seen", "unseen"]

MOST_LISTED = 100
# The desk's notices are those of the area and the classes; a person's are theirs.
_MINE = (
    "outbox.county = :county AND outbox.channel = 'app' AND (address = :person OR (:desk "
    f"AND address = 'desk' AND {seen_sql('grid.community', 'incident.class_code')}))"
)
_FROM = (
    "FROM outbox LEFT JOIN incident ON incident.id = incident_id "
    "LEFT JOIN grid ON grid.id = incident.grid_id"
)
_UNSEEN = text(
    "SELECT outbox.id, subject AS kind, incident_id AS incident, content->>'case' AS case, "
    f"made_at, content->>'reason' AS reason {_FROM} "
    f"WHERE outbox.state <> 'seen' AND {_MINE} ORDER BY outbox.id DESC LIMIT :limit"
)
_SEEN = text(
    "UPDATE outbox SET state = 'seen', seen_at = now() WHERE id IN ("  # noqa: S608 - constants
    f"SELECT outbox.id {_FROM} WHERE outbox.id = :number AND {_MINE} FOR UPDATE OF outbox) "
    "RETURNING 1"
)


def unseen(
    session: Session,
    scope: Scope,
    *,
    person: int | None = None,
    desk: bool = False,
) -> Sequence[Row[Any]]:
    """Notices to a person, and to the desk of an area if they sit at it; newest first."""
    key = _key(scope, person, desk=desk)
    return session.execute(_UNSEEN, key | {"limit": MOST_LISTED}).all()


def mark_seen(
    session: Session,
    scope: Scope,
    number: int,
    *,
    person: int | None = None,
    desk: bool = False,
) -> None:
    """Note that a notice was seen: it is shown to nobody again.

    Raises
    ------
    NotFoundError
        If there is none of that number for them.
    """
    key = _key(scope, person, desk=desk)
    if session.scalar(_SEEN, key | {"number": number}) is None:
        raise NotFoundError(f"no notice {number}")


def _key(scope: Scope, person: int | None, *, desk: bool) -> dict[str, Any]:
    return scope.seen | {"person": "" if person is None else f"person:{person}", "desk": desk}
