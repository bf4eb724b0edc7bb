"""Communities: their codes, and making them where no polygons are given."""

from collections import Counter
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import StateError
from data.store import upsert
from gis.crs import LocalProjection

__all__ = ["allocate_codes", "communities_from_units", "ensure_communities"]

Row = dict[str, Any]
_VILLAGES = text(
    "SELECT source_ref, code, name, ur_code FROM division "
    "WHERE county = :county AND level = 'village' ORDER BY code"
)


def allocate_codes(session: Session, county: str, rows: list[Row]) -> int:
    """Store communities, giving those without a 12-digit code theirs.

    In this order: the code that the source itself gives; the one held for the same source;
    the official one of the only division of that name; the next free one. The code is
    county + town + village part; urban village parts are 001–199, rural ones 200–399
    (国统字〔2009〕91号).

    Parameters
    ----------
    rows : list of dict
        ``source_ref``, ``name``, ``geom`` and ``ur_code``, None where the source is silent.

    Returns
    -------
    int
        How many divisions were new or changed.
    """
    villages = session.execute(_VILLAGES, {"county": county}).all()
    held = {village.source_ref: village for village in villages}
    named = {village.name: village for village in villages}
    for name, times in Counter(village.name for village in villages).items():
        if times > 1:
            del named[name]
    used = {village.code for village in villages}
    divisions = []
    for row in rows:
        ref = row["source_ref"]
        known = held.get(ref) or named.get(row["name"])
        ur_code = row.get("ur_code") or (known.ur_code if known else None) or "111"
        given = ref if len(ref) == 12 and ref.isdigit() else None
        code = given or (known.code if known else _next_code(county, used, ur_code))
        used.add(code)
        divisions.append(
            {
                "county": county,
                "code": code,
                "parent": code[:9] + "000",
                "name": row["name"],
                "level": "village",
                "ur_code": ur_code,
                "source_ref": ref,
                "geom": row["geom"],
            }
        )
    _store_parents(session, county, sorted({row["parent"] for row in divisions}))
    return upsert(session, "division", _without_overlaps(divisions), key=("code",))


def _next_code(county: str, used: set[str], ur_code: str) -> str:
    first, last = (1, 199) if ur_code.startswith("1") else (200, 399)
    for town in range(1, 400):
        for village in range(first, last + 1):
            code = f"{county}{town:03d}{village:03d}"
            if code not in used:
                return code
    raise StateError(f"county {county} has no free community code left")


def _store_parents(session: Session, county: str, towns: list[str]) -> None:
    for code, parent, level in [
        (county + "000000", None, "county"),
        *((town, county + "000000", "town") for town in towns),
    ]:
        session.execute(
            text(
                "INSERT INTO division (county, code, parent, name, level, source_ref) "
                "VALUES (:county, :code, :parent, :code, :level, :code) ON CONFLICT DO NOTHING"
            ),
            {"county": county, "code": code, "parent": parent, "level": level},
        )


def _without_overlaps(divisions: list[Row]) -> list[Row]:
    """Clean the boundaries between communities: no overlaps, no slivers under 1 m wide."""
    shapes = np.array([row["geom"] for row in divisions], dtype=object)
    if len(shapes) < 2:
        return divisions
    local = LocalProjection.around(shapes)
    metres = shapely.set_precision(local.forward(shapes), 0.01)
    cleaned = local.inverse(shapely.coverage_clean(metres, gap_width=1.0))
    return [
        row | {"geom": shapely.MultiPolygon(_polygons(shape))}
        for row, shape in zip(divisions, cleaned, strict=True)
        if not shapely.is_empty(shape)
    ]


def _are_drawn(session: Session, county: str) -> bool:
    """Whether the county has communities with ground; a list of codes alone has none."""
    query = (
        "SELECT 1 FROM division WHERE county = :county AND level = 'village' AND geom IS NOT NULL"
    )
    return session.execute(text(query + " LIMIT 1"), {"county": county}).first() is not None


def _polygons(shape: Any) -> list[Any]:
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]


def communities_from_units(session: Session, county: str) -> int:
    """Make communities of the household units' groups, if the county has none; return how many."""
    if _are_drawn(session, county):
        return 0
    found = session.execute(
        text(
            "SELECT coalesce(community_ref, 'all') AS ref, min(town_ref) AS town, "
            "ST_AsBinary(ST_Multi(ST_UnaryUnion(ST_Collect(geom), 1e-7))) AS geom "
            "FROM household_unit WHERE county = :county GROUP BY 1 ORDER BY 2, 1"
        ),
        {"county": county},
    ).all()
    rows = [
        {
            "source_ref": f"group:{ref}",
            "name": ref,
            "ur_code": "111",
            "geom": shapely.from_wkb(geom),
        }
        for ref, _town, geom in found
    ]
    allocate_codes(session, county, rows)
    return len(rows)


def ensure_communities(session: Session, county: str) -> int:
    """Make communities where the county has none, from its units' groups, else one of all.

    Raises
    ------
    StateError
        If there is neither a household unit nor a building to make one from.
    """
    if _are_drawn(session, county):
        return 0
    made = communities_from_units(session, county) or _one_community(session, county)
    if not made:
        raise StateError(f"county {county} has no ground: import areas, households or osm first")
    return made


def _one_community(session: Session, county: str) -> int:
    """Make one community of all that is built: its hull plus 50 m."""
    wkb = session.execute(
        text(
            "SELECT ST_AsBinary(ST_ConvexHull(ST_Collect(geom))) FROM "
            "(SELECT geom FROM building WHERE county = :county) AS built"
        ),
        {"county": county},
    ).scalar()
    if wkb is None:
        return 0
    name = "全域"
    hull = np.array([shapely.from_wkb(bytes(wkb))], dtype=object)
    local = LocalProjection.around(hull)
    ground = local.inverse(shapely.buffer(local.forward(hull), 50.0))[0]
    shape = shapely.MultiPolygon(_polygons(ground))
    row = {"source_ref": "whole", "name": name, "ur_code": "111", "geom": shape}
    allocate_codes(session, county, [row])
    return 1
