"""A partition's report as a map coloured by deviation, a table or GeoJSON."""

import csv
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import folium
import numpy as np
import shapely
from sqlalchemy.orm import Session

from data.errors import StateError
from data.safe_cells import safe_cell
from grids.plan import Drawing
from grids.report import CommunityReport, GridReport
from maps.city_map import base_group
from maps.labels import LABELLED, Legend, Line, labels
from maps.page import LocalMap, MapPage, finished_page
from maps.texts import Texts, texts

__all__ = ["write_report"]

# Blue is too small, red too large (Crameri's vik, told apart by colour-blind readers).
_STEPS = (
    (-0.2, "#2a6a9c", "below −20 %"),
    (-0.1, "#7fb1cf", "−20 to −10 %"),
    (0.1, "#e9e4dc", "within 10 %"),
    (0.2, "#dfa27c", "10 to 20 %"),
    (np.inf, "#a8432b", "above 20 %"),
)
_SHOWN = {
    "households": "Households",
    "deviation": "Deviation",
    "area_ha": "Area (ha)",
    "polsby_popper": "Compactness",
    "reock": "Roundness",
    "street_share": "On streets",
    "walk_m": "Longest walk (m)",
    "people_per_worker": "People per gridworker",
}
_DEDICATED = "#b9a6cf"


def write_report(
    path: Path,
    session: Session,
    county: str,
    drawing: Drawing,
    grids: list[GridReport],
    towns: list[CommunityReport],
) -> None:
    """Write the report in the format that the path names.

    Raises
    ------
    StateError
        If the suffix is none of .html, .csv, .geojson.
    """
    codes, local = drawing.ground.codes, drawing.ground.local
    shapes = local.inverse(np.array([grid.polygon for grid in grids], dtype=object))
    rows = [_row(grid, codes) for grid in grids]
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows({name: safe_cell(cell) for name, cell in row.items()} for row in rows)
    elif path.suffix == ".geojson":
        path.write_text(json.dumps(_features(rows, shapes), ensure_ascii=False), "utf-8")
    elif path.suffix == ".html":
        page = _page(session, county, _features(rows, shapes), towns, codes, texts("zh"))
        path.write_text(page.html, "utf-8")
    else:
        raise StateError(f"a report is .html, .csv or .geojson, not {path.suffix!r}")


def _row(grid: GridReport, codes: list[str]) -> dict[str, Any]:
    facts = {key: value for key, value in asdict(grid).items() if key != "polygon"}
    facts["community"] = codes[grid.community]
    facts["deviation"] = None if grid.dedicated else round(grid.deviation, 4)
    if math.isnan(grid.people_per_worker):
        facts["people_per_worker"] = None
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in facts.items()}


def _features(rows: list[dict[str, Any]], shapes: Any) -> dict[str, Any]:
    features = [
        {"type": "Feature", "properties": row, "geometry": json.loads(shapely.to_geojson(shape))}
        for row, shape in zip(rows, shapes, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


def _colour(facts: dict[str, Any]) -> str:
    if facts["dedicated"]:
        return _DEDICATED
    return next(colour for most, colour, _ in _STEPS if facts["deviation"] <= most)


def _page(
    session: Session,
    county: str,
    features: dict[str, Any],
    towns: list[CommunityReport],
    codes: list[str],
    words: Texts,
) -> MapPage:
    view = LocalMap()
    for feature in features["features"]:
        feature["properties"] |= labels(_tip(feature["properties"], words))
    base_group(session, county, view, words)
    folium.GeoJson(
        features,
        name=words("Deviation"),
        style_function=lambda feature: {
            "color": "#333",
            "weight": 1.2,
            "fillColor": _colour(feature["properties"]),
            "fillOpacity": 0.75,
        },
        on_each_feature=LABELLED,
    ).add_to(view)
    folium.LayerControl(collapsed=True).add_to(view)
    view.add_child(Legend(_legend(towns, codes, words), words))
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features["features"]]
    west, south, east, north = shapely.total_bounds(shapes)
    view.fit_bounds([(south, west), (north, east)])
    return finished_page(view, words, words("Draft report"), inline=True)


def _tip(facts: dict[str, Any], words: Texts) -> list[Line]:
    return [Line(f"{words(label)}: {facts[name]}") for name, label in _SHOWN.items()]


def _legend(towns: list[CommunityReport], codes: list[str], words: Texts) -> list[Line]:
    steps = [
        Line(words(name), mark="box", colour=colour)
        for _, colour, name in (*_STEPS, (0.0, _DEDICATED, "Dedicated grids"))
    ]
    missed = [
        f"{codes[town.community]}: {town.within}/{town.grids - town.dedicated} "
        f"({'、'.join(words(f'reason {reason}') for reason in town.reasons)})"
        for town in towns
        if town.reasons
    ]
    shown = missed[:12] + (["…"] if len(missed) > 12 else [])
    return [*steps, *map(Line, shown), Line(f"{words('Coordinates')}: EPSG:4326")]
