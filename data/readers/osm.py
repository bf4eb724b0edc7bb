"""OSM extracts (PBF, XML, also .gz) by pyosmium: ways, areas and house numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import osmium
import shapely

from data.errors import SourceError

__all__ = ["OsmExtract", "OsmFeature", "read_osm"]

_LINE_KEYS = ("highway", "railway", "waterway")
_AREA_KEYS = ("building", "boundary", "leisure", "landuse", "natural", "amenity", "waterway")


@dataclass(frozen=True, slots=True)
class OsmFeature:
    """One object: its reference (``w123``), tags and geometry (EPSG:4326), None where broken."""

    ref: str
    tags: dict[str, str]
    geometry: Any


@dataclass(slots=True)
class OsmExtract:
    """What an extract holds for us, in file order."""

    lines: list[OsmFeature] = field(default_factory=list)
    areas: list[OsmFeature] = field(default_factory=list)
    points: list[OsmFeature] = field(default_factory=list)
    open_boundaries: list[OsmFeature] = field(default_factory=list)


def read_osm(path: Path) -> OsmExtract:  # noqa: C901 - one branch per kind of object
    """Read an OSM file.

    Raises
    ------
    SourceError
        If the file is missing or no OSM file.

    Notes
    -----
    Administrative boundaries whose ring is not closed inside the extract come back in
    `open_boundaries`: they are reported, not dropped.
    """
    if not path.is_file():
        raise SourceError(f"no file {path}")
    extract = OsmExtract()
    closed: set[int] = set()
    relations: list[OsmFeature] = []
    factory = osmium.geom.WKBFactory()
    try:
        for item in _walk(path):
            tags = dict(item.tags)
            if item.is_area():
                if not item.from_way():
                    closed.add(item.orig_id())
                _keep_area(extract, item, tags, factory)
            elif item.is_way():
                if any(key in tags for key in _LINE_KEYS):
                    line = _geometry(factory.create_linestring, item)
                    extract.lines.append(OsmFeature(f"w{item.id}", tags, line))
            elif item.is_node():
                if "addr:housenumber" in tags:
                    point = _geometry(factory.create_point, item)
                    extract.points.append(OsmFeature(f"n{item.id}", tags, point))
            elif tags.get("boundary") == "administrative":
                relations.append(OsmFeature(f"r{item.id}", tags, None))
    except RuntimeError as error:
        raise SourceError(f"{path} is no OSM file: {error}") from error
    extract.open_boundaries = [r for r in relations if int(r.ref[1:]) not in closed]
    return extract


def _walk(path: Path) -> Iterator[Any]:
    keys = (*_LINE_KEYS, *_AREA_KEYS, "addr:housenumber")
    return iter(
        osmium.FileProcessor(str(path))
        .with_areas()
        .with_filter(osmium.filter.EmptyTagFilter())
        .with_filter(osmium.filter.KeyFilter(*keys))
    )


def _keep_area(extract: OsmExtract, item: Any, tags: dict[str, str], factory: Any) -> None:
    has_number = "addr:housenumber" in tags
    if not has_number and not any(key in tags for key in _AREA_KEYS):
        return
    ref = f"{'w' if item.from_way() else 'r'}{item.orig_id()}"
    area = _geometry(factory.create_multipolygon, item)
    if any(key in tags for key in _AREA_KEYS):
        extract.areas.append(OsmFeature(ref, tags, area))
    if has_number and area is not None:
        # A house's own number; what has no valid shape is refused as an area already.
        extract.points.append(OsmFeature(ref, tags, shapely.point_on_surface(area)))


def _geometry(create: Any, item: Any) -> Any:
    try:
        return shapely.from_wkb(bytes.fromhex(create(item)))
    except (RuntimeError, osmium.InvalidLocationError):
        return None
