"""What everybody may know of incidents: what, where, when, how far; no words, no people.

Only classes of public places (urban events and parts) are listed, by their public numbers. Whoever
has a case's secret beside its number may follow that one, whatever its class, and rate it at its
end.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import FollowUp, Incident
from routing.errors import ReportError
from routing.incidents.overview import shown_stages
from routing.incidents.rules import HandlingRules

__all__ = [
    "PUBLIC_GROUPS",
    "SATISFACTION",
    "course_of_case",
    "published",
    "rate_case",
    "services",
    "stage_of_case",
]

PUBLIC_GROUPS = ("event", "part")
MOST_LISTED = 1000
SATISFACTION = ("satisfied", "content", "dissatisfied")
_BY_REPORTER = "reporter"
_LIST = text(
    "SELECT incident.source_ref AS case, class_code, class.name AS class_name, state, reported_at, "
    "incident.changed_at, ST_X(incident.geom) AS lon, ST_Y(incident.geom) AS lat, "
    "unit.name AS agency, (SELECT due_at FROM deadline WHERE incident_id = incident.id "
    "  AND kind = 'total' ORDER BY deadline.id DESC LIMIT 1) AS due_at "
    "FROM incident JOIN incident_class AS class ON class.code = class_code "
    "LEFT JOIN unit ON unit.id = incident.unit_id "
    'WHERE incident.county = :county AND class."group" = ANY (:groups) '
    "AND (CAST(:cases AS text[]) IS NULL OR incident.source_ref = ANY (:cases)) "
    "AND (CAST(:cases AS text[]) IS NOT NULL OR (reported_at BETWEEN :since AND :until "
    "  AND (CAST(:classes AS text[]) IS NULL OR class_code = ANY (:classes)) "
    "  AND (CAST(:open AS boolean) IS NULL OR (state NOT IN ('closed', 'void')) = :open))) "
    "ORDER BY reported_at DESC, incident.id DESC LIMIT :limit"
)
_SERVICES = text(
    'SELECT code, name, name_en, "group" FROM incident_class WHERE "group" = ANY (:groups) '
    "ORDER BY code"
)
_CASE = text(
    "SELECT id, follow_key FROM incident WHERE county = :county AND source_ref = :case "
    "AND channel <> 'import'"
)
_STEPS = text(
    "SELECT at, state_after FROM incident_event WHERE incident_id = :incident "
    "AND state_after IS NOT NULL ORDER BY id"
)


def services(session: Session) -> Sequence[Row[Any]]:
    """The classes that are public."""
    return session.execute(_SERVICES, {"groups": list(PUBLIC_GROUPS)}).all()


def published(
    session: Session,
    county: str,
    since: datetime,
    until: datetime,
    *,
    cases: Collection[str] | None = None,
    classes: Collection[str] | None = None,
    is_open: bool | None = None,
    limit: int = MOST_LISTED,
) -> Sequence[Row[Any]]:
    """Incidents of public classes, newest first; those of some case codes whenever they were."""
    key = {
        "county": county,
        "groups": list(PUBLIC_GROUPS),
        "cases": None if cases is None else list(cases),
        "since": since,
        "until": until,
        "classes": None if classes is None else list(classes),
        "open": is_open,
        "limit": min(limit, MOST_LISTED),
    }
    return session.execute(_LIST, key).all()


def course_of_case(
    session: Session, county: str, case: str, key: str, rules: HandlingRules
) -> dict[str, Any]:
    """How far a reported case is, for whoever has its secret: stages and times, nobody's name.

    Raises
    ------
    NotFoundError
        If nothing was reported under the number, or the secret is another.
    """
    number = _numbered(session, county, case, key)
    incident = session.get_one(Incident, number)
    flow = rules.flow_of(incident.class_code, incident.flow)
    stages = rules.stages[flow.code]
    steps: list[dict[str, Any]] = []
    for row in session.execute(_STEPS, {"incident": number}):
        name = stages.get(row.state_after, "")
        if not steps or steps[-1]["stage"] != name:
            steps.append({"stage": name, "at": row.at})
    return {
        "case": case,
        "class_code": incident.class_code,
        "stage": stages.get(incident.state, ""),
        "stages": shown_stages(stages, incident.state),
        "state": incident.state,
        "reported_at": incident.reported_at,
        "steps": steps,
        "satisfaction": _rated(session, number),
    }


def stage_of_case(session: Session, county: str, case: str, rules: HandlingRules) -> dict[str, Any]:
    """How far a case of a public class is, by its number alone: no more than the list tells.

    Raises
    ------
    NotFoundError
        If there is none, or its class is not public: the answer does not tell which.
    """
    now = datetime.now(UTC)
    if not published(session, county, now, now, cases=[case]):
        raise _unknown(case)
    incident = session.scalars(select(Incident).filter_by(county=county, source_ref=case)).one()
    stages = rules.stages[rules.flow_of(incident.class_code, incident.flow).code]
    return {
        "case": case,
        "class_code": incident.class_code,
        "stage": stages.get(incident.state, ""),
        "stages": shown_stages(stages, incident.state),
        "state": "",
        "steps": [],
        "satisfaction": None,
    }


def _numbered(session: Session, county: str, case: str, key: str) -> int:
    """The number of a case, for whoever has its secret."""
    row = session.execute(_CASE, {"county": county, "case": case}).one_or_none()
    if row is None or not secrets.compare_digest(row.follow_key.encode(), key.encode()):
        raise _unknown(case)
    return int(row.id)


def _unknown(case: str) -> NotFoundError:
    return NotFoundError(f"no case {case[:60]!r} under this address")


def rate_case(session: Session, county: str, case: str, key: str, said: str, words: str) -> None:
    """Keep what the reporter says of a case that has ended; once.

    Raises
    ------
    NotFoundError
        If nothing was reported under the number, or the secret is another.
    ReportError
        If it is none of `SATISFACTION`.
    StateError
        If the case goes on, or it has been said already.
    """
    number = _numbered(session, county, case, key)
    if said not in SATISFACTION:
        raise ReportError("satisfaction", f"satisfaction {said[:20]!r} is unknown")
    incident = session.get_one(Incident, number, with_for_update=True)
    if incident.state != "closed":
        raise StateError(f"case {case} goes on: it is asked about at its end")
    if _rated(session, number):
        raise StateError(f"it was said already of case {case}")
    session.add(
        FollowUp(
            incident_id=number, county=county, satisfaction=said, words=words, actor=_BY_REPORTER
        )
    )


def _rated(session: Session, incident: int) -> str | None:
    query = select(FollowUp.satisfaction).filter_by(incident_id=incident, actor=_BY_REPORTER)
    return session.scalar(query)
