"""``onegrid dispatch``, ``map``, ``classes``."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import shapely
import typer
from geoalchemy2.shape import to_shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.cli.context import AsJson, County, console, county_or_default, emit, ready_database
from api.cli.roads import live_roads
from data.incidents import find_incident, incidents_waiting
from data.models import Incident, IncidentClass
from data.roads import held_closures
from data.scope import Scope
from data.settings import DEMO_COUNTY, Settings
from maps.city_map import MapRequest, city_map
from maps.dispatch_map import dispatch_map
from maps.texts import texts
from routing.dispatch import Recommendation, recommend
from routing.isochrone import Isochrone, isochrone
from routing.live import LiveRoads
from routing.travel import TravelTimes

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (dispatch, classes):
        app.command()(command)
    app.command("map")(draw_map)


def dispatch(
    *,
    at: Annotated[tuple[float, float], typer.Option(metavar="LON LAT", help="Place, EPSG:4326.")],
    class_code: Annotated[
        str, typer.Option("--class", help="Incident class; see onegrid classes.")
    ],
    county: County = None,
    k: Annotated[int, typer.Option(help="How many candidates.", min=1)] = 5,
    why: Annotated[
        bool, typer.Option("--why", help="Say why not for everybody on duty, slower ones too.")
    ] = False,
    own_town: Annotated[
        bool, typer.Option("--own-town", help="Only those responsible for something in the town.")
    ] = False,
    draw: Annotated[
        Path | None, typer.Option("--map", help="Also draw it on one HTML page.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Of the isochrone on the map.", min=0.1, max=180)
    ] = 5.0,
    lang: Annotated[str, typer.Option(help="Of the map: zh or en")] = "zh",
    as_json: AsJson = False,
) -> None:
    """Rank who gets there first by road; exit code 1 where nobody can."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    roads = live_roads(settings, chosen)
    with ready_database(settings).session() as session:
        options = {"own_town": own_town, "why": why}
        advice = recommend(session, roads, chosen, at, class_code, k=k, **options)
        if draw is not None:
            reach = _in_reach(roads.now(session).travel, at, advice, minutes)
            closed = held_closures(session, chosen, at=datetime.now(UTC))
            shape = shapely.union_all([one.geom for one in closed])
            page = dispatch_map(
                session, chosen, at, advice, texts(lang), reach=reach, closed=shape, inline=True
            )
            draw.write_text(page.html, encoding="utf-8")
    emit(_plain(advice), _told(advice), as_json=as_json)
    raise typer.Exit(0 if advice.candidates else 1)


def _in_reach(
    travel: TravelTimes, place: tuple[float, float], advice: Recommendation, minutes: float
) -> Isochrone | None:
    """From where the place is reached in time by the first one's way of moving."""
    if not advice.candidates:
        return None
    return isochrone(travel, place, minutes, advice.candidates[0].mode, back=True)


def _plain(advice: Recommendation) -> dict[str, Any]:
    facts = asdict(advice)
    for candidate in facts["candidates"]:
        candidate["route"] = json.loads(shapely.to_geojson(candidate["route"]))
    return facts | {"crs": "EPSG:4326"}


def _told(advice: Recommendation) -> list[str]:
    lines = [
        f"{i}. {c.name} ({c.mode}) {c.time_s:.0f} s, {c.distance_m:.0f} m: {c.reason}"
        f"{' · ' + ' → '.join(c.streets) if c.streets else ''}"
        for i, c in enumerate(advice.candidates, 1)
    ]
    lines += [
        f"not {w.name}: {w.reason}{'' if w.time_s is None else f' ({w.time_s:.0f} s)'}"
        for w in advice.left_out
    ]
    return lines or [f"nobody has the role {advice.role}"]


def draw_map(
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")],
    county: County = None,
    incident: Annotated[
        str | None, typer.Option(help="Case number to route to; the newest waiting by default.")
    ] = None,
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
) -> None:
    """Draw the city on one HTML page that opens with no network at all."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        if incident is not None:
            shown: Incident | None = find_incident(session, chosen, incident)
        else:
            shown = next(iter(incidents_waiting(session, Scope.whole(chosen), limit=1)), None)
        place, route = _way_to(session, settings, chosen, shown)
        words = texts(lang)
        note = words("Demonstration city: places, people and incidents are fictional.")
        drawn = MapRequest(
            words,
            inline=True,
            route=route,
            place=place,
            note=note if chosen == DEMO_COUNTY else settings.review_number,
        )
        page = city_map(session, chosen, drawn)
    output.write_text(page.html, encoding="utf-8")
    console.entry(f"written: {output} ({len(page.html) / 2**20:.1f} MiB)")


def _way_to(
    session: Session, settings: Settings, county: str, incident: Incident | None
) -> tuple[tuple[float, float] | None, Any]:
    """Place of an incident and the nearest responder's route to it, None where there is none."""
    path = settings.networks_dir / f"{county}.arrow"
    if incident is None:
        return None, None
    point: Any = to_shape(incident.geom)
    place = (point.x, point.y)
    if not path.exists():
        return place, None
    advice = recommend(session, LiveRoads(path, county), county, place, incident.class_code)
    return place, advice.candidates[0].route if advice.candidates else None


def classes(*, as_json: AsJson = False) -> None:
    """List the incident classes and which role goes."""
    with ready_database(Settings()).session() as session:
        rows = session.scalars(select(IncidentClass).order_by(IncidentClass.code)).all()
    facts = [{"code": r.code, "name": r.name, "role": r.responder_role} for r in rows]
    lines = [f"{r['code']}  {r['name']}  {r['role']}" for r in facts]
    emit(facts, lines, as_json=as_json)
