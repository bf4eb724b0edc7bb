"""Incidents for the console, the worker's page and programs: report, read, carry on, follow."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Header, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse

from api.errors import RefusedError
from api.feed import Feed
from api.moments import Moment
from api.session import Db, changing, desk, desk_role, engines, stream_of
from data.errors import NotFoundError
from data.incidents import incident_in
from data.models import Incident
from data.sessions import SignedIn
from routing.incidents.clustering import clusters_of
from routing.incidents.course import Doer, options_of, transit, was_done
from routing.incidents.intake import Report, report_incident
from routing.incidents.overview import MOST_LISTED, incidents_listed, own_tasks, told_of
from routing.incidents.rules import load_rules
from routing.incidents.similar import by_cell, similar_reports

__all__ = ["ACTING", "doers_of", "found_incident", "router"]

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])
# Who acts in a flow; of several roles the nearest to the work speaks first.
ACTING = ("worker", "dispatcher", "centre")
_DESK = ("dispatcher", "centre")
Reader = Annotated[SignedIn, Depends(desk(*_DESK))]
Asking = Annotated[SignedIn, Depends(desk(*_DESK, asks=True))]
Handler = Annotated[SignedIn, Depends(desk(*ACTING))]
Listener = Annotated[SignedIn, Depends(desk(*_DESK))]
Acting = Annotated[SignedIn, Depends(changing(*ACTING))]


class NewReport(BaseModel):
    """A report; the place is longitude or easting, latitude or northing, in the stated system."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    channel: Literal["console", "phone", "worker"] = "console"
    class_code: str = Field(max_length=30)
    x: float
    y: float
    crs: str = Field(max_length=200)
    description: str = Field("", max_length=4000)
    severity: Literal["general", "difficult", "major"] = "general"
    reported_at: Moment | None = None
    receipt_key: str | None = Field(None, max_length=100, description="The same when sent again")
    name: str = Field("", max_length=100)
    phone: str = Field("", max_length=40)


class Given(BaseModel):
    """What comes with a transition; `version` is the incident's as the doer saw it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    version: int | None = None
    receipt_key: str | None = Field(None, max_length=100, description="The same when sent again")
    reason: str | None = Field(None, max_length=4000)
    result: str | None = Field(None, max_length=4000)
    words: str | None = Field(None, max_length=4000)
    person: int | None = None
    unit: int | str | None = Field(None, description="A unit's number; of an extension, its unit")
    units: list[int] | None = Field(None, max_length=20)
    amount: int | None = Field(None, ge=1, le=1000)
    satisfaction: str | None = Field(None, max_length=20)
    class_code: str | None = Field(None, max_length=30)
    severity: str | None = Field(None, max_length=10)


def doers_of(who: SignedIn) -> list[Doer]:
    """As whom somebody may act, nearest to the work first."""
    made = []
    for role in ACTING:
        if role in who.roles and (role != "worker" or who.person_id is not None):
            person = who.person_id if role == "worker" else None
            made.append(Doer(who.login, role, who.scope(role), person))
    return made


def found_incident(db: Db, who: SignedIn, number: int, *, lock: bool = False) -> Incident:
    """The incident, where any role that somebody holds may see it.

    Raises
    ------
    RefusedError, NotFoundError
        If none may; a worker sees what is theirs to handle, and what they reported.
    """
    if not (doers := doers_of(who)):
        raise RefusedError("this account stands for nobody in the staff list")
    for one in doers:
        try:
            person = one.person_id if one.role == "worker" else None
            return incident_in(
                db,
                one.scope,
                number,
                person=person,
                reporter=None if person is None else who.login,
                lock=lock,
            )
        except NotFoundError:
            continue
    raise NotFoundError(f"no incident {number}")


def _doer(db: Db, who: SignedIn, number: int, action: str) -> Doer:
    """As whom an action is done: the first role that may, else the first that may see it."""
    incident = found_incident(db, who, number)
    rules, doers = load_rules(db, who.county), doers_of(who)
    for one in doers:
        if any(action == option.action for option in options_of(db, rules, one, incident)):
            return one
    return doers[-1]


@router.get("")
def listed(
    db: Db,
    who: Reader,
    state: Annotated[list[str] | None, Query(max_length=13)] = None,
    light: Literal["green", "yellow", "red"] | None = None,
    group: Annotated[str | None, Query(max_length=30)] = None,
    words: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 200,
) -> dict[str, Any]:
    """Incidents of the area that are open, or in the given states; what is due first is first."""
    rows = [
        row
        for one in doers_of(who)
        if one.role != "worker"
        for row in incidents_listed(
            db,
            one.scope,
            states=state,
            light=light,
            group=group,
            words=words,
            limit=limit,
        )
    ]
    shown = {row.id: dict(row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's name for it
    total = max((row.pop("total") for row in shown.values()), default=0)
    return {"incidents": list(shown.values())[:limit], "total": total, "crs": "EPSG:4326"}


@router.post("", status_code=201)
def report(request: Request, db: Db, who: Acting, asked: NewReport) -> JSONResponse:
    """Take a report; the same receipt key of the same account gives the same incident with 200.

    How far it has come is told to whoever may see it; its reporter may be none of them any more.
    """
    directory = engines(request).directory(db)
    made, fresh = report_incident(
        db, who.county, Report(**asked.model_dump()), directory, actor=who.login
    )
    told = {"incident": made.id, "case": made.source_ref}
    if fresh or _is_seen(db, who, made.id):
        told["version"] = made.version
    return JSONResponse(told, 201 if fresh else 200)


def _is_seen(db: Db, who: SignedIn, number: int) -> bool:
    try:
        found_incident(db, who, number)
    except (NotFoundError, RefusedError):
        return False
    return True


@router.get("/tasks")
def tasks(db: Db, who: Annotated[SignedIn, Depends(desk("worker"))]) -> JSONResponse:
    """What whoever is signed in has to do, each with its course and what may be done now."""
    mine = [one for one in doers_of(who) if one.role == "worker"]
    rules = load_rules(db, who.county)
    rows = own_tasks(db, who.county, who.person_id) if who.person_id is not None else ()
    told = [told_of(db, rules, db.get_one(Incident, row.id), mine) for row in rows]
    return JSONResponse(jsonable_encoder({"incidents": told, "crs": "EPSG:4326"}))


@router.get("/feed")
async def feed(
    request: Request,
    who: Listener,
    last_event_id: Annotated[int | None, Header()] = None,
    after: Annotated[int | None, Query(ge=0)] = None,
) -> EventSourceResponse:
    """Steps of the area's incidents as they happen, and those missed since ``Last-Event-ID``."""
    held: Feed = request.app.state.feed
    last = last_event_id if last_event_id is not None else after
    stream = stream_of(request, who, _hears)
    return stream.answer(held.events(stream, who, last))


def _hears(who: SignedIn) -> bool:
    return bool(who.roles & set(_DESK))


class Near(BaseModel):
    """A place (EPSG:4326) and what is reported there."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    class_code: str = Field(max_length=30)


@router.post("/similar")
def similar(db: Db, who: Asking, near: Near) -> dict[str, Any]:
    """Reports near a place that may be of the same thing."""
    role, place = desk_role(who), (near.lon, near.lat)
    rows = similar_reports(db, who.scope(role), place, near.class_code)
    return {"similar": [dict(row._mapping) for row in rows]}  # noqa: SLF001 - SQLAlchemy's name for it


@router.get("/cells")
def cells(
    db: Db, who: Reader, resolution: Annotated[int, Query(ge=5, le=10)] = 8
) -> dict[str, Any]:
    """Open incidents by H3 cell, as GeoJSON (EPSG:4326)."""
    role = desk_role(who)
    return by_cell(db, who.scope(role), resolution)


@router.get("/clusters")
def clusters(
    db: Db,
    who: Reader,
    days: Annotated[int, Query(ge=1, le=90)] = 14,
    within_m: Annotated[float, Query(gt=0, le=5000)] = 200.0,
    within_hours: Annotated[float, Query(gt=0, le=720)] = 24.0,
    least: Annotated[int, Query(ge=2, le=100)] = 4,
) -> dict[str, Any]:
    """Open reports of one kind that lie close together in space and time (EPSG:4326)."""
    role = desk_role(who)
    return clusters_of(
        db,
        who.scope(role),
        days=days,
        within_m=within_m,
        within_s=within_hours * 3600.0,
        least=least,
    )


@router.get("/{number}")
def read(db: Db, who: Handler, number: int) -> JSONResponse:
    """An incident with its course, deadlines, whistles, people, and what may be done now."""
    incident = found_incident(db, who, number)
    told = told_of(db, load_rules(db, who.county), incident, doers_of(who))
    return JSONResponse(jsonable_encoder(told), headers={"ETag": f'"{incident.version}"'})


@router.post("/{number}/{action}")
def act(
    db: Db,
    who: Acting,
    number: int,
    action: Annotated[str, Field(pattern=r"^[a-z_]{2,30}$")],
    given: Annotated[Given, Body()],
) -> dict[str, Any]:
    """Make a transition of the incident's flow."""
    asked = given.model_dump(exclude_none=True)
    version, receipt = asked.pop("version", None), asked.pop("receipt_key", None)
    if receipt and (done := was_done(db, who.login, number, receipt)) is not None:
        return {"incident": done.id, "state": done.state, "version": done.version}
    doer = _doer(db, who, number, action)
    made = transit(db, doer, number, action, asked, version=version, receipt=receipt)
    return {"incident": made.id, "state": made.state, "version": made.version}
