"""A plan as files: grids, blocks, lineage and micro-grids for other programs (EPSG:4326)."""

import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import NotFoundError, SourceError
from data.exporting import write_table
from data.store import shapes_from_wkb

__all__ = ["PARTS", "SUFFIXES", "export_plan"]

SUFFIXES = (".gpkg", ".geojson", ".shp", ".kml", ".csv", ".xlsx")
# Of lineage the map is the child's.
PARTS = {
    "grids": (
        "SELECT grid.code, grid.name, grid.kind, grid.community, division.name AS town, "
        "grid.households, lower(grid.valid)::text AS since, coalesce((SELECT "
        "string_agg(person.name, '、' ORDER BY person.id) FROM responsibility AS r JOIN person "
        "ON person.id = person_id WHERE r.grid_id = grid.id AND r.role = 'gridworker' "
        "AND r.valid @> CAST(:at AS timestamptz)), '') AS worker, ST_AsBinary(grid.geom) AS geom "
        "FROM grid JOIN division ON division.code = grid.community WHERE grid.county = :county "
        "AND grid.valid @> CAST(:at AS timestamptz) ORDER BY grid.code"
    ),
    "blocks": (
        "SELECT block.id AS block, grid.code AS grid, block.community, block.households, "
        "ST_AsBinary(block.geom) AS geom FROM block "
        "JOIN grid_block ON grid_block.block_id = block.id "
        "JOIN grid ON grid.id = grid_block.grid_id AND grid.valid @> CAST(:at AS timestamptz) "
        "WHERE block.county = :county ORDER BY block.id"
    ),
    "lineage": (
        "SELECT child.code AS grid, child.name, parent.code AS origin, parent.name AS origin_name, "
        "round(household_share::numeric, 4)::float AS share, "
        "lower(child.valid)::text AS since, ST_AsBinary(child.geom) AS geom FROM lineage "
        "JOIN grid AS child ON child.id = child_id JOIN grid AS parent ON parent.id = parent_id "
        "WHERE child.county = :county AND lower(child.valid) <= CAST(:at AS timestamptz) "
        "ORDER BY child.code, lower(child.valid), parent.code"
    ),
    "micro": (
        "SELECT micro_grid.code, grid.code AS grid, micro_grid.households, "
        "ST_AsBinary(micro_grid.geom) AS geom FROM micro_grid JOIN grid ON grid.id = grid_id "
        "AND grid.valid @> CAST(:at AS timestamptz) WHERE micro_grid.county = :county "
        "ORDER BY micro_grid.code"
    ),
}
# A Shapefile's names in GB18030, as government GIS reads them; its fields have ten letters.
_OPTIONS: dict[str, dict[str, Any]] = {
    ".shp": {"encoding": "GB18030"},
    ".kml": {"driver": "LIBKML"},
}


def export_plan(session: Session, county: str, part: str, path: Path, at: datetime) -> int:
    """Write a part of the plan that holds at a time; return how many rows.

    Raises
    ------
    NotFoundError
        If there is nothing of it then.
    SourceError
        If the part or the suffix is unknown.
    """
    if part not in PARTS:
        raise SourceError(f"{part!r} is none of {', '.join(PARTS)}")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SourceError(f"{path.name} is none of {', '.join(SUFFIXES)}")
    rows = session.execute(text(PARTS[part]), {"county": county, "at": at}).all()
    if not rows:
        raise NotFoundError(f"county {county} has no {part} at {at:%Y-%m-%d %H:%M}")
    names = [name for name in rows[0]._fields if name != "geom"]
    plain = [tuple(getattr(row, name) for name in names) for row in rows]
    if suffix in {".csv", ".xlsx"}:
        return write_table(path, names, iter(plain))
    shapes = shapes_from_wkb([row.geom for row in rows])
    columns = dict(zip(names, zip(*plain, strict=True), strict=True))
    frame = geopandas.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")
    with warnings.catch_warnings(action="ignore"):  # of names that a Shapefile shortens
        frame.to_file(path, **_OPTIONS.get(suffix, {}))
    return len(rows)
