"""A program that works with what nobody may read in a log; its log is what a test reads.

It is a web server without a socket, a worker and threads that fail, each with the planted words in
whatever they are given: paths, queries, forms, bodies, headers, parameters of statements, jobs,
messages of errors.
"""

import asyncio
import logging
import sys
import threading
import time
from pathlib import Path

import psycopg
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from data.background import Background, Rounds
from data.database import Database, open_database
from data.log import LOG
from data.log_setup import begin_log
from data.models import AssignJob, Outbox
from data.readers import read_table
from data.sandbox import TABLE
from data.settings import Settings
from grids.assign.job import run_job
from routing.incidents.delivery import carriers, deliver_one

NAME, PHONE, WORDS = "王秀英", "13912345678", "老太太摔倒在三单元门口"
PLANTED = f"{NAME} {PHONE} {WORDS}"
DEADLY = (
    "INSERT INTO account (county, login, name, password_hash) VALUES (:c, :c, :c, :c)",
    "SELECT CAST(:c AS integer)",
    "SELECT 1 / 0 WHERE :c <> ''",
    "SELECT * FROM no_such_table WHERE a = :c",
    "INSERT INTO tick (county, name, every_s) VALUES ('990100', :c, 1), ('990100', :c, 1)",
)


class PlantedError(Exception):
    """An error as programs make them: it quotes."""


def requests(settings: Settings, database: Database) -> None:
    """Ask for everything, wrongly."""
    app = create_app(settings, database)

    @app.get("/fails/{kind}")
    def fails(kind: int) -> None:
        if kind < len(DEADLY):
            with database.session() as session:
                session.execute(text(DEADLY[kind]), {"c": PLANTED})
        if kind == len(DEADLY):
            with psycopg.connect(database.conninfo) as connection:
                connection.execute("SELECT %s::integer", [PLANTED])
        raise PlantedError(PLANTED) from ValueError(PLANTED)

    headers = {"user-agent": PLANTED.encode(), "referer": PLANTED.encode()}
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as web:
        for kind in range(len(DEADLY) + 2):
            web.get(f"/fails/{kind}?q={PLANTED}", headers=headers)
        web.post("/login", data={"login": PHONE, "password": PLANTED}, headers=headers)
        web.post("/login", data={"login": PLANTED, "password": PLANTED * 100})
        for path in ("/report", "/report/begin", "/card", "/api/v1/positions", "/api/v1/assign"):
            web.post(path, data={"words": PLANTED, "phone": PHONE, "address": WORDS})
            web.post(path, json={"words": PLANTED, "lon": PLANTED, "lat": [PLANTED]})
            web.post(path, content=PLANTED.encode(), headers={"content-type": "application/json"})
            web.post(path, files={"photo": (PLANTED, PLANTED.encode(), "image/jpeg")})
        for path in (f"/{PLANTED}", f"/planner/drafts/{PHONE}", f"/api/v1/incidents/{PLANTED}"):
            web.get(path)
        web.get(f"/api/v1/who?lon={PHONE}&lat=43&name={NAME}")
        web.get(f"/api/v1/addresses?q={WORDS}")


def work(settings: Settings, database: Database, folder: Path) -> None:
    """Fail at jobs, files and notices."""
    with database.session() as session:
        job = AssignJob(county=settings.county, author=PHONE, name=f"{PLANTED}.csv", crs=PLANTED)
        session.add(job)
        session.add(
            Outbox(
                county=settings.county,
                key="planted",
                channel="webhook",
                address=f"http://127.0.0.1:9/{PHONE}",
                subject=NAME,
                content={"phone": PHONE, "case": WORDS},
            )
        )
    run_job(database, settings.jobs_dir, settings.locators_dir, job.id)
    table = folder / f"{NAME}.xlsx"
    table.write_bytes(PLANTED.encode())
    try:
        list(read_table(table, limits=TABLE).rows)
    except Exception as error:  # noqa: BLE001 - it is refused, whatever the reason
        LOG.info("refused", kind=type(error).__name__)
    with database.session() as session:
        deliver_one(session, settings.county, carriers())


def threads() -> None:
    """Fail in threads, tasks and libraries."""

    def fail(_: Rounds) -> None:
        raise PlantedError(PLANTED)

    background = Background("planted", fail)
    background.start()
    time.sleep(0.8)
    background.stop()
    alone = threading.Thread(target=fail, args=(None,))
    alone.start()
    alone.join()

    async def forget() -> None:
        task = asyncio.create_task(asyncio.to_thread(fail, None))
        await asyncio.sleep(0.3)
        del task

    asyncio.run(forget())
    for name in ("uvicorn.error", "procrastinate.worker", "psycopg.pool"):
        logger = logging.getLogger(name)
        try:
            fail(Rounds(lambda: None))
        except PlantedError:
            logger.exception("it failed\n%s", PLANTED, extra={"job": {"task_kwargs": PLANTED}})
        logger.info("chatter about %s", PLANTED)


def main() -> None:
    """Do all of it, and end by an error that nobody catches."""
    settings = Settings()
    begin_log("web", settings)
    database = open_database(settings)
    requests(settings, database)
    work(settings, database, Path(sys.argv[1]))
    threads()
    raise PlantedError(PLANTED)


if __name__ == "__main__":
    main()
