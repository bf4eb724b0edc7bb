"""The part that does what time brings: timers, notices, deletions, files of a killed worker."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

from procrastinate.exceptions import ConnectorException
from sqlalchemy import text

from api.measured import Measured
from api.metric_state import PoolState, ThreadState
from api.parts import end_with_parent
from data.asking import asker
from data.audit_reads import make_partitions
from data.cluster import Cluster
from data.database import Database, open_database
from data.importing.columns import LOCAL_ZONE
from data.jobs import STALLED_S, UPLOADS, is_being_worked_on, job_app, purge_jobs
from data.log import LOG
from data.log_setup import begin_log
from data.positions import place_demo_staff, purge_positions
from data.private_files import tighten
from data.reasons import reason_of
from data.retention.schedule import run_due
from data.sandbox import remove_left_folders
from data.sessions import purge_sessions
from data.settings import DEMO_COUNTY, Settings
from data.ticks import Periodic, Ticker
from routing.incidents.delivery import carriers, deliver_one
from routing.incidents.timers import MOST_AT_ONCE, climb, lapse

__all__ = ["clock", "keep_time", "periodic_works"]

# How long work may go on when the process ends.
_END_S = 10.0
# Hours of the county's night, and how long its deletions may take in each of them: less than a
# piece of work that hangs.
_NIGHT, _NIGHTLY_S = range(1, 5), 480.0
# Of EX_SOFTWARE in sysexits.h: this process is no use any more.
_STUCK = 70
_HAS_DEMO = text("SELECT EXISTS (SELECT 1 FROM account WHERE login = 'demo')")


def clock() -> None:
    """Run the part, which ends with its parent."""
    end_with_parent()
    keep_time()


def keep_time() -> None:
    """Do what time brings in this process until it is told to end, by its environment's settings.

    A lost database is waited for. A piece of work that hangs ends the process: nothing else ends
    a thread, and whoever started the process starts it again.
    """
    settings = Settings()
    begin_log("clock", settings)
    tighten(settings.home)
    database = open_database(settings)
    database.require_direct()
    told = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: told.set())
    asking = asker(database)
    ticker = Ticker(database, settings.county, periodic_works(database, settings), _end_at_once)
    collectors = (ThreadState(lambda: [*ticker.states, asking.state]), PoolState(database.engine))
    measured = Measured(settings, "clock", collectors)
    asking.start()
    ticker.start()
    measured.start()
    LOG.info("the clock is up", **measured.process)
    told.wait()
    LOG.info("the clock is told to end", **measured.process)
    measured.stop()
    ticker.stop(_END_S)
    asking.stop()
    LOG.info("the clock has stopped", **measured.process)


def _end_at_once(name: str) -> None:
    LOG.error("a piece of work hangs: this process ends, and is started again", work=name)
    os._exit(_STUCK)


def periodic_works(database: Database, settings: Settings) -> list[Periodic]:
    """All periodic work of a county."""
    return [
        Periodic(work.__name__.strip("_"), every_s, partial(work, database, settings))
        for work, every_s in _WORKS
    ]


def _timers(database: Database, settings: Settings) -> None:
    """Take back orders that nobody took, and climb the ladder of reminders."""
    for step in (lapse, climb):
        done = MOST_AT_ONCE
        while done == MOST_AT_ONCE:
            with database.session() as session:
                done = step(session, settings.county)


def _notices(database: Database, settings: Settings) -> None:
    """Carry the notices that wait for a gateway, each in a transaction of its own."""
    carry = carriers(settings.smtp, settings.mail_from)
    more = True
    while more:
        with database.session() as session:
            more = deliver_one(session, settings.county, carry)


def _positions(database: Database, _settings: Settings) -> None:
    """Keep only fresh positions; the fictional staff report in every minute."""
    with database.session() as session:
        purge_positions(session)
        if session.execute(_HAS_DEMO).scalar():
            place_demo_staff(session, DEMO_COUNTY, seed=int(time.time()) // 300)


def _sessions(database: Database, _settings: Settings) -> None:
    """Delete sessions that have ended."""
    with database.session() as session:
        purge_sessions(session)


def _partitions(database: Database, _settings: Settings) -> None:
    """Make the audit log's partitions ahead."""
    with database.session() as session:
        make_partitions(session)


def _jobs(database: Database, settings: Settings) -> None:
    """Delete the files of old jobs, and what killed conversions have left."""
    for folder in (None, settings.jobs_dir):
        remove_left_folders(folder)
    with database.session() as session:
        purge_jobs(session, settings.jobs_dir)


def _server_log(_database: Database, settings: Settings) -> None:
    """Keep the log of the private cluster's server bounded."""
    if settings.database_url is None:
        Cluster(settings.home).log.trim()


def _retention(database: Database, settings: Settings) -> None:
    """Delete at night what is older than its retention rule says."""
    is_night = datetime.now(LOCAL_ZONE).hour in _NIGHT
    run_due(database, settings, is_night=is_night, most_s=_NIGHTLY_S)


def _stalled(database: Database, _settings: Settings) -> None:
    """Give the files of a killed worker to one that lives."""
    if is_being_worked_on(database):
        asyncio.run(_give_back(database))


async def _give_back(database: Database) -> None:
    async with job_app(database).open_async() as app:
        jobs = app.job_manager
        for job in await jobs.get_stalled_jobs(queue=UPLOADS, seconds_since_heartbeat=STALLED_S):
            try:
                await jobs.retry_job(job)
            except ConnectorException as error:
                # One that has ended meanwhile, or waits already: the others go on.
                LOG.warning(
                    "a job of a killed worker is not given on", job=job.id, reason=reason_of(error)
                )


# Timers are kept within 15 s: twice within that, since a round may die with its process.
_WORKS: tuple[tuple[Callable[[Database, Settings], None], float], ...] = (
    (_timers, 5.0),
    (_notices, 5.0),
    (_stalled, 5.0),
    (_positions, 60.0),
    (_sessions, 600.0),
    (_partitions, 3600.0),
    (_jobs, 3600.0),
    (_server_log, 3600.0),
    (_retention, 1800.0),
)
