"""The city's map: folium layers over a base map of the city's own streets and water."""

from dataclasses import dataclass, field
from typing import Any

import folium
import shapely
from branca.element import Element, MacroElement
from folium.plugins import MarkerCluster
from folium.template import Template
from markupsafe import escape
from sqlalchemy.orm import Session

from data.incidents import WAITING
from data.roles import preset_role_names
from maps.assets import header_html
from maps.mapdata import base_layers, collection
from maps.texts import Texts

__all__ = [
    "GRID_COLOURS",
    "Legend",
    "LocalMap",
    "MapRequest",
    "base_group",
    "city_map",
    "finished_page",
]

# Okabe and Ito's palette: told apart by colour-blind readers too.
GRID_COLOURS = {"urban": "#0072B2", "rural": "#009E73", "dedicated": "#D55E00"}
_KIND_NAMES = {"urban": "Urban grids", "rural": "Rural grids", "dedicated": "Dedicated grids"}
_STREET_WIDTH = {"motorway": 5, "trunk": 5, "primary": 4, "secondary": 3, "tertiary": 2.5}


class LocalMap(folium.Map):  # type: ignore[misc]  # folium carries no types
    """A folium map that loads nothing by itself: the assets stand in the page's head."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - folium's own shape
    default_css: list[tuple[str, str]] = []  # noqa: RUF012 - same


class LocalCluster(MarkerCluster):  # type: ignore[misc]  # same
    """Clustered markers from the local assets."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - same
    default_css: list[tuple[str, str]] = []  # noqa: RUF012 - same


class GridSearch(MacroElement):  # type: ignore[misc]  # same
    """A search box over several GeoJSON layers; what is found fills the view."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        new L.Control.Search({
            layer: L.layerGroup([{{ this.names | join(", ") }}]),
            propertyName: "label", textPlaceholder: {{ this.placeholder | tojson }},
            textErr: {{ this.missing | tojson }}, textCancel: "×",
            initial: false, marker: false,
            moveToLocation: function (latlng, title, map) {
                map.fitBounds(latlng.layer.getBounds(), {maxZoom: 17});
            },
        }).addTo({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self, layers: list[Any], placeholder: str, missing: str) -> None:
        super().__init__()
        self._name, self.placeholder, self.missing = "GridSearch", placeholder, missing
        self.names = [layer.get_name() for layer in layers]


class Legend(MacroElement):  # type: ignore[misc]  # same
    """Legend, scale and zoom buttons in the reader's language; `html` is trusted."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.control({position: "bottomleft"});
        {{ this.get_name() }}.onAdd = function () {
            var box = L.DomUtil.create("div", "og-legend");
            box.innerHTML = {{ this.html | tojson }};
            return box;
        };
        {{ this.get_name() }}.addTo({{ this._parent.get_name() }});
        L.control.scale({imperial: false, position: "bottomright"})
            .addTo({{ this._parent.get_name() }});
        L.control.zoom({{ this.zoom | tojson }}).addTo({{ this._parent.get_name() }});
        {{ this._parent.get_name() }}.attributionControl.setPrefix("Leaflet");
        {% endmacro %}
        """
    )

    def __init__(self, html: str, texts: Texts) -> None:
        super().__init__()
        self._name, self.html = "Legend", html
        self.zoom = {"zoomInTitle": texts("Zoom in"), "zoomOutTitle": texts("Zoom out")}


class ClickTo(MacroElement):  # type: ignore[misc]  # same
    """Opens an address of this host with the clicked place in EPSG:4326."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {{ this._parent.get_name() }}.on("click", function (event) {
            window.top.location.href = {{ this.address | tojson }} + "&lon="
                + event.latlng.lng.toFixed(7) + "&lat=" + event.latlng.lat.toFixed(7);
        });
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
        Address that a click opens, with lon and lat appended; such a map is for everybody and
        names nobody.
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


def city_map(session: Session, county: str, request: MapRequest) -> str:
    """Draw the map of a county as an HTML page."""
    view = LocalMap(
        tiles=None,
        prefer_canvas=True,
        zoom_control=False,
        control_scale=False,
        minZoom=3,
        maxZoom=19,
        zoomSnap=0.25,
    )
    texts = request.texts
    base_group(session, county, view, texts)
    if "communities" in request.layers:
        _communities(session, county, view, texts)
    grids = _grids(session, county, view, request) if "grids" in request.layers else []
    if "responsibilities" in request.layers:
        _service_areas(session, county, view, texts)
    if "incidents" in request.layers:
        _incidents(session, county, view, request)
    if "responders" in request.layers:
        _responders(session, county, view, texts)
    _focus(view, request)
    if grids:
        search = GridSearch(grids, texts("Search grid name or code"), texts("No such grid"))
        view.add_child(search)
    folium.LayerControl(collapsed=True).add_to(view)
    view.add_child(Legend(_legend(request), texts))
    if request.click:
        view.add_child(ClickTo(request.click))
    _fit(session, county, view, request)
    return finished_page(view, texts, texts("OneGrid map"), inline=request.inline)


def finished_page(view: LocalMap, texts: Texts, title: str, *, inline: bool) -> str:
    """The page of a map, with its assets, its title and its language."""
    figure = view.get_root()
    figure.header.add_child(Element(header_html(inline=inline)), name="assets", index=0)
    figure.header.add_child(Element("<link rel='icon' href='data:,'/>"), name="icon")
    figure.header.add_child(Element(f"<title>{escape(title)}</title>"), name="title")
    html: str = figure.render()
    return html.replace("<html>", f'<html lang="{texts.language}">', 1)


def _layer(name: str, view: LocalMap, *, show: bool = True) -> folium.FeatureGroup:
    return folium.FeatureGroup(name=name, show=show).add_to(view)


def base_group(session: Session, county: str, view: LocalMap, texts: Texts) -> None:
    """Add the base map: the city's own water, buildings, streets and railways."""
    group = _layer(texts("Base map"), view)
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


def _communities(session: Session, county: str, view: LocalMap, texts: Texts) -> None:
    features = collection(session, county, "community")
    if features["features"]:
        group = _layer(texts("Communities"), view)
        folium.GeoJson(
            features,
            style_function=lambda _: {"color": "#5b2a86", "weight": 3, "dashArray": "2 6"},
            interactive=False,
        ).add_to(group)


def _grids(session: Session, county: str, view: LocalMap, request: MapRequest) -> list[Any]:
    # Everybody sees this map where a click asks for one card: it names nobody.
    public = bool(request.click)
    features = collection(session, county, "grid_outline" if public else "grid")["features"]
    texts, layers = request.texts, []
    for kind, colour in GRID_COLOURS.items():
        mine = [f for f in features if f["properties"]["kind"] == kind]
        if not mine:
            continue
        for feature in mine:
            facts = feature["properties"]
            facts["label"] = f"{facts['name']} {facts['code']}"
            if not public:
                facts["popup"] = _grid_popup(facts, request)
        group = _layer(texts(_KIND_NAMES[kind]), view)
        layer = folium.GeoJson(
            {"type": "FeatureCollection", "features": mine},
            style_function=lambda _, colour=colour: {
                "color": colour,
                "weight": 2,
                "fillColor": colour,
                "fillOpacity": 0.14,
            },
            tooltip=folium.GeoJsonTooltip(["label"], labels=False),
            popup=None if public else folium.GeoJsonPopup(["popup"], labels=False),
        ).add_to(group)
        layers.append(layer)
    return layers


def _grid_popup(facts: dict[str, Any], request: MapRequest) -> str:
    texts = request.texts
    lines = [
        f"<b>{escape(facts['name'])}</b>{escape(facts['code'])}",
        f"{texts('Community')}: {escape(facts['community'])}",
        f"{texts('Households')}: {facts['households']}",
        f"{texts('Gridworker')}: {escape(facts['worker'])}",
    ]
    if request.link:
        address = f"{request.link}{facts['code']}"
        lines.append(f'<a target="_top" href="{escape(address)}">{texts("Open")}</a>')
    return '<div class="og-popup">' + "<br/>".join(lines) + "</div>"


def _service_areas(session: Session, county: str, view: LocalMap, texts: Texts) -> None:
    features = collection(session, county, "service_area")
    if features["features"]:
        group = _layer(texts("Police beats and service areas"), view, show=False)
        folium.GeoJson(
            features,
            style_function=lambda _: {"color": "#1a237e", "weight": 2.5, "fillOpacity": 0.05},
            tooltip=folium.GeoJsonTooltip(["name", "holder"], labels=False),
        ).add_to(group)


def _incidents(session: Session, county: str, view: LocalMap, request: MapRequest) -> None:
    texts = request.texts
    cluster = LocalCluster(name=texts("Incidents"), options={"disableClusteringAtZoom": 18})
    for feature in collection(session, county, "incident")["features"]:
        facts = feature["properties"]
        lon, lat = feature["geometry"]["coordinates"]
        name = facts["class"] if texts.language == "zh" else facts["class_en"]
        html = f"<b>{escape(name)}</b>{escape(facts['ref'])}<br/>{escape(facts['at'])}"
        folium.CircleMarker(
            (lat, lon),
            radius=6,
            color="#7a0019",
            weight=1,
            fill=True,
            fill_color="#CC3311" if facts["state"] in WAITING else "#EE7733",
            fill_opacity=0.9,
            tooltip=f"{name} {facts['at']}",
            popup=None if request.click else folium.Popup(html, max_width=260),
        ).add_to(cluster)
    cluster.add_to(view)


def _responders(session: Session, county: str, view: LocalMap, texts: Texts) -> None:
    group = _layer(texts("Responders"), view)
    names = preset_role_names(texts.language)
    for feature in collection(session, county, "responder")["features"]:
        facts = feature["properties"]
        lon, lat = feature["geometry"]["coordinates"]
        role = names.get(facts["role"], facts["role"])
        age = f"{facts['age_min']:.0f} {texts('min ago')}"
        folium.CircleMarker(
            (lat, lon),
            radius=6,
            color="#004d40",
            weight=2,
            fill=True,
            fill_color="#44BB99",
            fill_opacity=1,
            tooltip=f"{escape(facts['name'])} · {escape(role)} · {age}",
        ).add_to(group)


def _focus(view: LocalMap, request: MapRequest) -> None:
    texts = request.texts
    if request.route is not None:
        points = [(lat, lon) for lon, lat in shapely.get_coordinates(request.route).tolist()]
        group = _layer(texts("Route of the nearest responder"), view)
        folium.PolyLine(points, color="#ffffff", weight=9, opacity=0.9).add_to(group)
        folium.PolyLine(points, color="#d0021b", weight=5, opacity=0.95).add_to(group)
    if request.place is not None:
        lon, lat = request.place
        icon = folium.DivIcon(html='<div class="og-here">◉</div>', icon_size=(22, 22))
        folium.Marker((lat, lon), icon=icon, tooltip=texts("Chosen place")).add_to(view)


def _legend(request: MapRequest) -> str:
    texts = request.texts
    lines = []
    if "grids" in request.layers:
        lines += [
            f'<i style="background:{GRID_COLOURS[kind]}55;border-color:{GRID_COLOURS[kind]}"></i>'
            f"{texts(name)}"
            for kind, name in _KIND_NAMES.items()
        ]
    dots = (
        ("incidents", "#CC3311", "Incidents"),
        ("responders", "#44BB99", "Responders"),
    )
    lines += [
        f'<i class="dot" style="background:{colour}"></i>{texts(name)}'
        for layer, colour, name in dots
        if layer in request.layers
    ]
    if request.route is not None:
        lines.append(f'<i style="background:#d0021b;height:4px"></i>{texts("Route")}')
    lines.append(f"{texts('Coordinates')}: EPSG:4326")
    if request.note:
        lines.append(f'<span class="og-note">{escape(request.note)}</span>')
    return "<br/>".join(lines)


def _fit(session: Session, county: str, view: LocalMap, request: MapRequest) -> None:
    if request.route is not None:
        west, south, east, north = request.route.bounds
        view.fit_bounds([(south, west), (north, east)], padding=(60, 60), max_zoom=17)
    elif request.place is not None:
        lon, lat = request.place
        view.fit_bounds([(lat, lon), (lat, lon)], max_zoom=17)
    else:
        names = ("grid", "community")
        shapes = [collection(session, county, name)["features"] for name in names]
        found = [shapely.geometry.shape(f["geometry"]) for f in shapes[0] or shapes[1]]
        if found:
            west, south, east, north = shapely.total_bounds(found)
            view.fit_bounds([(south, west), (north, east)])
