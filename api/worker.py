"""The part that reads what people send: procrastinate jobs in the same PostgreSQL.

It is a process of its own: a stranger's file holds up no timer, notice or deletion (`api.clock`).
"""

import asyncio
import importlib
import logging
import os
import signal

import procrastinate

from api.parts import end_with_parent
from api.terminal import log_visibly
from data.database import Database, open_database
from data.jobs import MOST_TRIES, STALLED_S, TASK, UPLOADS, job_app
from data.private_files import tighten
from data.settings import Settings

__all__ = ["make_worker", "read_uploads", "run_worker", "uploads"]

# A worker tells so often that it lives.
_BEAT_S = 2.0
# Files that are read at once; each may take a core and hundreds of megabytes.
_AT_ONCE = 3
# Whoever waits for a page, or for a timer, goes before whoever sent a file.
_NICER = 5
# A job that failed for a reason which is not its file's is tried again after so many seconds.
_RETRY_S = 5
# How long jobs may go on when the worker ends, and how soon it begins again after a failure.
_END_S, _AGAIN_S = 10.0, 1.0
_LOG = logging.getLogger("onegrid")


def uploads() -> None:
    """Run the part, which ends with its parent."""
    end_with_parent()
    read_uploads()


def read_uploads() -> None:
    """Read files in this process until it is told to end, by its environment's settings."""
    log_visibly()
    # Takes seconds to load: no file waits for it.
    importlib.import_module("grids.assign.job")
    settings = Settings()
    os.nice(_NICER)
    tighten(settings.home)
    database = open_database(settings)
    database.require_direct()
    asyncio.run(run_worker(database, settings))


async def run_worker(database: Database, settings: Settings) -> None:
    """Work until the process is told to end; a lost database is waited for."""
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    told = asyncio.create_task(stop.wait())
    while not stop.is_set():
        work = asyncio.create_task(_work(make_worker(database, settings)))
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            work.cancel()
        elif error := work.exception():
            _LOG.warning("the queue failed and is begun again: %s", error)
        await asyncio.wait({work})
        await asyncio.wait({told}, timeout=_AGAIN_S)


async def _work(app: procrastinate.App) -> None:
    async with app.open_async():
        await app.run_worker_async(
            queues=[UPLOADS],
            concurrency=_AT_ONCE,
            update_heartbeat_interval=_BEAT_S,
            stalled_worker_timeout=STALLED_S,
            delete_jobs="successful",
            install_signal_handlers=False,
            shutdown_graceful_timeout=_END_S,
        )


def make_worker(database: Database, settings: Settings) -> procrastinate.App:
    """The job application: it assigns uploaded tables."""
    app = job_app(database)
    retry = procrastinate.RetryStrategy(max_attempts=MOST_TRIES, wait=_RETRY_S)

    @app.task(name=TASK, queue=UPLOADS, retry=retry)
    def assign(number: int) -> None:
        """Assign an uploaded table."""
        # Loaded by `read_uploads`: the other parts of the program never need it.
        from grids.assign.job import run_job  # noqa: PLC0415

        run_job(database, settings.jobs_dir, settings.locators_dir, number)

    return app
