"""Loading the published plan of one community as redrawing takes it."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.store import shapes_from_wkb
from gis.crs import LocalProjection
from grids.codes import own_name
from grids.ground import load_lines
from grids.redraw import (
    CommunityBlocks,
    CommunityGround,
    CommunityPlan,
    Dwellings,
    GridHolder,
    PlannedGrid,
)
from grids.rules import Rules

__all__ = ["load_plan"]

# The plan that drafts start from is the latest, even where it holds from a later day only. Blocks
# and grids are read by one statement: between two a plan may be published.
_PLAN = text(
    "WITH held AS (SELECT id, code, name, kind, zone_id FROM grid "
    "WHERE community = :community AND upper_inf(valid)), "
    "lying AS (SELECT block.id, block.households, coalesce(block.zone_id, -1) AS zone, "
    "ST_AsBinary(block.geom) AS geom, grid_block.grid_id FROM block "
    "LEFT JOIN (grid_block JOIN held ON held.id = grid_block.grid_id) ON block_id = block.id "
    "WHERE block.community = :community AND block.retired_at IS NULL) "
    "SELECT lying.*, code, name, kind, held.zone_id AS grid_zone "
    "FROM lying FULL JOIN held ON held.id = lying.grid_id ORDER BY lying.id"
)
_COMMUNITY = text(
    "SELECT name, coalesce(ur_code, '111') AS ur_code FROM division "
    "WHERE code = :community AND county = :county AND level = 'village'"
)
_BUILDINGS = text(
    "SELECT building.id, coalesce(building.households, 0) AS households, "
    "ST_AsBinary(building.geom) AS geom FROM building JOIN division ON division.code = :community "
    "AND ST_Intersects(building.geom, division.geom) "
    "WHERE building.county = :county ORDER BY building.id"
)
# The estate that most of a block's addresses name.
_ESTATES = text(
    "SELECT DISTINCT ON (block.id) block.id, address.estate FROM address "
    "JOIN block ON ST_Intersects(block.geom, address.geom) "
    "WHERE block.community = :community AND address.estate IS NOT NULL "
    "GROUP BY block.id, address.estate ORDER BY block.id, count(*) DESC, address.estate"
)
_HOLDERS = text(
    "SELECT grid.code, person.id, person.name, load.elsewhere FROM grid "
    "JOIN responsibility AS r ON r.grid_id = grid.id AND upper_inf(r.valid) "
    "AND r.role = 'gridworker' AND r.holder = 'A' JOIN person ON person.id = r.person_id "
    "CROSS JOIN LATERAL (SELECT coalesce(sum(other.households), 0)::int AS elsewhere "
    "FROM responsibility AS held JOIN grid AS other ON other.id = held.grid_id "
    "AND upper_inf(other.valid) AND other.community <> :community "
    "WHERE held.person_id = person.id AND upper_inf(held.valid) AND held.role = 'gridworker' "
    "AND held.holder = 'A') AS load "
    "WHERE grid.community = :community AND upper_inf(grid.valid) ORDER BY grid.code, person.id DESC"
)


# Of ended generations too: a code is never given again.
_CODES = text(
    "SELECT DISTINCT code FROM grid WHERE county = :county AND left(code, 12) = :community"
)


def load_plan(session: Session, county: str, community: str, rules: Rules) -> CommunityPlan:
    """Load the latest published plan of a community.

    Ground that is in no grid yet is one new grid.

    Raises
    ------
    NotFoundError
        If the county has no such community, or it has no blocks.
    """
    key = {"county": county, "community": community}
    facts = session.execute(_COMMUNITY, key).one_or_none()
    if facts is None:
        raise NotFoundError(f"county {county} has no community {community!r}")
    plan = session.execute(_PLAN, key).all()
    rows = [row for row in plan if row.id is not None]
    if not rows:
        raise NotFoundError(f"community {community} has no blocks: draw the county first")
    shapes = shapes_from_wkb([row.geom for row in rows])
    local = LocalProjection.around(shapes)
    urban = facts.ur_code.startswith("1")
    ground = CommunityGround(
        community,
        facts.name,
        urban,
        local,
        rules,
        _buildings(session, key, local),
        load_lines(session, county, local, near=community),
        _holders(session, key),
        frozenset(session.scalars(_CODES, key)),
    )
    blocks = CommunityBlocks(
        ground,
        tuple(str(row.id) for row in rows),
        shapes,
        np.array([row.households for row in rows], np.int64),
        np.array([row.zone for row in rows], np.int64),
        _estates(session, key, [row.id for row in rows]),
    )
    of_code = {row.code: row for row in plan if row.code is not None}
    grids = [
        PlannedGrid(code, code, own_name(row.name, facts.name, code), row.kind, row.grid_zone)
        for code, row in sorted(of_code.items())
    ]
    owners = [row.code for row in rows]
    if None in owners:
        fresh = PlannedGrid(f"{community}+0.1", kind="urban" if urban else "rural")
        grids.append(fresh)
        owners = [code or fresh.key for code in owners]
    position = {grid.key: index for index, grid in enumerate(grids)}
    grid_of = np.array([position[code] for code in owners], np.int64)
    return CommunityPlan.of(blocks, grids, grid_of, checked=False)


def _buildings(session: Session, key: dict[str, str], local: LocalProjection) -> Dwellings:
    rows = session.execute(_BUILDINGS, key).all()
    return Dwellings(
        np.array([row.id for row in rows], np.int64),
        local.forward(shapes_from_wkb([row.geom for row in rows])),
        np.array([row.households for row in rows], np.int64),
    )


def _estates(session: Session, key: dict[str, str], ids: list[int]) -> NDArray[np.int64]:
    rows = session.execute(_ESTATES, key).all()
    numbers: dict[str, int] = {}
    for row in rows:
        numbers.setdefault(row.estate, len(numbers))
    of_block = {row.id: numbers[row.estate] for row in rows}
    return np.array([of_block.get(block, -1) for block in ids], np.int64)


def _holders(session: Session, key: dict[str, str]) -> dict[str, GridHolder]:
    return {
        row.code: GridHolder(row.id, row.name, row.elsewhere)
        for row in session.execute(_HOLDERS, key)
    }
