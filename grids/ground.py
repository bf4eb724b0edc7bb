"""Loading a county's ground from the database, in metres, and storing its blocks."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.communities import ensure_communities
from data.store import shapes_from_wkb, upsert
from gis.crs import LocalProjection
from grids.blocks import draw_blocks
from grids.borders import BorderLines
from grids.counting import count_households, share_by_area
from grids.partition import Rules

__all__ = ["Dwellings", "Ground", "StoredBlocks", "load_blocks", "load_lines"]

# Footways and tracks run through estates and fields: they are no boundary that people see.
BARRIER_STREETS = (
    "motorway",
    "trunk",
    "primary",
    "secondary",
    "tertiary",
    "unclassified",
    "residential",
    "living_street",
    "pedestrian",
    "road",
)

_COMMUNITIES = text(
    "SELECT code, coalesce(ur_code, '111') AS ur, ST_AsBinary(geom) AS geom FROM division "
    "WHERE county = :county AND level = 'village' AND geom IS NOT NULL ORDER BY code"
)
_BARRIERS = text(
    "SELECT ST_AsBinary(geom) FROM street WHERE county = :county AND kind = ANY(:kinds) "
    "AND NOT bridge AND NOT tunnel "
    "UNION ALL SELECT ST_AsBinary(geom) FROM railway WHERE county = :county "
    "AND NOT bridge AND NOT tunnel "
    "UNION ALL SELECT ST_AsBinary(CASE WHEN ST_Dimension(geom) = 2 THEN ST_Boundary(geom) "
    "ELSE geom END) FROM water WHERE county = :county AND kind NOT IN ('drain', 'pool') "
    # Statistical units are drawn along streets and lanes that the extract may lack.
    "UNION ALL SELECT ST_AsBinary(ST_Boundary(geom)) FROM household_unit WHERE county = :county"
)
_SHORES = (
    "THEN ST_Boundary(geom) ELSE geom END) FROM water WHERE county = :county "
    "AND kind IN ('river', 'canal', 'water', 'lake', 'riverbank')"
)
# Where only a community's are asked for: those that meet its bounds.
_NEAR = "(CAST(:near AS text) IS NULL OR geom && (SELECT geom FROM division WHERE code = :near))"
_LINES = {
    "streets": (
        "SELECT ST_AsBinary(geom) FROM street WHERE county = :county "
        "AND kind = ANY(:kinds) AND NOT bridge AND NOT tunnel"
    ),
    "barriers": (
        "SELECT ST_AsBinary(geom) FROM railway WHERE county = :county AND NOT bridge AND NOT tunnel"
    ),
    "shores": "SELECT ST_AsBinary(CASE WHEN ST_Dimension(geom) = 2 " + _SHORES,
    "crossings": (
        "SELECT ST_AsBinary(geom) FROM street WHERE county = :county "
        "AND kind NOT IN ('motorway', 'motorway_link', 'trunk_link')"
    ),
}
_PATHS = text(
    "SELECT ST_AsBinary(geom) FROM street WHERE county = :county AND NOT bridge AND NOT tunnel "
    "AND kind IN ('service', 'footway', 'path', 'track', 'cycleway', 'steps')"
)
_ZONES = text(
    "SELECT id, kind, ST_AsBinary(geom) AS geom FROM zone WHERE county = :county "
    "AND kind = ANY(:kinds) AND ST_Area(geom::geography) >= :area ORDER BY id"
)
_DWELLINGS = text(
    "SELECT id, ST_AsBinary(geom) AS geom, households FROM building "
    "WHERE county = :county AND households > 0 ORDER BY id"
)
_IDLE_UNITS = text(
    "SELECT ST_AsBinary(unit.geom) AS geom, unit.households FROM household_unit AS unit "
    "WHERE unit.county = :county AND unit.households > 0 AND NOT EXISTS ("
    "  SELECT 1 FROM building WHERE building.county = unit.county AND households > 0"
    "  AND ST_Covers(unit.geom, ST_PointOnSurface(building.geom))) ORDER BY unit.id"
)
# A building this near to a community's edge counts to it; what lies farther is not the county's,
# as where an extract holds more than the county.
_NEAR_M = 50.0
# The estate that most of a block's addresses name.
_ESTATES = text(
    "SELECT DISTINCT ON (block.id) block.id, block.community, address.estate "
    "FROM address JOIN block ON block.county = address.county "
    "AND ST_Intersects(block.geom, address.geom) "
    "WHERE address.county = :county AND address.estate IS NOT NULL "
    "AND block.retired_at IS NULL GROUP BY block.id, block.community, address.estate "
    "ORDER BY block.id, count(*) DESC, address.estate"
)
_BLOCKS = text(
    "SELECT id, community, coalesce(zone_id, -1) AS zone, households, ST_AsBinary(geom) AS geom "
    "FROM block WHERE county = :county AND retired_at IS NULL ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Ground:
    """A county's communities and the projection that its plan is drawn in."""

    local: LocalProjection
    codes: list[str]
    urban: NDArray[np.bool_]
    polygons: NDArray[np.object_]

    @classmethod
    def load(cls, session: Session, county: str) -> "Ground":
        """Load the communities, making them first where the county has none."""
        ensure_communities(session, county)
        rows = session.execute(_COMMUNITIES, {"county": county}).all()
        shapes = shapes_from_wkb([row.geom for row in rows])
        local = LocalProjection.around(shapes)
        urban = np.array([row.ur.startswith("1") for row in rows])
        return cls(local, [row.code for row in rows], urban, local.forward(shapes))


@dataclass(frozen=True, slots=True)
class StoredBlocks:
    """Blocks as held: polygons in EPSG:4326 and the same in metres."""

    ids: NDArray[np.int64]
    community: NDArray[np.int64]
    zone: NDArray[np.int64]
    households: NDArray[np.int64]
    estate: NDArray[np.int64]
    polygons_wgs84: NDArray[np.object_]
    polygons_m: NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Dwellings:
    """Buildings with households, in metres, and what each holds."""

    ids: NDArray[np.int64]
    footprints: NDArray[np.object_]
    households: NDArray[np.int64]

    @classmethod
    def load(cls, session: Session, county: str, ground: Ground) -> "Dwellings":
        """Load those in the communities and up to 50 m beside them."""
        rows = session.execute(_DWELLINGS, {"county": county}).all()
        footprints = ground.local.forward(shapes_from_wkb([row.geom for row in rows]))
        households = np.array([row.households for row in rows], np.int64)
        near, _ = shapely.STRtree(ground.polygons).query(footprints, "dwithin", distance=_NEAR_M)
        own = np.unique(near)
        ids = np.array([row.id for row in rows], np.int64)
        return cls(ids[own], footprints[own], households[own])


def load_blocks(
    session: Session,
    county: str,
    ground: Ground,
    rules: Rules,
    executor: Executor | None = None,
) -> StoredBlocks:
    """Load a county's blocks, drawing them where there are none; households are counted anew."""
    dwellings = Dwellings.load(session, county, ground)
    if not session.execute(_BLOCKS, {"county": county}).first():
        _draw(session, county, ground, rules, dwellings, executor)
    rows = session.execute(_BLOCKS, {"county": county}).all()
    shapes = shapes_from_wkb([row.geom for row in rows])
    metres = ground.local.forward(shapes)
    households = _count(session, county, ground, metres, dwellings)
    ids = np.array([row.id for row in rows], np.int64)
    session.execute(
        text("UPDATE block SET households = :households WHERE id = :id"),
        [
            {"id": i, "households": n}
            for i, n in zip(ids.tolist(), households.tolist(), strict=True)
        ],
    )
    position = {code: index for index, code in enumerate(ground.codes)}
    return StoredBlocks(
        ids,
        np.array([position[row.community] for row in rows], np.int64),
        np.array([row.zone for row in rows], np.int64),
        households,
        _estates(session, county, ids),
        shapes,
        metres,
    )


def _estates(session: Session, county: str, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of each block's estate, -1 for none; an estate ends at its community's edge."""
    rows = session.execute(_ESTATES, {"county": county}).all()
    numbers: dict[tuple[str, str], int] = {}
    for row in rows:
        numbers.setdefault((row.community, row.estate), len(numbers))
    of_block = {row.id: numbers[row.community, row.estate] for row in rows}
    return np.array([of_block.get(block, -1) for block in ids.tolist()], np.int64)


def load_lines(
    session: Session, county: str, local: LocalProjection, *, near: str | None = None
) -> BorderLines:
    """Load what borders may follow: streets, barriers, and where barriers are crossed.

    Parameters
    ----------
    near : str, optional
        Code of a community: only what meets its bounds.
    """
    key = {"county": county, "kinds": [*BARRIER_STREETS, *_links()], "near": near}
    found = {
        name: shapes_from_wkb(list(session.scalars(text(f"{query} AND {_NEAR}"), key)))
        for name, query in _LINES.items()
    }
    barriers = np.concatenate([found["barriers"], found["shores"]])
    return BorderLines(
        local.forward(found["streets"]), local.forward(barriers), local.forward(found["crossings"])
    )


def _draw(
    session: Session,
    county: str,
    ground: Ground,
    rules: Rules,
    dwellings: Dwellings,
    executor: Executor | None,
) -> None:
    local = ground.local
    barriers = session.scalars(
        _BARRIERS, {"county": county, "kinds": [*BARRIER_STREETS, *_links()]}
    ).all()
    zones = session.execute(
        _ZONES, {"county": county, "kinds": sorted(rules.zone_kinds), "area": rules.zone_area_m2}
    ).all()
    paths = session.scalars(_PATHS, {"county": county}).all()
    blocks = draw_blocks(
        ground.polygons,
        local.forward(shapes_from_wkb(list(barriers))),
        local.forward(shapes_from_wkb([zone.geom for zone in zones])),
        dwellings.footprints,
        dwellings.households,
        paths=local.forward(shapes_from_wkb(list(paths))),
        atoms=[rules.atom_of(urban=bool(urban)) for urban in ground.urban],
        executor=executor,
    )
    zone_ids = [zone.id for zone in zones]
    shapes = local.inverse(blocks.polygons)
    upsert(
        session,
        "block",
        [
            {
                "county": county,
                "community": ground.codes[blocks.community[i]],
                "zone_id": zone_ids[blocks.zone[i]] if blocks.zone[i] >= 0 else None,
                "households": int(blocks.households[i]),
                "geom": shapes[i],
            }
            for i in range(len(shapes))
        ],
        key=(),
    )


def _links() -> list[str]:
    return [f"{kind}_link" for kind in BARRIER_STREETS[:5]]


def _count(
    session: Session,
    county: str,
    ground: Ground,
    blocks: NDArray[np.object_],
    dwellings: Dwellings,
) -> NDArray[np.int64]:
    points = shapely.point_on_surface(dwellings.footprints)
    idle = session.execute(_IDLE_UNITS, {"county": county}).all()
    counts = np.array([row.households for row in idle], np.int64)
    units = ground.local.forward(shapes_from_wkb([row.geom for row in idle]))
    total = count_households(blocks, points, dwellings.households)
    return total if not len(units) else total + share_by_area(units, counts, blocks)
