"""``onegrid import``: files in, refused rows out."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.context import AsJson, County, county_or_default, emit, ready_database
from data import importing
from data.importing.report import ImportReport
from data.log import LOG
from data.settings import Settings
from routing.network import RoadNetwork
from routing.warming import warm

__all__ = ["Columns", "Crs", "app", "columns_of"]

app = typer.Typer(
    no_args_is_help=True,
    help="Import files. Refused rows come back in the present folder as NAME.refused.csv with the "
    "reason; exit code 3 says that there are some. Importing a file twice changes nothing.",
)
File = Annotated[Path, typer.Argument(help="File to import.")]
Crs = Annotated[
    str | None, typer.Option(help="EPSG:n, GCJ-02 or BD-09, where the file does not say.")
]
Columns = Annotated[
    list[str] | None, typer.Option("--column", help="wanted=heading; may be given again.")
]
Refused = Annotated[Path | None, typer.Option(help="Where refused rows are written.")]


def columns_of(pairs: list[str] | None) -> dict[str, str]:
    """``wanted=heading`` pairs as heading → wanted."""
    found = {}
    for pair in pairs or []:
        wanted, separator, heading = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"{pair!r} is not wanted=heading", param_hint="--column")
        found[heading] = wanted
    return found


def _store(name: str, path: Path, county: str | None, **options: Any) -> ImportReport:
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        report: ImportReport = getattr(importing, name)(session, path, county=chosen, **options)
    kind = name.removeprefix("import_")
    counts = {"read": report.read, "stored": report.stored, "refused": len(report.refused)}
    LOG.info("an import has ended", kind=kind, county=chosen, **counts)
    return report


def _tell(report: ImportReport, path: Path, refused: Path | None, *, as_json: bool) -> None:
    if report.refused:
        target = refused or Path(f"{path.name}.refused.csv")
        report.write_refused(target)
        report.notes.append(f"refused rows: {target}")
    lines = [report.summary(), *(f"  {note}" for note in report.notes)]
    emit(json.loads(report.as_json()), lines, as_json=as_json)
    if report.refused:
        raise typer.Exit(3)


def _run(
    name: str,
    path: Path,
    county: str | None,
    refused: Path | None,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    _tell(_store(name, path, county, **options), path, refused, as_json=as_json)


@app.command()
def osm(
    file: File,
    *,
    county: County = None,
    community_level: Annotated[
        list[str] | None, typer.Option(help="admin_level of communities; 9 and 10 by default.")
    ] = None,
    network: Annotated[bool, typer.Option(help="Also build the road network.")] = True,
    rules: Annotated[
        Path | None, typer.Option(help="Speeds and access by road class, as rules.json.")
    ] = None,
    refused: Refused = None,
    as_json: AsJson = False,
) -> None:
    """Streets, water, railways, buildings, zones, boundaries of an OSM file; its road network."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    levels = tuple(community_level or ("9", "10"))
    # osmnx takes a second to load, and only this command needs it.
    from routing.building import Rules, build_network  # noqa: PLC0415

    own = Rules.read(rules, place=chosen)
    roads = build_network(file, rules=own) if network else None
    report = _store("import_osm", file, county, community_levels=levels)
    if roads is not None:
        roads.save(settings.networks_dir / f"{chosen}.arrow")
        _tell_fell_off(roads)
        warm(roads)
    _tell(report, file, refused, as_json=as_json)


def _tell_fell_off(roads: RoadNetwork) -> None:
    """What each mode may use, but cannot reach and come back from; on standard error."""
    for mode, arcs, length_m in roads.fell_off:
        if arcs:
            typer.echo(
                f"{mode}: {length_m / 1000:.1f} km in {arcs} directions hang on nothing "
                "and are left out",
                err=True,
            )


@app.command()
def areas(
    file: File,
    *,
    kind: Annotated[
        str,
        typer.Option(
            help="community, zone, police_beat, mediation_area, fire_area or department_area."
        ),
    ],
    county: County = None,
    crs: Crs = None,
    column: Columns = None,
    refused: Refused = None,
    as_json: AsJson = False,
) -> None:
    """Polygons of communities, dedicated zones or service areas."""
    options = {"kind": kind, "crs": crs, "columns": columns_of(column)}
    _run("import_areas", file, county, refused, as_json=as_json, **options)


def _with_crs(name: str) -> Any:
    def command(
        file: File,
        *,
        county: County = None,
        crs: Crs = None,
        column: Columns = None,
        refused: Refused = None,
        as_json: AsJson = False,
    ) -> None:
        options = {"crs": crs, "columns": columns_of(column)}
        _run(name, file, county, refused, as_json=as_json, **options)

    return command


for _name, _help in {
    "households": "Household units with counts, spread over the buildings inside.",
    "addresses": "Standard addresses with their points.",
    "incidents": "Incidents with class, time and place.",
}.items():
    app.command(_name, help=_help)(_with_crs(f"import_{_name}"))


def _plain(name: str) -> Any:
    def command(
        file: File,
        *,
        county: County = None,
        column: Columns = None,
        refused: Refused = None,
        as_json: AsJson = False,
    ) -> None:
        _run(name, file, county, refused, as_json=as_json, columns=columns_of(column))

    return command


for _name, _help in {
    "divisions": "Division codes 统计用区划代码 with 城乡分类.",
    "aliases": "Other names 俗称 of roads, estates and villages.",
    "people": "Staff: name, role, duty phone, way of moving, area, unit.",
    "units": "Centres, police stations and departments with their duty telephones.",
    "leave": "Who is away from when to when, and who stands in.",
    "rosters": "When units are on duty and by whom: resident, rotating or on call.",
    "responsibilities": "Who holds which role where, from when to when, as A or B holder.",
    "rules": "Who is asked: the county's own rules instead of the presets.",
    "memberships": "Which grid a building or an address belongs to, whatever the polygons say.",
}.items():
    app.command(_name, help=_help)(_plain(f"import_{_name}"))
