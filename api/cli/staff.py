"""``onegrid staff``: roles and teams, gaps of the staff, lists out."""

from dataclasses import asdict, astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from api.cli.context import AsJson, County, console, county_or_default, emit, ready_database
from data.errors import NotFoundError
from data.exporting import KINDS, export_table, write_table
from data.models import Role, Team
from data.people import person_of
from data.scope import Scope
from data.settings import Settings
from grids.directory import load_directory
from grids.staff_coverage import Problem, staff_coverage
from grids.staffing import join_staff
from maps.coverage_map import coverage_map
from maps.texts import texts
from routing.positions import disable_devices, enrol_device

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="People and who is responsible: roles, gaps, lists out. Lists in: `onegrid import`.",
)


@app.command()
def roles(*, as_json: AsJson = False) -> None:
    """List the roles, and the teams that grids may be asked to have."""
    with ready_database(Settings()).session() as session:
        held = session.scalars(select(Role).order_by(Role.code)).all()
        teams = session.scalars(select(Team).order_by(Team.code)).all()
    facts = {
        "roles": [{"code": r.code, "name": r.name, "source": r.source} for r in held],
        "teams": [{"code": t.code, "name": t.name, "roles": t.roles} for t in teams],
    }
    lines = [f"{r.code:22} {r.name}" for r in held]
    lines += [f"team {t.code:17} {t.name}: {', '.join(t.roles)}" for t in teams]
    emit(facts, lines, as_json=as_json)


@app.command()
def coverage(
    *,
    team: Annotated[str, typer.Option(help="What every grid is to have; see staff roles.")] = (
        "card"
    ),
    most_households: Annotated[
        int, typer.Option(help="Households that one person may hold.", min=1)
    ] = 600,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Table to write, .csv or .xlsx.")
    ] = None,
    draw: Annotated[Path | None, typer.Option("--map", help="HTML map to write.")] = None,
    lang: Annotated[str, typer.Option(help="Of the map: zh or en.")] = "zh",
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Report areas without a holder, holders without a telephone, overlaps, heavy loads."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        wanted = session.get(Team, team)
        if wanted is None:
            raise NotFoundError(f"no team {team!r}; see onegrid staff roles")
        now = datetime.now(UTC)
        directory = load_directory(session, chosen, now, folder=settings.locators_dir)
        report = staff_coverage(directory, wanted.roles, at=now, most_households=most_households)
        if draw is not None:
            page = coverage_map(session, Scope.whole(chosen), report, texts(lang), inline=True)
            draw.write_text(page.html, encoding="utf-8")
    if output is not None:
        headings = list(Problem.__slots__)
        write_table(output, headings, (astuple(one) for one in report.problems))
    whole = sum(not lacks for lacks in report.missing.values())
    lines = [f"{whole} of {len(report.missing)} grids have all of {', '.join(report.roles)}"]
    for p in report.problems[:50]:
        parts = (p.area, p.area_name, p.role, p.person, p.detail)
        lines.append(f"  {p.problem}: {' '.join(filter(None, parts))}")
    if len(report.problems) > 50:
        lines.append(f"  … {len(report.problems) - 50} more: --output writes all")
    facts = {
        "grids": len(report.missing),
        "complete": whole,
        "problems": [asdict(one) for one in report.problems],
    }
    emit(facts, lines, as_json=as_json)


@app.command()
def export(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))],
    target: Annotated[Path, typer.Argument(help=".csv or .xlsx")],
    *,
    county: County = None,
) -> None:
    """Write a list as `onegrid import` reads it."""
    settings = Settings()
    with ready_database(settings).session() as session:
        count = export_table(session, county_or_default(settings, county), kind, target)
    emit({}, f"{count} {kind}: {target}", as_json=False)


@app.command()
def join(*, county: County = None, as_json: AsJson = False) -> None:
    """Deal grids to the gridworkers of the staff list, and join the others to their areas."""
    settings = Settings()
    with ready_database(settings).session() as session:
        report = join_staff(session, county_or_default(settings, county))
    text = f"{report.begun} responsibilities begun, {report.ended} ended"
    if report.without_area:
        text += f"; no such area: {', '.join(report.without_area[:20])}"
    emit(asdict(report), text, as_json=as_json)


@app.command()
def device(
    person: Annotated[str, typer.Argument(help="Id in the staff list.")],
    *,
    disable: Annotated[bool, typer.Option("--disable", help="Take their devices away.")] = False,
    county: County = None,
) -> None:
    """Give a person a device that tells where they are, or take it away with their position."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        number = person_of(session, chosen, person)
        if disable:
            gone = disable_devices(session, chosen, number)
            console.entry(f"{gone} devices disabled")
            return
        token = enrol_device(session, chosen, number)
    console.entry(f"token, told once: {token}")
    console.print("Traccar client: address …/api/v1/positions, device identifier the token")
