"""Deadlines of an incident in the database: they begin, pause, move and end with its states."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import Deadline, Grid, Incident, Whistle
from routing.incidents.rules import HandlingRules
from routing.lifecycle import Span
from routing.lifecycle.deadlines import LADDER, resumed, rungs_of
from routing.lifecycle.flow import ENDED, PAUSED, STATES

__all__ = ["call_to_answer", "end_answer", "extend", "follow_state"]


@dataclass(frozen=True, slots=True)
class _Runs:
    """In which states a deadline begins, and in which it goes on."""

    begins: frozenset[str]
    goes_on: frozenset[str]


_OPEN = frozenset(STATES) - ENDED
_KINDS = {
    "total": _Runs(_OPEN, _OPEN),
    "dispatch": _Runs(
        frozenset({"accepted", "triaged", "returned"}),
        frozenset({"accepted", "triaged", "returned", "suspended"}),
    ),
    "take": _Runs(frozenset({"dispatched"}), frozenset({"dispatched"})),
    "handle": _Runs(
        frozenset({"handled", "rework"}),
        frozenset({"handled", "rework", "extension", "suspended"}),
    ),
    "verify": _Runs(frozenset({"reported"}), frozenset({"reported"})),
}
# What an extension moves; an order that nobody takes is not made longer by it.
_EXTENDED = frozenset({"total", "handle"})


def follow_state(session: Session, rules: HandlingRules, incident: Incident, at: datetime) -> None:
    """Begin, pause and end deadlines as the incident's state asks for."""
    running = _running(session, incident)
    by_kind = {one.kind: one for one in running if one.whistle_id is None}
    area_class = _area_class(session, incident)
    for kind, runs in _KINDS.items():
        held = by_kind.get(kind)
        if held is not None and incident.state not in runs.goes_on:
            held.ended_at = at
        elif held is None and incident.state in runs.begins:
            running += _begun(rules, incident, kind, area_class, at)
    running = [one for one in running if one.ended_at is None]
    _pause(rules, incident, running, at)
    if incident.state in ENDED:
        for one in running:
            one.ended_at = at
    session.add_all(running)
    session.flush()


def call_to_answer(
    session: Session, rules: HandlingRules, incident: Incident, whistle: Whistle, at: datetime
) -> None:
    """Begin the time in which a department that was called must report."""
    area_class = _area_class(session, incident)
    session.add_all(_begun(rules, incident, "answer", area_class, at, whistle))
    session.flush()


def end_answer(session: Session, whistle: Whistle, at: datetime) -> None:
    """End it."""
    for one in session.scalars(
        select(Deadline).where(Deadline.whistle_id == whistle.id, Deadline.ended_at.is_(None))
    ):
        one.ended_at = at


def extend(session: Session, rules: HandlingRules, incident: Incident, span: Span) -> None:
    """Move the running deadlines of handling on by a span from where they end."""
    for one in _running(session, incident):
        if one.kind in _EXTENDED:
            due = max(span.end(rules.calendar, one.due_at), one.due_at)
            _set(rules, one, due)


def _running(session: Session, incident: Incident) -> list[Deadline]:
    query = select(Deadline).where(Deadline.incident_id == incident.id, Deadline.ended_at.is_(None))
    return list(session.scalars(query))


def _area_class(session: Session, incident: Incident) -> str | None:
    return session.scalar(select(Grid.kind).where(Grid.id == incident.grid_id))


def _begun(
    rules: HandlingRules,
    incident: Incident,
    kind: str,
    area_class: str | None,
    at: datetime,
    whistle: Whistle | None = None,
) -> list[Deadline]:
    """The deadline of a kind, where the rules know one."""
    span = rules.span_of(kind, incident.class_code, incident.severity, area_class)
    if span is None:
        return []
    # The whole time counts from the report, however late the rules began to be kept.
    early = kind == "total" and rules.calendar.knows(incident.reported_at)
    since = incident.reported_at if early else at
    one = Deadline(
        county=incident.county,
        incident_id=incident.id,
        kind=kind,
        whistle_id=None if whistle is None else whistle.id,
        amount=span.amount,
        unit=span.unit,
        starts_at=since,
        rung=0,
    )
    _set(rules, one, span.end(rules.calendar, since))
    return [one]


def _set(rules: HandlingRules, one: Deadline, due: datetime) -> None:
    """Set when it is due; steps of the ladder that were taken are not taken again."""
    span = Span(one.amount, one.unit)
    rungs = rungs_of(rules.calendar, span, one.starts_at, due)
    one.due_at, one.warn_at = due, rungs[0][0]
    one.next_at = rungs[one.rung][0] if one.rung < len(LADDER) else None


def _pause(
    rules: HandlingRules, incident: Incident, running: Iterable[Deadline], at: datetime
) -> None:
    for one in running:
        if incident.state in PAUSED:
            one.paused_at = one.paused_at or at
        elif one.paused_at is not None:
            span = Span(one.amount, one.unit)
            due = resumed(rules.calendar, span, one.due_at, one.paused_at, at)
            one.paused_at = None
            _set(rules, one, due)
