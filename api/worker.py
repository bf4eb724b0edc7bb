"""The worker: procrastinate jobs in the same PostgreSQL.

Each queue has a process of its own: what reads strangers' files (`UPLOADS`) holds up no timer,
notice or deletion (`CLOCK`).
"""

import asyncio
import importlib
import logging
import os
import signal

import procrastinate
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from sqlalchemy import text

from api.parts import end_with_parent
from api.terminal import log_visibly
from data.audit_reads import make_partitions
from data.database import Database, open_database
from data.jobs import CLOCK, MOST_TRIES, TASK, UPLOADS, job_app, purge_jobs
from data.positions import place_demo_staff, purge_positions
from data.private_files import tighten
from data.sandbox import remove_left_folders
from data.sessions import purge_sessions
from data.settings import DEMO_COUNTY, Settings
from routing.incidents.delivery import carriers, deliver_one
from routing.incidents.timers import MOST_AT_ONCE, climb, lapse

__all__ = ["QUEUES", "clock", "make_worker", "run_worker", "uploads", "work_on"]

# A worker tells so often that it lives; one that has not for so long has been killed.
_BEAT_S, _STALLED_S = 2.0, 8.0
# Files that are read at once; each may take a core and hundreds of megabytes.
_AT_ONCE = {UPLOADS: 3, CLOCK: 4}
# Whoever waits for a page, or for a timer, goes before whoever sent a file.
_NICER = {UPLOADS: 5, CLOCK: 0}
# A job that failed for a reason which is not its file's is tried again after so many seconds.
_RETRY_S = 5
# How long jobs may go on when the worker ends, and how soon it begins again after a failure.
_END_S, _AGAIN_S = 10.0, 1.0
_LOG = logging.getLogger(__name__)
QUEUES = (CLOCK, UPLOADS)


def clock() -> None:
    """Run the part that does what time brings, and ends with its parent."""
    end_with_parent()
    work_on(CLOCK)


def uploads() -> None:
    """Run the part that reads what people send, and ends with its parent."""
    end_with_parent()
    work_on(UPLOADS)


def work_on(queue: str) -> None:
    """Work on one queue in this process, with the settings of its environment."""
    log_visibly()
    if queue == UPLOADS:
        # Takes seconds to load: no file waits for it, and the other process never needs it.
        importlib.import_module("grids.assign.job")
    settings = Settings()
    os.nice(_NICER[queue])
    tighten(settings.home)
    database = open_database(settings)
    database.require_direct()
    asyncio.run(run_worker(database, settings, queue))


async def run_worker(database: Database, settings: Settings, queue: str) -> None:
    """Work on one queue until the process is told to end; a lost database is waited for."""
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    told = asyncio.create_task(stop.wait())
    while not stop.is_set():
        work = asyncio.create_task(_work(make_worker(database, settings), queue))
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            work.cancel()
        elif error := work.exception():
            _LOG.warning("the queue failed and is begun again: %s", error)
        await asyncio.wait({work})
        await asyncio.wait({told}, timeout=_AGAIN_S)


async def _work(app: procrastinate.App, queue: str) -> None:
    async with app.open_async():
        await app.run_worker_async(
            queues=[queue],
            concurrency=_AT_ONCE[queue],
            update_heartbeat_interval=_BEAT_S,
            stalled_worker_timeout=_STALLED_S,
            delete_jobs="successful",
            install_signal_handlers=False,
            shutdown_graceful_timeout=_END_S,
        )


def make_worker(database: Database, settings: Settings) -> procrastinate.App:
    """The job application.

    It assigns uploaded tables, takes back orders that nobody took, climbs the ladder of
    reminders, carries notices, deletes old positions and old jobs, and moves the demonstration's
    staff.
    """
    app = job_app(database)

    retry = procrastinate.RetryStrategy(max_attempts=MOST_TRIES, wait=_RETRY_S)

    @app.task(name=TASK, queue=UPLOADS, retry=retry)
    def assign(number: int) -> None:
        """Assign an uploaded table."""
        # The clock's process never needs it.
        from grids.assign.job import run_job  # noqa: PLC0415

        run_job(database, settings.jobs_dir, settings.locators_dir, number)

    _follow_incidents(app, database, settings)
    _keep_house(app, database, settings)
    _give_back(app)
    return app


# The sixth field of a schedule is its seconds.
def _follow_incidents(app: procrastinate.App, database: Database, settings: Settings) -> None:
    # Twice in the time within which a timer must be kept: a tick may die with its worker.
    @app.periodic(cron="* * * * * */5")
    @app.task(queueing_lock="timers", name="timers", queue=CLOCK)
    def timers(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Take back orders that nobody took, and climb the ladder of reminders."""
        for step in (lapse, climb):
            done = MOST_AT_ONCE
            while done == MOST_AT_ONCE:
                with database.session() as session:
                    done = step(session, settings.county)

    @app.periodic(cron="* * * * * */5")
    @app.task(queueing_lock="notices", name="notices", queue=CLOCK)
    def notices(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Carry the notices that wait for a gateway, each in a transaction of its own."""
        carry = carriers(settings.smtp, settings.mail_from)
        more = True
        while more:
            with database.session() as session:
                more = deliver_one(session, settings.county, carry)


def _keep_house(app: procrastinate.App, database: Database, settings: Settings) -> None:
    @app.periodic(cron="* * * * *")
    @app.task(queueing_lock="positions", name="positions", queue=CLOCK)
    def positions(timestamp: int) -> None:
        """Keep only fresh positions; the fictional staff report in every minute."""
        with database.session() as session:
            purge_positions(session)
            demo = text("SELECT EXISTS (SELECT 1 FROM account WHERE login = 'demo')")
            if session.execute(demo).scalar():
                place_demo_staff(session, DEMO_COUNTY, seed=timestamp // 300)

    @app.periodic(cron="*/10 * * * *")
    @app.task(queueing_lock="old_sessions", name="old_sessions", queue=CLOCK)
    def old_sessions(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Delete sessions that have ended."""
        with database.session() as session:
            purge_sessions(session)

    @app.periodic(cron="20 * * * *")
    @app.task(queueing_lock="partitions", name="partitions", queue=CLOCK)
    def partitions(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Make the audit log's partitions ahead."""
        with database.session() as session:
            make_partitions(session)

    @app.periodic(cron="0 * * * *")
    @app.task(queueing_lock="old_jobs", name="old_jobs", queue=CLOCK)
    def old_jobs(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Delete the files of old jobs, and what killed conversions have left."""
        for folder in (None, settings.jobs_dir):
            remove_left_folders(folder)
        with database.session() as session:
            purge_jobs(session, settings.jobs_dir)


def _give_back(app: procrastinate.App) -> None:
    @app.periodic(cron="* * * * * */5")
    @app.task(queueing_lock="stalled", name="stalled", queue=CLOCK)
    async def stalled(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Give the files of a killed worker to one that lives; the clock ticks again anyway."""
        jobs = app.job_manager
        for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=_STALLED_S):
            try:
                if job.queue == UPLOADS:
                    await jobs.retry_job(job)
                else:
                    await jobs.finish_job(job, Status.FAILED, delete_job=True)
            except ConnectorException as error:
                # One that has ended meanwhile, or waits already: the others go on.
                _LOG.warning("job %s of a killed worker: %s", job.id, error)
