"""The published plan as features (GeoJSON, CRS84): what the OGC API shows of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

__all__ = ["COLLECTIONS", "Asked", "Collection", "count_features", "features", "one_feature"]

# Seven decimals of a degree are a centimetre.
_DECIMALS = 7


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of features.

    Attributes
    ----------
    id, title : str
    columns : str
        What is selected beside the code and the geometry.
    source : str
        Tables, and what always holds of their rows.
    code, shape : str
        Columns of the code by which a feature is asked for, and of its geometry.
    filters : mapping of str to str
        Properties that may be asked for, and their columns.
    """

    id: str
    title: str
    columns: str
    source: str
    code: str
    shape: str
    filters: Mapping[str, str]

    def extent(self, session: Session, county: str) -> list[float] | None:
        """West, south, east, north in degrees; None where it is empty."""
        query = text(
            "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) FROM "  # noqa: S608 - constants
            f"(SELECT ST_Extent({self.shape}) AS e FROM {self.source}) AS extent"
        )
        row = session.execute(query, {"county": county, "at": None}).one()
        return None if row[0] is None else [float(value) for value in row]


COLLECTIONS = {
    "grids": Collection(
        "grids",
        "网格 Grids",
        "g.name, g.kind, g.community, d.name AS community_name, lower(g.valid) AS valid_from",
        "grid AS g JOIN division AS d ON d.code = g.community WHERE g.county = :county "
        "AND g.valid @> coalesce(CAST(:at AS timestamptz), now())",
        "g.code",
        "g.geom",
        {"code": "g.code", "community": "g.community", "kind": "g.kind"},
    ),
    "communities": Collection(
        "communities",
        "村社区 Communities",
        "d.name, d.ur_code",
        "division AS d WHERE d.county = :county AND d.geom IS NOT NULL "
        "AND CAST(:at AS timestamptz) IS NOT DISTINCT FROM CAST(:at AS timestamptz) "
        "AND d.level = 'village'",
        "d.code",
        "d.geom",
        {"code": "d.code"},
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Attributes
    ----------
    at : datetime
        When the plan holds.
    box : tuple of float or None
        West, south, east, north in degrees; west may lie east of east, over the date line.
    where : mapping of str to str
        Properties and their values; empty ones are not asked for.
    """

    county: str
    at: datetime
    box: tuple[float, float, float, float] | None
    where: Mapping[str, str]


def count_features(session: Session, held: Collection, asked: Asked) -> int:
    """How many features fit."""
    condition, key = _condition(held, asked)
    query = f"SELECT count(*) FROM {held.source}{condition}"  # noqa: S608 - constants
    return int(session.scalar(text(query), key) or 0)


def features(
    session: Session, held: Collection, asked: Asked, limit: int, offset: int
) -> list[dict[str, Any]]:
    """A page of the features that fit, by code."""
    condition, key = _condition(held, asked)
    query = text(f"{_select(held)}{condition} ORDER BY {held.code} LIMIT :limit OFFSET :offset")
    rows = session.execute(query, key | {"limit": limit, "offset": offset}).mappings()
    return [_feature(dict(row)) for row in rows]


def one_feature(
    session: Session, held: Collection, county: str, code: str
) -> dict[str, Any] | None:
    """The feature of a code, as it is now."""
    query = text(f"{_select(held)} AND {held.code} = :code")
    row = session.execute(query, {"county": county, "at": None, "code": code}).mappings()
    found = row.one_or_none()
    return None if found is None else _feature(dict(found))


def _select(held: Collection) -> str:
    return (
        f"SELECT {held.code} AS code, {held.columns}, "  # noqa: S608 - constants
        f"ST_AsGeoJSON({held.shape}, {_DECIMALS}) AS shape FROM {held.source}"
    )


def _condition(held: Collection, asked: Asked) -> tuple[str, dict[str, Any]]:
    parts: list[str] = []
    key: dict[str, Any] = {"county": asked.county, "at": asked.at}
    if asked.box is not None:
        west, south, east, north = asked.box
        boxes = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        key |= {"south": south, "north": north}
        meets = []
        for at, (low, high) in enumerate(boxes):
            box = f"ST_MakeEnvelope(:w{at}, :south, :e{at}, :north, 4326)"
            meets.append(f"ST_Intersects({held.shape}, {box})")
            key |= {f"w{at}": low, f"e{at}": high}
        parts.append(f"({' OR '.join(meets)})")
    for name, value in asked.where.items():
        if not value:
            continue
        parts.append(f"{held.filters[name]} = :{name}" if name in held.filters else "false")
        key[name] = value
    return "".join(f" AND {part}" for part in parts), key


def _feature(row: dict[str, Any]) -> dict[str, Any]:
    shape, code = json.loads(row.pop("shape")), row["code"]
    said = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
    return {"type": "Feature", "id": code, "geometry": shape, "properties": said}
