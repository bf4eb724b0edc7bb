"""Dispatch: recommend responders for an incident by road, and send one."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Dispatch, Incident, IncidentClass, IncidentEvent, Person
from routing.errors import OffNetworkError
from routing.fleet import Fleet
from routing.live import LiveRoads

__all__ = [
    "Candidate",
    "Recommendation",
    "WhyNot",
    "recommend",
    "send",
]

# A position older than this no longer says where someone is; it is deleted, too.
POSITION_MINUTES = 15

_RESPONDERS = text(
    f"""
    WITH here AS (SELECT ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) AS geom),
    town AS (
        SELECT DISTINCT left(grid.community, 9) AS code FROM grid, here
        WHERE grid.county = :county AND grid.valid @> now() AND ST_Covers(grid.geom, here.geom)
    )
    SELECT person.id, person.name, person.role, person.mode, person.duty_phone,
           ST_X(position.geom) AS lon, ST_Y(position.geom) AS lat,
           position.at < now() - interval '{POSITION_MINUTES} minutes' AS stale,
           EXISTS (SELECT 1 FROM dispatch WHERE dispatch.person_id = person.id
                   AND dispatch.state = 'open') AS busy,
           EXISTS (SELECT 1 FROM leave WHERE leave.person_id = person.id
                   AND leave.valid @> now()) AS away,
           :own_town AND NOT EXISTS (
               SELECT 1 FROM responsibility AS post, here
               LEFT JOIN town ON true
               WHERE post.person_id = person.id AND post.valid @> now() AND (
                   left(coalesce(post.division, (SELECT community FROM grid
                                                 WHERE grid.id = post.grid_id)), 9) = town.code
                   OR EXISTS (SELECT 1 FROM service_area WHERE service_area.id =
                              post.service_area_id AND ST_Covers(service_area.geom, here.geom)))
           ) AS outside
    FROM person LEFT JOIN position ON position.person_id = person.id
    WHERE person.county = :county AND (person.role = :role OR :all_roles) ORDER BY person.id
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
    place: tuple[float, float]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """A responder who is left out, and why.

    Attributes
    ----------
    place : tuple of float or None
        Where they are, lon and lat in EPSG:4326, if that is known.
    time_s : float or None
        How long they would take, for those who can come and are only slower.
    """

    person_id: int
    name: str
    reason: str
    place: tuple[float, float] | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Candidates, fastest first, and everyone left out.

    Attributes
    ----------
    role : str
        That the class of incident asks for.
    generation : int
        Of the road conditions in which it was found.
    """

    role: str
    candidates: tuple[Candidate, ...]
    left_out: tuple[WhyNot, ...]
    generation: int = 0


def recommend(
    session: Session,
    roads: LiveRoads,
    county: str,
    place: tuple[float, float],
    class_code: str,
    *,
    k: int = 5,
    own_town: bool = False,
    why: bool = False,
) -> Recommendation:
    """Recommend who goes to a place (lon, lat; EPSG:4326) for a class of incident.

    Parameters
    ----------
    k : int
        How many candidates at most.
    own_town : bool
        Leave out those who are responsible for nothing in the place's town.
    why : bool
        Explain everybody: also those of other roles who are on duty, and those who can come
        and are slower than the k first.

    Raises
    ------
    NotFoundError
        If the class is unknown.
    NetworkError
        If there is no road network, or the place is off it.
    """
    known = session.get(IncidentClass, class_code)
    if known is None:
        raise NotFoundError(f"no incident class {class_code!r}; see onegrid classes")
    role = known.responder_role
    facts = {"county": county, "role": role, "lon": place[0], "lat": place[1]}
    rows = session.execute(_RESPONDERS, facts | {"own_town": own_town, "all_roles": why}).all()
    reasons = {row.id: _why_not(row, role) for row in rows}
    if why:
        # Of other roles only those who could be seen on the map.
        rows = [row for row in rows if row.role == role or row.lon is not None]
    free = {row.id: row for row in rows if not reasons[row.id]}
    left = [_left_out(row, reasons[row.id]) for row in rows if reasons[row.id]]
    if not free:
        return Recommendation(role, (), tuple(left))
    fleet = roads.now(session).fleet(role)
    seen = [row for row in rows if row.role == role and row.lon is not None]
    fleet.replace(
        [row.id for row in seen],
        [row.lon for row in seen],
        [row.lat for row in seen],
        [row.mode for row in seen],
    )
    return _ranked(fleet, place, role, free, left, k, why=why)


def _ranked(
    fleet: Fleet,
    place: tuple[float, float],
    role: str,
    free: dict[int, Any],
    left: list[WhyNot],
    k: int,
    *,
    why: bool,
) -> Recommendation:
    try:
        found = fleet.nearest(place, k, free)
    except OffNetworkError:
        reason = "the incident is off the road network"
        return Recommendation(role, (), (*left, *(_left_out(r, reason) for r in free.values())))
    candidates = [
        Candidate(
            person_id=row.id,
            name=row.name,
            role=row.role,
            mode=row.mode,
            duty_phone=row.duty_phone,
            time_s=way.time_s,
            distance_m=way.distance_m,
            route=way.line,
            streets=tuple(way.streets),
            reason="closest by travel time" if place_no == 0 else "slower by road",
            place=(row.lon, row.lat),
        )
        for place_no, (row, way) in enumerate(
            zip((free[key] for key in found.keys), found.ways, strict=True)  # type: ignore[index]
        )
    ]
    others = [row for key, row in free.items() if key not in set(found.keys)]
    # Where fewer than k can come, nobody else can; else only whoever asks pays for the times.
    times = fleet.times_s(place, [row.id for row in others]) if why and others else {}
    for row in others:
        if len(candidates) < k or (why and times.get(row.id, float("inf")) == float("inf")):
            left.append(_left_out(row, fleet.why_unreachable(row.id)))
        elif why:
            left.append(_left_out(row, "slower by road", times[row.id]))
    return Recommendation(role, tuple(candidates), tuple(left), found.generation)


def _left_out(row: Any, reason: str, time_s: float | None = None) -> WhyNot:
    place = None if row.lon is None else (row.lon, row.lat)
    return WhyNot(row.id, row.name, reason, place, time_s)


def _why_not(row: Any, role: str) -> str:
    if row.role != role:
        return "has another role"
    if row.away:
        return "on leave"
    if row.lon is None:
        return "off duty: no position"
    if row.busy:
        return "busy with another incident"
    if row.outside:
        return "responsible for nothing in this town"
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
