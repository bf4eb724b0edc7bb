"""A draft's cuts and moved boundaries become the blocks, communities and outlines that are held."""

from datetime import datetime
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import Generation
from data.store import shapes_from_wkb
from gis.shape import as_multipolygon
from gis.slicing import stitch
from grids.drafting.tables import corners_of

__all__ = ["take_over_blocks"]

_PIECES = text(
    "INSERT INTO block (county, community, zone_id, households, parent_id, geom) "
    "SELECT piece.county, piece.community, root.zone_id, piece.households, root.id, piece.geom "
    "FROM draft_block AS piece JOIN block AS root ON root.id = piece.block_id "
    "WHERE piece.generation_id = :draft AND piece.key LIKE '%/%' ORDER BY piece.key "
    "RETURNING id"
)
_PIECE_KEYS = text(
    "SELECT key FROM draft_block WHERE generation_id = :draft AND key LIKE '%/%' ORDER BY key"
)
_RETIRE = text(
    "UPDATE block SET retired_at = :at FROM draft_block AS piece "
    "WHERE piece.generation_id = :draft AND piece.key LIKE '%/%' AND piece.block_id = block.id"
)
_POINT_AT = text(
    "UPDATE draft_block SET block_id = :block WHERE generation_id = :draft AND key = :key"
)
# Blocks that gained a vertex, or another community.
_REFINE = text(
    "UPDATE block SET geom = held.geom, community = held.community FROM draft_block AS held "
    "WHERE held.generation_id = :draft AND held.block_id = block.id AND held.key NOT LIKE '%/%' "
    "AND (block.community <> held.community OR NOT block.geom = held.geom)"
)
_OUTLINE = text("SELECT ST_AsBinary(geom) FROM block WHERE id = ANY (:pieces)")
_DRAFT = {
    table: text(f"SELECT key, ST_AsBinary(geom) AS geom FROM {table} WHERE generation_id = :draft")  # noqa: S608 - constants
    for table in ("draft_block", "draft_grid")
}
_WRITE_DRAFT = {
    table: text(
        f"UPDATE {table} SET geom = ST_GeomFromWKB(:geom, 4326) "  # noqa: S608 - constants
        "WHERE generation_id = :draft AND key = :key"
    )
    for table in _DRAFT
}
# What meets the pieces and was not in the draft, or is not the plan any more: a grid of an
# earlier generation must go on meeting its neighbours too.
_MET = {
    table: text(
        f"SELECT {table}.id, ST_AsBinary({table}.geom) AS geom FROM {table} "  # noqa: S608 - constants
        f"WHERE {table}.county = :county AND {table}.geom && ST_GeomFromWKB(:around, 4326) "
        f"AND {table}.id <> ALL (:pieces) {more}"
    )
    for table, more in (("block", "AND retired_at IS NULL"), ("grid", ""))
}
_WRITE = {
    "block": text("UPDATE block SET geom = ST_GeomFromWKB(:geom, 4326) WHERE id = :id"),
    "grid": text("UPDATE grid SET geom = ST_GeomFromWKB(:geom, 4326) WHERE id = :id"),
}
_MOVED = text(
    "SELECT DISTINCT unnest(ARRAY[arguments ->> 'community', arguments ->> 'to']) FROM edit "
    "WHERE generation_id = :draft AND operation = 'adjust_boundary' AND conflict = '' "
    "AND position <= :head"
)
_GROUND = text("SELECT ST_AsBinary(geom) FROM block WHERE community = :c AND retired_at IS NULL")
_BOUND = text("UPDATE division SET geom = ST_GeomFromWKB(:geom, 4326) WHERE code = :c")


def take_over_blocks(session: Session, draft: Generation, moment: datetime) -> None:
    """Hold the pieces of cut blocks, retire those that were cut, and move boundaries.

    Afterwards every row of ``draft_block`` names the block that is held for it. What meets a
    cut gains its points, so that the blocks, and the grids of every generation, stay coverages.
    """
    key = {"draft": draft.id}
    if keys := list(session.scalars(_PIECE_KEYS, key)):
        _stitch_draft(session, draft)
    session.execute(_REFINE, key)
    if keys:
        made = list(session.scalars(_PIECES, key))
        session.execute(_RETIRE, key | {"at": moment})
        session.execute(
            _POINT_AT,
            [key | {"key": one, "block": block} for one, block in zip(keys, made, strict=True)],
        )
        _stitch_neighbours(session, draft.county, made)
    for code in session.scalars(_MOVED, key | {"head": draft.head}):
        shapes = shapes_from_wkb(list(session.scalars(_GROUND, {"c": code})))
        outline = as_multipolygon(shapely.coverage_union_all(shapes))
        session.execute(_BOUND, {"c": code, "geom": shapely.to_wkb(outline)})


def _stitch_draft(session: Session, draft: Generation) -> None:
    """Set the points of cuts in one community into the edges of the draft's others."""
    blocks = session.execute(_DRAFT["draft_block"], {"draft": draft.id}).all()
    shapes = shapes_from_wkb([row.geom for row in blocks])
    corners = corners_of(shapes[np.array(["/" in row.key for row in blocks], bool)])
    grids = session.execute(_DRAFT["draft_grid"], {"draft": draft.id}).all()
    outlines = shapes_from_wkb([row.geom for row in grids])
    for table, rows, before in (
        ("draft_block", blocks, shapes),
        ("draft_grid", grids, outlines),
    ):
        changed = [
            {"draft": draft.id, "key": row.key, "geom": shapely.to_wkb(_as_held(table, shape))}
            for row, shape, was in zip(rows, stitch(before, corners), before, strict=True)
            if shape is not was
        ]
        if changed:
            session.execute(_WRITE_DRAFT[table], changed)


def _as_held(table: str, shape: Any) -> Any:
    return as_multipolygon(shape) if table.endswith("grid") else shape


def _stitch_neighbours(session: Session, county: str, pieces: list[int]) -> None:
    """The same for what is held: blocks of other communities, grids of every generation."""
    shapes = shapes_from_wkb(list(session.scalars(_OUTLINE, {"pieces": pieces})))
    corners = corners_of(shapes)
    key: dict[str, Any] = {"county": county, "pieces": pieces}
    key["around"] = shapely.to_wkb(shapely.box(*shapely.total_bounds(shapes)))
    for table, query in _MET.items():
        rows = session.execute(query, key if table == "block" else key | {"pieces": []}).all()
        before = shapes_from_wkb([row.geom for row in rows])
        changed = [
            {"id": row.id, "geom": shapely.to_wkb(_as_held(table, shape))}
            for row, shape, was in zip(rows, stitch(before, corners), before, strict=True)
            if shape is not was
        ]
        if changed:
            session.execute(_WRITE[table], changed)
