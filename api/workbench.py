"""The workbench's page: a draft on the map, with everything that can be done to it."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from api.drafts import scope_of, workbench
from api.pages import language_of, render, script_facts, texts_of
from api.session import Db, checked_form, desk
from api.uploads import asked_first, fitting, named_as, received
from data.models import Division
from data.roles import preset_role_names
from data.sandbox import PLAN
from data.sessions import SignedIn
from grids.drafting import journal
from grids.drafting.adopting import DrawnElsewhere, adopt_drawn, read_drawn
from grids.drafting.review import add_note
from grids.figures import area_bounds, area_communities, base_version
from grids.generations import household_ranges, rules_of
from grids.redraw import ZONE_KINDS
from maps.issue_words import issue_words

__all__ = ["router"]

MOST_NOTES = 500
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Reader = Annotated[SignedIn, Depends(desk("planner", "reviewer"))]
Planner = Annotated[SignedIn, Depends(desk("planner"))]


@router.post("/planner/drafts/new")
def begin(
    request: Request,
    db: Db,
    who: Planner,
    csrf: Annotated[str, Form()],
    title: Annotated[str, Form(max_length=200)] = "",
    area: Annotated[str, Form(max_length=12)] = "",
    profile: Annotated[str, Form(max_length=30)] = "tongliao",
) -> RedirectResponse:
    """Begin an empty draft and open it."""
    checked_form(who, csrf)
    draft = workbench(request).create(
        db,
        who.scope("planner"),
        author=who.login,
        title=title,
        area=area or None,
        profile=profile,
    )
    return RedirectResponse(f"/planner/drafts/{draft.id}", 303)


class _Adopted(BaseModel):
    """A plan drawn elsewhere, and how it is taken over."""

    csrf: str = Field(max_length=100)
    crs: str = Field("", max_length=40)
    name: str = Field("", max_length=100)
    gaps: Literal["nearest", "own"] = "nearest"


async def _drawn_elsewhere(
    request: Request,
    who: Annotated[SignedIn, Depends(asked_first("planner", has_token=False))],
) -> tuple[_Adopted, DrawnElsewhere]:
    """The form with its file, read by a converter before a turn at the database is taken."""
    async with received(request, who) as sent:
        asked = fitting(_Adopted, sent.fields)
        checked_form(who, asked.csrf)
        given = sent.name[-100:]
        path = named_as(sent, given, (".gpkg", ".geojson", ".zip"))
        read = partial(
            read_drawn, called=given, crs=asked.crs or None, name=asked.name or None, limits=PLAN
        )
        return asked, await request.app.state.plan_converters.run(read, path)


@router.post("/planner/drafts/adopt")
def adopt(
    request: Request,
    sent: Annotated[tuple[_Adopted, DrawnElsewhere], Depends(_drawn_elsewhere)],
    db: Db,
    who: Planner,
) -> RedirectResponse:
    """Begin a draft from a plan drawn elsewhere; what does not fit becomes comments on the map."""
    asked, elsewhere = sent
    scope, words = who.scope("planner"), texts_of(request)
    draft, issues = adopt_drawn(
        db,
        workbench(request),
        scope,
        elsewhere,
        author=who.login,
        title=elsewhere.called,
        gaps=asked.gaps,
    )
    for issue in issues[:MOST_NOTES]:
        place = None if issue.place is None else (issue.place.x, issue.place.y)
        told = issue_words(issue, words)
        add_note(db, scope, draft.id, told, author=who.login, place=place)
    return RedirectResponse(f"/planner/drafts/{draft.id}", 303)


@router.get("/planner/drafts/{number}")
def page(request: Request, db: Db, who: Reader, number: int) -> str:
    """A draft on the workbench."""
    draft = journal.draft_in(db, scope_of(who), number)
    area = db.get(Division, draft.area)
    facts = {
        "lang": language_of(request),
        "words": texts_of(request).catalogue,
        "draft": draft.id,
        "version": draft.version,
        "csrf": who.csrf,
        "ranges": household_ranges(rules_of(db, draft.profile)),
        "bounds": area_bounds(db, draft.county, draft.area),
        "base_version": base_version(db),
    }
    return render(
        request,
        "workbench.html",
        draft=draft,
        area_name=area.name if area else "",
        communities=area_communities(db, draft.county, draft.area),
        zone_kinds=ZONE_KINDS,
        roles=preset_role_names(language_of(request)),
        facts=script_facts(facts),
    )
