"""The planner's desk: grids, blocks and figures; draw a draft, check it, publish it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from api.drafts import scope_of
from api.errors import RefusedError
from api.pages import map_answer, render, texts_of
from api.session import Db, checked_form, county_of, desk, engines
from data.errors import NotFoundError
from data.models import Team
from data.sessions import SignedIn
from grids.figures import community_figures, drafts, grid_figures, profiles, teams
from grids.plan import draw_draft
from grids.staff_coverage import Coverage, staff_coverage
from maps.city_map import MapRequest, city_map
from maps.coverage_map import coverage_map

__all__ = ["router"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Planner = Annotated[SignedIn, Depends(desk("planner"))]
Reader = Annotated[SignedIn, Depends(desk("planner", "reviewer"))]
TeamCode = Annotated[str, Query(max_length=30)]
GridCode = Annotated[str, Query(max_length=20)]
# A page holds about so many rows, and a map of folium's so many outlines.
MOST_GRIDS = 1000
Most = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("/planner")
def page(
    request: Request, db: Db, who: Reader, grid: GridCode = "", community: GridCode = ""
) -> str:
    """Figures per community and grid, drafts, and the map."""
    scope = scope_of(who)
    communities = community_figures(db, scope)
    # Of a large county the grids of one community at a time; its map is made of tiles.
    large = sum(row.grids for row in communities) > MOST_GRIDS
    asked = community or grid[:12]
    return render(
        request,
        "planner.html",
        communities=communities,
        grids=[] if large and not asked else grid_figures(db, scope, asked if large else ""),
        large=large,
        chosen=grid or community,
        drafts=drafts(db, scope),
        profiles=profiles(db),
    )


@router.get("/maps/planner")
def plan_map(request: Request, db: Db, who: Reader) -> HTMLResponse:
    """The planner's map."""
    layers = frozenset({"grids", "communities", "responsibilities"})
    scope = scope_of(who)
    drawn = MapRequest(texts_of(request), layers=layers, link="/planner?grid=", scope=scope)
    return map_answer(city_map(db, county_of(request), drawn))


def _team(db: Db, code: str) -> Team:
    team = db.get(Team, code)
    if team is None:
        raise NotFoundError(f"no team {code!r}")
    return team


def _coverage(request: Request, db: Db, who: SignedIn, team: Team, most: int) -> Coverage:
    directory = engines(request).directory(db)
    whole = staff_coverage(directory, team.roles, at=datetime.now(UTC), most_households=most)
    return whole.within(who.scope("planner"))


@router.get("/planner/coverage")
def coverage(
    request: Request, db: Db, who: Planner, team: TeamCode = "card", most: Most = 600
) -> str:
    """Where the staff has gaps, as a table beside the map."""
    chosen = _team(db, team)
    report = _coverage(request, db, who, chosen, most)
    return render(
        request,
        "coverage.html",
        team=chosen,
        teams=teams(db),
        most=most,
        report=report,
        complete=sum(not lacks for lacks in report.missing.values()),
    )


@router.get("/maps/coverage")
def gaps_map(request: Request, db: Db, who: Planner, team: TeamCode = "card") -> HTMLResponse:
    """The map of the gaps."""
    report = _coverage(request, db, who, _team(db, team), 600)
    return map_answer(coverage_map(db, who.scope("planner"), report, texts_of(request)))


@router.post("/planner/drafts")
def draw(
    request: Request,
    db: Db,
    who: Planner,
    csrf: Annotated[str, Form()],
    profile: Annotated[str, Form(max_length=30)],
    seed: Annotated[int, Form(ge=0, le=2**31)] = 0,
) -> RedirectResponse:
    """Draw a draft of the whole county by the profile's rules, and open it."""
    checked_form(who, csrf)
    if not who.scope("planner").is_whole:
        raise RefusedError("a whole county is drawn by the county only")
    draft = draw_draft(db, county_of(request), profile=profile, seed=seed, author=who.login)
    return RedirectResponse(f"/planner/drafts/{draft}", 303)
