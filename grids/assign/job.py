"""Running a background job: the uploaded table assigned, its progress in the database."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.accounts import grants_of
from data.database import Database
from data.importing.names import classes_by_name
from data.jobs import files_of
from data.memory import held_for_long
from data.models import Account, AssignJob
from data.scope import Scope
from gis.errors import OneGridError
from grids.assign.engine import Assigner
from grids.assign.table import AssignOptions, assign_table, begun_at
from grids.directory import directory_version, load_directory

__all__ = ["run_job"]


def run_job(database: Database, jobs_dir: Path, locators_dir: Path, number: int) -> None:
    """Run a job to its end; one that a stopped worker left goes on where it was.

    What the table's author can mend is written into the job; anything else is raised.
    """
    with database.session() as session:
        job = session.get(AssignJob, number)
        if job is None or job.state in {"done", "failed"}:
            return
        job.state = "running"
        county, files, crs, by_class = job.county, files_of(jobs_dir, job), job.crs, job.by_class
        author = job.author
    try:
        moment = begun_at(files.target) or datetime.now(UTC)
        with database.session() as session:
            version = directory_version(session, county, moment)
            directory = load_directory(session, county, moment, folder=locators_dir)
            classes = classes_by_name(session)
            scope = _scope_of(session, county, author)
        held_for_long()
        report = assign_table(
            Assigner(directory, moment, within=scope),
            files.source,
            files.target,
            options=AssignOptions(crs, by_class=by_class, classes=classes),
            version=f"{county} {version} {','.join(scope.prefixes)}",
            progress=lambda _, placed, refused: _tell(database, number, placed, refused),
        )
    except OneGridError as error:
        _tell(database, number, state="failed", reason=str(error)[:1000])
    else:
        _tell(database, number, report.placed, report.refused, state="done")


def _scope_of(session: Session, county: str, author: str) -> Scope:
    """Where the one who started the job dispatches now."""
    account = session.scalar(select(Account).filter_by(login=author, disabled_at=None))
    grants = () if account is None else grants_of(session, account.id)
    return Scope.of(county, [one.division for one in grants if one.role == "dispatcher"])


def _tell(
    database: Database,
    number: int,
    placed: int | None = None,
    refused: int | None = None,
    *,
    state: str = "running",
    reason: str = "",
) -> None:
    with database.session() as session:
        job = session.get(AssignJob, number)
        if job is None:
            return
        job.state, job.reason = state, reason
        if placed is not None and refused is not None:
            job.rows_placed, job.rows_refused, job.rows_done = placed, refused, placed + refused
