"""Somebody with the server's own rights, or with the database's, unwrites what they looked at:
rows are changed, taken out of the middle or cut off the end, in either table, or a process is
killed before it has written.
"""

import json
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from api.app import create_app
from data.audit import audit
from data.audit_check import verify_all
from data.audit_heads import HeadKeeper, heads_file
from data.audit_reads import ReadLog, make_partitions
from data.cluster import SERVING_ROLE, Cluster
from data.database import Database
from data.serving_role import grant_serving, is_protected
from data.settings import Settings
from tests.conftest import ROOT

COUNTY = "990100"
_PARTITION = (
    "SELECT min(relname) FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind = 'r'"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def log(database: Database, settings: Settings) -> Iterator[ReadLog]:
    made = ReadLog(database, COUNTY, settings.home, HeadKeeper(settings))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def serving(cluster: Cluster, city: Database) -> Iterator[Database]:
    """The city's database as the role that serves."""
    grant_serving(city.engine, SERVING_ROLE)
    made = Database.at(cluster.url_of(str(city.engine.url.database), role=SERVING_ROLE))
    yield made
    made.engine.dispose()


def check(database: Database, settings: Settings):
    with database.session() as session:
        return verify_all(session, COUNTY, settings.home, is_protected=False)


def fill(database: Database, log: ReadLog, settings: Settings) -> None:
    """Three batches of reads, changes between them, and a head kept."""
    for number in range(3):
        for record in range(4):
            log.note("ada", "see /x/{incident}", f"incident={number}{record}")
        log.flush()
        with database.session() as session:
            audit(session, COUNTY, "ada", "try", str(number))
    HeadKeeper(settings).keep(database, force=True)


def test_reads_are_held_with_whose_record_they_were(
    database: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, settings)
    found = check(database, settings)
    assert (found.reads, found.batches, found.is_whole) == (12, 3, True)
    with database.session() as session:
        subjects = session.scalars(text("SELECT subject FROM audit_read ORDER BY id")).all()
    assert subjects[:2] == ["incident=00", "incident=01"]


@pytest.mark.parametrize(
    ("forgery", "fault"),
    [
        ("UPDATE audit_read SET actor = 'eve' WHERE subject = 'incident=11'", "broken_batch"),
        ("DELETE FROM audit_read WHERE subject = 'incident=11'", "broken_batch"),
        ("DELETE FROM audit_read WHERE subject = 'incident=23'", "broken_batch"),
        ("DELETE FROM audit_read WHERE subject LIKE 'incident=2%'", "broken_batch"),
        ("INSERT INTO audit_read (county, batch, actor, action) VALUES ('990100', 99, 'x', 'see')",
         "broken_batch"),
        ("UPDATE audit_log SET detail = '{}' WHERE action = 'reads.seal'", "chain"),
        ("DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)", "cut_after"),
        ("DELETE FROM audit_log", "cut_after"),
    ],
)  # fmt: skip
def test_a_forged_log_is_found(
    database: Database, log: ReadLog, settings: Settings, forgery: str, fault: str
) -> None:
    fill(database, log, settings)
    with database.session() as session:
        session.execute(text("SET session_replication_role = replica"))  # no trigger fires
        session.execute(text(forgery))
    found = check(database, settings)
    assert not found.is_whole
    broken = found.chain.broken_at if fault == "chain" else getattr(found, fault)
    assert broken is not None


def test_the_newest_rows_of_both_tables_cannot_go_together(
    database: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, settings)
    with database.session() as session:
        session.execute(text("SET session_replication_role = replica"))
        session.execute(text("DELETE FROM audit_log WHERE id > 2"))
        session.execute(text("DELETE FROM audit_read WHERE batch > 1"))
    assert check(database, settings).cut_after is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "UPDATE audit_read SET actor = 'x'",
        "DELETE FROM audit_read",
        "TRUNCATE audit_read",
        "ALTER TABLE audit_read DISABLE TRIGGER ALL",
        "DROP TABLE audit_read",
        "SET session_replication_role = replica",
        "DELETE FROM audit.{partition}",
        "TRUNCATE audit.{partition}",
        "SET ROLE onegrid",
        "SELECT setval('audit_log_id_seq', 1)",
        "SELECT nextval('audit_log_id_seq')",
        "SELECT setval('audit_read_id_seq', 1)",
        "SELECT setval('audit.batch', 1)",
        "SELECT setval('incident_id_seq', 1)",
        "INSERT INTO audit_log (county, actor, action) VALUES ('990100', 'command line', 'x')",
        "INSERT INTO audit_read (county, batch, actor, action) VALUES ('990100', 1, 'x', 'see')",
        "INSERT INTO audit_read OVERRIDING SYSTEM VALUE VALUES (1, now(), '990100', 1, 'x', 'see')",
    ],
)
def test_who_serves_cannot_change_the_log(
    serving: Database, city: Database, statement: str
) -> None:
    assert is_protected(serving.engine)
    assert not is_protected(city.engine)
    with city.session() as session:
        statement = statement.format(partition=session.scalar(text(_PARTITION)))
    with (
        pytest.raises(ProgrammingError, match=r"denied|must be owner|only the operator"),
        serving.session() as session,
    ):
        session.execute(text(statement))


def test_a_seal_says_what_is_so(serving: Database, city: Database, settings: Settings) -> None:
    """Whoever serves sealed a batch as it is not: the next forgery would not have been seen."""
    log = ReadLog(serving, COUNTY, settings.home, HeadKeeper(settings))
    log.note("ada", "see /x/{incident}", "incident=1")
    log.flush()
    seal = (
        "INSERT INTO audit_log (county, actor, action, subject, detail) VALUES "
        "(:county, 'system', 'reads.seal', :batch, '{\"hash\": \"x\", \"rows\": 9}')"
    )
    with serving.session() as session:
        session.execute(text(seal), {"county": COUNTY, "batch": "1"})
    assert check(city, settings).is_whole
    with pytest.raises(DBAPIError, match="no reads of batch"), serving.session() as session:
        session.execute(text(seal), {"county": COUNTY, "batch": "99"})


def test_no_entry_is_chained_to_an_old_view_of_the_log(
    serving: Database, city: Database, settings: Settings
) -> None:
    """In one that sees the log as it was, an entry took the one before the last for the last."""
    statement = text("INSERT INTO audit_log (county, actor, action) VALUES (:county, 'x', 'x')")
    with serving.engine.connect() as connection:
        old = connection.execution_options(isolation_level="REPEATABLE READ")
        old.execute(text("SELECT count(*) FROM audit_log"))
        with serving.session() as session:
            audit(session, COUNTY, "ada", "try")
        with pytest.raises(DBAPIError, match="read committed"):
            old.execute(statement, {"county": COUNTY})
    assert check(city, settings).is_whole


def test_reads_are_noted_though_the_folder_was_replaced(
    database: Database, settings: Settings
) -> None:
    """A restore took it away: the thread ended, and what was shown was not noted any more."""
    log = ReadLog(database, COUNTY, settings.home, HeadKeeper(settings))
    log.start()
    for number in range(2):
        shutil.rmtree(settings.home / "audit")
        log.note("ada", "see", str(number))
        deadline = time.monotonic() + 10
        while check(database, settings).reads <= number and time.monotonic() < deadline:
            time.sleep(0.1)
    assert check(database, settings).reads == 2
    assert len(list((settings.home / "audit").glob("*.lock"))) == 1
    log.stop()


def test_a_partition_is_made_when_it_is_needed(serving: Database, city: Database) -> None:
    with city.session() as session:
        session.execute(text(f"DROP TABLE audit.{session.scalar(text(_PARTITION))}"))
    with serving.session() as session:
        make_partitions(session)
        count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_read'::regclass"
        assert session.scalar(text(count)) == 3


def test_no_partition_is_made_for_a_month_far_from_now(serving: Database, city: Database) -> None:
    count = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_read'::regclass")
    with city.session() as session:
        before = session.scalar(count)
    made = text("SELECT audit_read_partition(CAST(:moment AS timestamptz))")
    for moment in ("3000-01-01", "2001-01-01", "infinity", "-infinity"):
        with pytest.raises(DBAPIError), serving.session() as session:
            session.execute(made, {"moment": moment})
    with city.session() as session:
        assert session.scalar(count) == before


def test_an_id_that_is_named_is_not_taken(serving: Database, city: Database, settings) -> None:
    with serving.session() as session:
        row = "INSERT INTO audit_log (id, county, actor, action, detail) VALUES "
        session.execute(text(f"{row} (1, '{COUNTY}', 'x', 'x', '{{}}')"))
        audit(session, COUNTY, "ada", "try")
    assert check(city, settings).is_whole


def test_the_whole_server_works_as_the_role_that_serves(
    serving: Database, city_settings: Settings, tmp_path: Path
) -> None:
    settings = city_settings.model_copy(update={"home": tmp_path})
    with TestClient(create_app(settings, serving)) as web:
        web.post("/login", data={"login": "demo", "password": "onegrid-demo"})
        page = web.get("/planner").text
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        assert web.get("/dispatch").status_code == 200
        headers = {"X-CSRF-Token": csrf}
        body = {"class_code": "E01", "x": 122.31, "y": 43.575, "crs": "EPSG:4326"}
        answer = web.post("/api/v1/incidents", json=body, headers=headers)
        assert answer.status_code in {200, 201}, answer.text
        assert web.post("/api/v1/drafts", json={"title": "x"}, headers=headers).status_code < 300
    with serving.session() as session:
        found = verify_all(session, COUNTY, tmp_path, is_protected=True)
    assert (found.is_whole, found.heads > 0, found.reads >= 2) == (True, True, True)


_KILLED = """
import os, signal, sys
from pathlib import Path
from data.audit_heads import HeadKeeper
from data.audit_reads import ReadLog
from data.database import Database
from data.settings import Settings
settings = Settings(home=Path(sys.argv[2]))
log = ReadLog(Database.at(sys.argv[1]), "990100", settings.home, HeadKeeper(settings))
log.start()
log.note("ada", "see", "incident=1")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_lost_is_told(database: Database, settings: Settings) -> None:
    command = [sys.executable, "-c", _KILLED, database.conninfo, str(settings.home)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode < 0
    assert check(database, settings).gaps == ()
    for _ in range(2):
        log = ReadLog(database, COUNTY, settings.home, HeadKeeper(settings))
        log.start()
        log.stop()
    found = check(database, settings)
    assert [gap.most_s for gap in found.gaps] == [1.0]
    assert found.is_whole
    assert list((settings.home / "audit").glob("*.lock")) == []


def test_heads_are_the_owners_and_the_witness_hears_of_them(
    database: Database, tmp_path: Path
) -> None:
    heard, arrived = [], threading.Event()

    class Witness(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Witness)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with database.session() as session:
        audit(session, COUNTY, "ada", "try")
    settings = Settings(home=tmp_path, audit_witness=f"http://127.0.0.1:{server.server_port}/")
    HeadKeeper(settings).keep(database)
    assert arrived.wait(10)
    server.shutdown()
    server.server_close()
    mode = heads_file(tmp_path).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert heard == [json.loads(heads_file(tmp_path).read_text("utf-8"))]
    assert heads_file(tmp_path).parent.stat().st_mode & 0o077 == 0
