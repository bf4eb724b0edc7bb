"""Importer of OSM extracts: streets, railways, water, buildings, zones, boundaries, addresses."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from sqlalchemy.orm import Session

from data.communities import allocate_codes
from data.households import spread_households
from data.importing.addresses import complete_addresses, osm_address
from data.importing.columns import CellError
from data.importing.report import ImportReport
from data.importing.rows import Row, polygon_of
from data.readers.osm import OsmExtract, OsmFeature, read_osm
from data.store import upsert
from gis.crs import WGS84

__all__ = ["import_osm"]

_NOT_BUILT = {"proposed", "construction", "abandoned", "razed", "platform", "raceway", "elevator"}
_RAILS = {"rail", "light_rail", "narrow_gauge", "tram", "subway"}
_WATERCOURSES = {"river", "canal", "stream", "drain"}
# OSM's own tags → kinds of dedicated zone; which of them get a grid is the plan's business.
_ZONES = {
    ("leisure", "park"): "park",
    ("landuse", "industrial"): "industrial_park",
    ("landuse", "commercial"): "business",
    ("landuse", "retail"): "business",
    ("amenity", "school"): "school",
    ("amenity", "university"): "school",
    ("amenity", "hospital"): "hospital",
    ("amenity", "marketplace"): "market",
    ("amenity", "townhall"): "centre",
}
_SPREAD_FACTOR = 1.5

_Batch = tuple[str, int]


def import_osm(
    session: Session, path: Path, *, county: str, community_levels: tuple[str, ...] = ("9", "10")
) -> ImportReport:
    """Import an OSM extract.

    Parameters
    ----------
    community_levels : tuple of str
        Values of ``admin_level`` that are communities.
    """
    extract = read_osm(path)
    report = ImportReport(path.name)
    inside = _ground(extract)
    line = _Lines(report, county, inside)
    changed = 0
    for (table, _), rows in line.take(extract).items():
        changed += upsert(session, table, rows)
    communities = line.communities(extract, community_levels)
    if communities:
        changed += allocate_codes(session, county, communities)
    else:
        report.notes.append("no closed community boundary in the file")
    report.changed = changed
    report.notes += complete_addresses(session, county)
    report.notes.append(spread_households(session, county).summary())
    return report


def _ground(extract: OsmExtract) -> Any:
    """A generous box around the bulk of the buildings or streets: stray objects lie outside."""
    features = extract.areas if len(extract.areas) > 50 else extract.lines
    shapes = [f.geometry for f in features if f.geometry is not None]
    if not shapes:
        return shapely.box(-180, -90, 180, 90)
    centres = shapely.get_coordinates(shapely.centroid(np.array(shapes, dtype=object)))
    west, south = np.quantile(centres, 0.01, axis=0)
    east, north = np.quantile(centres, 0.99, axis=0)
    margin = _SPREAD_FACTOR * max(east - west, north - south, 0.01)
    return shapely.box(west - margin, south - margin, east + margin, north + margin)


class _Lines:
    """Sorts the features of an extract into tables, refusing what cannot be stored."""

    def __init__(self, report: ImportReport, county: str, ground: Any) -> None:
        self.report, self.county, self.ground = report, county, ground
        shapely.prepare(ground)

    def take(self, extract: OsmExtract) -> dict[_Batch, list[Row]]:
        tables: dict[_Batch, list[Row]] = {}
        for feature in extract.lines:
            self._store(tables, feature, _line_row)
        for feature in extract.areas:
            self._store(tables, feature, _area_row)
        for feature in extract.points:
            self._store(tables, feature, osm_address)
        return tables

    def communities(self, extract: OsmExtract, levels: tuple[str, ...]) -> list[Row]:
        rows = []
        for feature in extract.areas:
            if _is_boundary(feature, levels):
                row = self._checked(feature, lambda f: ("division", _community_row(f)))
                rows += [row[1]] if row else []
        for feature in extract.open_boundaries:
            if feature.tags.get("admin_level") in levels:
                self.report.read += 1
                reason = f"boundary {feature.tags.get('name', '')} is not closed in this extract"
                self.report.refuse(self.report.read, reason, _values(feature))
        return rows

    def _store(
        self,
        tables: dict[_Batch, list[Row]],
        feature: OsmFeature,
        make: Callable[[OsmFeature], tuple[str, Row] | None],
    ) -> None:
        if found := self._checked(feature, make):
            table, row = found
            # Rows of one table may carry different columns: a batch has one set.
            tables.setdefault((table, len(row)), []).append(row | {"county": self.county})

    def _checked(
        self, feature: OsmFeature, make: Callable[[OsmFeature], tuple[str, Row] | None]
    ) -> tuple[str, Row] | None:
        try:
            if feature.geometry is None:
                raise CellError("the geometry is broken: nodes are missing or rings are open")
            found = make(feature)
            if found is None:
                return None
            if not shapely.intersects(self.ground, feature.geometry):
                raise CellError("far outside the rest of the file")
        except CellError as error:
            self.report.read += 1
            self.report.refuse(self.report.read, str(error), _values(feature))
            return None
        self.report.read += 1
        self.report.stored += 1
        return found


def _values(feature: OsmFeature) -> dict[str, Any]:
    return {"osm": feature.ref, **feature.tags}


def _is_boundary(feature: OsmFeature, levels: tuple[str, ...]) -> bool:
    tags = feature.tags
    return tags.get("boundary") == "administrative" and tags.get("admin_level") in levels


def _line_row(feature: OsmFeature) -> tuple[str, Row] | None:
    tags = feature.tags
    row = {
        "source_ref": feature.ref,
        "bridge": tags.get("bridge", "no") != "no",
        "tunnel": tags.get("tunnel", "no") != "no",
        "geom": feature.geometry,
    }
    if (kind := tags.get("highway")) and kind not in _NOT_BUILT and tags.get("area") != "yes":
        oneway = (
            tags.get("oneway") in {"yes", "1", "true", "-1"} or tags.get("junction") == "roundabout"
        )
        return "street", row | {"kind": kind, "name": tags.get("name"), "oneway": oneway}
    if (kind := tags.get("railway")) in _RAILS:
        row["tunnel"] = row["tunnel"] or (kind == "subway" and not row["bridge"])
        return "railway", row | {"kind": kind}
    if (kind := tags.get("waterway")) in _WATERCOURSES:
        return "water", _water(feature, str(kind), feature.geometry)
    return None


def _water(feature: OsmFeature, kind: str, geometry: Any) -> Row:
    ref = {"source_ref": feature.ref, "kind": kind, "name": feature.tags.get("name")}
    return ref | {"geom": geometry}


def _area_row(feature: OsmFeature) -> tuple[str, Row] | None:
    tags = feature.tags
    if "building" in tags:
        return "building", _building(feature)
    if tags.get("natural") == "water" or tags.get("waterway") == "riverbank":
        return "water", _water(
            feature, tags.get("water", "water"), polygon_of(feature.geometry, WGS84)
        )
    for (key, value), kind in _ZONES.items():
        if tags.get(key) == value:
            name = {"name": tags.get("name"), "owner": tags.get("operator")}
            ref = {"source_ref": feature.ref, "kind": kind}
            return "zone", ref | name | {"geom": polygon_of(feature.geometry, WGS84)}
    return None


def _building(feature: OsmFeature) -> Row:
    tags = feature.tags
    flats = _whole(tags.get("building:flats"))
    row = {
        "source_ref": feature.ref,
        "use": tags["building"][:40],
        "name": tags.get("name") or tags.get("addr:housename"),
        "levels": _whole(tags.get("building:levels")),
        "units": _whole(tags.get("building:units")),
        "geom": polygon_of(feature.geometry, WGS84),
    }
    if flats is None:  # leave what was spread or estimated before as it is
        return row
    return row | {"households": flats, "households_source": "counted"}


def _whole(text: str | None) -> int | None:
    match = re.match(r"\d{1,4}", text or "")
    return int(match.group()) if match else None


def _community_row(feature: OsmFeature) -> Row:
    return {
        "source_ref": feature.ref,
        "name": feature.tags.get("name") or feature.ref,
        "ur_code": feature.tags.get("ur_code"),
        "geom": polygon_of(feature.geometry, WGS84),
    }
