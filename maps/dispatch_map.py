"""A recommendation as a map: who can go and by which road, who is left out, what is in reach."""

from typing import Any

import folium
import shapely
from markupsafe import escape
from sqlalchemy.orm import Session

from maps.city_map import Legend, LocalMap, base_group, finished_page
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
) -> str:
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
    view = LocalMap(
        tiles=None, prefer_canvas=True, zoom_control=False, control_scale=False, zoomSnap=0.25
    )
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
    folium.Marker((lat, lon), icon=icon, tooltip=words("Incident")).add_to(view)
    folium.LayerControl(collapsed=True).add_to(view)
    view.add_child(Legend(_legend(advice, reach, closed, words), words))
    shown = [shapely.Point(place), *(one.route for one in advice.candidates)]
    west, south, east, north = shapely.total_bounds(shown)
    view.fit_bounds([(south, west), (north, east)], padding=(50, 50), max_zoom=17)
    return finished_page(view, words, words("Who is there first"), inline=inline)


def _colour(number: int) -> str:
    return _ROUTES[min(number, len(_ROUTES)) - 1]


def _candidate(view: LocalMap, one: Candidate, number: int, words: Texts) -> None:
    group = folium.FeatureGroup(name=f"{number}. {escape(one.name)}").add_to(view)
    points = [(lat, lon) for lon, lat in shapely.get_coordinates(one.route).tolist()]
    minutes = f"{one.time_s / 60:.1f} {words('min')}"
    text = (
        f"<b>{number}. {escape(one.name)}</b><br/>{minutes} · {one.distance_m:.0f} m · "
        f"{words(one.mode)}<br/>{words(one.reason)}<br/>"
        f"{escape(' → '.join(one.streets)) or words('no named street')}"
    )
    colour = _colour(number)
    folium.PolyLine(points, color="#ffffff", weight=9, opacity=0.9).add_to(group)
    folium.PolyLine(points, color=colour, weight=5, opacity=0.95, tooltip=text).add_to(group)
    # A thin line shows how far off the road the last position was.
    lon, lat = one.place
    folium.PolyLine([(lat, lon), points[0]], color=colour, weight=2, dash_array="3 5").add_to(group)
    html = f'<div class="og-number" style="background:{colour}">{number}</div>'
    icon = folium.DivIcon(html=html, icon_size=(24, 24), icon_anchor=(12, 12))
    folium.Marker((lat, lon), icon=icon, tooltip=text).add_to(group)


def _left_out(view: LocalMap, left_out: tuple[WhyNot, ...], words: Texts) -> None:
    group = folium.FeatureGroup(name=words("Left out")).add_to(view)
    for one in left_out:
        if one.place is None:
            continue
        took = "" if one.time_s is None else f" ({one.time_s / 60:.1f} {words('min')})"
        folium.CircleMarker(
            (one.place[1], one.place[0]),
            radius=6,
            color="#555",
            weight=1.5,
            fill=True,
            fill_color="#bbb",
            fill_opacity=0.9,
            tooltip=f"{escape(one.name)}: {words(one.reason)}{took}",
        ).add_to(group)


def _reach(view: LocalMap, reach: Isochrone, words: Texts) -> None:
    name = f"{words('In reach within')} {reach.minutes:g} {words('min')}"
    group = folium.FeatureGroup(name=name).add_to(view)
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
    group = folium.FeatureGroup(name=words("Closed roads")).add_to(view)
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


def _legend(advice: Recommendation, reach: Isochrone | None, closed: Any, words: Texts) -> str:
    lines = [
        f'<i style="background:{_colour(number)};height:4px"></i>{number}. {escape(one.name)} '
        f"{one.time_s / 60:.1f} {words('min')}"
        for number, one in enumerate(advice.candidates[:5], 1)
    ]
    if not advice.candidates:
        lines.append(words("Nobody can go."))
    lines.append(
        f'<i class="dot" style="background:#bbb"></i>{words("Left out")}: {len(advice.left_out)}'
    )
    if reach is not None:
        lines.append(
            f'<i style="background:{_REACH}55;border-color:{_REACH}"></i>'
            f"{words('In reach within')} {reach.minutes:g} {words('min')}"
        )
    if closed is not None and not closed.is_empty:
        lines.append(f'<i style="background:#b0002055"></i>{words("Closed roads")}')
    return "<br/>".join([*lines, f"{words('Coordinates')}: EPSG:4326"])
