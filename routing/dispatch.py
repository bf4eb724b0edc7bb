"""Dispatch: recommend responders for an incident by road, and send one."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Dispatch, Incident, IncidentClass, IncidentEvent, Person
from routing.network import RoadNetwork
from routing.travel import nearest_responders

__all__ = [
    "Candidate",
    "Recommendation",
    "WhyNot",
    "find_incident",
    "incidents_waiting",
    "recommend",
    "send",
]

# A position older than this no longer says where someone is; it is deleted, too.
POSITION_MINUTES = 15

_RESPONDERS = text(
    f"""
    SELECT person.id, person.name, person.role, person.mode, person.duty_phone,
           ST_X(position.geom) AS lon, ST_Y(position.geom) AS lat,
           position.at < now() - interval '{POSITION_MINUTES} minutes' AS stale,
           EXISTS (SELECT 1 FROM dispatch WHERE dispatch.person_id = person.id
                   AND dispatch.state = 'open') AS busy,
           EXISTS (SELECT 1 FROM leave WHERE leave.person_id = person.id
                   AND leave.valid @> now()) AS away
    FROM person LEFT JOIN position ON position.person_id = person.id
    WHERE person.county = :county AND person.role = :role ORDER BY person.id
    """  # noqa: S608 - a constant of this module
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A responder who can go, how fast by road, along which line, and why."""

    person_id: int
    name: str
    role: str
    mode: str
    duty_phone: str | None
    time_s: float
    distance_m: float
    route: Any
    streets: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class WhyNot:
    """A responder who is left out, and why."""

    person_id: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Candidates, fastest first, and everyone left out."""

    role: str
    candidates: tuple[Candidate, ...]
    left_out: tuple[WhyNot, ...]


def recommend(
    session: Session,
    network: RoadNetwork,
    county: str,
    place: tuple[float, float],
    class_code: str,
    *,
    k: int = 5,
) -> Recommendation:
    """Recommend who goes to a place (lon, lat; EPSG:4326) for a class of incident.

    Raises
    ------
    NotFoundError
        If the class is unknown.
    """
    known = session.get(IncidentClass, class_code)
    if known is None:
        raise NotFoundError(f"no incident class {class_code!r}; see onegrid classes")
    rows = session.execute(_RESPONDERS, {"county": county, "role": known.responder_role}).all()
    left = [WhyNot(row.id, row.name, reason) for row in rows if (reason := _why_not(row))]
    free = [row for row in rows if not _why_not(row)]
    if not free:
        return Recommendation(known.responder_role, (), tuple(left))
    journeys = nearest_responders(
        network, place, [r.lon for r in free], [r.lat for r in free], [r.mode for r in free], k=k
    )
    candidates: list[Candidate] = []
    for journey in journeys:
        row = free[journey.responder]
        if journey.reason:
            left.append(WhyNot(row.id, row.name, journey.reason))
            continue
        reason = "closest by travel time" if not candidates else "slower by road"
        candidates.append(
            Candidate(
                row.id,
                row.name,
                row.role,
                row.mode,
                row.duty_phone,
                journey.time_s,
                journey.distance_m,
                journey.route,
                journey.streets,
                reason,
            )
        )
    return Recommendation(known.responder_role, tuple(candidates), tuple(left))


def _why_not(row: Any) -> str:
    if row.away:
        return "on leave"
    if row.lon is None:
        return "off duty: no position"
    if row.busy:
        return "busy with another incident"
    return "position too stale" if row.stale else ""


def send(
    session: Session,
    county: str,
    incident_id: int,
    person_id: int,
    *,
    actor: str,
    time_s: float | None = None,
    distance_m: float | None = None,
) -> Dispatch:
    """Send a person to an incident, in one transaction and never twice at once.

    Raises
    ------
    NotFoundError
        If the county has no such incident or person.
    StateError
        If the incident is not waiting, or the person is busy.
    """
    incident = session.get(Incident, incident_id, with_for_update=True)
    person = session.get(Person, person_id)
    if incident is None or incident.county != county:
        raise NotFoundError(f"county {county} has no incident {incident_id}")
    if person is None or person.county != county:
        raise NotFoundError(f"county {county} has no person {person_id}")
    if incident.state != "accepted":
        raise StateError(f"incident {incident_id} is {incident.state}, not waiting")
    dispatch = Dispatch(
        county=county,
        incident_id=incident_id,
        person_id=person_id,
        travel_time_s=time_s,
        distance_m=distance_m,
        actor=actor,
    )
    try:
        with session.begin_nested():
            session.add(dispatch)
    except IntegrityError as error:
        raise StateError(f"{person.name} is already on the way to another incident") from error
    incident.state = "dispatched"
    session.add(
        IncidentEvent(
            county=county,
            incident_id=incident_id,
            kind="dispatched",
            actor=actor,
            detail={"person": person_id, "travel_time_s": time_s},
        )
    )
    session.flush()
    return dispatch


def incidents_waiting(session: Session, county: str, limit: int = 50) -> list[Incident]:
    """Newest incidents that wait for somebody."""
    query = select(Incident).where(Incident.county == county, Incident.state == "accepted")
    return list(session.scalars(query.order_by(Incident.reported_at.desc()).limit(limit)))


def find_incident(session: Session, county: str, case: str) -> Incident:
    """The incident of a case number.

    Raises
    ------
    NotFoundError
        If the county has none.
    """
    found = session.scalar(select(Incident).filter_by(county=county, source_ref=case))
    if found is None:
        raise NotFoundError(f"county {county} has no incident {case!r}")
    return found
