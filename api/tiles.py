"""Vector tiles: the base map and the published plan for everybody, drafts for their readers."""

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api.drafts import Watcher, scope_of
from api.etags import tagged
from api.moments import Moment
from api.session import Db, county_of, desk, desk_role
from data.models import Generation
from data.sessions import SignedIn
from grids.drafting import journal
from grids.figures import base_version
from grids.generations import current_generation
from maps.tiles import TileCache, base_tile, draft_tile, plan_tile, work_tile

__all__ = ["router"]

router = APIRouter(prefix="/tiles", include_in_schema=False)
Desk = Annotated[SignedIn, Depends(desk("dispatcher", "centre", polled=True))]
Zoom = Annotated[int, Path(ge=0, le=22)]
# What the tile is asked for. It is kept by it only where it is the present one: whoever asks early
# for a version that is to come would have the picture of now kept for it.
Version = Annotated[str, Query(max_length=40)]
_FOREVER = "max-age=86400, immutable"
_MVT = "application/vnd.mapbox-vector-tile"


@router.get("/base/{z}/{x}/{y}.mvt")
def base(request: Request, db: Db, z: Zoom, x: int, y: int, v: Version = "") -> Response:
    """Streets, water, railways and buildings."""
    county = county_of(request)
    key = ("base", v, z, x, y) if v and v == base_version(db) else None
    return _answer(request, key, lambda: base_tile(db, county, z, x, y))


@router.get("/plan/{z}/{x}/{y}.mvt")
def plan(
    request: Request, db: Db, z: Zoom, x: int, y: int, v: Version = "", at: Moment | None = None
) -> Response:
    """Communities and the grids that hold at a time."""
    county = county_of(request)
    moment = at or datetime.now(UTC)
    held = current_generation(db, county, moment)
    key = ("plan", v, at, z, x, y) if held is not None and v == f"{held.id}" else None
    return _answer(request, key, lambda: plan_tile(db, county, moment, z, x, y))


@router.get("/draft/{number}/{z}/{x}/{y}.mvt")
def draft(
    request: Request, db: Db, who: Watcher, number: int, z: Zoom, x: int, y: int, v: Version = ""
) -> Response:
    """Grids and blocks as a draft has them."""
    held = journal.draft_in(db, scope_of(who), number)
    # The first plan of all has none before it.
    base_of = None if held.base_id is None else db.get(Generation, held.base_id)
    since = base_of.valid.lower if base_of is not None and base_of.valid is not None else None
    key = ("draft", number, v, z, x, y) if v == f"{held.version}" else None
    area = held.area

    def drawn() -> bytes:
        return draft_tile(db, who.county, number, area, since, z, x, y)

    return _answer(request, key, drawn, is_public=False)


@router.get("/work/{z}/{x}/{y}.mvt")
def work(db: Db, who: Desk, z: Zoom, x: int, y: int) -> Response:
    """Incidents, responders and closed roads as they are now: never kept."""
    role = desk_role(who)
    tile = work_tile(db, who.scope(role), z, x, y)
    return Response(tile, media_type=_MVT, headers={"Cache-Control": "no-store"})


def _answer(
    request: Request,
    key: Hashable | None,
    make: Callable[[], bytes],
    *,
    is_public: bool = True,
) -> Response:
    """A tile, kept by its key; None for one whose version is not known to be the present one."""
    tiles: TileCache = request.app.state.tiles
    tile = make() if key is None else tiles.get(key, make)
    whose = "public" if is_public else "private"
    kept = "no-cache" if key is None else f"{whose}, {_FOREVER}"
    return tagged(request, tile, _MVT, kept=kept)
