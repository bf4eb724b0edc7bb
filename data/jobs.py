"""Background jobs that assign a table: their rows, their files, and the queue that runs them.

Uploads have a queue of their own, whose worker does nothing else: a file that takes long holds up
no timer. An author has at most `MOST_RUNNING` jobs that run and `MOST_WAITING` that wait, and
files of `MOST_HELD` bytes in all.
"""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import procrastinate
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.database import Database
from data.errors import NotFoundError, SourceError, StateError
from data.log import request_of
from data.models import AssignJob
from data.queue_connector import QUEUE_WAIT_S
from gis.errors import OneGridError

__all__ = [
    "MOST_HELD",
    "MOST_RESULT",
    "MOST_RUNNING",
    "MOST_TRIES",
    "MOST_WAITING",
    "STALLED_S",
    "TASK",
    "UPLOADS",
    "JobFiles",
    "QuotaError",
    "claimed",
    "enqueue",
    "files_of",
    "find_job",
    "is_being_worked_on",
    "job_app",
    "lane_of",
    "purge_jobs",
    "remove_job",
    "require_kind",
    "require_quota",
    "room_of",
]

# Files of residents' places are not kept for longer than it takes to fetch them.
KEEP_HOURS = 24
TASK = "assign_table"
UPLOADS = "uploads"
# A worker that has not said for so long that it lives has been killed.
STALLED_S = 8.0
# Fewer run than the worker has turns (`api.worker`): one is always left for another author.
MOST_RUNNING, MOST_WAITING = 2, 10
# Bytes of what comes of one file, and of all files that one author has with the program.
MOST_RESULT, MOST_HELD = 2**30, 2 * 2**30
# A job whose worker was killed is tried again, but not for ever: it may be what kills it.
MOST_TRIES = 3
_DOING = text(
    "SELECT EXISTS (SELECT 1 FROM jobs.procrastinate_jobs "
    "WHERE queue_name = :queue AND status = 'doing')"
)
# The queue's tables have a schema of their own.
_IN_SCHEMA = {"options": "-c search_path=jobs,public"}
# What a stranger's file may be, and how it begins: an early word to its author. Which reader
# opens it is decided by its ending alone (`data.gdal`).
_BEGINS = {
    ".csv": b"",
    ".csv.gz": b"\x1f\x8b",
    ".xlsx": b"PK",
    ".parquet": b"PAR1",
    ".gpkg": b"SQLite format 3\x00",
    ".geojson": b"{",
    ".zip": b"PK",
}
# In what a result is written; a table of text else. A Shapefile cuts off names and text.
_MADE_OF = {".parquet": ".parquet", ".gpkg": ".gpkg", ".geojson": ".geojson", ".zip": ".gpkg"}
_PURGE = text(
    "DELETE FROM assign_job WHERE made_at < now() - make_interval(hours => :h) RETURNING id"
)


# Two uploads of one author at once are counted one after the other.
_COUNT_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:county || :author, 20))")
_UNFINISHED = text(
    "SELECT lane FROM assign_job WHERE county = :county AND author = :author "
    "AND state IN ('waiting', 'running')"
)
_OF_AUTHOR = text("SELECT id FROM assign_job WHERE county = :county AND author = :author")
_CLAIM = text("SELECT pg_try_advisory_xact_lock(21, :number)")


class QuotaError(OneGridError):
    """An author who has as many uploads under way, or as much of them, as there may be."""


@dataclass(frozen=True, slots=True)
class JobFiles:
    """Where the files of a job lie."""

    folder: Path
    source: Path
    target: Path


def _suffix(name: str) -> str:
    suffix = "".join(Path(name.lower()).suffixes[-2:])
    return suffix if suffix in _BEGINS else Path(name.lower()).suffix


def require_kind(name: str, beginning: bytes, only: Collection[str] | None = None) -> str:
    """The ending of a name that is taken, and fits how the file begins.

    Parameters
    ----------
    only : collection of str, optional
        The endings that are taken; those of tables by default.

    Raises
    ------
    SourceError
        If it is.
    """
    suffix, taken = _suffix(name), only or tuple(_BEGINS)
    if suffix not in taken:
        raise SourceError(f"a file is one of {', '.join(taken)}, not {name!r}")
    if not beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_BEGINS[suffix]):
        raise SourceError(f"{name!r} does not begin as a {suffix} file does")
    return suffix


def files_of(jobs_dir: Path, job: AssignJob) -> JobFiles:
    """Files of a job: what was uploaded, and what comes of it in the same format, or its like."""
    folder, suffix = jobs_dir / str(job.id), _suffix(job.name)
    out = _MADE_OF.get(suffix, ".csv")
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


def job_app(
    database: Database,
    kind: type[procrastinate.PsycopgConnector] = procrastinate.PsycopgConnector,
) -> procrastinate.App:
    """The queue in the same PostgreSQL, without tasks."""
    connector = kind(
        conninfo=database.conninfo,
        kwargs=_IN_SCHEMA,
        timeout=QUEUE_WAIT_S,
        reconnect_timeout=QUEUE_WAIT_S,
    )
    return procrastinate.App(connector=connector)


def lane_of(session: Session, county: str, author: str) -> int:
    """Which of an author's lanes a new job takes; the jobs of a lane run one after the other.

    Raises
    ------
    QuotaError
        If as many wait as may.
    """
    key = {"county": county, "author": author}
    session.execute(_COUNT_ALONE, key)
    taken = session.scalars(_UNFINISHED, key).all()
    _require_few(len(taken))
    return min(range(MOST_RUNNING), key=taken.count)


def require_quota(session: Session, jobs_dir: Path, county: str, author: str) -> None:
    """Refuse an author who may not send another file now; asked before it is received.

    Raises
    ------
    QuotaError
        If as many files wait as may, or what they have with the program is as much as may be.
    """
    _require_few(len(session.scalars(_UNFINISHED, {"county": county, "author": author}).all()))
    if room_of(session, jobs_dir, county, author) <= 0:
        raise QuotaError(
            f"your files and results of the last {KEEP_HOURS} h have {MOST_HELD / 1e6:,.0f} MB or "
            "more: delete jobs whose results you have fetched, or wait until they end"
        )


def _require_few(unfinished: int) -> None:
    if unfinished >= MOST_RUNNING + MOST_WAITING:
        raise QuotaError(
            f"{unfinished} of your files wait or are being worked on: wait until some are done"
        )


def room_of(session: Session, jobs_dir: Path, county: str, author: str) -> int:
    """Bytes that an author's files and results may still grow by; what lies there is counted."""
    numbers = session.scalars(_OF_AUTHOR, {"county": county, "author": author})
    held = sum(_size_of(jobs_dir / str(number)) for number in numbers)
    return max(MOST_HELD - held, 0)


def _size_of(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        try:
            size += path.stat().st_size
        except OSError:  # it has gone meanwhile
            continue
    return size


def remove_job(session: Session, jobs_dir: Path, job: AssignJob) -> None:
    """Delete a job that has ended, with its files.

    Raises
    ------
    StateError
        If it has not.
    """
    if job.state not in {"done", "failed"}:
        raise StateError(f"job {job.id} is not done yet")
    session.delete(job)
    shutil.rmtree(jobs_dir / str(job.id), ignore_errors=True)


def enqueue(database: Database, number: int, lane: str) -> None:
    """Put a job that is committed into the queue of uploads, with the request that made it."""
    connector = procrastinate.SyncPsycopgConnector(conninfo=database.conninfo, kwargs=_IN_SCHEMA)
    with procrastinate.App(connector=connector).open() as app:
        app.configure_task(
            TASK, queue=UPLOADS, queueing_lock=f"assign-{number}", lock=f"uploads-{lane}"
        ).defer(number=number, request=request_of())


def is_being_worked_on(database: Database) -> bool:
    """Whether a worker has a job, be it one that was killed."""
    with database.engine.connect() as connection:
        return bool(connection.execute(_DOING, {"queue": UPLOADS}).scalar_one())


@contextmanager
def claimed(database: Database, number: int) -> Iterator[bool]:
    """Whether a job is this process's alone, for as long as the block lasts.

    A worker that was taken for dead and lives goes on alone; one that was killed holds nothing.
    """
    with database.engine.begin() as connection:
        yield bool(connection.execute(_CLAIM, {"number": number}).scalar_one())


def purge_jobs(session: Session, jobs_dir: Path) -> int:
    """Delete jobs and files that are older than `KEEP_HOURS`; return how many."""
    gone = session.scalars(_PURGE, {"h": KEEP_HOURS}).all()
    for number in gone:
        shutil.rmtree(jobs_dir / str(number), ignore_errors=True)
    return len(gone)
