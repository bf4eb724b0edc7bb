"""The part that reads what people send: procrastinate jobs in the same PostgreSQL.

It is a process of its own: a stranger's file holds up no timer, notice or deletion (`api.clock`).
"""

import asyncio
import importlib
import os
import signal
import time
from typing import cast

import procrastinate

from api.measured import Measured
from api.metric_state import PoolState, ThreadState
from api.parts import end_with_parent
from data.asking import asker
from data.database import Database, open_database
from data.jobs import MOST_TRIES, STALLED_S, TASK, UPLOADS, job_app
from data.log import LOG, within_request
from data.log_setup import begin_log
from data.outages import DATABASE, Outage
from data.private_files import tighten
from data.queue_connector import QUEUE, ToldConnector
from data.reasons import is_away, reason_of
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
# A queue that has failed is well again once it has worked for so long.
_WELL_S = 12.0
_FIRST = asyncio.FIRST_COMPLETED


def uploads() -> None:
    """Run the part, which ends with its parent."""
    end_with_parent()
    read_uploads()


def read_uploads() -> None:
    """Read files in this process until it is told to end, by its environment's settings."""
    settings = Settings()
    begin_log("uploads", settings)
    # Takes seconds to load: no file waits for it.
    importlib.import_module("grids.assign.job")
    os.nice(_NICER)
    tighten(settings.home)
    database = open_database(settings)
    database.require_direct()
    asking = asker(database)
    collectors = (ThreadState(lambda: [asking.state]), PoolState(database.engine))
    measured = Measured(settings, "uploads", collectors)
    measured.start()
    asking.start()
    LOG.info("the worker of files is up", **measured.process)
    asyncio.run(run_worker(database, settings))
    asking.stop()
    measured.stop()
    LOG.info("the worker of files has stopped", **measured.process)


async def run_worker(database: Database, settings: Settings) -> None:
    """Work until the process is told to end; a lost database is waited for."""
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, _end, stop)
    told = asyncio.create_task(stop.wait())
    outage = Outage(
        "the queue fails and is begun again", "the queue still fails", "the queue works again"
    )
    while not stop.is_set():
        app, begun_s = make_worker(database, settings), time.monotonic()
        connector = cast("ToldConnector", app.connector)
        work = asyncio.create_task(_work(app))
        while not (await asyncio.wait({work, told}, timeout=_BEAT_S, return_when=_FIRST))[0]:
            # It lives, and so does the database that it asks.
            if connector.answered_s - begun_s > _WELL_S:
                outage.well()
        if stop.is_set():
            work.cancel()
        elif error := work.exception():
            if is_away(error):
                DATABASE.failed(reason_of(error), QUEUE)
            else:
                outage.failed(reason_of(error))
        await asyncio.wait({work})
        await asyncio.wait({told}, timeout=_AGAIN_S)


def _end(stop: asyncio.Event) -> None:
    if not stop.is_set():
        LOG.info("the worker of files is told to end", pid=os.getpid())
        stop.set()


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
    app = job_app(database, ToldConnector)
    retry = procrastinate.RetryStrategy(max_attempts=MOST_TRIES, wait=_RETRY_S)

    @app.task(name=TASK, queue=UPLOADS, retry=retry)
    def assign(number: int, request: str = "") -> None:
        """Assign an uploaded table; a job of an earlier version names no request."""
        # Loaded by `read_uploads`: the other parts of the program never need it.
        from grids.assign.job import run_job  # noqa: PLC0415

        with within_request(request):
            run_job(database, settings.jobs_dir, settings.locators_dir, number)

    return app
