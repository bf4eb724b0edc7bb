"""Background jobs that assign a table: their rows, their files, and the queue that runs them."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import procrastinate
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.database import Database
from data.errors import NotFoundError, SourceError
from data.models import AssignJob

__all__ = [
    "TASK",
    "JobFiles",
    "enqueue",
    "files_of",
    "find_job",
    "job_app",
    "purge_jobs",
    "require_kind",
]

# Files of residents' places are not kept for longer than it takes to fetch them.
KEEP_HOURS = 24
TASK = "assign_table"
# How long the queue waits for a database that has gone away before it says so.
_WAIT_S = 5.0
# The queue's tables have a schema of their own.
_IN_SCHEMA = {"options": "-c search_path=jobs,public"}
# What a stranger's file may be, and how it begins. GDAL goes by the content, not by the name:
# a virtual format would have it read other files of this machine, or of others.
_BEGINS = {
    ".csv": b"",
    ".csv.gz": b"\x1f\x8b",
    ".xlsx": b"PK",
    ".parquet": b"PAR1",
    ".gpkg": b"SQLite format 3\x00",
    ".geojson": b"{",
}
_PURGE = text(
    "DELETE FROM assign_job WHERE made_at < now() - make_interval(hours => :h) RETURNING id"
)


@dataclass(frozen=True, slots=True)
class JobFiles:
    """Where the files of a job lie."""

    folder: Path
    source: Path
    target: Path


def _suffix(name: str) -> str:
    suffix = "".join(Path(name.lower()).suffixes[-2:])
    return suffix if suffix in _BEGINS else Path(name.lower()).suffix


def require_kind(name: str, beginning: bytes, only: Collection[str] = tuple(_BEGINS)) -> None:
    """Refuse a file that is not what its name says, or of a kind that is not taken.

    Raises
    ------
    SourceError
        If it is.
    """
    suffix = _suffix(name)
    if suffix not in only:
        raise SourceError(f"a file is one of {', '.join(only)}, not {name!r}")
    if not beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_BEGINS[suffix]):
        raise SourceError(f"{name!r} does not begin as a {suffix} file does")


def files_of(jobs_dir: Path, job: AssignJob) -> JobFiles:
    """Files of a job: what was uploaded, and what comes of it in the same format."""
    folder, suffix = jobs_dir / str(job.id), _suffix(job.name)
    out = suffix if suffix in {".parquet", ".gpkg", ".geojson"} else ".csv"
    return JobFiles(folder, folder / f"source{suffix}", folder / f"assigned{out}")


def find_job(session: Session, county: str, number: int, *, author: str) -> AssignJob:
    """A job that somebody has started; nobody else sees its tables.

    Raises
    ------
    NotFoundError
        If there is none, or its files have been deleted.
    """
    job = session.get(AssignJob, number)
    if job is None or (job.county, job.author) != (county, author):
        raise NotFoundError(f"county {county} has no job {number}; jobs end after {KEEP_HOURS} h")
    return job


def job_app(database: Database) -> procrastinate.App:
    """The queue in the same PostgreSQL, without tasks."""
    connector = procrastinate.PsycopgConnector(
        conninfo=database.conninfo, kwargs=_IN_SCHEMA, timeout=_WAIT_S, reconnect_timeout=_WAIT_S
    )
    return procrastinate.App(connector=connector)


def enqueue(database: Database, number: int) -> None:
    """Put a job that is committed into the queue."""
    connector = procrastinate.SyncPsycopgConnector(conninfo=database.conninfo, kwargs=_IN_SCHEMA)
    with procrastinate.App(connector=connector).open() as app:
        app.configure_task(TASK, queueing_lock=f"assign-{number}").defer(number=number)


def purge_jobs(session: Session, jobs_dir: Path) -> int:
    """Delete jobs and files that are older than `KEEP_HOURS`; return how many."""
    gone = session.scalars(_PURGE, {"h": KEEP_HOURS}).all()
    for number in gone:
        shutil.rmtree(jobs_dir / str(number), ignore_errors=True)
    return len(gone)
