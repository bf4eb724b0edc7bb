"""The dispatcher's console: incidents on a live map, who can go, and every step of their course."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import func, select

from api.pages import language_of, render, script_facts, texts_of
from api.session import Db, county_of, desk, desk_role
from data.models import IncidentClass, IncidentEvent, Unit
from data.roles import preset_role_names
from data.sessions import SignedIn
from grids.figures import area_bounds, base_version
from grids.generations import current_generation, household_ranges, rules_of
from routing.lifecycle.flow import STATES

__all__ = ["router"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Dispatcher = Annotated[SignedIn, Depends(desk("dispatcher", "centre"))]


@router.get("/dispatch")
def page(
    request: Request, db: Db, who: Dispatcher, incident: Annotated[int, Query(ge=0)] = 0
) -> str:
    """The console, with an incident open if one is asked for."""
    county = county_of(request)
    role = desk_role(who)
    classes = list(db.scalars(select(IncidentClass).order_by(IncidentClass.code)))
    units = db.scalars(select(Unit).where(Unit.county == county).order_by(Unit.kind, Unit.id))
    plan = current_generation(db, county)
    since = plan.valid.lower if plan is not None and plan.valid is not None else None
    chinese = language_of(request) == "zh"
    facts = {
        "lang": language_of(request),
        "words": texts_of(request).catalogue,
        "csrf": who.csrf,
        "ranges": household_ranges(rules_of(db, "tongliao")),
        "bounds": area_bounds(db, county, (who.scope(role).prefixes or (county,))[0]),
        "base_version": base_version(db),
        "generations": [
            {
                "id": plan.id if plan else 0,
                "since": (since or datetime.now(UTC)).isoformat(),
            }
        ],
        "incident": incident,
        "after": db.scalar(select(func.max(IncidentEvent.id)).filter_by(county=county)) or 0,
        "classes": {one.code: one.name if chinese else one.name_en for one in classes},
        "units": {one.id: one.name for one in units},
        "roles": preset_role_names(language_of(request)),
        "sends": "dispatcher" in who.roles,
    }
    groups = dict.fromkeys(one.group for one in classes)
    return render(
        request,
        "console.html",
        facts=script_facts(facts),
        groups=groups,
        classes=facts["classes"],
        units=facts["units"],
        states=STATES,
        role_names=facts["roles"],
        sends=facts["sends"],
    )
