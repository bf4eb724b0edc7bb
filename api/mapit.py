"""Where a place lies, shaped as MapIt (mapit.mysociety.org) tells it: areas by their number."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic_core import to_json
from sqlalchemy import text

from api.errors import UnknownCrsError
from api.etags import tagged
from api.session import Db, county_of, engines
from grids.places import GridFacts, division_keys

__all__ = ["router"]

router = APIRouter(tags=["mapit"])
_TYPES = {
    "grid": ("GRD", "Grid"),
    "community": ("COM", "Community"),
    "town": ("TWN", "Town or street"),
    "county": ("CTY", "County"),
}
_DIVISIONS = text("SELECT code, name FROM division WHERE county = :county AND code = ANY (:codes)")


@router.get("/point/{srid}/{lon},{lat}")
def point(
    request: Request,
    db: Db,
    srid: Annotated[int, Path(ge=1, le=999_999)],
    lon: Annotated[float, Path(ge=-180, le=180, allow_inf_nan=False)],
    lat: Annotated[float, Path(ge=-90, le=90, allow_inf_nan=False)],
) -> Response:
    """The grid, community, town and county of a place in EPSG:4326; nobody's name."""
    if srid != 4326:
        raise UnknownCrsError(f"places are taken in EPSG:4326, not EPSG:{srid}")
    directory = engines(request).directory(db)
    grid = directory.places.where(lon, lat).grid
    areas = [] if grid is None else _areas(db, county_of(request), grid, directory.places.begins)
    body = to_json({str(one["id"]): one for one in areas})
    return tagged(request, body, "application/json", max_age_s=60)


def _areas(db: Db, county: str, grid: GridFacts, begins: Any) -> list[dict[str, Any]]:
    held = dict(division_keys(grid.community))
    codes = [held["community"], held["town"], f"{held['county']}000000"]
    query = {"county": county, "codes": codes}
    names = {row.code: row.name for row in db.execute(_DIVISIONS, query)}
    names.setdefault(grid.community, grid.community_name)
    kinds = zip(("community", "town", "county"), codes, strict=True)
    divisions = [(kind, code) for kind, code in kinds if code in names]
    parents = [int(code) for _, code in divisions]
    own = _area("grid", grid.id, grid.name, grid.code, parents[0] if parents else None)
    rest = [
        _area(kind, int(code), names[code], code, parent)
        for (kind, code), parent in zip(divisions, [*parents[1:], None], strict=True)
    ]
    return [one | {"valid_from": begins.isoformat()} for one in (own, *rest)]


def _area(kind: str, number: int, name: str, code: str, parent: int | None) -> dict[str, Any]:
    short, long = _TYPES[kind]
    return {
        "id": number,
        "name": name,
        "type": short,
        "type_name": long,
        "codes": {"onegrid": code},
        "parent_area": parent,
        "country": "",
        "all_names": {},
    }
