"""``onegrid who`` and ``assign``: the one answer for a place, and for tables of any size."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.context import AsJson, County, county_or_default, emit, ready_database
from api.cli.executors import executor_of
from api.cli.imports import Columns, Crs, columns_of
from data.database import Database
from data.importing.names import classes_by_name
from data.memory import held_for_long
from data.settings import Settings
from grids.assign import Assigner, AssignOptions, TableReport, assign_table, begun_at, refused_path
from grids.assign.partitions import assign_partitions
from grids.directory import directory_version, load_directory
from grids.who import Directory, WhoAnswer

__all__ = ["register"]

Lon = Annotated[float, typer.Argument(help="Longitude, EPSG:4326.", min=-180, max=180)]
Lat = Annotated[float, typer.Argument(help="Latitude, EPSG:4326.", min=-90, max=90)]
At = Annotated[
    datetime | None,
    typer.Option(
        help="As of this time (Beijing time); now by default.",
        formats=["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(who)
    app.command()(assign)


def who(
    lon: Lon,
    lat: Lat,
    *,
    radius: Annotated[
        float, typer.Option(help="How far off the place may be, in metres.", min=0)
    ] = 0.0,
    class_code: Annotated[
        str | None, typer.Option("--class", help="Class of incident; see onegrid classes.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Unit that owns the thing.")] = None,
    address: Annotated[str | None, typer.Option(help="Standard address of the place.")] = None,
    at: At = None,
    trace: Annotated[bool, typer.Option("--trace", help="Say which rule spoke.")] = False,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Say which grid a place lies in, or may lie in, who is responsible and who leads."""
    settings = Settings()
    moment = _moment(at)
    with ready_database(settings).session() as session:
        chosen = county_or_default(settings, county)
        directory = load_directory(session, chosen, moment, folder=settings.locators_dir)
    answer = directory.answer(
        lon, lat, radius_m=radius, class_code=class_code, owner=owner, address=address, at=moment
    )
    emit(_plain(answer), _told(answer, trace=trace), as_json=as_json)
    raise typer.Exit(0 if answer.grid else 1)


def _moment(at: datetime | None) -> datetime:
    return datetime.now(UTC) if at is None else at.replace(tzinfo=ZoneInfo("Asia/Shanghai"))


def _plain(answer: WhoAnswer) -> dict[str, Any]:
    facts = asdict(answer.where) | asdict(answer.staff)
    return facts | {"on_boundary": answer.on_boundary, "crs": "EPSG:4326"}


def _told(answer: WhoAnswer, *, trace: bool) -> list[str]:
    lines = [f"{answer.grid.name} {answer.grid.code}" if answer.grid else "no grid", answer.reason]
    lines += [f"micro-grid {answer.micro_grid}"] if answer.micro_grid else []
    if answer.ambiguous:
        lines += ["the place may lie in:"] if answer.candidates else []
        lines += [
            f"  {one.code}: {one.share:.0%}, {one.distance_m:.0f} m away, edge {one.edge_m:.0f} m"
            for one in answer.candidates
        ]
    for p in answer.people:
        instead = f", for {p.stands_for}" if p.stands_for else ""
        away = ", on leave: nobody else is held" if p.on_leave else ""
        phone = p.duty_phone or "no telephone"
        lines.append(f"  {p.role} {p.holder}: {p.name} {phone} ({p.by} {p.area}{instead}{away})")
    if answer.lead is not None:
        lines.append(f"first: {answer.lead.name} {answer.lead.duty_phone or ''}".rstrip())
    if trace:
        lines += [f"  rule {s.rule}: {s.outcome} {s.detail}".rstrip() for s in answer.trace]
        lines += [f"  not {one.name} ({one.role}): {one.reason}" for one in answer.left_out]
    return lines


def assign(
    source: Annotated[
        Path, typer.Argument(help="CSV, XLSX, Parquet or vector file; a folder of Parquet.")
    ],
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help=".csv, .parquet, .gpkg or .geojson; a folder."),
    ],
    county: County = None,
    crs: Crs = None,
    column: Columns = None,
    by_class: Annotated[
        bool, typer.Option("--by-class", help="Each row's class and owner decide who leads.")
    ] = False,
    role: Annotated[
        list[str] | None, typer.Option(help="Roles to add; all that are held by default.")
    ] = None,
    at: At = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV: utf-8, gb18030 …")] = None,
    jobs: Annotated[int, typer.Option(help="Processes for a folder; 0 for one a core.", min=0)] = 1,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, for a folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add grid, people and H3 cell to every row; rows that cannot be placed come back.

    Interrupted, the same command goes on where it stopped.
    """
    settings = Settings()
    moment = _moment(at) if at else begun_at(output) or _moment(None)
    directory, version, classes = _loaded(
        settings, ready_database(settings), county_or_default(settings, county), moment
    )
    assigner = Assigner(directory, moment, role)
    options = AssignOptions(crs, columns_of(column), by_class, classes, encoding)
    with _bar() as bar:
        task = bar.add_task("assigning", total=1.0, rows=0)

        def show(share: float, placed: int, refused: int) -> None:
            bar.update(task, completed=share, rows=placed + refused)

        if source.is_dir():
            with executor_of(jobs, dask) as executor:
                report = assign_partitions(
                    assigner, source, output, options=options, executor=executor, progress=show
                )
        else:
            report = assign_table(
                assigner, source, output, options=options, version=version, progress=show
            )
    _tell(report, output, as_json=as_json)


def _loaded(
    settings: Settings, database: Database, county: str, moment: datetime
) -> tuple[Directory, str, dict[str, str]]:
    with database.session() as session:
        version = directory_version(session, county, moment)
        directory = load_directory(session, county, moment, folder=settings.locators_dir)
        classes = classes_by_name(session)
    held_for_long()
    return directory, f"{county} {version}", classes


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _tell(report: TableReport, output: Path, *, as_json: bool) -> None:
    lines = [report.summary()]
    if report.refused:
        place = output if output.is_dir() else refused_path(output)
        lines.append(f"  refused rows: {place}")
    emit(json.loads(json.dumps(report.plain())), lines, as_json=as_json)
    raise typer.Exit(3 if report.refused else 0)
