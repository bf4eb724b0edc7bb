"""``onegrid route`` and ``onegrid roads``: ways, closures, speeds, coverage."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import shapely
import typer
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.cli.context import AsJson, County, console, county_or_default, emit, ready_database
from data import roads as held
from data.errors import SourceError
from data.positions import KEEP_MINUTES
from data.scope import Scope
from data.settings import Settings
from routing.coverage import coverage as coverage_of
from routing.live import LiveRoads
from routing.travel import TravelTimes

__all__ = ["live_roads", "register"]

app = typer.Typer(no_args_is_help=True, help="Closures and speeds of roads, and who covers what.")
_BEIJING = ZoneInfo("Asia/Shanghai")
_FORMATS = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]

Mode = Annotated[str, typer.Option(help="car, moped or foot.")]
Place = tuple[float, float]
Until = Annotated[
    datetime | None,
    typer.Option(help="End (Beijing time); open until reopened by default.", formats=_FORMATS),
]
Begin = Annotated[
    datetime | None, typer.Option("--from", help="Begin; now by default.", formats=_FORMATS)
]

_HOUSEHOLDS = text(
    """
    SELECT ST_X(p), ST_Y(p), households FROM (
        SELECT ST_PointOnSurface(geom) AS p, households FROM building
        WHERE county = :county AND households > 0
    ) AS home
    """
)
_ON_DUTY = text(
    """
    SELECT person.id, person.name, person.mode, ST_X(position.geom), ST_Y(position.geom)
    FROM person JOIN position ON position.person_id = person.id
    WHERE person.county = :county AND (person.role = :role OR :role = '')
      AND position.at > now() - make_interval(mins => :minutes)
    ORDER BY person.id
    """
)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.command()(route)
    parent.add_typer(app, name="roads")


def live_roads(settings: Settings, county: str) -> LiveRoads:
    """The county's roads."""
    return LiveRoads(settings.networks_dir / f"{county}.arrow", county)


@contextmanager
def _travel(county: str | None) -> Iterator[tuple[Session, str, TravelTimes]]:
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        yield session, chosen, live_roads(settings, chosen).now(session).travel


def route(
    start: Annotated[tuple[float, float], typer.Argument(metavar="LON LAT")],
    end: Annotated[tuple[float, float], typer.Argument(metavar="LON LAT")],
    *,
    mode: Mode = "car",
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """The fastest way between two places (EPSG:4326) on the roads of now."""
    with _travel(county) as (_, _, travel):
        way = travel.route(start, end, mode)
    facts: dict[str, Any] = {
        "time_s": way.time_s,
        "distance_m": round(way.distance_m, 1),
        "streets": way.streets,
        "route": json.loads(shapely.to_geojson(way.line)),
        "crs": "EPSG:4326",
    }
    told = [f"{way.time_s / 60:.1f} min, {way.distance_m:.0f} m"]
    emit(facts, told + [" → ".join(way.streets)] * bool(way.streets), as_json=as_json)


@app.command()
def close(
    *,
    reason: Annotated[str, typer.Option(help="Why; shown to dispatchers.")],
    at: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LON LAT", help="Close the road nearest to this place, EPSG:4326."),
    ] = None,
    one_way: Annotated[
        bool, typer.Option("--one-way", help="Only the direction in which the road is drawn.")
    ] = False,
    area: Annotated[
        Path | None, typer.Option(help="Close all roads that cross a GeoJSON polygon, EPSG:4326.")
    ] = None,
    mode: Annotated[
        list[str] | None, typer.Option(help="For these modes only; for all by default.")
    ] = None,
    begin: Begin = None,
    until: Until = None,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Close roads for a time; the next request of every process goes around them."""
    if (at is None) == (area is None):
        raise typer.BadParameter("give either --at or --area")
    modes = tuple(mode or held.MODES)
    with _travel(county) as (session, chosen, travel):
        geom = _polygon(area) if area is not None else _road_line(travel, at, modes)
        number = held.close_roads(
            session,
            Scope.whole(chosen),
            geom,
            begins=_moment(begin) or datetime.now(UTC),
            ends=_moment(until),
            reason=reason,
            author=getpass.getuser(),
            modes=modes,
            one_way=one_way,
        )
    emit({"closure": number}, f"closed: number {number}", as_json=as_json)


@app.command()
def reopen(
    number: Annotated[int, typer.Argument(help="Number of the closure.")],
    *,
    county: County = None,
) -> None:
    """End a closure now."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        held.reopen(session, Scope.whole(chosen), number, at=datetime.now(UTC))
    console.print(f"open again: closure {number}")


@app.command()
def closures(*, county: County = None, as_json: AsJson = False) -> None:
    """List the closures that hold or are to come."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        found = held.held_closures(session, chosen, at=None)
    facts = [
        {
            "closure": one.id,
            "begins": one.begins,
            "ends": one.ends,
            "modes": one.modes,
            "reason": one.reason,
            "geometry": json.loads(shapely.to_geojson(one.geom)),
        }
        for one in found
    ]
    lines = [
        f"{one.id}  {one.begins.astimezone(_BEIJING):%Y-%m-%d %H:%M} – "
        f"{one.ends.astimezone(_BEIJING).strftime('%Y-%m-%d %H:%M') if one.ends else '…'}  "
        f"{', '.join(one.modes)}  {one.reason}"
        for one in found
    ]
    emit(facts, lines or ["no road is closed"], as_json=as_json)


@app.command()
def speeds(
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV: way,kph and optionally direction and mode.", exists=True),
    ] = None,
    *,
    usual: Annotated[bool, typer.Option("--usual", help="Go back to the usual speeds.")] = False,
    county: County = None,
) -> None:
    """Load measured speeds by OSM way; those of ways not in the file stay."""
    if (file is None) == (not usual):
        raise typer.BadParameter("give a file, or --usual")
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        if file is None:
            gone = held.forget_speeds(session, chosen)
            console.print(f"usual speeds hold again; {gone} were held")
            return
        stored = held.store_speeds(
            session, chosen, held.read_speeds(file), author=getpass.getuser()
        )
    console.print(f"stored: {stored} speeds")


@app.command()
def download(
    place: Annotated[str, typer.Argument(help="As OpenStreetMap's search finds it.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="OSM XML file to write.")],
) -> None:
    """Download a place's streets, where there is internet; then: onegrid import osm FILE."""
    # osmnx takes a second to load, and only this command needs it.
    from routing.building.download import download_streets  # noqa: PLC0415

    download_streets(place, output)
    console.entry(f"written: {output}")


@app.command()
def coverage(
    *,
    minutes: Annotated[float, typer.Option(help="Within so many minutes.", min=0.1, max=180)],
    role: Annotated[str, typer.Option(help="Of this role only; all by default.")] = "",
    without: Annotated[
        list[int] | None, typer.Option(help="As if this person (number) were sent away.")
    ] = None,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Share of households that somebody on duty reaches in time, and the hole a dispatch leaves."""
    with _travel(county) as (session, chosen, travel):
        facts = {"county": chosen, "role": role, "minutes": KEEP_MINUTES}
        people = session.execute(_ON_DUTY, facts).all()
        homes = session.execute(_HOUSEHOLDS, {"county": chosen}).all()
    responders = ([p[3] for p in people], [p[4] for p in people], [p[2] for p in people])
    places = tuple(list(column) for column in zip(*homes, strict=True)) or ([], [], [])
    now = coverage_of(travel, responders, places, minutes)  # type: ignore[arg-type]  # three
    gone = [i for i, person in enumerate(people) if person[0] in set(without or ())]
    told = f"{now.share:.1%} of households within {minutes:g} min of {len(people)} on duty"
    result: dict[str, Any] = {"share": now.share, "minutes": minutes, "on_duty": len(people)}
    if without:
        after = coverage_of(travel, responders, places, minutes, without=gone)  # type: ignore[arg-type]  # three
        result |= {"share_without": after.share, "households_lost": now.lost(after)}
        told += f"; {after.share:.1%} without: {now.lost(after):.0f} households out of reach"
    emit(result, told, as_json=as_json)


def _road_line(travel: TravelTimes, at: Place | None, modes: tuple[str, ...]) -> Any:
    road, _ = travel.snapped(at or (0.0, 0.0), modes[0], travel.conditions)
    return travel.network.lines[road]


def _polygon(path: Path) -> Any:
    try:
        shape = shapely.from_geojson(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, shapely.GEOSException) as error:
        raise SourceError(f"{path.name} is no GeoJSON: {error}") from error
    parts = shapely.get_parts(shape)
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def _moment(given: datetime | None) -> datetime | None:
    return None if given is None else given.replace(tzinfo=_BEIJING)
