"""Who goes: candidates over HTTP, the hole that each leaves, sending, and handing over."""

from dataclasses import asdict, fields
from typing import Annotated, Any, Literal

import shapely
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from geoalchemy2.shape import to_shape
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from sqlalchemy import select

from api.incidents import ACTING, doers_of, found_incident
from api.session import Db, changing, county_of, desk, desk_role, engines
from data.errors import NotFoundError
from data.models import Person
from data.people import people_seen
from data.sessions import SignedIn
from routing.dispatch import Recommendation, recommend, role_of
from routing.incidents.handover import hand_over, handovers
from routing.incidents.sending import send
from routing.options import holes, propose

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])
Reader = Annotated[SignedIn, Depends(desk("dispatcher", "centre"))]
Asking = Annotated[SignedIn, Depends(desk(*ACTING, asks=True))]
Sender = Annotated[SignedIn, Depends(desk("dispatcher"))]
Sending = Annotated[SignedIn, Depends(changing("dispatcher"))]


class Start(BaseModel):
    """From where a way is asked for (EPSG:4326), and how."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    mode: Literal["car", "moped", "foot"] = "moped"


class Chosen(BaseModel):
    """Who is to go."""

    person: int
    version: int | None = None


@router.get("/handovers")
def listed_handovers(db: Db, who: Sender) -> dict[str, Any]:
    """Open incidents whose grid has ended, each with the grid that would take it."""
    rows = handovers(db, who.scope("dispatcher"))
    return {"handovers": [dict(row._mapping) for row in rows]}  # noqa: SLF001 - SQLAlchemy's name for it


@router.get("/proposals")
def proposals(
    request: Request,
    db: Db,
    who: Sender,
    incident: Annotated[list[int], Query(min_length=1, max_length=200)],
) -> dict[str, Any]:
    """Who should go where, of many incidents at once; nothing is sent."""
    asked = [found_incident(db, who, number) for number in dict.fromkeys(incident)]
    county = county_of(request)
    made = propose(db, engines(request).roads(county), county, asked)
    people = select(Person).where(Person.id.in_([one.person_id for one in made]))
    names = {person.id: person.name for person in db.scalars(people)}
    return {"proposals": [asdict(one) | {"name": names[one.person_id]} for one in made]}


@router.get("/{number}/recommendation")
def recommendation(
    request: Request, db: Db, who: Reader, number: int, *, why: bool = False
) -> Response:
    """Who can be there first, and why not each of the others."""
    advice = _recommended(request, db, who, number, why=why)
    scope = who.scope(desk_role(who))
    seen = people_seen(db, scope, [one.person_id for one in advice.left_out])
    # Who can go is told wherever they come from; who cannot is the business of their own area.
    left_out = tuple(one for one in advice.left_out if one.person_id in seen)
    shown = {one.name: getattr(advice, one.name) for one in fields(advice)}
    shown["left_out"] = left_out
    shown["candidates"] = [
        {one.name: getattr(person, one.name) for one in fields(person)}
        | {"route": shapely.get_coordinates(person.route).round(6).tolist()}
        for person in advice.candidates
    ]
    # Written by Pydantic itself: FastAPI's way looks at each point of each way several times.
    return Response(to_json(shown | {"crs": "EPSG:4326"}), media_type="application/json")


def _recommended(
    request: Request,
    db: Db,
    who: SignedIn,
    number: int,
    *,
    why: bool = False,
    only: int | None = None,
) -> Recommendation:
    incident = found_incident(db, who, number)
    point: Any = to_shape(incident.geom)
    county = county_of(request)
    roads, place = engines(request).roads(county), (point.x, point.y)
    code = incident.class_code
    return recommend(
        db, roads, county, place, code, why=why, brief=not why, incident=number, only=only
    )


@router.get("/{number}/holes")
def listed_holes(
    request: Request,
    db: Db,
    who: Reader,
    number: int,
    person: Annotated[list[int], Query(min_length=1, max_length=10)],
    minutes: Annotated[float, Query(gt=0, le=60)] = 10.0,
) -> dict[str, Any]:
    """The households that nobody would reach in time any more, were one of these sent."""
    incident = found_incident(db, who, number)
    roads = engines(request).roads(county_of(request))
    role, scope = role_of(db, incident.class_code), who.scope(desk_role(who))
    made = holes(db, roads, scope, role, person, minutes=minutes)
    return {"minutes": minutes, "holes": [asdict(one) for one in made]}


@router.post("/{number}/way")
def way(request: Request, db: Db, who: Asking, number: int, start: Start) -> dict[str, Any]:
    """The way from a place to the incident: time, length, line, street names; nothing is kept."""
    incident = found_incident(db, who, number)
    point: Any = to_shape(incident.geom)
    roads = engines(request).roads(county_of(request)).now(db)
    found = roads.travel.route((start.lon, start.lat), (point.x, point.y), start.mode)
    return {
        "time_s": round(found.time_s, 1),
        "distance_m": round(found.distance_m, 1),
        "line": found.lonlat.round(6).tolist(),
        "streets": found.streets,
        "crs": "EPSG:4326",
    }


@router.post("/{number}/send")
def send_person(
    request: Request, db: Db, who: Sending, number: int, asked: Chosen
) -> dict[str, Any]:
    """Send a person; time and distance are computed anew, not believed."""
    advice = _recommended(request, db, who, number, only=asked.person)
    if not advice.candidates:
        raise NotFoundError(f"person {asked.person} cannot go, or cannot go any more")
    chosen = advice.candidates[0]
    doer = next(one for one in doers_of(who) if one.role == "dispatcher")
    made = send(
        db,
        doer,
        number,
        asked.person,
        version=asked.version,
        time_s=chosen.time_s,
        distance_m=chosen.distance_m,
    )
    return {"incident": made.id, "state": made.state, "version": made.version}


@router.post("/{number}/hand-over")
def take_over(request: Request, db: Db, who: Sending, number: int) -> dict[str, Any]:
    """Give an incident whose grid has ended to the grid that it lies in now."""
    code = hand_over(
        db,
        who.scope("dispatcher"),
        number,
        actor=who.login,
        directory=engines(request).directory(db),
    )
    return {"incident": number, "grid": code}
