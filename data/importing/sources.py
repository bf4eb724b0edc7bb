"""Importers of areas, divisions, household units and incidents."""

from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from data.communities import allocate_codes, communities_from_units
from data.errors import SourceError
from data.households import spread_households
from data.importing.columns import CellError, moment, text, whole
from data.importing.names import classes_by_name
from data.importing.report import ImportReport
from data.importing.rows import (
    Row,
    check_rows,
    county_bounds,
    located,
    place_text,
    polygon_of,
    stated_crs,
)
from data.readers import SourceTable, read_table, read_vector
from data.store import upsert
from gis.cells import cells_of_points

__all__ = [
    "import_areas",
    "import_divisions",
    "import_households",
    "import_incidents",
]

INCIDENT_RESOLUTION = 10
# Areas that need not follow grids: 警格, 调解, 消防, 部门.
SERVICE_KINDS = ("police_beat", "mediation_area", "fire_area", "department_area")
_RANKS = {"1": "province", "2": "city", "3": "county", "4": "town", "5": "village"}
# The well-known file of the Bureau of Statistics' codes has no heading row.
_DIVISION_HEADINGS = [
    "code",
    "parent",
    "name",
    "level",
    "rank",
    "adcode",
    "post_code",
    "area_code",
    "ur_code",
    "municipality",
    "virtual",
    "dummy",
    "lon",
    "lat",
    "center",
    "province",
    "city",
    "county",
    "town",
    "village",
]
_SEVERITIES = {"一般": "general", "疑难复杂": "difficult", "重大": "major", "": "general"}
Columns = dict[str, str] | None


def read_any(path: Path, columns: Columns = None) -> SourceTable:
    """Read a table or vector file by its suffix."""
    if path.name.lower().removesuffix(".gz").endswith((".csv", ".xlsx")):
        return read_table(path, columns)
    return read_vector(path, columns)


def import_areas(
    session: Session,
    path: Path,
    *,
    county: str,
    kind: str,
    crs: str | None = None,
    columns: Columns = None,
) -> ImportReport:
    """Import polygons as communities, zones or service areas.

    Parameters
    ----------
    kind : str
        ``community``, ``zone``, or a kind of service area: see `SERVICE_KINDS`.
    """
    if kind not in {"community", "zone", *SERVICE_KINDS}:
        raise SourceError(f"unknown kind of area {kind!r}")
    table = read_vector(path, columns)
    system = stated_crs(table.crs, crs)
    report = ImportReport(path.name)

    def check(row: Row, cols: dict[str, str], geometry: Any, line: int) -> Row:
        ref = text(row, cols.get("id")) or text(row, cols.get("name"), f"id or name of row {line}")
        stored: Row = {"county": county, "source_ref": ref, "geom": polygon_of(geometry, system)}
        stored["name"] = text(row, cols.get("name")) or ref
        if kind == "community":
            return stored | {"ur_code": place_text(row, cols, "ur_code")}
        return stored | {"kind": place_text(row, cols, "kind") or kind}

    rows = check_rows(report, table, ("id", "name", "ur_code", "kind"), check)
    if kind == "community":
        report.changed = allocate_codes(session, county, rows)
    else:
        report.changed = upsert(session, "zone" if kind == "zone" else "service_area", rows)
    return report


def import_divisions(
    session: Session, path: Path, *, county: str, columns: Columns = None
) -> ImportReport:
    """Import division codes 统计用区划代码 with their names, levels and 城乡分类."""
    table = read_table(path, columns, headings=_DIVISION_HEADINGS)
    report = ImportReport(path.name)

    def check(row: Row, cols: dict[str, str], _geometry: Any, _line: int) -> Row:
        code = text(row, cols.get("id"), "code")
        if len(code) != 12 or not code.isdigit():
            raise CellError(f"code {code!r} is not 12 digits")
        level = text(row, cols.get("level"), "level")
        if (level := _RANKS.get(level, level)) not in _RANKS.values():
            raise CellError(f"level {level!r} is unknown")
        return {
            "county": county,
            "code": code,
            "parent": place_text(row, cols, "parent"),
            "name": text(row, cols.get("name"), "name"),
            "level": level,
            "ur_code": place_text(row, cols, "ur_code"),
            "source_ref": code,
        }

    rows = check_rows(report, table, ("id", "parent", "name", "level", "ur_code"), check)
    report.changed = upsert(session, "division", rows, key=("code",))
    return report


def import_households(
    session: Session,
    path: Path,
    *,
    county: str,
    crs: str | None = None,
    columns: Columns = None,
) -> ImportReport:
    """Import household units, make communities of their groups where there are none, and spread."""
    table = read_vector(path, columns)
    system = stated_crs(table.crs, crs)
    report = ImportReport(path.name)

    def check(row: Row, cols: dict[str, str], geometry: Any, _line: int) -> Row:
        return {
            "county": county,
            "source_ref": text(row, cols.get("id"), "id"),
            "households": whole(row, cols.get("households"), "households"),
            "population": whole(row, cols.get("population"), "population"),
            "community_ref": place_text(row, cols, "community"),
            "town_ref": place_text(row, cols, "town"),
            "geom": polygon_of(geometry, system),
        }

    wanted = ("id", "households", "population", "community", "town")
    rows = check_rows(report, table, wanted, check)
    report.changed = upsert(session, "household_unit", rows)
    if made := communities_from_units(session, county):
        report.notes.append(f"{made} communities made from the groups of the units")
    report.notes.append(spread_households(session, county).summary())
    return report


def import_incidents(
    session: Session,
    path: Path,
    *,
    county: str,
    crs: str | None = None,
    columns: Columns = None,
) -> ImportReport:
    """Import incidents; a class that is not in the class table is refused."""
    table = read_any(path, columns)
    system = stated_crs(table.crs, crs)
    bounds = county_bounds(session, county)
    classes = classes_by_name(session)
    report = ImportReport(path.name)

    def check(row: Row, cols: dict[str, str], geometry: Any, line: int) -> Row:
        place = located(row, cols, geometry, system, bounds)
        name = text(row, cols.get("class"), "class")
        if name not in classes:
            raise CellError(f"class {name!r} is not in the class table")
        severity = text(row, cols.get("severity"))
        if (severity := _SEVERITIES.get(severity, severity)) not in _SEVERITIES.values():
            raise CellError(f"severity {severity!r} is unknown")
        return {
            "county": county,
            "source_ref": text(row, cols.get("id")) or f"{path.stem}:{line}",
            "class_code": classes[name],
            "severity": severity,
            "reported_at": moment(row, cols.get("time"), "time"),
            "description": text(row, cols.get("description"))[:2000],
            **place.columns(),
        }

    wanted = ("id", "class", "severity", "time", "description", "lon", "lat")
    rows = check_rows(report, table, wanted, check)
    if rows:
        points = [row["geom"] for row in rows]
        lons, lats = [p.x for p in points], [p.y for p in points]
        cells = cells_of_points(lons, lats, INCIDENT_RESOLUTION).tolist()
        rows = [row | {"cell": cell} for row, cell in zip(rows, cells, strict=True)]
    report.changed = upsert(session, "incident", rows)
    return report
