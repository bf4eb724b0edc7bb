"""Dispatch: recommend responders for an incident by road."""

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.models import IncidentClass
from routing.eligibility import barred, everybody, facts_of, shortfall_of, why_not
from routing.errors import OffNetworkError
from routing.fleet import Fleet, Nearest
from routing.live import LiveRoads

__all__ = ["Candidate", "Recommendation", "WhyNot", "recommend", "role_of"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A responder who can go, how fast by road, along which line, and why.

    Attributes
    ----------
    codes : tuple of str
        Of `routing.eligibility.CODES`.
    """

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
    codes: tuple[str, ...] = ()


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
    shortfall : str
        Why there is no candidate, of `routing.eligibility.SHORTFALLS`; empty where there is one.
    """

    role: str
    candidates: tuple[Candidate, ...]
    left_out: tuple[WhyNot, ...]
    generation: int = 0
    shortfall: str = ""


def role_of(session: Session, class_code: str) -> str:
    """The role that a class of incident asks for.

    Raises
    ------
    NotFoundError
        If the class is unknown.
    """
    known = session.get(IncidentClass, class_code)
    if known is None:
        raise NotFoundError(f"no incident class {class_code!r}; see onegrid classes")
    return known.responder_role


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
    brief: bool = False,
    incident: int | None = None,
    only: int | None = None,
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
    brief : bool
        Explain nobody who is left out: a county has thousands.
    incident : int, optional
        Whoever has declined this one is left out.
    only : int, optional
        Ask of this person alone whether they can come, and how fast.

    Raises
    ------
    NotFoundError
        If the class is unknown.
    NetworkError
        If there is no road network, or the place is off it.
    """
    role = role_of(session, class_code)
    responders = roads.now(session).responders(role)
    responders.follow(session, county, role)
    out = barred(session, county, incident)
    rows: dict[int, Any] = {}
    if own_town or why or not brief:
        listed = everybody(session, county, role, place, incident, own_town=own_town, all_roles=why)
        rows = {row.id: row for row in listed}
        out += [key for key, row in rows.items() if row.outside]
    asked = None if only is None else [only]
    found, off = _nearest(responders.fleet, place, k, asked, out)
    facts = _facts(session, county, place, found)
    while gone := [key for key in _people(found) if key not in facts]:  # off duty since the reading
        responders.forget(gone)
        found, off = _nearest(responders.fleet, place, k, asked, out)
        facts = _facts(session, county, place, found)
    candidates = _candidates(found, facts)
    left = () if brief else _explained(rows, responders.fleet, place, role, candidates, off, k, why)
    short = "" if candidates else shortfall_of(session, county, role)
    return Recommendation(role, candidates, left, found.generation, short)


def _nearest(
    fleet: Fleet,
    place: tuple[float, float],
    k: int,
    asked: list[int] | None,
    without: list[int],
) -> tuple[Nearest, bool]:
    """The nearest, and whether the place is off the road network."""
    try:
        return fleet.nearest(place, k, asked, without=without), False
    except OffNetworkError:
        return Nearest((), (), 0), True


def _people(found: Nearest) -> tuple[int, ...]:
    """The fleet of a role knows people by their numbers."""
    return cast("tuple[int, ...]", found.keys)


def _facts(
    session: Session, county: str, place: tuple[float, float], found: Nearest
) -> dict[int, Any]:
    return facts_of(session, county, place, _people(found)) if found.keys else {}


def _candidates(found: Nearest, facts: dict[int, Any]) -> tuple[Candidate, ...]:
    made: list[Candidate] = []
    for person, way in zip(_people(found), found.ways, strict=True):
        row = facts[person]
        first = not made
        said = ("in_geofence", "deputy", "rest_period")
        codes = tuple(name for name in said if getattr(row, name))
        made.append(
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
                reason="closest by travel time" if first else "slower by road",
                place=(row.lon, row.lat),
                codes=("closest_by_travel_time", *codes) if first else codes,
            )
        )
    return tuple(made)


def _explained(
    rows: dict[int, Any],
    fleet: Fleet,
    place: tuple[float, float],
    role: str,
    candidates: tuple[Candidate, ...],
    off: bool,
    k: int,
    why: bool,
) -> tuple[WhyNot, ...]:
    """Why each of the others does not go."""
    chosen = {one.person_id for one in candidates}
    # Of other roles only those who could be seen on the map.
    others = [row for row in rows.values() if row.id not in chosen]
    others = [row for row in others if row.role == role or row.lon is not None]
    left = [_left_out(row, reason) for row in others if (reason := why_not(row, role))]
    able = [row for row in others if not why_not(row, role)]
    if off:
        reason = "the incident is off the road network"
        return (*left, *(_left_out(row, reason) for row in able))
    # Where fewer than k can come, nobody else can; else only whoever asks pays for the times.
    times = fleet.times_s(place, [row.id for row in able]) if why and able else {}
    for row in able:
        if len(candidates) < k or (why and times.get(row.id, float("inf")) == float("inf")):
            left.append(_left_out(row, fleet.why_unreachable(row.id)))
        elif why:
            left.append(_left_out(row, "slower by road", times[row.id]))
    return tuple(left)


def _left_out(row: Any, reason: str, time_s: float | None = None) -> WhyNot:
    place = None if row.lon is None else (row.lon, row.lat)
    return WhyNot(row.id, row.name, reason, place, time_s)
