"""OGC API Features and Tiles of the plan: for desktop GIS and other cities' programs.

OGC 17-069r4 (Features, Part 1: Core) and OGC 20-057 (Tiles, Part 1: Core), JSON only. Why it is
written here and not taken from tipg: decision 17.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic_core import to_json

from api.errors import OddQueryError
from api.etags import tagged
from api.hosts import public_url
from api.session import Db, county_of
from data.errors import NotFoundError
from data.moments import FIRST_YEAR, LAST_YEAR, is_countable
from grids.generations import current_generation
from maps.plan_features import COLLECTIONS, Asked, Collection, count_features, features, one_feature
from maps.tiles import MOST_ZOOM, TileCache, plan_tile

__all__ = ["router"]

_CORE = "http://www.opengis.net/spec/ogcapi-"
_CONFORMS = (
    f"{_CORE}common-1/1.0/conf/core",
    f"{_CORE}common-2/1.0/conf/collections",
    f"{_CORE}features-1/1.0/conf/core",
    f"{_CORE}features-1/1.0/conf/oas30",
    f"{_CORE}features-1/1.0/conf/geojson",
    f"{_CORE}tiles-1/1.0/conf/core",
    f"{_CORE}tiles-1/1.0/conf/tileset",
    f"{_CORE}tiles-1/1.0/conf/mvt",
)
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_WEB_MERCATOR = "http://www.opengis.net/def/crs/EPSG/0/3857"
_MATRIX_SET = "WebMercatorQuad"
_MVT, _GEOJSON = "application/vnd.mapbox-vector-tile", "application/geo+json"
_OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
# Half the width of Web Mercator in metres, and a pixel of 0.28 mm, as the standard has it.
_HALF_M, _PIXEL_M = math.pi * 6378137.0, 0.00028
_MOST = 10_000

CollectionId = Annotated[str, Path(max_length=40)]


def _known_parameters(*known: str) -> Callable[[Request], None]:
    """Dependency: a parameter that is not known is an error, as the standard wants it."""

    def check(request: Request) -> None:
        odd = set(request.query_params) - {*known, "f"}
        if odd:
            raise OddQueryError(f"parameters {', '.join(sorted(odd))[:100]!r} are not known")
        if request.query_params.get("f", "json") != "json":
            raise OddQueryError("f: only json is answered")

    return check


router = APIRouter(prefix="/api/ogc", tags=["ogc"])
Plain = Depends(_known_parameters())


def _json(request: Request, said: Any, media_type: str = "application/json") -> Response:
    return tagged(request, to_json(said), media_type)


def _base(request: Request) -> str:
    return f"{public_url(request)}/api/ogc"


def _link(href: str, rel: str, kind: str = "application/json", **more: Any) -> dict[str, Any]:
    return {"href": href, "rel": rel, "type": kind, **more}


@router.get("", dependencies=[Plain])
def landing(request: Request) -> Response:
    """What is here."""
    base = _base(request)
    links = [
        _link(base, "self"),
        _link(f"{base}/api", "service-desc", _OPENAPI),
        _link(f"{public_url(request)}/docs", "service-doc", "text/html"),
        _link(f"{base}/conformance", "conformance"),
        _link(f"{base}/collections", "data"),
        _link(f"{base}/tileMatrixSets", f"{_CORE}tiles-1/1.0/rel/tiling-schemes"),
    ]
    return _json(request, {"title": "OneGrid 一张网", "description": "网格划分", "links": links})


@router.get("/api", dependencies=[Plain])
def definition(request: Request) -> Response:
    """The definition of this part, as the OpenAPI 3.0 that clients of the standard read."""
    version = request.app.version
    said = get_openapi(
        title="OneGrid 一张网", version=version, openapi_version="3.0.3", routes=router.routes
    )
    return _json(request, said, _OPENAPI)


@router.get("/conformance", dependencies=[Plain])
def conformance(request: Request) -> Response:
    """Which classes of the standards are kept."""
    return _json(request, {"conformsTo": _CONFORMS})


@router.get("/collections", dependencies=[Plain])
def collections(request: Request, db: Db) -> Response:
    """The collections: grids and communities."""
    county = county_of(request)
    held = [_described(request, one, one.extent(db, county)) for one in COLLECTIONS.values()]
    links = [_link(f"{_base(request)}/collections", "self")]
    return _json(request, {"links": links, "collections": held})


@router.get("/collections/{collection}", dependencies=[Plain])
def collection_(request: Request, db: Db, collection: CollectionId) -> Response:
    """One collection."""
    held = _collection(collection)
    return _json(request, _described(request, held, held.extent(db, county_of(request))))


def _collection(name: str) -> Collection:
    if name not in COLLECTIONS:
        raise NotFoundError(f"no collection {name!r}: {', '.join(COLLECTIONS)}")
    return COLLECTIONS[name]


def _described(request: Request, held: Collection, box: list[float] | None) -> dict[str, Any]:
    here = f"{_base(request)}/collections/{held.id}"
    extent = {"spatial": {"bbox": [box], "crs": _CRS84}} if box else {}
    return {
        "id": held.id,
        "title": held.title,
        "itemType": "feature",
        "crs": [_CRS84],
        "extent": extent,
        "links": [
            _link(here, "self"),
            _link(f"{here}/items", "items", _GEOJSON),
            _link(f"{here}/tiles", f"{_CORE}tiles-1/1.0/rel/tilesets-vector"),
        ],
    }


_ITEM_PARAMETERS = ("bbox", "limit", "offset", "datetime", "code", "community", "kind")


@router.get(
    "/collections/{collection}/items", dependencies=[Depends(_known_parameters(*_ITEM_PARAMETERS))]
)
def items(
    request: Request,
    db: Db,
    collection: CollectionId,
    bbox: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    datetime: Annotated[str, Query(max_length=80)] = "",
    code: Annotated[str, Query(max_length=30)] = "",
    community: Annotated[str, Query(max_length=30)] = "",
    kind: Annotated[str, Query(max_length=30)] = "",
) -> Response:
    """Features, a page at a time; of the plan that holds now, or at a time."""
    held = _collection(collection)
    where = {"code": code, "community": community, "kind": kind}
    asked = Asked(county_of(request), _moment(datetime), _box(bbox), where)
    most = min(limit, _MOST)
    total = count_features(db, held, asked)
    found = features(db, held, asked, most, offset)
    links = [_page_link(request, "self", offset)]
    if offset + most < total:
        links.append(_page_link(request, "next", offset + most))
    if offset:
        links.append(_page_link(request, "prev", max(offset - most, 0)))
    said = {
        "type": "FeatureCollection",
        "numberMatched": total,
        "numberReturned": len(found),
        "links": links,
        "features": found,
    }
    return _json(request, said, _GEOJSON)


def _page_link(request: Request, rel: str, offset: int) -> dict[str, Any]:
    here = f"{_base(request)}{request.url.path.removeprefix('/api/ogc')}"
    asked = request.url.include_query_params(offset=offset).query
    return _link(f"{here}?{asked}", rel, _GEOJSON)


def _box(said: str) -> tuple[float, float, float, float] | None:
    """West, south, east, north; heights are left out."""
    if not said:
        return None
    try:
        numbers = [float(part) for part in said.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    inside = len(numbers) == 4 and all(
        abs(x) <= 180 and abs(y) <= 90 for x, y in (numbers[:2], numbers[2:])
    )
    if not inside or numbers[1] > numbers[3]:
        raise OddQueryError("bbox holds west, south, east, north in degrees (CRS84)")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _moment(said: str) -> datetime:
    """An instant; of an interval its end, or now where it is open."""
    last = said.rsplit("/", 1)[-1]
    if last in {"", ".."}:
        return datetime.now(UTC)
    try:
        made = datetime.fromisoformat(last)
    except ValueError as error:
        raise OddQueryError("datetime is an instant or interval of RFC 3339") from error
    if not is_countable(made):
        raise OddQueryError(f"datetime: the year must be {FIRST_YEAR} to {LAST_YEAR}")
    return made if made.tzinfo else made.replace(tzinfo=UTC)


@router.get("/collections/{collection}/items/{code}", dependencies=[Plain])
def item(
    request: Request, db: Db, collection: CollectionId, code: Annotated[str, Path(max_length=30)]
) -> Response:
    """One feature, by its code."""
    held = _collection(collection)
    found = one_feature(db, held, county_of(request), code)
    if found is None:
        raise NotFoundError(f"no {held.id} has the code {code!r}")
    here = f"{_base(request)}/collections/{held.id}"
    links = [_link(f"{here}/items/{code}", "self", _GEOJSON), _link(here, "collection")]
    return _json(request, found | {"links": links}, _GEOJSON)


@router.get("/collections/{collection}/tiles", dependencies=[Plain])
def tilesets(request: Request, collection: CollectionId) -> Response:
    """The tile sets of a collection: one."""
    held = _collection(collection)
    return _json(request, {"tilesets": [_tileset(request, held)]})


@router.get(f"/collections/{{collection}}/tiles/{_MATRIX_SET}", dependencies=[Plain])
def tileset(request: Request, collection: CollectionId) -> Response:
    """How the tiles are asked for."""
    return _json(request, _tileset(request, _collection(collection)))


def _tileset(request: Request, held: Collection) -> dict[str, Any]:
    base = _base(request)
    here = f"{base}/collections/{held.id}/tiles/{_MATRIX_SET}"
    tile = f"{here}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
    return {
        "title": held.title,
        "dataType": "vector",
        "crs": _WEB_MERCATOR,
        "tileMatrixSetURI": f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{_MATRIX_SET}",
        "links": [
            _link(here, "self"),
            _link(tile, "item", _MVT, templated=True),
            _link(f"{base}/tileMatrixSets/{_MATRIX_SET}", f"{_CORE}tiles-1/1.0/rel/tiling-scheme"),
        ],
    }


@router.get(
    f"/collections/{{collection}}/tiles/{_MATRIX_SET}/{{z}}/{{row}}/{{column}}",
    dependencies=[Plain],
)
def tile(
    request: Request,
    db: Db,
    collection: CollectionId,
    z: Annotated[int, Path(ge=0, le=MOST_ZOOM)],
    row: Annotated[int, Path(ge=0)],
    column: Annotated[int, Path(ge=0)],
) -> Response:
    """A vector tile with the communities and grids of now."""
    _collection(collection)
    if row >= 2**z or column >= 2**z:
        raise NotFoundError(f"zoom {z} has {2**z} rows and columns")
    county, now = county_of(request), datetime.now(UTC)
    held = current_generation(db, county, now)
    tiles: TileCache = request.app.state.tiles
    # As the map's own tiles of the present plan are kept.
    key = ("plan", "" if held is None else f"{held.id}", None, z, column, row)
    made = tiles.get(key, lambda: plan_tile(db, county, now, z, column, row))
    return tagged(request, made, _MVT, max_age_s=60)


@router.get("/tileMatrixSets", dependencies=[Plain])
def matrix_sets(request: Request) -> Response:
    """The tiling schemes: one."""
    here = f"{_base(request)}/tileMatrixSets/{_MATRIX_SET}"
    held = {"id": _MATRIX_SET, "title": "Web Mercator", "links": [_link(here, "self")]}
    return _json(request, {"tileMatrixSets": [held]})


@router.get(f"/tileMatrixSets/{_MATRIX_SET}", dependencies=[Plain])
def matrix_set(request: Request) -> Response:
    """Its matrices, one for each zoom (OGC 17-083r4)."""
    matrices = [_matrix(z) for z in range(MOST_ZOOM + 1)]
    said = {
        "id": _MATRIX_SET,
        "uri": f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{_MATRIX_SET}",
        "crs": _WEB_MERCATOR,
        "orderedAxes": ["X", "Y"],
        "tileMatrices": matrices,
    }
    return _json(request, said)


def _matrix(z: int) -> dict[str, Any]:
    cell = 2 * _HALF_M / (256 * 2**z)
    return {
        "id": str(z),
        "scaleDenominator": cell / _PIXEL_M,
        "cellSize": cell,
        "cornerOfOrigin": "topLeft",
        "pointOfOrigin": [-_HALF_M, _HALF_M],
        "tileWidth": 256,
        "tileHeight": 256,
        "matrixWidth": 2**z,
        "matrixHeight": 2**z,
    }
