"""Importers of standard addresses and of other names of places, and what completes addresses."""

from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Session

from data.importing.columns import CellError, text
from data.importing.report import ImportReport
from data.importing.rows import Row, check_rows, county_bounds, located, stated_crs
from data.importing.sources import read_any
from data.readers import SourceTable, read_table
from data.readers.osm import OsmFeature
from data.store import upsert
from gis.address import SLOTS, entry_of
from gis.address.normalize import is_chinese

__all__ = [
    "complete_addresses",
    "complete_all_addresses",
    "import_addresses",
    "import_aliases",
    "osm_address",
]

Columns = dict[str, str] | None
# A house number without a street belongs to the nearest one that has a name.
_STREET_WITHIN_M = 80
_BATCH = 20_000


def import_addresses(
    session: Session,
    path: Path,
    *,
    county: str,
    crs: str | None = None,
    columns: Columns = None,
) -> ImportReport:
    """Import standard addresses with their points, joined to the buildings they stand in."""
    table = read_any(path, columns)
    system = stated_crs(table.crs, crs)
    bounds = county_bounds(session, county)
    report = ImportReport(path.name)

    def check(row: Row, cols: dict[str, str], geometry: Any, line: int) -> Row:
        place = located(row, cols, geometry, system, bounds)
        return {
            "county": county,
            "source_ref": text(row, cols.get("id")) or f"{path.stem}:{line}",
            "text": text(row, cols.get("address"), "address"),
            "road": text(row, cols.get("road"))[:200] or None,
            "door": text(row, cols.get("door"))[:40] or None,
            "estate": text(row, cols.get("estate"))[:200] or None,
            **place.columns(),
        }

    wanted = ("id", "address", "road", "door", "estate", "lon", "lat")
    rows = check_rows(report, table, wanted, check)
    report.changed = upsert(session, "address", rows)
    report.notes += complete_addresses(session, county)
    return report


def import_aliases(
    session: Session, path: Path, *, county: str, columns: Columns = None
) -> ImportReport:
    """Import other names 俗称 of roads, estates and villages: columns ``alias`` and ``name``."""
    table: SourceTable = read_table(path, columns)
    report = ImportReport(path.name)

    def check(row: Row, cols: dict[str, str], _geometry: Any, _line: int) -> Row:
        alias, name = text(row, cols.get("alias"), "alias"), text(row, cols.get("name"), "name")
        if alias == name:
            raise CellError(f"{alias!r} is its own name")
        return {
            "county": county,
            "source_ref": f"{alias}={name}"[:200],
            "alias": alias[:200],
            "name": name[:200],
            "source": text(row, cols.get("source"))[:400],
        }

    rows = check_rows(report, table, ("alias", "name", "source"), check)
    report.changed = upsert(session, "place_alias", rows)
    return report


def osm_address(feature: OsmFeature) -> tuple[str, Row] | None:
    """The row of a feature with a house number, and its table."""
    tags = feature.tags
    street, door = tags.get("addr:street", tags.get("addr:place", "")), tags["addr:housenumber"]
    return "address", {
        "source_ref": feature.ref,
        "text": (tags.get("addr:full") or _plain_text(street, door, tags.get("addr:city")))[:400],
        "road": street or None,
        "door": door[:40],
        "raw_x": feature.geometry.x,
        "raw_y": feature.geometry.y,
        "raw_crs": "EPSG:4326",
        "geom": feature.geometry,
    }


def _plain_text(street: str, door: str, town: str | None) -> str:
    if is_chinese(street):
        return f"{street}{door}" if door.endswith("號") else f"{street}{door}号"
    return ", ".join(part for part in (f"{door} {street}".strip(), town) if part)


def complete_addresses(session: Session, county: str) -> list[str]:
    """Complete new addresses: their building, their street, and how they are looked up.

    Returns
    -------
    list of str
        What was added to what the source says.
    """
    session.execute(_JOIN_BUILDINGS, {"county": county})
    named = 0
    asked = {"county": county, "most": _BATCH, "within_m": _STREET_WITHIN_M}
    while rows := session.execute(_UNREAD, asked).all():
        read = [_components(row.text, row.road, row.door, row.estate, row.street) for row in rows]
        named += sum(row.street is not None for row in rows)
        session.connection().exec_driver_sql(
            _READ, {"ids": [row.id for row in rows], "read": list(map(Jsonb, read))}
        )
    return [f"{named} house numbers without a street got the nearest one's name"] if named else []


def complete_all_addresses(session: Session) -> None:
    """Complete the addresses of every county: after an upgrade none is looked up as before."""
    for county in session.scalars(_COUNTIES).all():
        complete_addresses(session, county)


def _components(
    full: str, road: str | None, door: str | None, estate: str | None, street: str | None
) -> Row:
    entry = entry_of(full, road=road or street or "", door=door or "", estate=estate or "")
    read: Row = {slot: entry.numbers.get(slot) for slot in SLOTS}
    read |= {"road": entry.road, "estate": entry.estate, "localities": entry.localities}
    held = {name: value for name, value in read.items() if value}
    # What the source does not say stands in the components, never in its own columns.
    return (
        held if street is None else held | {"text": full.replace(door or "", f"{door} {street}", 1)}
    )


# Addresses belong to the building that covers their point (the smallest id on a tie).
_JOIN_BUILDINGS = sql_text(
    "UPDATE address SET building_id = found.id FROM ("
    "  SELECT address.id AS address, min(building.id) AS id FROM address"
    "  JOIN building ON building.county = address.county"
    "    AND ST_Covers(building.geom, address.geom)"
    "  WHERE address.county = :county GROUP BY address.id) AS found "
    "WHERE address.id = found.address AND address.building_id IS DISTINCT FROM found.id"
)
_COUNTIES = sql_text("SELECT DISTINCT county FROM address WHERE components IS NULL ORDER BY 1")
_UNREAD = sql_text(
    "SELECT lone.id, lone.text, lone.road, lone.door, lone.estate, nearest.name AS street "
    "FROM address AS lone LEFT JOIN LATERAL ("
    "  SELECT name FROM (SELECT name, geom FROM street"
    "    WHERE county = lone.county AND name IS NOT NULL"
    "    ORDER BY street.geom <-> lone.geom LIMIT 1) AS street"
    "  WHERE ST_Distance(street.geom::geography, lone.geom::geography) <= :within_m"
    ") AS nearest ON lone.road IS NULL AND lone.estate IS NULL AND lone.door IS NOT NULL "
    "WHERE lone.county = :county AND lone.components IS NULL ORDER BY lone.id LIMIT :most"
)
_READ = (
    "UPDATE address SET components = new.read "
    "FROM unnest(%(ids)s::bigint[], %(read)s::jsonb[]) AS new (id, read) WHERE address.id = new.id"
)
