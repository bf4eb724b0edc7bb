"""Furnishing the demonstration city, each step told as it goes; what is done is skipped."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import select
from sqlalchemy.orm import Session

from data import importing
from data.accounts import add_account
from data.database import Database
from data.demo import DemoFiles, write_demo
from data.errors import StateError
from data.models import Account, Division, Person
from data.passwords import DEMO_PASSWORD
from data.positions import place_demo_staff
from data.settings import DEMO_COUNTY
from grids.assign import assign_incidents
from grids.generations import rules_of
from grids.plan import draw_draft
from grids.publishing import publish
from grids.staffing import join_staff
from grids.subdivide import subdivide
from routing.errors import NetworkError
from routing.network import RoadNetwork
from routing.warming import warm

__all__ = ["DEMO_LOGIN", "DEMO_PASSWORD", "DEMO_REVIEWER", "DEMO_WORKER", "furnish"]

DEMO_LOGIN = "demo"
DEMO_REVIEWER = "demo-review"
DEMO_WORKER = "demo-worker"
_SEED = 1
Step = tuple[str, Callable[[Session], object]]


def furnish(database: Database, home: Path) -> bool:
    """Generate, import, plan and staff the demonstration city; False where data is held already.

    Everything but the road network is one transaction: killed half-way, it leaves nothing. A
    network that an older version of the program made is built again.
    """
    with database.session() as session:
        held = session.scalar(select(Division).limit(1)) is not None
    if held:
        _renew_network(home)
        return False
    files = write_demo(home / "demo", seed=_SEED, end=datetime.now(UTC))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress, database.session() as session:
        steps = _steps(files, home)
        task = progress.add_task("", total=len(steps))
        for text, run in steps:
            progress.update(task, description=text)
            run(session)
            session.flush()
            progress.advance(task)
        progress.update(task, description="the demonstration city stands")
    return True


def _renew_network(home: Path) -> None:
    source, network = home / "demo" / "city.osm", _network_of(home)
    try:
        RoadNetwork.load(network)
    except NetworkError:
        if source.exists():
            _build_network(source, network)


def _network_of(home: Path) -> Path:
    return home / "networks" / f"{DEMO_COUNTY}.arrow"


def _build_network(source: Path, target: Path) -> None:
    # osmnx takes a second to load, and no request ever needs it.
    from routing.building import build_network  # noqa: PLC0415

    build_network(source).save(target)


def _steps(files: DemoFiles, home: Path) -> list[Step]:
    county, wgs84 = DEMO_COUNTY, "EPSG:4326"
    network = _network_of(home)
    return [
        ("building the road network", lambda _: _build_network(files.osm, network)),
        ("compiling the travel-time engine", lambda _: warm(RoadNetwork.load(network))),
        (
            "importing streets and buildings",
            lambda s: _whole(importing.import_osm(s, files.osm, county=county)),
        ),
        (
            "importing police beats",
            lambda s: _whole(
                importing.import_areas(s, files.beats, county=county, kind="police_beat")
            ),
        ),
        (
            "importing addresses",
            lambda s: _whole(
                importing.import_addresses(s, files.addresses, county=county, crs=wgs84)
            ),
        ),
        ("importing departments and staff", lambda s: _import_staff(s, files)),
        (
            "importing a month of incidents",
            lambda s: _whole(
                importing.import_incidents(s, files.incidents, county=county, crs=wgs84)
            ),
        ),
        ("drawing and publishing the grids", _publish),
        ("drawing the micro-grids", lambda s: subdivide(s, county, rules_of(s, "tongliao"))),
        ("joining the staff to their areas", lambda s: _join_staff(s, files)),
        ("assigning the incidents", lambda s: assign_incidents(s, county)),
        ("placing the staff on duty", lambda s: place_demo_staff(s, county, seed=_SEED)),
        ("adding the demonstration login", _add_login),
    ]


def _import_staff(session: Session, files: DemoFiles) -> None:
    _whole(importing.import_units(session, files.units, county=DEMO_COUNTY))
    _whole(importing.import_people(session, files.people, county=DEMO_COUNTY))


def _join_staff(session: Session, files: DemoFiles) -> None:
    join_staff(session, DEMO_COUNTY)
    _whole(importing.import_responsibilities(session, files.posts, county=DEMO_COUNTY))
    _whole(importing.import_leave(session, files.leave, county=DEMO_COUNTY))
    _whole(importing.import_rosters(session, files.rosters, county=DEMO_COUNTY))


def _whole(report: importing.ImportReport) -> None:
    if report.refused:
        first = report.refused[0]
        raise StateError(f"{report.source}: row {first.row} was refused: {first.reason}")


def _publish(session: Session) -> None:
    publish(session, DEMO_COUNTY, draw_draft(session, DEMO_COUNTY, seed=_SEED, author=DEMO_LOGIN))


def _add_login(session: Session) -> None:
    """One who plans and dispatches, one who reviews, and one of the gridworkers."""
    for login, name, roles in (
        (DEMO_LOGIN, "演示账号", ("planner", "dispatcher")),
        (DEMO_REVIEWER, "演示审核员", ("reviewer",)),
        (DEMO_WORKER, "演示网格员", ("worker",)),
    ):
        if session.scalar(select(Account).where(Account.login == login)) is None:
            made = add_account(session, DEMO_COUNTY, login, name, DEMO_PASSWORD, roles)
            if login == DEMO_WORKER:
                first = select(Person.id).where(
                    Person.county == DEMO_COUNTY, Person.role == "gridworker"
                )
                made.person_id = session.scalar(first.order_by(Person.id).limit(1))
