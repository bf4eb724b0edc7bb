"""Vector tiles: the base map and the published plan for everybody, drafts for their readers."""

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api.drafts import Watcher, scope_of
from api.moments import Moment
from api.session import Db, county_of, desk, desk_role
from data.models import Generation
from data.sessions import SignedIn
from grids.drafting import journal
from maps.tiles import TileCache, base_tile, draft_tile, plan_tile, work_tile

__all__ = ["router"]

router = APIRouter(prefix="/tiles", include_in_schema=False)
Desk = Annotated[SignedIn, Depends(desk("dispatcher", "centre", polled=True))]
Zoom = Annotated[int, Path(ge=0, le=22)]
# What the tile is asked for: its content is never older, so that it may be kept by it.
Version = Annotated[str, Query(max_length=40)]
_FOREVER = "private, max-age=86400, immutable"


@router.get("/base/{z}/{x}/{y}.mvt")
def base(request: Request, db: Db, z: Zoom, x: int, y: int, v: Version = "") -> Response:
    """Streets, water, railways and buildings."""
    county = county_of(request)
    return _answer(request, ("base", v, z, x, y), lambda: base_tile(db, county, z, x, y), v)


@router.get("/plan/{z}/{x}/{y}.mvt")
def plan(
    request: Request, db: Db, z: Zoom, x: int, y: int, v: Version = "", at: Moment | None = None
) -> Response:
    """Communities and the grids that hold at a time."""
    county = county_of(request)
    moment = at or datetime.now(UTC)
    key = ("plan", v, at, z, x, y)
    return _answer(request, key, lambda: plan_tile(db, county, moment, z, x, y), v)


@router.get("/draft/{number}/{z}/{x}/{y}.mvt")
def draft(
    request: Request, db: Db, who: Watcher, number: int, z: Zoom, x: int, y: int, v: Version = ""
) -> Response:
    """Grids and blocks as a draft has them."""
    held = journal.draft_in(db, scope_of(who), number)
    # The first plan of all has none before it.
    base_of = None if held.base_id is None else db.get(Generation, held.base_id)
    since = base_of.valid.lower if base_of is not None and base_of.valid is not None else None
    key = ("draft", number, v, z, x, y)
    area = held.area

    def drawn() -> bytes:
        return draft_tile(db, who.county, number, area, since, z, x, y)

    return _answer(request, key, drawn, v)


@router.get("/work/{z}/{x}/{y}.mvt")
def work(db: Db, who: Desk, z: Zoom, x: int, y: int) -> Response:
    """Incidents, responders and closed roads as they are now: never kept."""
    role = desk_role(who)
    tile = work_tile(db, who.scope(role), z, x, y, classes=who.classes(role))
    kind = "application/vnd.mapbox-vector-tile"
    return Response(tile, media_type=kind, headers={"Cache-Control": "no-store"})


def _answer(request: Request, key: Hashable, make: Callable[[], bytes], version: str) -> Response:
    tiles: TileCache = request.app.state.tiles
    tile = tiles.get(key, make) if version else make()
    kind = "application/vnd.mapbox-vector-tile"
    kept = _FOREVER if version else "no-cache"
    return Response(tile, media_type=kind, headers={"Cache-Control": kept})
