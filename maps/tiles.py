"""Vector tiles from PostGIS: the base map, the published plan, a draft, what is under way.

Each is one statement that makes the whole tile (``ST_AsMVT``). What has a version is kept in
memory by it: a version's tile never changes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.positions import KEEP_MINUTES
from data.scope import Scope, prefix_of, seen_sql

__all__ = ["LAYERS", "MOST_ZOOM", "TileCache", "base_tile", "draft_tile", "plan_tile", "work_tile"]

MOST_ZOOM = 22
# From these zooms on: a grid, a block, a building is then more than a few pixels.
LAYERS = {"grids": 10, "labels": 12, "blocks": 13, "buildings": 15}

_BOUNDS = (
    "WITH edge AS (SELECT ST_TileEnvelope(:z, :x, :y) AS web), "
    "bounds AS (SELECT web, ST_Transform(ST_Expand(web, "
    "  (ST_XMax(web) - ST_XMin(web)) / 64), 4326) AS deg FROM edge) "
)


def _layer(name: str, columns: str, source: str, *, condition: str, label: bool = False) -> str:
    """One layer: rows of a source whose geometry meets the tile, or a point in each of them."""
    # A label belongs to the one tile that its point lies in: there is no buffer around it.
    geom, buffer = ("ST_PointOnSurface(geom)", 0) if label else ("geom", 64)
    return (
        f"(SELECT ST_AsMVT(tile, '{name}', 4096, 'mvt') FROM (SELECT {columns}, "  # noqa: S608 - constants
        f"ST_AsMVTGeom(ST_Transform({geom}, 3857), bounds.web, 4096, {buffer}, true) AS mvt "
        f"FROM {source}, bounds WHERE {condition} AND geom && bounds.deg) AS tile "
        "WHERE mvt IS NOT NULL)"
    )


_MINE = "county = :county"
_STREETS = _layer(
    "street",
    "kind, coalesce(name, '') AS name, bridge",
    "street",
    condition=f"{_MINE} AND (:z >= 13 OR kind = ANY (ARRAY['motorway','trunk','primary',"
    "'secondary','motorway_link','trunk_link','primary_link'] || CASE WHEN :z >= 11 "
    "THEN ARRAY['tertiary','secondary_link'] ELSE ARRAY[]::text[] END))",
)
_WATER = _layer("water", "kind, coalesce(name, '') AS name", "water", condition=_MINE)
_RAILWAYS = _layer("railway", "kind", "railway", condition=_MINE)
_BUILDINGS = _layer(
    "building",
    "use, coalesce(name, '') AS name",
    "building",
    condition=f"{_MINE} AND :z >= {LAYERS['buildings']}",
)
_COMMUNITIES = _layer(
    "community",
    "code, name",
    "division",
    condition=f"{_MINE} AND level = 'village' AND geom IS NOT NULL",
)
_GRID_COLUMNS = "key, code, name, kind, community, households, short, fresh"
_HELD_GRIDS = (
    "SELECT code AS key, code, name, kind, community, households, right(code, -12) AS short, "
    "false AS fresh, geom FROM grid WHERE county = :county "
    "AND valid @> CAST(:at AS timestamptz) AND geom && (SELECT deg FROM bounds)"
)
_PLAN_SOURCE = f"({_HELD_GRIDS}) AS held"
_OF_DRAFT = (
    "community NOT IN (SELECT community FROM draft_community "
    "WHERE generation_id = :draft) UNION ALL SELECT key, code, name, kind, community, "
    "households, right(key, -12), key LIKE '%+%', geom FROM draft_grid "
    "WHERE generation_id = :draft AND geom && (SELECT deg FROM bounds)"
)
_DRAFT_SOURCE = f"({_HELD_GRIDS} AND {_OF_DRAFT}) AS both_"


def _grids(source: str) -> str:
    return _layer("grid", _GRID_COLUMNS, source, condition=f":z >= {LAYERS['grids']}")


def _labels(source: str) -> str:
    return _layer(
        "label", "short, households", source, condition=f":z >= {LAYERS['labels']}", label=True
    )


_DRAFT_BLOCKS = _layer(
    "block",
    "key, grid, community, households",
    "(SELECT block.id::text AS key, grid.code AS grid, block.community, block.households, "
    "block.geom FROM block JOIN grid_block ON grid_block.block_id = block.id "
    "JOIN grid ON grid.id = grid_block.grid_id AND grid.valid @> CAST(:at AS timestamptz) "
    "WHERE block.county = :county AND block.retired_at IS NULL AND block.community ^@ :area "
    "AND block.geom && (SELECT deg FROM bounds) AND block.community NOT IN (SELECT community "
    "FROM draft_community WHERE generation_id = :draft) UNION ALL "
    "SELECT key, grid_key, community, households, geom FROM draft_block "
    "WHERE generation_id = :draft AND geom && (SELECT deg FROM bounds)) AS both_",
    condition=f":z >= {LAYERS['blocks']}",
)


def _tile(*layers: str) -> Any:
    return text(f"{_BOUNDS} SELECT {' || '.join(layers)}")


# Incidents and responders of an area; the age of a position is told with it (seconds).
_INSIDE = "(:whole OR community ^@ ANY (:prefixes))"
_INCIDENTS = _layer(
    "incident",
    "id, state, severity, light",
    "(SELECT incident.id, state, severity, community, incident.geom, CASE "  # noqa: S608 - constants
    "WHEN due_at <= now() THEN 'red' WHEN warn_at <= now() THEN 'yellow' ELSE 'green' END AS light "
    "FROM incident LEFT JOIN grid ON grid.id = grid_id LEFT JOIN LATERAL (SELECT warn_at, due_at "
    "FROM deadline WHERE incident_id = incident.id AND ended_at IS NULL AND paused_at IS NULL "
    "ORDER BY due_at LIMIT 1) AS next ON true WHERE incident.county = :county "
    "AND incident.geom && (SELECT deg FROM bounds) AND state NOT IN ('closed', 'void') "
    f"AND {seen_sql('community', 'class_code')}) AS open_",
    condition="true",
)
_RESPONDERS = _layer(
    "responder",
    "id, name, role, mode, age_s, busy",
    "(SELECT person.id, person.name, person.role, person.mode, grid.community, position.geom, "
    "extract(epoch FROM now() - position.at)::int AS age_s, EXISTS (SELECT 1 FROM dispatch "
    "WHERE dispatch.person_id = person.id AND dispatch.state = 'open') AS busy FROM position "
    "JOIN person ON person.id = position.person_id LEFT JOIN LATERAL (SELECT community FROM grid "
    "WHERE NOT :whole AND grid.county = :county AND grid.valid @> now() "
    "AND ST_Covers(grid.geom, position.geom) ORDER BY code LIMIT 1) AS grid ON true "
    "WHERE position.county = :county AND position.geom && (SELECT deg FROM bounds) "
    "AND position.at > now() - make_interval(mins => :fresh)) AS seen",
    condition=_INSIDE,
)
_CLOSURES = _layer(
    "closure",
    "id, reason",
    "closure",
    condition=f"{_MINE} AND valid @> now()",
)
_WORK = _tile(_INCIDENTS, _RESPONDERS, _CLOSURES)
_BASE = _tile(_WATER, _RAILWAYS, _BUILDINGS, _STREETS)
_PLAN = _tile(_COMMUNITIES, _grids(_PLAN_SOURCE), _labels(_PLAN_SOURCE))
_DRAFT = _tile(_COMMUNITIES, _DRAFT_BLOCKS, _grids(_DRAFT_SOURCE), _labels(_DRAFT_SOURCE))


def _require_tile(z: int, x: int, y: int) -> None:
    if not (0 <= z <= MOST_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z):
        raise NotFoundError(f"there is no tile {z}/{x}/{y}")


def _made(session: Session, query: Any, **values: Any) -> bytes:
    return bytes(session.execute(query, values).scalar_one() or b"")


def base_tile(session: Session, county: str, z: int, x: int, y: int) -> bytes:
    """Streets, water, railways and, from near, buildings.

    Raises
    ------
    NotFoundError
        If there is no such tile on earth.
    """
    _require_tile(z, x, y)
    return _made(session, _BASE, county=county, z=z, x=x, y=y)


def plan_tile(session: Session, county: str, at: Any, z: int, x: int, y: int) -> bytes:
    """Communities and the grids that hold at a time; raises as `base_tile`."""
    _require_tile(z, x, y)
    return _made(session, _PLAN, county=county, at=at, z=z, x=x, y=y)


def draft_tile(
    session: Session, county: str, draft: int, area: str, at: Any, z: int, x: int, y: int
) -> bytes:
    """Communities, grids and its area's blocks as a draft has them; raises as `base_tile`.

    Parameters
    ----------
    area : str
        The division that the draft is of.
    at : datetime
        When the draft's base begins to hold.
    """
    _require_tile(z, x, y)
    return _made(
        session,
        _DRAFT,
        county=county,
        draft=draft,
        area=prefix_of(area or county),
        at=at,
        z=z,
        x=x,
        y=y,
    )


def work_tile(
    session: Session,
    scope: Scope,
    z: int,
    x: int,
    y: int,
    *,
    fresh_minutes: int = KEEP_MINUTES,
) -> bytes:
    """Open incidents, closed roads and responders with a fresh position; raises as `base_tile`."""
    _require_tile(z, x, y)
    return _made(session, _WORK, z=z, x=x, y=y, fresh=fresh_minutes, **scope.seen)


class TileCache:
    """Tiles by version, up to a number of bytes and of tiles: an empty one takes room as well.

    The least recently used are dropped first.
    """

    def __init__(self, most_bytes: int = 64 * 2**20, most_tiles: int = 20_000) -> None:
        self._most, self._most_tiles, self._held = most_bytes, most_tiles, 0
        self._tiles: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The tile of a key, made where it is not there."""
        with self._lock:
            found = self._tiles.get(key)
            if found is not None:
                self._tiles.move_to_end(key)
                return found
        made = make()
        with self._lock:
            self._held += len(made) - len(self._tiles.get(key, b""))
            self._tiles[key] = made
            while self._held > self._most or len(self._tiles) > self._most_tiles:
                _, dropped = self._tiles.popitem(last=False)
                self._held -= len(dropped)
        return made
