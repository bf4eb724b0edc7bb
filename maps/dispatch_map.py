"""A recommendation as a map: who can go and by which road, who is left out, what is in reach."""

from typing import Any

import folium
import shapely
from sqlalchemy.orm import Session

from maps.city_map import base_group
from maps.labels import Legend, Line, Tip, layer
from maps.page import LocalMap, MapPage, finished_page
from maps.texts import Texts
from routing.dispatch import Candidate, Recommendation, WhyNot
from routing.isochrone import Isochrone

__all__ = ["dispatch_map"]

# Okabe and Ito again: the first stands out, the next two are told apart, the rest are one.
_ROUTES = ("#D55E00", "#0072B2", "#009E73", "#7a7a7a")
_REACH = "#CC79A7"


def dispatch_map(
    session: Session,
    county: str,
    place: tuple[float, float],
    advice: Recommendation,
    words: Texts,
    *,
    reach: Isochrone | None = None,
    closed: Any = None,
    inline: bool = False,
) -> MapPage:
    """Draw a recommendation on an HTML page.

    Parameters
    ----------
    place : tuple of float
        Of the incident: lon, lat; EPSG:4326.
    reach : Isochrone, optional
        From where the place can be reached in time.
    closed : shapely geometry, optional
        Closures that hold, EPSG:4326.
    """
    view = LocalMap()
    base_group(session, county, view, words)
    if reach is not None:
        _reach(view, reach, words)
    if closed is not None and not closed.is_empty:
        _closed(view, closed, words)
    _left_out(view, advice.left_out, words)
    for number in range(len(advice.candidates), 0, -1):
        _candidate(view, advice.candidates[number - 1], number, words)
    lon, lat = place
    icon = folium.DivIcon(html='<div class="og-here">◉</div>', icon_size=(22, 22))
    folium.Marker((lat, lon), icon=icon).add_to(view).add_child(Tip([Line(words("Incident"))]))
    folium.LayerControl(collapsed=True).add_to(view)
    view.add_child(Legend(_legend(advice, reach, closed, words), words))
    shown = [shapely.Point(place), *(one.route for one in advice.candidates)]
    west, south, east, north = shapely.total_bounds(shown)
    view.fit_bounds([(south, west), (north, east)], padding=(50, 50), max_zoom=17)
    return finished_page(view, words, words("Who is there first"), inline=inline)


def _colour(number: int) -> str:
    return _ROUTES[min(number, len(_ROUTES)) - 1]


def _candidate(view: LocalMap, one: Candidate, number: int, words: Texts) -> None:
    group = layer(view, f"{number}. {one.name}")
    points = [(lat, lon) for lon, lat in shapely.get_coordinates(one.route).tolist()]
    minutes = f"{one.time_s / 60:.1f} {words('min')}"
    tip = [
        Line(f"{number}. {one.name}", "strong"),
        Line(f"{minutes} · {one.distance_m:.0f} m · {words(one.mode)}"),
        Line(words(one.reason)),
        Line(" → ".join(one.streets) or words("no named street")),
    ]
    colour = _colour(number)
    folium.PolyLine(points, color="#ffffff", weight=9, opacity=0.9).add_to(group)
    way = folium.PolyLine(points, color=colour, weight=5, opacity=0.95).add_to(group)
    way.add_child(Tip(tip))
    # A thin line shows how far off the road the last position was.
    lon, lat = one.place
    folium.PolyLine([(lat, lon), points[0]], color=colour, weight=2, dash_array="3 5").add_to(group)
    shade = min(number, len(_ROUTES))
    html = f'<div class="og-number og-number-{shade}">{number}</div>'
    icon = folium.DivIcon(html=html, icon_size=(24, 24), icon_anchor=(12, 12))
    folium.Marker((lat, lon), icon=icon).add_to(group).add_child(Tip(tip))


def _left_out(view: LocalMap, left_out: tuple[WhyNot, ...], words: Texts) -> None:
    group = layer(view, words("Left out"))
    for one in left_out:
        if one.place is None:
            continue
        took = "" if one.time_s is None else f" ({one.time_s / 60:.1f} {words('min')})"
        marker = folium.CircleMarker(
            (one.place[1], one.place[0]),
            radius=6,
            color="#555",
            weight=1.5,
            fill=True,
            fill_color="#bbb",
            fill_opacity=0.9,
        ).add_to(group)
        marker.add_child(Tip([Line(f"{one.name}: {words(one.reason)}{took}")]))


def _reach(view: LocalMap, reach: Isochrone, words: Texts) -> None:
    name = f"{words('In reach within')} {reach.minutes:g} {words('min')}"
    group = layer(view, name)
    folium.GeoJson(
        shapely.geometry.mapping(reach.polygon),
        style_function=lambda _: {
            "color": _REACH,
            "weight": 2,
            "fillColor": _REACH,
            "fillOpacity": 0.16,
        },
        interactive=False,
    ).add_to(group)


def _closed(view: LocalMap, closed: Any, words: Texts) -> None:
    group = layer(view, words("Closed roads"))
    folium.GeoJson(
        shapely.geometry.mapping(closed),
        style_function=lambda _: {
            "color": "#b00020",
            "weight": 4,
            "dashArray": "6 6",
            "fillColor": "#b00020",
            "fillOpacity": 0.15,
        },
        interactive=False,
    ).add_to(group)


def _legend(
    advice: Recommendation, reach: Isochrone | None, closed: Any, words: Texts
) -> list[Line]:
    lines = [
        Line(
            f"{number}. {one.name} {one.time_s / 60:.1f} {words('min')}",
            mark="way",
            colour=_colour(number),
        )
        for number, one in enumerate(advice.candidates[:5], 1)
    ]
    if not advice.candidates:
        lines.append(Line(words("Nobody can go.")))
    left_out = f"{words('Left out')}: {len(advice.left_out)}"
    lines.append(Line(left_out, mark="dot", colour="#bbb"))
    if reach is not None:
        within = f"{words('In reach within')} {reach.minutes:g} {words('min')}"
        lines.append(Line(within, mark="box", colour=f"{_REACH}55", edge=_REACH))
    if closed is not None and not closed.is_empty:
        lines.append(Line(words("Closed roads"), mark="box", colour="#b0002055"))
    return [*lines, Line(f"{words('Coordinates')}: EPSG:4326")]
