"""The dispatcher's desk: waiting incidents, who is responsible, who is there first, assign."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from geoalchemy2.shape import to_shape

from api.pages import render, texts_of
from api.session import Db, checked_form, county_of, desk, engines
from data.errors import NotFoundError
from data.incidents import incident_in, incidents_waiting
from data.models import Incident, IncidentClass
from data.sessions import SignedIn
from grids.handover import hand_over, handovers
from maps.city_map import MapRequest, city_map
from routing.dispatch import Recommendation, recommend, send

__all__ = ["router"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Dispatcher = Annotated[SignedIn, Depends(desk("dispatcher"))]
Chosen = Annotated[int, Query(ge=0)]


def _incident(db: Db, who: SignedIn, number: int) -> tuple[Incident, tuple[float, float]]:
    mine = {"classes": who.classes("dispatcher")}
    incident = incident_in(db, who.scope("dispatcher"), number, **mine)
    point: Any = to_shape(incident.geom)
    return incident, (point.x, point.y)


def _recommend(request: Request, db: Db, who: SignedIn, number: int) -> Recommendation:
    county = county_of(request)
    incident, place = _incident(db, who, number)
    return recommend(db, engines(request).roads(county), county, place, incident.class_code)


@router.get("/dispatch")
def page(request: Request, db: Db, who: Dispatcher, incident: Chosen = 0) -> str:
    """Waiting incidents, and for the chosen one who is responsible and who can go."""
    values: dict[str, Any] = {"incident": None, "answer": None, "advice": None, "place": None}
    if incident:
        found, place = _incident(db, who, incident)
        directory = engines(request).directory(db)
        answer = directory.answer(*place, class_code=found.class_code)
        values |= {"incident": found, "answer": answer, "place": place}
        if found.state == "accepted":
            values["advice"] = _recommend(request, db, who, incident)
    classes = {row.code: row for row in db.query(IncidentClass)}
    waiting = incidents_waiting(db, who.scope("dispatcher"), classes=who.classes("dispatcher"))
    held = who.classes("dispatcher")
    values["handovers"] = handovers(db, who.scope("dispatcher"), classes=held)
    return render(request, "dispatch.html", waiting=waiting, classes=classes, **values)


@router.get("/maps/dispatch")
def dispatch_map(request: Request, db: Db, who: Dispatcher, incident: Chosen = 0) -> str:
    """The dispatcher's map, with the nearest responder's route to the chosen incident."""
    county, route, place = county_of(request), None, None
    if incident:
        found, place = _incident(db, who, incident)
        waits = found.state == "accepted"
        advice = _recommend(request, db, who, incident) if waits else None
        route = advice.candidates[0].route if advice and advice.candidates else None
    layers = frozenset({"grids", "incidents", "responders"})
    drawn = MapRequest(texts_of(request), layers=layers, route=route, place=place)
    return city_map(db, county, drawn)


@router.post("/dispatch/{incident}/hand-over")
def take_over(
    request: Request, db: Db, who: Dispatcher, incident: int, csrf: Annotated[str, Form()]
) -> RedirectResponse:
    """Give an incident whose grid has ended to the grid that it lies in now."""
    checked_form(who, csrf)
    hand_over(
        db,
        who.scope("dispatcher"),
        incident,
        actor=who.login,
        directory=engines(request).directory(db),
        classes=who.classes("dispatcher"),
    )
    return RedirectResponse("/dispatch#handovers", 303)


@router.post("/dispatch/{incident}/send")
def assign(
    request: Request,
    db: Db,
    who: Dispatcher,
    incident: int,
    person: Annotated[int, Form()],
    csrf: Annotated[str, Form()],
) -> RedirectResponse:
    """Send a person; time and distance are computed anew, not believed from the form."""
    checked_form(who, csrf)
    advice = _recommend(request, db, who, incident)
    chosen = next((one for one in advice.candidates if one.person_id == person), None)
    if chosen is None:
        raise NotFoundError(f"person {person} is not among the candidates any more")
    figures = {"time_s": chosen.time_s, "distance_m": chosen.distance_m}
    send(db, county_of(request), incident, person, actor=who.login, **figures)
    return RedirectResponse(f"/dispatch?incident={incident}", 303)
