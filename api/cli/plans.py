"""``onegrid plan``: draw, check, publish and export the grids."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import text

from api.cli.context import AsJson, County, county_or_default, emit, ready_database
from api.cli.executors import executor_of
from data.errors import NotFoundError
from data.exporting import write_table
from data.scope import Scope
from data.settings import Settings
from grids.assign import assign_incidents
from grids.directory import load_directory
from grids.drafting import Workbench
from grids.drafting.adopting import adopt_drawn, read_drawn
from grids.figures import drafts, gridworkers
from grids.generations import rules_of
from grids.history import statistics
from grids.partition import FinishedPieces
from grids.plan import check_draft, draw
from grids.publishing import publish as publish_draft
from grids.redraw import Issue
from grids.report import community_reports, grid_reports
from grids.staffing import join_staff
from grids.subdivide import subdivide
from maps.atlas import atlas_page
from maps.paper import printed
from maps.plan_files import PARTS, SUFFIXES, export_plan
from maps.plan_report import write_report
from maps.texts import texts

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Draw, check, publish and export grids.")
Draft = Annotated[int | None, typer.Option(help="Number of the draft; the newest by default.")]


@app.command("partition")
def draw_grids(
    *,
    county: County = None,
    profile: Annotated[str, typer.Option(help="Rules: tongliao, zhejiang, …")] = "tongliao",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    community: Annotated[
        list[str] | None, typer.Option(help="Only this community; may be given again.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option(help="Draw as if there were no grids; else what fits is kept.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write figures: .html (map), .csv or .geojson.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; 0 for one a core.", min=0)] = 1,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    as_json: AsJson = False,
) -> None:
    """Partition a county's blocks into grids, kept as a draft."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    finished = FinishedPieces(settings.home / "partition" / chosen)
    with (
        executor_of(jobs, dask) as executor,
        Progress(console=Console(stderr=True), transient=True) as bar,
        ready_database(settings).session() as session,
    ):
        task = bar.add_task("partition", total=None)
        drawing = draw(
            session,
            chosen,
            profile=profile,
            seed=seed,
            keep=not fresh,
            communities=community or (),
            executor=executor,
            finished=finished,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        staff = gridworkers(session, chosen)
        grids = grid_reports(
            drawing.blocks,
            drawing.borders,
            drawing.parts,
            drawing.ground.urban,
            drawing.rules,
            np.array([staff.get(code, 0) for code in drawing.ground.codes]),
        )
        towns = community_reports(
            drawing.blocks, drawing.parts, grids, drawing.ground.urban, drawing.rules
        )
        if report is not None:
            write_report(report, session, chosen, drawing, grids, towns)
    finished.clear()
    own = [grid for grid in grids if not grid.dedicated]
    fitting = sum(grid.fits for grid in own)
    missed = [
        {"community": drawing.ground.codes[town.community], "reasons": town.reasons}
        for town in towns
        if town.reasons
    ]
    facts = {
        "draft": drawing.draft_id,
        "grids": len(grids),
        "dedicated": len(grids) - len(own),
        "fitting": fitting,
        "not_fitting": missed,
    }
    text = f"draft {drawing.draft_id}: {len(grids)} grids, {fitting} of {len(own)} fit the range"
    lines = [f"  {one['community']}: {', '.join(one['reasons'])}" for one in missed]
    emit(facts, [text, *lines], as_json=as_json)


@app.command("adopt")
def adopt_plan(
    file: Annotated[Path, typer.Argument(help=".gpkg, .geojson, .shp or a zipped one")],
    *,
    crs: Annotated[str | None, typer.Option(help="Where the file states none.")] = None,
    name: Annotated[str | None, typer.Option(help="Column with the grids' names.")] = None,
    gaps: Annotated[
        str, typer.Option(help="Ground in no polygon: nearest joins the neighbour, own is a grid.")
    ] = "nearest",
    profile: Annotated[str, typer.Option(help="Rules: tongliao, zhejiang, …")] = "tongliao",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Table of what did not fit, .csv or .xlsx."),
    ] = None,
    county: County = None,
    as_json: AsJson = False,
) -> None:
    """Begin a draft from a plan drawn elsewhere; exit code 3 where something did not fit."""
    if gaps not in {"nearest", "own"}:
        raise typer.BadParameter(f"{gaps!r} is neither nearest nor own", param_hint="--gaps")
    settings = Settings()
    chosen = county_or_default(settings, county)
    elsewhere = read_drawn(file, crs=crs, name=name)
    with ready_database(settings).session() as session:
        draft, issues = adopt_drawn(
            session,
            Workbench(chosen),
            Scope.whole(chosen),
            elsewhere,
            author="command line",
            title=file.name,
            gaps="own" if gaps == "own" else "nearest",
            profile=profile,
        )
        number = draft.id
    rows = [_issue_row(one) for one in issues]
    if output is not None:
        headings = ["kind", "drawn", "area_m2", "lon", "lat", "done"]
        write_table(output, headings, (tuple(row.values()) for row in rows))
    lines = [f"draft {number}: {len(issues)} things did not fit"]
    lines += [
        f"  {row['kind']} {row['drawn']} {row['area_m2']} m²: {row['done']}" for row in rows[:40]
    ]
    if len(rows) > 40:
        lines.append(f"  … {len(rows) - 40} more: --output writes all")
    emit({"draft": number, "issues": rows}, lines, as_json=as_json)
    raise typer.Exit(3 if issues else 0)


def _issue_row(issue: Issue) -> dict[str, Any]:
    return {
        "kind": issue.kind,
        "drawn": "、".join(issue.drawn),
        "area_m2": round(issue.area_m2),
        "lon": None if issue.place is None else round(issue.place.x, 7),
        "lat": None if issue.place is None else round(issue.place.y, 7),
        "done": issue.done,
    }


@app.command()
def check(*, county: County = None, draft: Draft = None, as_json: AsJson = False) -> None:
    """Check a draft's hard rules; exit code 1 where one is broken."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        number = _newest(draft, [row.id for row in drafts(session, Scope.whole(chosen))])
        faults = check_draft(session, chosen, number)
    lines = [f"{fault.rule}: {fault.where}" for fault in faults] or [f"draft {number}: no fault"]
    emit({"draft": number, "faults": len(faults)}, lines, as_json=as_json)
    raise typer.Exit(1 if faults else 0)


@app.command()
def publish(*, county: County = None, draft: Draft = None, as_json: AsJson = False) -> None:
    """Publish a draft, join the staff to its grids, and assign waiting incidents."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        number = _newest(draft, [row.id for row in drafts(session, Scope.whole(chosen))])
        generation = publish_draft(session, chosen, number)
        staff = join_staff(session, chosen)
        work = assign_incidents(session, chosen)
    facts = {
        "generation": generation.id,
        "responsibilities": staff.begun,
        "incidents": work.assigned,
        "on_boundary": work.on_boundary,
        "outside": work.outside,
    }
    emit(facts, "published: " + ", ".join(f"{k} {v}" for k, v in facts.items()), as_json=as_json)


@app.command("micro")
def draw_micro_grids(
    *,
    county: County = None,
    profile: Annotated[str, typer.Option(help="Rules: tongliao, zhejiang, …")] = "tongliao",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    jobs: Annotated[int, typer.Option(help="Processes; 0 for one a core.", min=0)] = 1,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the micro-grids of published grids that have none yet."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with (
        executor_of(jobs, dask) as executor,
        Progress(console=Console(stderr=True), transient=True) as bar,
        ready_database(settings).session() as session,
    ):
        task = bar.add_task("micro-grids", total=None)
        done = subdivide(
            session,
            chosen,
            rules_of(session, profile),
            seed=seed,
            executor=executor,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    text = f"{done.micro_grids} micro-grids in {done.grids} grids, {done.fitting} fit the range"
    if done.indivisible:
        text += f"; {len(done.indivisible)} buildings go by unit or floors"
    emit(asdict(done), text, as_json=as_json)


def _newest(draft: int | None, known: list[int]) -> int:
    if draft is not None:
        return draft
    if not known:
        raise NotFoundError("there is no draft: run onegrid plan partition")
    return known[0]


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help=", ".join(SUFFIXES))],
    *,
    part: Annotated[str, typer.Option(help=", ".join(PARTS))] = "grids",
    micro: Annotated[bool, typer.Option("--micro", help="The micro-grids instead.")] = False,
    at: Annotated[
        datetime | None, typer.Option(help="The plan that held, or will hold, at a time.")
    ] = None,
    county: County = None,
) -> None:
    """Export grids, blocks, lineage or micro-grids (EPSG:4326)."""
    settings = Settings()
    chosen, moment = county_or_default(settings, county), at or datetime.now(UTC)
    with ready_database(settings).session() as session:
        session.execute(text("SET LOCAL transaction_read_only = on"))
        wanted = "micro" if micro else part
        count = export_plan(session, chosen, wanted, target, moment.astimezone())
    emit({}, f"{count} {wanted}: {target}", as_json=False)


@app.command("statistics")
def count_incidents(
    target: Annotated[Path, typer.Argument(help="Table to write, .csv or .xlsx.")],
    *,
    since: Annotated[datetime, typer.Option(help="Incidents reported from then on.")],
    until: Annotated[datetime | None, typer.Option(help="And before; now by default.")] = None,
    at: Annotated[
        datetime | None, typer.Option(help="By the grids that hold at a time; now by default.")
    ] = None,
    county: County = None,
) -> None:
    """Count the incidents of a period by the grids of any generation."""
    settings, now = Settings(), datetime.now(UTC)
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        rows = statistics(
            session,
            Scope.whole(chosen),
            at=(at or now).astimezone(),
            since=since.astimezone(),
            until=(until or now).astimezone(),
        )
    if not rows:
        raise NotFoundError(f"county {chosen} had no published plan then")
    write_table(target, list(rows[0]._fields), (tuple(row) for row in rows))
    counted = sum(row.incidents for row in rows)
    emit({}, f"{counted} incidents in {len(rows)} grids: {target}", as_json=False)


@app.command()
def atlas(
    target: Annotated[Path, typer.Argument(help="PDF file to write.")],
    *,
    area: Annotated[
        str, typer.Option(help="Town or community, by what its code begins with; all by default.")
    ] = "",
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
    county: County = None,
) -> None:
    """Print the grids, a page for each with its map and its contact card."""
    settings = Settings()
    chosen = county_or_default(settings, county)
    with ready_database(settings).session() as session:
        directory = load_directory(session, chosen, folder=settings.locators_dir)
        note = settings.review_number
        page = atlas_page(session, directory, chosen, texts(lang), area=area, note=note)
    target.write_bytes(printed(page))
    emit({}, f"written: {target}", as_json=False)
