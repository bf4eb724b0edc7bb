"""What time brings: orders that nobody takes lapse, and the ladder of reminders is climbed."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import select, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from data.log import LOG
from data.models import Deadline, Incident
from data.scope import Scope
from routing.incidents.course import Doer, record, transit
from routing.incidents.notices import DESK, notify
from routing.incidents.rules import HandlingRules, load_rules
from routing.lifecycle import Span
from routing.lifecycle.deadlines import LADDER, rungs_of
from routing.lifecycle.errors import TransitionRefusedError

__all__ = ["MOST_AT_ONCE", "climb", "lapse"]

MOST_AT_ONCE = 50

# Others may be at work on the same list: whoever holds a row's lock has taken it.
_LAPSED = text(
    "SELECT incident.id FROM incident JOIN deadline ON deadline.incident_id = incident.id "
    "WHERE incident.county = :county AND incident.state = 'dispatched' AND kind = 'take' "
    "AND ended_at IS NULL AND due_at <= :now ORDER BY due_at LIMIT :limit "
    "FOR UPDATE OF incident SKIP LOCKED"
)
_NO_LAPSE = text(
    "UPDATE deadline SET ended_at = :now WHERE incident_id = :incident AND kind = 'take' "
    "AND ended_at IS NULL"
)
_DUE = text(
    "SELECT id FROM deadline WHERE county = :county AND ended_at IS NULL "
    "AND paused_at IS NULL AND next_at <= :now ORDER BY next_at LIMIT :limit "
    "FOR UPDATE SKIP LOCKED"
)


def lapse(
    session: Session, county: str, *, at: datetime | None = None, limit: int = MOST_AT_ONCE
) -> int:
    """Take back orders that nobody took in time; return how many."""
    now = at or datetime.now(UTC)
    found = session.scalars(_LAPSED, {"county": county, "now": now, "limit": limit}).all()
    system = Doer("system", "system", Scope.whole(county))

    def take_back(number: int) -> None:
        try:
            transit(session, system, number, "lapse", at=now)
        except TransitionRefusedError:  # a flow of the county's own in which orders never lapse
            session.execute(_NO_LAPSE, {"incident": number, "now": now})

    return _each(session, found, take_back)


def climb(
    session: Session, county: str, *, at: datetime | None = None, limit: int = MOST_AT_ONCE
) -> int:
    """Take the steps of the ladder whose time has come; return how many.

    A deadline for which several steps have come while nobody was looking takes the last: who is
    supervised need not be reminded.
    """
    now = at or datetime.now(UTC)
    found = session.scalars(_DUE, {"county": county, "now": now, "limit": limit}).all()
    if not found:
        return 0
    rules = load_rules(session, county)
    return _each(session, found, lambda number: _climb(session, rules, number, now))


def _climb(session: Session, rules: HandlingRules, number: int, now: datetime) -> None:
    one = session.get_one(Deadline, number)
    # A transition may hold the incident and wait for this very deadline: it goes first.
    query = select(Incident).where(Incident.id == one.incident_id)
    incident = session.scalar(query.with_for_update(skip_locked=True))
    if incident is None:
        return
    span = Span(one.amount, one.unit)
    rungs = rungs_of(rules.calendar, span, one.starts_at, one.due_at)
    passed = [n for n, (moment, _) in enumerate(rungs) if n >= one.rung and moment <= now]
    if not passed:
        return
    action = rungs[passed[-1]][1]
    one.rung = passed[-1] + 1
    one.next_at = rungs[one.rung][0] if one.rung < len(LADDER) else None
    told = {"deadline": one.kind, "due_at": one.due_at.isoformat()}
    record(session, incident, action, "system", told, at=now)
    _tell(session, incident, action)


def _each(session: Session, numbers: Sequence[int], work: Callable[[int], None]) -> int:
    """Do something for each number, whatever goes wrong with one of them; return how many."""
    well = 0
    for number in numbers:
        try:
            with session.begin_nested():
                work(number)
        except (OperationalError, InterfaceError):  # there is no database: nothing goes on
            raise
        except Exception as error:  # noqa: BLE001 - the others are due all the same
            LOG.error("a timer fails", number=number, exc_info=error)
        else:
            well += 1
    return well


def _tell(session: Session, incident: Incident, action: str) -> None:
    addresses = [DESK]
    if incident.person_id is not None:
        addresses.append(f"person:{incident.person_id}")
    if incident.unit_id is not None:
        addresses.append(f"unit:{incident.unit_id}")
    for address in addresses:
        notify(session, incident, action, address)
