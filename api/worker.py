"""The worker: procrastinate jobs in the same PostgreSQL."""

import asyncio
import logging
import signal

import procrastinate
from sqlalchemy import text

from data.audit_reads import make_partitions
from data.database import Database
from data.jobs import TASK, job_app, purge_jobs
from data.positions import place_demo_staff, purge_positions
from data.sessions import purge_sessions
from data.settings import DEMO_COUNTY, Settings
from grids.assign.job import run_job
from routing.incidents.delivery import carriers, deliver_one
from routing.incidents.timers import MOST_AT_ONCE, climb, lapse

__all__ = ["make_worker", "run_worker"]

# A worker that has not told that it lives for so long has been killed.
_STALLED_S = 60.0
# How long jobs may go on when the worker ends, and how soon it begins again after a failure.
_END_S, _AGAIN_S = 10.0, 1.0
_LOG = logging.getLogger(__name__)


async def run_worker(database: Database, settings: Settings) -> None:
    """Work until the process is told to end; a database that goes away is waited for."""
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
            concurrency=4,
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

    @app.task(name=TASK)
    def assign(number: int) -> None:
        """Assign an uploaded table."""
        run_job(database, settings.jobs_dir, settings.locators_dir, number)

    _follow_incidents(app, database, settings)
    _keep_house(app, database, settings)
    return app


# The sixth field of a schedule is its seconds.
def _follow_incidents(app: procrastinate.App, database: Database, settings: Settings) -> None:
    @app.periodic(cron="* * * * * */10")
    @app.task(queueing_lock="timers", name="timers")
    def timers(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Take back orders that nobody took, and climb the ladder of reminders."""
        for step in (lapse, climb):
            done = MOST_AT_ONCE
            while done == MOST_AT_ONCE:
                with database.session() as session:
                    done = step(session, settings.county)

    @app.periodic(cron="* * * * * */5")
    @app.task(queueing_lock="notices", name="notices")
    def notices(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Carry the notices that wait for a gateway, each in a transaction of its own."""
        carry = carriers(settings.smtp, settings.mail_from)
        more = True
        while more:
            with database.session() as session:
                more = deliver_one(session, settings.county, carry)


def _keep_house(app: procrastinate.App, database: Database, settings: Settings) -> None:
    @app.periodic(cron="* * * * *")
    @app.task(queueing_lock="positions", name="positions")
    def positions(timestamp: int) -> None:
        """Keep only fresh positions; the fictional staff report in every minute."""
        with database.session() as session:
            purge_positions(session)
            demo = text("SELECT EXISTS (SELECT 1 FROM account WHERE login = 'demo')")
            if session.execute(demo).scalar():
                place_demo_staff(session, DEMO_COUNTY, seed=timestamp // 300)

    @app.periodic(cron="* * * * *")
    @app.task(queueing_lock="stalled", name="stalled")
    async def stalled(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Give the jobs of a killed worker to one that lives."""
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_S):
            await app.job_manager.retry_job(job)

    @app.periodic(cron="*/10 * * * *")
    @app.task(queueing_lock="old_sessions", name="old_sessions")
    def old_sessions(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Delete sessions that have ended."""
        with database.session() as session:
            purge_sessions(session)

    @app.periodic(cron="20 * * * *")
    @app.task(queueing_lock="partitions", name="partitions")
    def partitions(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Make the audit log's partitions ahead."""
        with database.session() as session:
            make_partitions(session)

    @app.periodic(cron="0 * * * *")
    @app.task(queueing_lock="old_jobs", name="old_jobs")
    def old_jobs(timestamp: int) -> None:  # noqa: ARG001 - what a periodic task is given
        """Delete the files of old jobs."""
        with database.session() as session:
            purge_jobs(session, settings.jobs_dir)
