"""Which grids of a draft go on, end or begin; their codes, names, H3 cells and lineage."""

from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import StateError
from data.models import Generation
from data.store import shapes_from_wkb, upsert
from gis.cells import CellIndex
from gis.shape import as_multipolygon
from grids.codes import new_codes, reading_order, usual_name

__all__ = ["GRID_RESOLUTION", "Succession", "outlines_of", "replace_grids"]

# About 66 m to a cell's edge: a 300-household urban grid holds a handful of whole cells.
GRID_RESOLUTION = 10

_WANTED = text(
    "SELECT wanted.*, ST_AsBinary(wanted.geom) AS wkb, division.name AS community_name, "
    "zone.name AS held_zone, members.blocks FROM draft_grid AS wanted "
    "JOIN division ON division.code = wanted.community "
    "LEFT JOIN zone ON zone.id = wanted.zone_id "
    "JOIN (SELECT grid_key, array_agg(block_id ORDER BY block_id) AS blocks FROM draft_block "
    "  WHERE generation_id = :draft GROUP BY grid_key) AS members ON members.grid_key = wanted.key "
    "WHERE wanted.generation_id = :draft ORDER BY wanted.community, wanted.key"
)
_OUTLINES = text(
    "SELECT ST_AsBinary(geom) FROM draft_grid WHERE generation_id = :draft ORDER BY community, key"
)
_HELD = text(
    "SELECT grid.id, grid.code, grid.name, grid.kind, grid.zone_id, grid.community, "
    "members.blocks FROM grid JOIN draft_community AS touched "
    "ON touched.community = grid.community AND touched.generation_id = :draft "
    "JOIN (SELECT grid_id, array_agg(block_id ORDER BY block_id) AS blocks FROM grid_block "
    "  GROUP BY grid_id) AS members ON members.grid_id = grid.id "
    "WHERE grid.county = :county AND upper_inf(grid.valid)"
)
_END = text(
    "UPDATE grid SET valid = tstzrange(lower(valid), CAST(:at AS timestamptz)) "
    "WHERE id = ANY (:ids)"
)
# Retired codes count too: a code is never given to other ground.
_EVER = text(
    "SELECT left(code, 12) AS community, array_agg(DISTINCT right(code, -12)::int) AS used "
    "FROM grid WHERE county = :county GROUP BY left(code, 12)"
)
_USED = text("SELECT DISTINCT code FROM grid WHERE code = ANY (:codes)")
_DROP_CELLS = text(
    "DELETE FROM grid_cell USING grid WHERE grid_cell.grid_id = grid.id "
    "AND grid.county = :county AND upper(grid.valid) <= now()"
)
_CELLS = text(
    "INSERT INTO grid_cell (county, cell, grid_id, whole) SELECT :county, * FROM unnest("
    "CAST(:cells AS bigint[]), CAST(:grids AS bigint[]), CAST(:whole AS boolean[]))"
)
_MANY = 1000
_LINKS = text(
    "INSERT INTO grid_block (county, grid_id, block_id) "
    "SELECT grid.county, grid.id, held.block_id FROM unnest(CAST(:keys AS text[]), "
    "CAST(:codes AS text[])) AS named (key, code) "
    "JOIN grid ON grid.code = named.code AND grid.generation_id = :draft "
    "JOIN draft_block AS held ON held.generation_id = :draft AND held.grid_key = named.key"
)
_LINEAGE = text(
    "WITH piece AS (SELECT child.id AS child, child.households AS total, block.id AS block, "
    "  block.parent_id, block.households FROM grid AS child "
    "  JOIN grid_block AS link ON link.grid_id = child.id JOIN block ON block.id = link.block_id "
    "  WHERE child.generation_id = :draft), "
    "source AS (SELECT child, total, block AS held, households FROM piece UNION ALL "
    "  SELECT child, total, parent_id, households FROM piece WHERE parent_id IS NOT NULL) "
    "INSERT INTO lineage (county, child_id, parent_id, household_share) "
    "SELECT :county, source.child, parent.grid_id, "
    "sum(source.households)::float / greatest(max(source.total), 1) FROM source "
    "JOIN grid_block AS parent ON parent.block_id = source.held "
    "JOIN unnest(CAST(:ended AS bigint[])) AS ended (id) ON ended.id = parent.grid_id "
    "GROUP BY source.child, parent.grid_id"
)
_ZONE = text(
    "INSERT INTO zone (county, source_ref, kind, name, owner, geom) VALUES (:county, :ref, :kind, "
    "nullif(:name, ''), nullif(:owner, ''), ST_GeomFromWKB(:geom, 4326)) RETURNING id"
)


@dataclass(frozen=True, slots=True)
class Succession:
    """What became of the draft's grids.

    Attributes
    ----------
    grid_of : dict of str to int
        Key in the draft → id of the grid that is held for it, new or unchanged.
    heirs : list of tuple of int
        A new grid, and the one that ended whose staff goes on with it.
    same : list of tuple of int
        A new grid, and the one of the same code that it goes on from.
    """

    grid_of: dict[str, int]
    heirs: list[tuple[int, int]]
    same: list[tuple[int, int]]


def outlines_of(session: Session, draft: Generation) -> Any:
    """Outlines of a draft's grids by community and key, shape (k,), EPSG:4326."""
    return shapes_from_wkb(list(session.scalars(_OUTLINES, {"draft": draft.id})))


def replace_grids(
    session: Session, draft: Generation, moment: datetime, cells: "Future[CellIndex]"
) -> Succession:
    """End the grids that the draft changes and begin those that it has instead.

    A grid whose blocks, name, kind, zone and code are what they were stays the same row.

    Parameters
    ----------
    cells : Future of CellIndex
        Of `outlines_of`, being found while the database writes.

    Raises
    ------
    StateError
        If a code is wanted twice or was another grid's, or a community has no codes left.
    """
    key = {"county": draft.county, "draft": draft.id}
    wanted = session.execute(_WANTED, key).all()
    held = {row.code: row for row in session.execute(_HELD, key)}
    codes = _codes(session, draft.county, wanted)
    names = {row.key: _name(row, codes[row.key]) for row in wanted}
    kept = [row for row in wanted if _is_same(row, held.get(row.key), codes, names)]
    unchanged = {row.key for row in kept}
    fresh = [row for row in wanted if row.key not in unchanged]
    ended = [row.id for code, row in held.items() if code not in unchanged]
    session.execute(_END, {"ids": ended, "at": moment})
    _insert(session, draft, fresh, codes, names, moment)
    code_of = [None if row.key in unchanged else codes[row.key] for row in wanted]
    _write_cells(session, key, code_of, cells.result())
    session.execute(_LINEAGE, key | {"ended": ended})
    made = {row.code: row.id for row in session.execute(_MADE, key)}
    grid_of = {row.key: made[codes[row.key]] for row in fresh}
    heirs = [
        (grid_of[row.key], held[heir].id)
        for row in fresh
        if (heir := row.heir_of or row.key) in held
    ]
    same = [(grid_of[row.key], held[row.key].id) for row in fresh if row.key in held]
    grid_of |= {row.key: held[row.key].id for row in kept}
    return Succession(grid_of, heirs, same)


_MADE = text("SELECT code, id FROM grid WHERE county = :county AND generation_id = :draft")


def _is_same(row: Any, held: Any, codes: dict[str, str], names: dict[str, str]) -> bool:
    return held is not None and (
        (held.code, held.name, held.kind, held.zone_id, held.community, held.blocks)
        == (codes[row.key], names[row.key], row.kind, row.zone_id, row.community, row.blocks)
        and not row.zone_kind
    )


def _name(row: Any, code: str) -> str:
    zone = row.zone_name or row.held_zone
    usual = f"{zone}专属网格" if row.kind == "dedicated" and zone else ""
    return str(row.name or usual or usual_name(row.community_name, code))[:200]


def _codes(session: Session, county: str, wanted: Any) -> dict[str, str]:
    """The code of each grid: the one it has, the one it was given, else the next free one."""
    codes = {row.key: row.code for row in wanted if row.code}
    given = [row.code for row in wanted if row.code and "+" in row.key]
    if used := sorted(session.scalars(_USED, {"codes": given})):
        raise StateError(f"code {used[0]} was another grid's: codes are never given again")
    if twice := [code for code, count in Counter(codes.values()).items() if count > 1]:
        raise StateError(f"code {twice[0]} is wanted by two grids")
    ever = {row.community: row.used for row in session.execute(_EVER, {"county": county})}
    for code in given:
        ever.setdefault(code[:12], []).append(int(code[12:]))
    nameless: dict[str, list[Any]] = {}
    for row in wanted:
        if not row.code:
            nameless.setdefault(row.community, []).append(row)
    for community, rows in sorted(nameless.items()):
        shapes = shapes_from_wkb([row.wkb for row in rows])
        places, bounds = shapely.point_on_surface(shapes), shapely.bounds(shapes)
        height = float(np.median(bounds[:, 3] - bounds[:, 1]))
        order = reading_order(shapely.get_x(places), shapely.get_y(places), height)
        free = new_codes(community, len(rows), ever.get(community, ()))
        for position, code in zip(order.tolist(), free, strict=True):
            codes[rows[position].key] = code
    return codes


def _insert(
    session: Session,
    draft: Generation,
    fresh: list[Any],
    codes: dict[str, str],
    names: dict[str, str],
    moment: datetime,
) -> None:
    shapes = shapes_from_wkb([row.wkb for row in fresh])
    rows = [
        {
            "county": draft.county,
            "generation_id": draft.id,
            "code": codes[row.key],
            "name": names[row.key],
            "kind": row.kind,
            "community": row.community,
            "zone_id": _zone(session, draft, row) if row.zone_kind else row.zone_id,
            "households": row.households,
            "valid": f"[{moment.isoformat()},)",
            "geom": as_multipolygon(shape),
        }
        for row, shape in zip(fresh, shapes, strict=True)
    ]
    upsert(session, "grid", rows, key=())
    key = {"county": draft.county, "draft": draft.id}
    keys = [row.key for row in fresh]
    session.execute(_LINKS, key | {"keys": keys, "codes": [codes[one] for one in keys]})


def _zone(session: Session, draft: Generation, row: Any) -> int:
    facts = {
        "county": draft.county,
        "ref": f"draft/{draft.id}/{row.key}",
        "kind": row.zone_kind,
        "name": row.zone_name,
        "owner": row.zone_owner,
        "geom": bytes(row.wkb),
    }
    return int(session.execute(_ZONE, facts).scalar_one())


def _write_cells(
    session: Session, key: dict[str, Any], codes: list[str | None], index: CellIndex
) -> None:
    """Index the new grids by H3, and drop the cells of those that no longer hold."""
    session.execute(_DROP_CELLS, {"county": key["county"]})
    made = {row.code: row.id for row in session.execute(_MADE, key)}
    ids = np.array([made[code] if code else 0 for code in codes], np.int64)[index.area]
    fresh = ids > 0
    values = {
        "county": key["county"],
        "cells": index.cell[fresh].tolist(),
        "grids": ids[fresh].tolist(),
        "whole": index.whole[fresh].tolist(),
    }
    session.execute(_CELLS, values)
    if int(fresh.sum()) > _MANY:  # the planner knows nothing of so many new rows yet
        session.execute(text("ANALYZE grid_cell"))
