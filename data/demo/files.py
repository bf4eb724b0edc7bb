"""Writing the demonstration city as files: OSM XML, CSV and GeoJSON."""

import csv
import json
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from data.demo.city import DemoCity, DemoWay, draw_city, to_wgs84
from data.demo.duty import draw_leave, draw_posts, draw_rosters, draw_units
from data.demo.people import BEATS, draw_incidents, draw_staff

__all__ = ["DemoFiles", "write_demo"]


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where each file of the demonstration city lies."""

    osm: Path
    beats: Path
    addresses: Path
    people: Path
    incidents: Path
    units: Path
    posts: Path
    leave: Path
    rosters: Path


def write_demo(folder: Path, *, seed: int, end: datetime) -> DemoFiles:
    """Write the demonstration city of a seed; its month of incidents ends at `end`."""
    folder.mkdir(parents=True, exist_ok=True)
    city = draw_city(seed)
    tables = ("addresses", "people", "incidents", "units", "responsibilities", "leave", "rosters")
    names = ("city.osm", "beats.geojson", *(f"{table}.csv" for table in tables))
    files = DemoFiles(*(folder / name for name in names))
    files.osm.write_text(_osm(city), encoding="utf-8")
    files.beats.write_text(json.dumps(_beats(), ensure_ascii=False), encoding="utf-8")
    _write_csv(files.addresses, _addresses(city))
    staff = draw_staff(seed)
    _write_csv(files.people, staff)
    _write_csv(files.units, draw_units())
    _write_csv(files.posts, draw_posts(staff))
    _write_csv(files.leave, draw_leave(staff, end))
    _write_csv(files.rosters, draw_rosters())
    classes = json.loads(
        (Path(__file__).parents[1] / "presets" / "incident_classes.json").read_text("utf-8")
    )
    _write_csv(files.incidents, draw_incidents(city, classes, seed, end))
    return files


def _osm(city: DemoCity) -> str:
    nodes: dict[tuple[float, float], int] = {}
    ways = [*city.ways, *(_building_way(building) for building in city.buildings)]
    lines = []
    for number, way in enumerate(ways, 1):
        # Points on one spot of the lattice are one node: that is what joins streets.
        refs = [nodes.setdefault((round(x, 2), round(y, 2)), len(nodes) + 1) for x, y in way.points]
        body = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        body += "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in way.tags.items())
        lines.append(f'<way id="{number}" version="1">{body}</way>')
    lonlat = to_wgs84(list(nodes))
    points = (
        f'<node id="{node}" version="1" lat="{lat:.7f}" lon="{lon:.7f}"/>'
        for node, (lon, lat) in zip(nodes.values(), lonlat.tolist(), strict=True)
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<osm version="0.6" generator="onegrid demo">\n'
    return head + "\n".join([*points, *lines]) + "\n</osm>\n"


def _building_way(building: Any) -> DemoWay:
    tags = {"building": building.use, "building:levels": str(building.levels)}
    if building.weight > 0:
        tags["building:flats"] = str(building.households)
        tags["building:units"] = str(building.units)
    return DemoWay(building.points, tags | {"name": building.address})


def _beats() -> dict[str, Any]:
    features = []
    for name, west, south, east, north in BEATS:
        corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
        dense = []
        for (x1, y1), (x2, y2) in pairwise(corners):
            dense += [(x1 + (x2 - x1) * t / 20, y1 + (y2 - y1) * t / 20) for t in range(20)]
        ring = to_wgs84([*dense, corners[0]]).tolist()
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"name": name}, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def _addresses(city: DemoCity) -> list[dict[str, Any]]:
    centres = to_wgs84([building.centre for building in city.buildings]).tolist()
    return [
        {
            "编号": f"A{number:05d}",
            "地址": f"春水市{building.address}",
            "经度": f"{lon:.7f}",
            "纬度": f"{lat:.7f}",
        }
        for number, (building, (lon, lat)) in enumerate(
            zip(city.buildings, centres, strict=True), 1
        )
    ]


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
