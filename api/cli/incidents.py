"""``onegrid incident`` and ``onegrid notice``: cases in, how they are handled, where notices go."""

import json
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from api.cli.context import (
    AsJson,
    County,
    console,
    county_or_default,
    emit,
    ready_database,
    told_time,
)
from data.errors import SourceError
from data.importing.columns import LOCAL_ZONE
from data.incidents import find_incident
from data.models import FlowDefinition, NoticeChannel
from data.scope import Scope
from data.settings import Settings
from data.visible import visible_json
from grids.directory import load_directory
from routing.incidents.configuring import (
    add_channel,
    choose_flow,
    drop_channel,
    plain_flow,
    set_day,
    store_flow,
)
from routing.incidents.course import Doer
from routing.incidents.ledger import ledger_of, period_of
from routing.incidents.overview import incidents_listed, told_of
from routing.incidents.rules import known_until, load_rules
from routing.incidents.tables import read_reports, report_table
from routing.lifecycle.indicators import RATES

__all__ = ["incident_app", "notice_app"]

incident_app = typer.Typer(no_args_is_help=True, help="Cases, and the rules of handling them.")
notice_app = typer.Typer(no_args_is_help=True, help="Where notices go besides the pages.")
Case = Annotated[str, typer.Argument(help="Case code.")]


@incident_app.command("list")
def listed(
    *,
    state: Annotated[list[str] | None, typer.Option(help="May be given again.")] = None,
    light: Annotated[str | None, typer.Option(help="green, yellow or red")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """List open cases, due first."""
    settings = Settings()
    scope = Scope.whole(county_or_default(settings, county))
    with ready_database(settings).session() as session:
        rows = incidents_listed(session, scope, states=state, light=light, limit=limit)
        facts = [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's name for it
    lines = [f"{r['case']} {r['class_code']} {r['state']} {r['light']}" for r in facts]
    emit(facts, lines or ["there are none"], as_json=as_json)


@incident_app.command()
def show(case: Case, *, county: County = None, as_json: AsJson = False) -> None:
    """Show a case with its whole course."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        incident = find_incident(session, chosen, case)
        doer = Doer("command line", "centre", Scope.whole(chosen))
        told = told_of(session, load_rules(session, chosen), incident, [doer])
    lines = [f"{case} {told['class_code']} {told['state']} ({told['stage']})"]
    lines += [f"  {told_time(s['at'])} {s['kind']} by {s['actor']}" for s in told["course"]]
    emit(told, lines, as_json=as_json)


@incident_app.command("report")
def report_file(
    path: Annotated[
        Path, typer.Argument(help="CSV or XLSX with class, x, y and more; see the docs.")
    ],
    *,
    crs: Annotated[str, typer.Option(help="EPSG:n, GCJ-02 or BD-09; never guessed.")],
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Take a table of reports: each row is a case, or is refused with its reason."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    reports = read_reports(path)
    with ready_database(settings).session() as session:
        directory = load_directory(session, chosen, folder=settings.locators_dir)
        rows = report_table(session, chosen, reports, crs, directory, actor="command line")
    refused = [row for row in rows if row.reason]
    lines = [f"{len(rows) - len(refused)} taken, {len(refused)} refused"]
    lines += [f"  row {row.row}: {row.reason}" for row in refused[:20]]
    emit([asdict(row) for row in rows], lines, as_json=as_json)
    if refused:
        raise typer.Exit(3)


@incident_app.command()
def ledger(
    *,
    period: Annotated[str, typer.Option(help="week or month")] = "week",
    of: Annotated[str | None, typer.Option(help="A day in it, 2026-11-30; today if none.")] = None,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Count a week or a month."""
    settings = Settings()
    try:
        day = datetime.now(LOCAL_ZONE).date() if of is None else date.fromisoformat(of)
    except ValueError as error:
        raise typer.BadParameter(f"{of!r} is no day", param_hint="--of") from error
    begin, end = period_of(period, day)
    scope = Scope.whole(county_or_default(settings, county))
    with ready_database(settings).session() as session:
        found = ledger_of(session, scope, begin, end)
    rates = {name: found.whole.rate(name) for name in RATES}
    lines = [f"{begin:%Y-%m-%d} to {end:%Y-%m-%d}: {found.whole.accepted} accepted"]
    lines += [f"  {name}: {'none' if r is None else f'{r:.2%}'}" for name, r in rates.items()]
    emit(asdict(found.whole) | {"rates": rates}, lines, as_json=as_json)


@incident_app.command()
def flows(*, as_json: AsJson = False) -> None:
    """List the flows."""
    with ready_database(Settings()).session() as session:
        rows = session.scalars(select(FlowDefinition).order_by(FlowDefinition.code)).all()
        facts = [{"code": r.code, "name": r.name, "source": r.source} for r in rows]
    lines = [f"{r['code']:12} {r['name']}" for r in facts]
    emit(facts, lines, as_json=as_json)


@incident_app.command()
def flow(code: Annotated[str, typer.Argument(help="See onegrid incident flows.")]) -> None:
    """Print a flow as JSON, to be edited and set again."""
    with ready_database(Settings()).session() as session:
        typer.echo(visible_json(plain_flow(session, code)))


@incident_app.command("set-flow")
def set_flow(path: Annotated[Path, typer.Argument(help="JSON as flow prints it.")]) -> None:
    """Check a flow and keep it; one that could not be used is refused with the reason."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read as JSON: {error}") from error
    with ready_database(Settings()).session() as session:
        made = store_flow(session, row)
    console.entry(f"kept: {made.code} with {len(made.transitions)} transitions")


@incident_app.command("use-flow")
def use_flow(
    code: Annotated[str, typer.Argument(help="See onegrid incident flows.")],
    *,
    scope: Annotated[str, typer.Option("--for", help="A class, a group, or *.")] = "*",
    county: County = None,
) -> None:
    """Have new cases of a class, a group or all take a flow; those under way keep theirs."""
    settings = Settings()
    with ready_database(settings).session() as session:
        choose_flow(session, county_or_default(settings, county), code, scope)
    console.entry(f"{scope} takes {code}")


@incident_app.command()
def calendar(
    day: Annotated[str, typer.Argument(help="2027-02-06")],
    *,
    works: Annotated[bool, typer.Option("--works/--free", help="Whether it is worked.")],
    name: Annotated[str, typer.Option(help="What the day is called.")] = "",
    county: County = None,
) -> None:
    """Say that a day is worked, or free, whatever the public calendar says."""
    settings = Settings()
    try:
        chosen = date.fromisoformat(day)
    except ValueError as error:
        raise typer.BadParameter(f"{day!r} is no day", param_hint="DAY") from error
    with ready_database(settings).session() as session:
        set_day(session, county_or_default(settings, county), chosen, works=works, name=name)
    console.entry(f"{chosen} is {'worked' if works else 'free'}")
    if chosen.year > known_until().year:
        console.entry(f"the public calendar is known until {known_until()}")


@notice_app.command("add")
def add_target(
    code: Annotated[str, typer.Argument(help="Name of the target.")],
    target: Annotated[str, typer.Argument(help="http address, or an address of e-mail.")],
    *,
    channel: Annotated[str, typer.Option(help="webhook, sms or email")],
    kind: Annotated[list[str] | None, typer.Option(help="Only these; all if none.")] = None,
    county: County = None,
) -> None:
    """Send notices to another system too."""
    settings = Settings()
    with ready_database(settings).session() as session:
        chosen = county_or_default(settings, county)
        add_channel(session, chosen, code, channel, target, kind or [])
    console.entry(f"notices go to {code}")


@notice_app.command("drop")
def drop_target(code: Annotated[str, typer.Argument()], *, county: County = None) -> None:
    """Send them there no more."""
    settings = Settings()
    with ready_database(settings).session() as session:
        drop_channel(session, county_or_default(settings, county), code)
    console.entry(f"dropped: {code}")


@notice_app.command("list")
def targets(*, county: County = None, as_json: AsJson = False) -> None:
    """List where notices go."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        rows = session.scalars(select(NoticeChannel).filter_by(county=chosen)).all()
        facts = [{"code": r.code, "channel": r.channel, "target": r.target} for r in rows]
    lines = [f"{r['code']} {r['channel']} {r['target']}" for r in facts]
    emit(facts, lines or ["nowhere but the pages"], as_json=as_json)
