"""The plan's history: a slider over its generations, and the lineage of a grid."""

from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse

from api.drafts import scope_of
from api.moments import Moment
from api.pages import language_of, render, script_facts, texts_of
from api.session import Db, county_of, desk
from data.errors import StateError
from data.sessions import SignedIn
from grids.figures import area_bounds, base_version
from grids.generations import household_ranges, rules_of
from grids.history import generations, lineage_of, statistics

__all__ = ["router"]

router = APIRouter()
Reader = Annotated[SignedIn, Depends(desk("planner", "reviewer"))]
GridCode = Annotated[str, Path(pattern=r"^\d{13,20}$")]


@router.get("/planner/history", response_class=HTMLResponse, include_in_schema=False)
def page(request: Request, db: Db, who: Reader) -> str:
    """Generations on a slider, with their figures."""
    county = county_of(request)
    scope = scope_of(who)
    rows = generations(db, scope)
    if not rows:
        raise StateError("no plan was published yet")
    facts = {
        "lang": language_of(request),
        "words": texts_of(request).catalogue,
        "csrf": who.csrf,
        "ranges": household_ranges(rules_of(db, "tongliao")),
        "bounds": area_bounds(db, county, scope.prefixes[0]),
        "base_version": base_version(db),
        "generations": [
            {
                "id": row.id,
                "since": row.since.isoformat(),
                "until": row.until and row.until.isoformat(),
            }
            for row in rows
        ],
    }
    return render(
        request,
        "history.html",
        generations=rows,
        may_restore=who.scope("planner").is_whole,
        facts=script_facts(facts),
    )


@router.get("/api/v1/history/statistics", tags=["drafts"])
def counted(db: Db, who: Reader, at: Moment, since: Moment, until: Moment) -> dict[str, Any]:
    """Incidents of a period by the grids that hold at any time, in the area."""
    times = [one if one.tzinfo else one.replace(tzinfo=UTC) for one in (at, since, until)]
    rows = statistics(db, scope_of(who), at=times[0], since=times[1], until=times[2])
    return {"grids": [dict(row._mapping) for row in rows]}  # noqa: SLF001 - SQLAlchemy's name for it


@router.get("/api/v1/history/{code}", tags=["drafts"])
def lineage(db: Db, who: Reader, code: GridCode) -> dict[str, Any]:
    """Where a grid comes from and what came of it, oldest step first."""
    steps = [dict(row._mapping) for row in lineage_of(db, scope_of(who), code)]  # noqa: SLF001 - SQLAlchemy's name for it
    return {"code": code, "steps": steps}
