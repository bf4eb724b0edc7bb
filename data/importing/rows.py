"""The shape that all row importers share: check each row, keep the good, return the rest."""

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Session

from data.errors import SourceError
from data.importing.columns import CellError, number, recognise, text
from data.importing.report import ImportReport
from data.readers.table import SourceTable
from gis.crs import SourceCrs, geometries_to_wgs84, parse_crs, to_wgs84
from gis.errors import CrsError

__all__ = [
    "Located",
    "check_rows",
    "county_bounds",
    "located",
    "place_text",
    "polygon_of",
    "stated_crs",
]

_FAR_DEG = 0.2

Row = dict[str, Any]


def check_rows(
    report: ImportReport,
    table: SourceTable,
    wanted: tuple[str, ...],
    check: Callable[[Row, dict[str, str], Any, int], Row],
) -> list[Row]:
    """Run `check` over every row; what raises `CellError`, or repeats an id, is refused.

    Parameters
    ----------
    report : ImportReport
        Gets the counts and refusals.
    table : SourceTable
    wanted : tuple of str
        Names to recognise among the headings.
    check : callable
        ``(row, columns, geometry or None, row number) -> row to store``.
    """
    if table.rows and not table.rows[0] and not table.geometries:
        raise SourceError(f"{report.source} has no columns")
    columns = recognise(table.rows[0], wanted) if table.rows and table.rows[0] else {}
    kept: list[Row] = []
    seen: set[str] = set()
    for index, row in enumerate(table.rows):
        report.read += 1
        geometry = table.geometries[index] if table.geometries else None
        try:
            stored = check(row, columns, geometry, index + 1)
            if stored["source_ref"] in seen:
                raise CellError(f"duplicate id {stored['source_ref']!r}")
        except CellError as error:
            report.refuse(index + 1, str(error), row)
            continue
        seen.add(stored["source_ref"])
        kept.append(stored)
    report.stored = len(kept)
    return kept


def stated_crs(stated: SourceCrs | None, option: str | None) -> SourceCrs:
    """The coordinate system that the option or the file states; never a guess.

    Raises
    ------
    CrsError
        If neither does, or both do and differ.
    """
    if option is None and stated is not None:
        return stated
    crs = parse_crs(option)
    if stated is not None and stated != crs and not crs.is_offset:
        raise CrsError(f"the file states {stated.name}, you say {crs.name}: which is it?")
    return crs


def county_bounds(session: Session, county: str) -> tuple[float, float, float, float] | None:
    """Bounds of the county's ground with a margin (west, south, east, north; EPSG:4326)."""
    found = session.execute(
        sql_text(
            "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) FROM "
            "(SELECT ST_Extent(geom) AS e FROM ("
            "SELECT geom FROM division WHERE county = :county AND geom IS NOT NULL "
            "UNION ALL SELECT geom FROM building WHERE county = :county) AS ground) AS extent"
        ),
        {"county": county},
    ).one()
    if found[0] is None:
        return None
    west, south, east, north = found
    return west - _FAR_DEG, south - _FAR_DEG, east + _FAR_DEG, north + _FAR_DEG


class Located:
    """A row's place: as given, with its CRS, and in EPSG:4326."""

    def __init__(self, x: float, y: float, crs: SourceCrs) -> None:
        self.x, self.y, self.crs = x, y, crs
        lon, lat = to_wgs84([x], [y], crs)
        self.lon, self.lat = float(lon[0]), float(lat[0])

    def columns(self) -> Row:
        """The four columns that hold a place."""
        return {
            "raw_x": self.x,
            "raw_y": self.y,
            "raw_crs": self.crs.name[:40],
            "geom": shapely.Point(self.lon, self.lat),
        }


def located(
    row: Row,
    columns: dict[str, str],
    geometry: Any,
    crs: SourceCrs,
    bounds: tuple[float, float, float, float] | None,
) -> Located:
    """Read a row's point and refuse one that is missing, impossible or far outside."""
    if geometry is not None:
        if shapely.get_type_id(geometry) != shapely.GeometryType.POINT or geometry.is_empty:
            raise CellError("the geometry is no point")
        x, y = geometry.x, geometry.y
    else:
        x, y = number(row, columns.get("lon"), "lon"), number(row, columns.get("lat"), "lat")
    place = Located(x, y, crs)
    if not (-180 <= place.lon <= 180 and -90 <= place.lat <= 90):
        swapped = -180 <= place.lat <= 180 and -90 <= place.lon <= 90
        hint = "; lon and lat look swapped" if swapped else ""
        raise CellError(f"({x:g}, {y:g}) is no place on earth in {crs.name}{hint}")
    if bounds is not None:
        west, south, east, north = bounds
        if not (west <= place.lon <= east and south <= place.lat <= north):
            swapped = west <= place.lat <= east and south <= place.lon <= north
            hint = "; lon and lat look swapped" if swapped else ""
            raise CellError(f"({place.lon:.5f}, {place.lat:.5f}) is far outside the county{hint}")
    return place


def polygon_of(geometry: Any, crs: SourceCrs) -> shapely.MultiPolygon:
    """Return a valid multipolygon in EPSG:4326, repaired where that loses no ground."""
    if geometry is None or geometry.is_empty:
        raise CellError("the geometry is broken or empty")
    if not shapely.is_valid(geometry):
        reason = shapely.is_valid_reason(geometry)
        fixed = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
        if abs(fixed.area - geometry.area) > 1e-6 * max(fixed.area, 1e-12):
            raise CellError(f"broken polygon: {reason}")
        geometry = fixed
    moved = geometries_to_wgs84(np.array([geometry], dtype=object), crs)[0]
    parts = [p for p in shapely.get_parts(moved) if p.geom_type == "Polygon" and p.area > 0]
    if not parts:
        raise CellError(f"the geometry is a {geometry.geom_type}, not an area")
    return shapely.MultiPolygon(parts)


def place_text(row: Row, columns: dict[str, str], name: str) -> str | None:
    """Optional text of a row, None where empty."""
    return text(row, columns.get(name)) or None
