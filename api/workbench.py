"""The workbench's page: a draft on the map, with everything that can be done to it."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from api.drafts import scope_of, workbench
from api.errors import TooLargeError
from api.pages import language_of, render, script_facts, texts_of
from api.session import Db, checked_form, desk
from data.jobs import require_kind
from data.models import Division
from data.roles import preset_role_names
from data.sessions import SignedIn
from grids.drafting import journal
from grids.drafting.adopting import adopt_file
from grids.drafting.review import add_note
from grids.figures import area_bounds, area_communities, base_version
from grids.generations import household_ranges, rules_of
from grids.redraw import ZONE_KINDS
from maps.issue_words import issue_words

__all__ = ["router"]

MOST_BYTES = 200 * 2**20
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


@router.post("/planner/drafts/adopt")
def adopt(
    request: Request,
    db: Db,
    who: Planner,
    csrf: Annotated[str, Form()],
    file: Annotated[UploadFile, File(description="GPKG or GeoJSON")],
    crs: Annotated[str, Form(max_length=40)] = "",
    name: Annotated[str, Form(max_length=100)] = "",
    gaps: Annotated[Literal["nearest", "own"], Form()] = "nearest",
) -> RedirectResponse:
    """Begin a draft from a plan drawn elsewhere; what does not fit becomes comments on the map."""
    checked_form(who, csrf)
    given = (file.filename or "")[-100:]
    # A stranger's file may not be of a kind that leads GDAL to other files.
    require_kind(given, file.file.read(64), only=(".gpkg", ".geojson"))
    file.file.seek(0)
    if (file.size or 0) > MOST_BYTES:
        raise TooLargeError(f"the file has {file.size} bytes, more than {MOST_BYTES}")
    scope, words = who.scope("planner"), texts_of(request)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"plan{Path(given).suffix.lower()}"
        with path.open("wb") as handle:
            shutil.copyfileobj(file.file, handle)
        draft, issues = adopt_file(
            db,
            workbench(request),
            scope,
            path,
            author=who.login,
            title=given,
            crs=crs or None,
            name=name or None,
            gaps=gaps,
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
