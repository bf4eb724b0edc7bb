"""Jobs and notices name the request that made them."""

import logging
from pathlib import Path

import pytest
from sqlalchemy import text

from api.worker import make_worker
from data.database import Database
from data.jobs import enqueue
from data.log import request_of, within_request
from data.models import Outbox
from data.settings import Settings
from grids.assign import job as assigning
from routing.incidents.delivery import deliver_one

GIVEN = "0123456789abcdef0123456789abcdef"


def test_a_job_names_the_request_that_made_it(
    database: Database, tmp_path: Path, monkeypatch
) -> None:
    seen = []
    monkeypatch.setattr(assigning, "run_job", lambda *_: seen.append(request_of()))
    with within_request(GIVEN):
        enqueue(database, 7, "a")
    query = text("SELECT args FROM jobs.procrastinate_jobs WHERE task_name = 'assign_table'")
    with database.session() as session:
        told = session.execute(query).scalar_one()
    assert told == {"number": 7, "request": GIVEN}
    worker = make_worker(database, Settings(home=tmp_path))
    worker.tasks["assign_table"](**told)
    worker.tasks["assign_table"](number=7)
    assert seen == [GIVEN, ""]


def test_a_notice_names_the_request_that_made_it(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    notice = Outbox(
        county="990100",
        key="k",
        channel="webhook",
        address="http://127.0.0.1:9/13912345678",
        subject="assign",
        content={"case": "A", "request": GIVEN},
        attempts=7,
    )
    with database.session() as session:
        session.add(notice)
    with database.session() as session:
        assert deliver_one(session, "990100", {})
    (record,) = [one for one in caplog.records if one.message == "a notice is given up"]
    assert record.notice == notice.id
    assert "13912345678" not in caplog.text
