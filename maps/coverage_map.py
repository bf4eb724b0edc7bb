"""The staff's gaps as a map: each grid by how many roles of the team it lacks."""

from typing import Any

import folium
import shapely
from sqlalchemy.orm import Session

from data.roles import preset_role_names
from data.scope import Scope
from grids.staff_coverage import Coverage
from maps.city_map import base_group
from maps.labels import LABELLED, Legend, Line, labels
from maps.mapdata import collection
from maps.page import LocalMap, MapPage, finished_page
from maps.texts import Texts

__all__ = ["coverage_map"]

# Crameri's lajolla, pale to dark: nothing lacks, one role, two, three and more.
_COLOURS = ("#dfe8e2", "#f3c667", "#dd7c4b", "#7a2b2a")


def coverage_map(
    session: Session, scope: Scope, coverage: Coverage, words: Texts, *, inline: bool = False
) -> MapPage:
    """Draw the report of an area on an HTML page."""
    names = preset_role_names(words.language)
    features = collection(session, scope, "grid")["features"]
    for feature in features:
        facts = feature["properties"]
        lacks = coverage.missing.get(facts["code"], ())
        facts["lacks"] = len(lacks)
        missing = "、".join(names.get(role, role) for role in lacks) or "—"
        facts |= labels(
            [
                Line(facts["name"], "strong"),
                Line(facts["code"]),
                Line(f"{words('Missing')}: {missing}"),
            ]
        )
    view = LocalMap()
    base_group(session, scope.county, view, words)
    folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        name=words("Roles that are missing"),
        style_function=_style,
        on_each_feature=LABELLED,
    ).add_to(view)
    folium.LayerControl(collapsed=True).add_to(view)
    view.add_child(Legend(_legend(coverage, words), words))
    if features:
        shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
        west, south, east, north = shapely.total_bounds(shapes)
        view.fit_bounds([(south, west), (north, east)])
    return finished_page(view, words, words("Staff coverage"), inline=inline)


def _style(feature: dict[str, Any]) -> dict[str, Any]:
    lacks = feature["properties"]["lacks"]
    return {
        "color": "#333",
        "weight": 1.2,
        "fillColor": _COLOURS[min(lacks, len(_COLOURS) - 1)],
        "fillOpacity": 0.75,
    }


def _legend(coverage: Coverage, words: Texts) -> list[Line]:
    counts = [0] * len(_COLOURS)
    for lacks in coverage.missing.values():
        counts[min(len(lacks), len(_COLOURS) - 1)] += 1
    texts = (
        words("complete"),
        words("one role is missing"),
        words("two roles are missing"),
        words("three or more are missing"),
    )
    lines = [
        Line(f"{text}: {count}", mark="box", colour=colour)
        for colour, text, count in zip(_COLOURS, texts, counts, strict=True)
    ]
    return [*lines, Line(f"{words('Coordinates')}: EPSG:4326")]
