"""The city's map: folium layers over a base map of the city's own streets and water."""

from dataclasses import dataclass, field
from typing import Any

import folium
import shapely
from branca.element import MacroElement
from folium.plugins import MarkerCluster
from folium.template import Template
from sqlalchemy.orm import Session

from data.incidents import WAITING
from data.roles import preset_role_names
from data.scope import Scope
from maps.labels import LABELLED, Legend, Line, Tip, labels, layer
from maps.mapdata import base_layers, collection
from maps.page import LocalMap, MapPage, finished_page
from maps.texts import Texts

__all__ = [
    "GRID_COLOURS",
    "MapRequest",
    "base_group",
    "city_map",
]

# Okabe and Ito's palette: told apart by colour-blind readers too.
GRID_COLOURS = {"urban": "#0072B2", "rural": "#009E73", "dedicated": "#D55E00"}
_KIND_NAMES = {"urban": "Urban grids", "rural": "Rural grids", "dedicated": "Dedicated grids"}
_STREET_WIDTH = {"motorway": 5, "trunk": 5, "primary": 4, "secondary": 3, "tertiary": 2.5}


class LocalCluster(MarkerCluster):  # type: ignore[misc]  # same
    """Clustered markers from the local assets."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - same
    default_css: list[tuple[str, str]] = []  # noqa: RUF012 - same


class GridSearch(MacroElement):  # type: ignore[misc]  # same
    """A search box over several GeoJSON layers; what is found fills the view."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        OneGrid.search({{ this._parent.get_name() }}, [{{ this.names | join(", ") }}],
            {{ this.texts | tojavascript }});
        {% endmacro %}
        """
    )

    def __init__(self, layers: list[Any], texts: Texts) -> None:
        super().__init__()
        self._name, self.names = "GridSearch", [layer.get_name() for layer in layers]
        self.texts = {
            "textPlaceholder": texts("Search grid name or code"),
            "textErr": texts("No such grid"),
        }


class ClickTo(MacroElement):  # type: ignore[misc]  # same
    """Asks an address of this host about the clicked place (EPSG:4326)."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        OneGrid.askAt({{ this._parent.get_name() }}, {{ this.address | tojavascript }});
        {% endmacro %}
        """
    )

    def __init__(self, address: str) -> None:
        super().__init__()
        self._name, self.address = "ClickTo", address


@dataclass(frozen=True, slots=True)
class MapRequest:
    """What to draw, and for whom.

    Attributes
    ----------
    layers : frozenset of str
        Of ``grids``, ``communities``, ``responsibilities``, ``incidents``, ``responders``.
    route : shapely geometry or None
        EPSG:4326.
    place : tuple of float or None
        Longitude and latitude of a marked place.
    link : str
        Address that a grid's pop-up links to, with the code appended.
    click : str
        Address that a click posts lon and lat to; such a map is for everybody and names nobody.
    scope : Scope or None
        The area that is drawn on the county's base map; None for all of it.
    """

    texts: Texts
    inline: bool = False
    layers: frozenset[str] = field(
        default_factory=lambda: frozenset(
            {"grids", "communities", "responsibilities", "incidents", "responders"}
        )
    )
    route: Any = None
    place: tuple[float, float] | None = None
    note: str = ""
    link: str = ""
    click: str = ""
    scope: Scope | None = None


def city_map(session: Session, county: str, request: MapRequest) -> MapPage:
    """Draw the map of a county as an HTML page."""
    view = LocalMap(minZoom=3, maxZoom=19)
    texts = request.texts
    base_group(session, county, view, texts)
    scope = request.scope or Scope.whole(county)
    if "communities" in request.layers:
        _communities(session, scope, view, texts)
    grids = _grids(session, scope, view, request) if "grids" in request.layers else []
    if "responsibilities" in request.layers:
        _service_areas(session, scope, view, texts)
    if "incidents" in request.layers:
        _incidents(session, scope, view, request)
    if "responders" in request.layers:
        _responders(session, scope, view, texts)
    _focus(view, request)
    if grids:
        view.add_child(GridSearch(grids, texts))
    folium.LayerControl(collapsed=True).add_to(view)
    view.add_child(Legend(_legend(request), texts))
    if request.click:
        view.add_child(ClickTo(request.click))
    _fit(session, scope, view, request)
    return finished_page(view, texts, texts("OneGrid map"), inline=request.inline)


def base_group(session: Session, county: str, view: LocalMap, texts: Texts) -> None:
    """Add the base map: the city's own water, buildings, streets and railways."""
    group = layer(view, texts("Base map"))
    layers = base_layers(session, county)
    styles: dict[str, Any] = {
        "water": lambda _: {
            "color": "#9cc7e0",
            "weight": 1.5,
            "fillColor": "#b5d8eb",
            "fillOpacity": 1,
        },
        "building": lambda _: {
            "color": "#c9bfae",
            "weight": 0.5,
            "fillColor": "#ddd5c7",
            "fillOpacity": 0.9,
        },
        "street": _street_style,
        "railway": lambda _: {"color": "#555", "weight": 2.5, "dashArray": "8 6"},
    }
    for name, features in layers.items():
        if features["features"]:
            folium.GeoJson(features, style_function=styles[name], interactive=False).add_to(group)


def _street_style(feature: dict[str, Any]) -> dict[str, Any]:
    kind = feature["properties"]["kind"].removesuffix("_link")
    wide = _STREET_WIDTH.get(kind)
    return {"color": "#e8a33d" if wide and wide > 3 else "#b9b2a5", "weight": wide or 1.2}


def _communities(session: Session, scope: Scope, view: LocalMap, texts: Texts) -> None:
    features = collection(session, scope, "community")
    if features["features"]:
        group = layer(view, texts("Communities"))
        folium.GeoJson(
            features,
            style_function=lambda _: {"color": "#5b2a86", "weight": 3, "dashArray": "2 6"},
            interactive=False,
        ).add_to(group)


def _grids(session: Session, scope: Scope, view: LocalMap, request: MapRequest) -> list[Any]:
    # Everybody sees this map where a click asks for one card: it names nobody.
    public = bool(request.click)
    features = collection(session, scope, "grid_outline" if public else "grid")["features"]
    texts, layers = request.texts, []
    for kind, colour in GRID_COLOURS.items():
        mine = [f for f in features if f["properties"]["kind"] == kind]
        if not mine:
            continue
        for feature in mine:
            facts = feature["properties"]
            facts["label"] = f"{facts['name']} {facts['code']}"
            facts |= labels([Line(facts["label"])], () if public else _grid_popup(facts, request))
        drawn = folium.GeoJson(
            {"type": "FeatureCollection", "features": mine},
            style_function=lambda _, colour=colour: {
                "color": colour,
                "weight": 2,
                "fillColor": colour,
                "fillOpacity": 0.14,
            },
            on_each_feature=LABELLED,
        ).add_to(layer(view, texts(_KIND_NAMES[kind])))
        layers.append(drawn)
    return layers


def _grid_popup(facts: dict[str, Any], request: MapRequest) -> list[Line]:
    texts = request.texts
    lines = [
        Line(facts["name"], "strong"),
        Line(facts["code"]),
        Line(f"{texts('Community')}: {facts['community']}"),
        Line(f"{texts('Households')}: {facts['households']}"),
        Line(f"{texts('Gridworker')}: {facts['worker']}"),
    ]
    if request.link:
        lines.append(Line(texts("Open"), href=f"{request.link}{facts['code']}"))
    return lines


def _service_areas(session: Session, scope: Scope, view: LocalMap, texts: Texts) -> None:
    features = collection(session, scope, "service_area")
    if features["features"]:
        for feature in features["features"]:
            facts = feature["properties"]
            facts |= labels([Line(facts["name"], "strong"), Line(facts["holder"])])
        folium.GeoJson(
            features,
            style_function=lambda _: {"color": "#1a237e", "weight": 2.5, "fillOpacity": 0.05},
            on_each_feature=LABELLED,
        ).add_to(layer(view, texts("Police beats and service areas"), show=False))


def _incidents(session: Session, scope: Scope, view: LocalMap, request: MapRequest) -> None:
    texts = request.texts
    cluster = LocalCluster(name=texts("Incidents"), options={"disableClusteringAtZoom": 18})
    for feature in collection(session, scope, "incident")["features"]:
        facts = feature["properties"]
        lon, lat = feature["geometry"]["coordinates"]
        name = facts["class"] if texts.language == "zh" else facts["class_en"]
        popup = [Line(name, "strong"), Line(facts["ref"]), Line(facts["at"])]
        marker = folium.CircleMarker(
            (lat, lon),
            radius=6,
            color="#7a0019",
            weight=1,
            fill=True,
            fill_color="#CC3311" if facts["state"] in WAITING else "#EE7733",
            fill_opacity=0.9,
        ).add_to(cluster)
        marker.add_child(Tip([Line(f"{name} {facts['at']}")], () if request.click else popup))
    cluster.add_to(view)


def _responders(session: Session, scope: Scope, view: LocalMap, texts: Texts) -> None:
    group = layer(view, texts("Responders"))
    names = preset_role_names(texts.language)
    for feature in collection(session, scope, "responder")["features"]:
        facts = feature["properties"]
        lon, lat = feature["geometry"]["coordinates"]
        role = names.get(facts["role"], facts["role"])
        age = f"{facts['age_min']:.0f} {texts('min ago')}"
        marker = folium.CircleMarker(
            (lat, lon),
            radius=6,
            color="#004d40",
            weight=2,
            fill=True,
            fill_color="#44BB99",
            fill_opacity=1,
        ).add_to(group)
        marker.add_child(Tip([Line(f"{facts['name']} · {role} · {age}")]))


def _focus(view: LocalMap, request: MapRequest) -> None:
    texts = request.texts
    if request.route is not None:
        points = [(lat, lon) for lon, lat in shapely.get_coordinates(request.route).tolist()]
        group = layer(view, texts("Route of the nearest responder"))
        folium.PolyLine(points, color="#ffffff", weight=9, opacity=0.9).add_to(group)
        folium.PolyLine(points, color="#d0021b", weight=5, opacity=0.95).add_to(group)
    if request.place is not None:
        lon, lat = request.place
        icon = folium.DivIcon(html='<div class="og-here">◉</div>', icon_size=(22, 22))
        marker = folium.Marker((lat, lon), icon=icon).add_to(view)
        marker.add_child(Tip([Line(texts("Chosen place"))]))


def _legend(request: MapRequest) -> list[Line]:
    texts = request.texts
    lines = []
    if "grids" in request.layers:
        lines += [
            Line(texts(name), mark="box", colour=f"{GRID_COLOURS[kind]}55", edge=GRID_COLOURS[kind])
            for kind, name in _KIND_NAMES.items()
        ]
    dots = (
        ("incidents", "#CC3311", "Incidents"),
        ("responders", "#44BB99", "Responders"),
    )
    lines += [
        Line(texts(name), mark="dot", colour=colour)
        for kind, colour, name in dots
        if kind in request.layers
    ]
    if request.route is not None:
        lines.append(Line(texts("Route"), mark="way", colour="#d0021b"))
    lines.append(Line(f"{texts('Coordinates')}: EPSG:4326"))
    if request.note:
        lines.append(Line(request.note, "note"))
    return lines


def _fit(session: Session, scope: Scope, view: LocalMap, request: MapRequest) -> None:
    if request.route is not None:
        west, south, east, north = request.route.bounds
        view.fit_bounds([(south, west), (north, east)], padding=(60, 60), max_zoom=17)
    elif request.place is not None:
        lon, lat = request.place
        view.fit_bounds([(lat, lon), (lat, lon)], max_zoom=17)
    else:
        names = ("grid", "community")
        shapes = [collection(session, scope, name)["features"] for name in names]
        found = [shapely.geometry.shape(f["geometry"]) for f in shapes[0] or shapes[1]]
        if found:
            west, south, east, north = shapely.total_bounds(found)
            view.fit_bounds([(south, west), (north, east)])
