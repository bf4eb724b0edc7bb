"""Incidents as a dispatcher or a worker reads them: the list, and one with its whole course."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.models import Incident
from data.scope import Scope, seen_sql
from routing.incidents.course import Doer, options_of
from routing.incidents.rules import HandlingRules
from routing.lifecycle.deadlines import light_of
from routing.lifecycle.flow import STATES

__all__ = [
    "MOST_LISTED",
    "events_since",
    "incidents_listed",
    "own_tasks",
    "shown_stages",
    "told_of",
]

Rows = Sequence[Row[Any]]
MOST_LISTED = 500
_SEEN = f"incident.county = :county AND {seen_sql('grid.community', 'incident.class_code')}"
# The next deadline decides the light; one that stands still shows none.
_COLUMNS = (
    "incident.id, incident.source_ref AS case, incident.class_code, incident.severity, "
    "incident.state, incident.level, incident.version, incident.reported_at, "
    "left(incident.description, 120) AS description, ST_X(incident.geom) AS lon, "
    "ST_Y(incident.geom) AS lat, grid.name AS grid, person.name AS person, unit.name AS unit, "
    "next.kind AS deadline, next.due_at, CASE WHEN next.due_at <= now() THEN 'red' "
    "WHEN next.warn_at <= now() THEN 'yellow' ELSE 'green' END AS light "
)
_JOINS = (
    "FROM incident LEFT JOIN grid ON grid.id = incident.grid_id "
    "LEFT JOIN person ON person.id = incident.person_id "
    "LEFT JOIN unit ON unit.id = incident.unit_id "
    "LEFT JOIN LATERAL (SELECT kind, warn_at, due_at FROM deadline "
    "  WHERE incident_id = incident.id AND ended_at IS NULL AND paused_at IS NULL "
    "  ORDER BY due_at LIMIT 1) AS next ON true "
)
_LIST = text(
    f"SELECT *, count(*) OVER () AS total FROM (SELECT {_COLUMNS} {_JOINS} WHERE {_SEEN} "  # noqa: S608 - constants
    "AND ((CAST(:states AS text[]) IS NULL AND incident.state NOT IN ('closed', 'void')) "
    "     OR incident.state = ANY (:states)) "
    "AND (CAST(:group AS text) IS NULL OR incident.class_code IN "
    '     (SELECT code FROM incident_class WHERE "group" = :group OR code = :group)) '
    "AND (:words = '' OR incident.source_ref ILIKE :like OR incident.description ILIKE :like)"
    ") AS listed WHERE CAST(:light AS text) IS NULL OR light = :light "
    "ORDER BY due_at NULLS LAST, reported_at DESC LIMIT :limit"
)
_TASKS = text(
    f"SELECT {_COLUMNS} {_JOINS} WHERE incident.county = :county "
    "AND incident.person_id = :person AND incident.state NOT IN ('closed', 'void') "
    "ORDER BY due_at NULLS LAST, incident.id"
)
_COURSE = text(
    "SELECT event.id, event.kind, event.at, event.detail, event.state_before, event.state_after, "
    "coalesce(account.name, event.actor) AS actor FROM incident_event AS event "
    "LEFT JOIN account ON account.login = event.actor "
    "WHERE incident_id = :incident ORDER BY event.id"
)
_DEADLINES = text(
    "SELECT deadline.kind, amount, deadline.unit, starts_at, warn_at, due_at, ended_at, paused_at, "
    "unit.name AS called FROM deadline LEFT JOIN whistle ON whistle.id = whistle_id "
    "LEFT JOIN unit ON unit.id = whistle.unit_id "
    "WHERE deadline.incident_id = :incident ORDER BY deadline.id"
)
_WHISTLES = text(
    "SELECT unit.id AS unit, unit.name, unit.duty_phone, reason, at, answered_at FROM whistle "
    "JOIN unit ON unit.id = unit_id WHERE incident_id = :incident ORDER BY whistle.id"
)
_PEOPLE = text(
    "SELECT assignment.role, coalesce(person.name, unit.name) AS name, "
    "coalesce(person.duty_phone, unit.duty_phone) AS duty_phone, lead FROM assignment "
    "LEFT JOIN person ON person.id = assignment.person_id "
    "LEFT JOIN unit ON unit.id = assignment.unit_id "
    "WHERE incident_id = :incident ORDER BY lead DESC, assignment.role"
)
_PHOTOS = text("SELECT id FROM attachment WHERE incident_id = :incident ORDER BY id")
_EVENTS = text(
    "SELECT event.id, event.incident_id AS incident, event.kind, event.at, "
    "incident.source_ref AS case, incident.state, incident.severity, incident.class_code, "
    "grid.community FROM incident_event AS event JOIN incident ON incident.id = incident_id "
    "LEFT JOIN grid ON grid.id = incident.grid_id "
    "WHERE event.county = :county AND event.id > :after "
    "AND (CAST(:ids AS bigint[]) IS NULL OR event.id = ANY (:ids)) ORDER BY event.id LIMIT :limit"
)


def incidents_listed(
    session: Session,
    scope: Scope,
    *,
    states: Collection[str] | None = None,
    light: str | None = None,
    group: str | None = None,
    words: str = "",
    limit: int = MOST_LISTED,
) -> Rows:
    """Incidents of an area, those that are due first before others; open ones unless asked.

    Each row tells how many there are in all (`total`), listed or not.

    Parameters
    ----------
    light : str, optional
        ``green``, ``yellow`` or ``red``.
    group : str, optional
        A class, or a group of classes.
    words : str
        Part of a case code or of a description.
    """
    pattern = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    key = {
        "states": None if states is None else sorted(states),
        "light": light,
        "group": group,
        "words": words,
        "like": f"%{pattern}%",
        "limit": min(limit, MOST_LISTED),
    }
    return session.execute(_LIST, scope.seen | key).all()


def own_tasks(session: Session, county: str, person: int) -> Rows:
    """What a person has to do, due first."""
    return session.execute(_TASKS, {"county": county, "person": person}).all()


def told_of(
    session: Session, rules: HandlingRules, incident: Incident, doers: Sequence[Doer]
) -> dict[str, Any]:
    """Everything about an incident that its handlers may know, and what they may do now."""
    key = {"incident": incident.id}
    flow = rules.flow_of(incident.class_code, incident.flow)
    stages = rules.stages[flow.code]
    course = [_plain(row) for row in session.execute(_COURSE, key)]
    actions = {
        one.action: list(one.needs)
        for doer in doers
        for one in options_of(session, rules, doer, incident)
    }
    row = session.execute(
        text(f"SELECT {_COLUMNS} {_JOINS} WHERE incident.id = :incident"),
        key,
    ).one()
    return {
        **_plain(row),
        "description": incident.description,
        "channel": incident.channel,
        "flow": {"code": flow.code, "name": flow.name},
        "stage": stages.get(incident.state, ""),
        "stages": shown_stages(stages, incident.state),
        "actions": actions,
        "course": course,
        "spent": time_spent(course, incident),
        "deadlines": [
            _plain(one) | {"light": light_of(datetime.now(UTC), one.warn_at, one.due_at)}
            for one in session.execute(_DEADLINES, key)
        ],
        "whistles": [_plain(one) for one in session.execute(_WHISTLES, key)],
        "people": [_plain(one) for one in session.execute(_PEOPLE, key)],
        "photos": list(session.scalars(_PHOTOS, key)),
    }


def time_spent(course: Sequence[dict[str, Any]], incident: Incident) -> dict[str, float]:
    """Seconds spent in each state so far, by the course."""
    spent: dict[str, float] = {}
    since, state = incident.reported_at, "accepted"
    for one in course:
        if one["state_after"] is None:
            continue
        spent[state] = spent.get(state, 0.0) + max((one["at"] - since).total_seconds(), 0.0)
        since, state = one["at"], one["state_after"]
    return {name: seconds for name, seconds in spent.items() if seconds > 0}


def events_since(
    session: Session,
    county: str,
    *,
    after: int = 0,
    ids: Collection[int] | None = None,
    limit: int = 1000,
) -> Rows:
    """Steps of all incidents of a county after one, oldest first; or those of some numbers."""
    key = {"county": county, "after": after, "ids": None if ids is None else list(ids)}
    return session.execute(_EVENTS, key | {"limit": limit}).all()


def shown_stages(stages: Mapping[str, str], state: str) -> list[str]:
    """Names of a flow's stages in order; that of what was struck out only where it was."""
    named = (stages[one] for one in STATES if one in stages and one in {*STATES[:-1], state})
    return list(dict.fromkeys(named))


def _plain(row: Any) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's name for it
