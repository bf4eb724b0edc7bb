"""Background jobs that assign a table: their rows, their files, and the queue that runs them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import procrastinate
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.database import Database
from data.errors import NotFoundError
from data.models import AssignJob

__all__ = ["JobFiles", "enqueue", "files_of", "find_job", "job_app", "purge_jobs"]

# Files of residents' places are not kept for longer than it takes to fetch them.
KEEP_HOURS = 24
TASK = "assign_table"
_PURGE = text(
    "DELETE FROM assign_job WHERE made_at < now() - make_interval(hours => :h) RETURNING id"
)


@dataclass(frozen=True, slots=True)
class JobFiles:
    """Where the files of a job lie."""

    folder: Path
    source: Path
    target: Path


def files_of(jobs_dir: Path, job: AssignJob) -> JobFiles:
    """Files of a job: what was uploaded, and what comes of it in the same format."""
    folder = jobs_dir / str(job.id)
    suffixes = Path(job.name).suffixes[-2:]
    suffix = "".join(suffixes) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])
    out = suffix if suffix in {".csv", ".parquet", ".gpkg", ".geojson"} else ".csv"
    return JobFiles(folder, folder / f"source{suffix.lower()}", folder / f"assigned{out}")


def find_job(session: Session, county: str, number: int) -> AssignJob:
    """A job of a county.

    Raises
    ------
    NotFoundError
        If there is none, or its files have been deleted.
    """
    job = session.get(AssignJob, number)
    if job is None or job.county != county:
        raise NotFoundError(f"county {county} has no job {number}; jobs end after {KEEP_HOURS} h")
    return job


def job_app(database: Database) -> procrastinate.App:
    """The queue in the same PostgreSQL, without tasks."""
    connector = procrastinate.PsycopgConnector(
        conninfo=database.conninfo, kwargs={"options": "-c search_path=jobs,public"}
    )
    return procrastinate.App(connector=connector)


def enqueue(database: Database, number: int) -> None:
    """Put a job that is committed into the queue."""
    options = {"options": "-c search_path=jobs,public"}
    connector = procrastinate.SyncPsycopgConnector(conninfo=database.conninfo, kwargs=options)
    with procrastinate.App(connector=connector).open() as app:
        app.configure_task(TASK, queueing_lock=f"assign-{number}").defer(number=number)


def purge_jobs(session: Session, jobs_dir: Path) -> int:
    """Delete jobs and files that are older than `KEEP_HOURS`; return how many."""
    gone = session.scalars(_PURGE, {"h": KEEP_HOURS}).all()
    for number in gone:
        shutil.rmtree(jobs_dir / str(number), ignore_errors=True)
    return len(gone)
