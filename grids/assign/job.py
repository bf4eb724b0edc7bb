"""Running a background job: the uploaded table assigned, its progress in the database."""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.accounts import grants_of
from data.database import Database
from data.importing.names import classes_by_name
from data.jobs import MOST_RESULT, MOST_TRIES, claimed, files_of, room_of
from data.log import LOG
from data.memory import held_for_long
from data.models import Account, AssignJob
from data.reasons import reason_of
from data.sandbox import TABLE
from data.scope import Scope
from gis.errors import OneGridError
from grids.assign.engine import Assigner
from grids.assign.table import AssignOptions, assign_table, begun_at
from grids.directory import directory_version, load_directory

__all__ = ["run_job"]

# At once: a converter has less memory than whoever runs the command line (`CHUNK_ROWS`).
_ROWS = 20_000
_GIVEN_UP = "the worker ended each time that it read this file: it is not tried again"


def run_job(database: Database, jobs_dir: Path, locators_dir: Path, number: int) -> None:
    """Run a job to its end; one that a stopped worker left goes on where it was.

    What the table's author can mend is written into the job; anything else is raised, and the job
    is given up when it was tried `MOST_TRIES` times.
    """
    with claimed(database, number) as is_ours:
        if not is_ours:
            return
        with database.session() as session:
            job = session.get(AssignJob, number)
            if job is None or job.state in {"done", "failed"}:
                return
            is_spent = job.tries >= MOST_TRIES
            job.state, job.tries = "running", job.tries + (not is_spent)
        if is_spent:
            _give_up(database, jobs_dir, job, _GIVEN_UP)
            return
        begun_s = time.monotonic()
        try:
            _assign(database, jobs_dir, locators_dir, job)
        except OneGridError as error:
            _give_up(database, jobs_dir, job, str(error)[:1000])
        except Exception as error:
            LOG.warning(
                "a job fails for no reason of its file's",
                job=number,
                tries=job.tries,
                reason=reason_of(error),
            )
            if job.tries >= MOST_TRIES:
                _give_up(database, jobs_dir, job, _GIVEN_UP)
            raise
        else:
            # What was sent is not needed any more; what came of it is fetched within a day.
            files_of(jobs_dir, job).source.unlink(missing_ok=True)
            took_s = round(time.monotonic() - begun_s, 1)
            LOG.info("a job has ended", job=number, state="done", took_s=took_s)


def _give_up(database: Database, jobs_dir: Path, job: AssignJob, reason: str) -> None:
    shutil.rmtree(files_of(jobs_dir, job).folder, ignore_errors=True)
    LOG.info("a job has ended", job=job.id, state="failed", tries=job.tries)
    _tell(database, job.id, state="failed", reason=reason)


def _assign(database: Database, jobs_dir: Path, locators_dir: Path, job: AssignJob) -> None:
    files = files_of(jobs_dir, job)
    moment = begun_at(files.target) or datetime.now(UTC)
    with database.session() as session:
        version = directory_version(session, job.county, moment)
        directory = load_directory(session, job.county, moment, folder=locators_dir)
        classes = classes_by_name(session)
        scope = _scope_of(session, job.county, job.author)
        room = min(room_of(session, jobs_dir, job.county, job.author), MOST_RESULT)
    held_for_long()
    options = AssignOptions(
        job.crs,
        by_class=job.by_class,
        classes=classes,
        name=job.name,
        limits=TABLE,
        rows=_ROWS,
        most_bytes=room,
    )
    report = assign_table(
        Assigner(directory, moment, within=scope),
        files.source,
        files.target,
        options=options,
        version=f"{job.county} {version} {','.join(scope.prefixes)}",
        progress=lambda _, placed, refused: _tell(database, job.id, placed, refused),
    )
    _tell(
        database,
        job.id,
        report.placed,
        report.refused,
        state="done",
        reason=report.warning[:1000],
    )


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
