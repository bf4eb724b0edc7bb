"""Each retention rule: the row just older goes, the row just younger stays; whatever ends a run."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from data.audit import audit
from data.audit_check import verify_all
from data.audit_heads import HeadKeeper, kept_heads
from data.audit_reads import ReadLog
from data.cluster import SERVING_ROLE, Cluster
from data.database import Database
from data.errors import StateError
from data.retention import runs, sweeping
from data.retention.logs import may_set_periods, periods_of, set_periods
from data.retention.rules import RULES, rule_named
from data.retention.runs import Outcome, run_rule
from data.retention.schedule import overdue_rules, run_due, states
from data.serving_role import grant_serving
from data.settings import Settings
from tests.aging import age_logs

COUNTY = "990100"
_GENERATION = (
    "INSERT INTO generation (county, state, author, created_at, valid) VALUES ('990100', "
    "'published', 'ada', now() - interval '999 days', tstzrange(now() - interval '{days} days', "
    "now() - interval '{days} days' + interval '1 minute')); "
    "INSERT INTO division (county, code, name, level, source_ref) SELECT '990100', "
    "'990100001001', 'a', 'village', 's' ON CONFLICT DO NOTHING; "
    "INSERT INTO draft_community (county, generation_id, community) "
    "SELECT '990100', max(id), '990100001001' FROM generation"
)
# By rule: a row that is so many days old, with a mark to tell it by, and what counts them.
ROWS = {
    "notices": (
        (
            "INSERT INTO outbox (county, key, channel, address, subject, state, made_at) VALUES "
            "('990100', 'k{days}', 'app', 'a', 's', 'sent', now() - interval '{days} days')"
        ),
        "outbox",
    ),
    "failed_jobs": (
        (
            "WITH job AS (INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, status) "
            "VALUES ('uploads', 't', 'failed') RETURNING id) INSERT INTO jobs.procrastinate_events "
            "(job_id, type, at) SELECT id, 'failed', now() - interval '{days} days' FROM job; "
            "DELETE FROM jobs.procrastinate_events WHERE type = 'deferred'"
        ),
        "jobs.procrastinate_jobs",
    ),
    "draft_tables": (_GENERATION, "draft_community"),
    "closures": (
        (
            "INSERT INTO closure (county, geom, modes, valid, reason, author) VALUES ('990100', "
            "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))', 4326), '{{car}}', tstzrange(now() - "
            "interval '9999 days', now() - interval '{days} days'), 'r', 'a')"
        ),
        "closure",
    ),
    "devices": (
        (
            "INSERT INTO person (county, source_ref, name, role, mode) "
            "SELECT '990100', 'p', 'n', 'gridworker', 'foot' ON CONFLICT DO NOTHING; "
            "INSERT INTO device (county, token_hash, person_id, disabled_at) SELECT '990100', "
            "'h{days}', id, now() - interval '{days} days' FROM person LIMIT 1"
        ),
        "device",
    ),
    "counts": (
        (
            "INSERT INTO asked (county, key, count, expires_at) VALUES ('990100', 'k{days}', 1, "
            "now() - interval '{days} days')"
        ),
        "asked",
    ),
    "retention_runs": (
        (
            "INSERT INTO retention_run (county, rule, days, until, ended_at, outcome) VALUES "
            "('990100', 'notices', 1, now(), now() - interval '{days} days', 'done')"
        ),
        "retention_run WHERE rule = 'notices'",
    ),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def count(database: Database, source: str) -> int:
    with database.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {source}")).scalar_one())


def insert(database: Database, rule: str, days: float) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(ROWS[rule][0].format(days=days))


def run(database: Database, settings: Settings, rule: str, **options) -> Outcome:
    return run_rule(database, settings, rule_named(rule), **options)


@pytest.mark.parametrize("rule", list(ROWS))
def test_what_is_just_older_goes_and_what_is_just_younger_stays(
    database: Database, settings: Settings, rule: str
) -> None:
    days, table = rule_named(rule).days, ROWS[rule][1]
    for age in (days + 0.01, days - 0.01):
        insert(database, rule, age)
    assert run(database, settings, rule, dry_run=True).rows == 1
    assert count(database, table) == 2
    first = run(database, settings, rule)
    assert (first.outcome, first.rows, first.passed) == ("done", 1, 0)
    assert count(database, table) == 1
    second = run(database, settings, rule)
    assert (second.outcome, second.rows) == ("done", 0)
    with database.engine.connect() as connection:
        noted = connection.execute(
            text("SELECT detail FROM audit_log WHERE action = 'retention.delete'")
        ).scalars()
        assert [(one["rows"], one["days"]) for one in noted] == [(1, days)]


def test_what_waits_or_goes_on_stays_whatever_its_age(
    database: Database, settings: Settings
) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "SET LOCAL search_path TO public, jobs; "
            "INSERT INTO outbox (county, key, channel, address, subject, state, made_at) VALUES "
            "('990100', 'w', 'sms', 'a', 's', 'waiting', '2000-01-01'); "
            "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name) VALUES ('uploads', 't'); "
            "UPDATE jobs.procrastinate_events SET at = '2000-01-01'; "
            "INSERT INTO closure (county, geom, modes, valid, reason, author) VALUES ('990100', "
            "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))', 4326), '{car}', "
            "tstzrange('2000-01-01', NULL), 'r', 'a')"
        )
    for rule in ("notices", "failed_jobs", "closures"):
        assert run(database, settings, rule).rows == 0


def test_files_that_no_record_names_go_once_they_are_old(
    database: Database, settings: Settings
) -> None:
    old_s = time.time() - 31 * 86_400
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO assign_job (id, county, name, author) VALUES (1, '990100', 'n', 'a')"
        )
    for name, age in (("1", old_s), ("2", old_s), ("3", time.time()), ("other", old_s)):
        folder = settings.jobs_dir / name
        folder.mkdir(parents=True)
        (folder / "source.csv").write_text("x" * 10)
        for path in (folder / "source.csv", folder):
            os.utime(path, (age, age))
    piece = settings.home / "partition" / COUNTY / "a.npz"
    piece.parent.mkdir(parents=True)
    piece.write_text("x")
    os.utime(piece, (old_s, old_s))
    assert run(database, settings, "left_files", dry_run=True).files == 2
    done = run(database, settings, "left_files")
    assert (done.outcome, done.files, done.passed) == ("done", 2, 0)
    assert sorted(path.name for path in settings.jobs_dir.iterdir()) == ["1", "3", "other"]
    assert not piece.exists()
    assert run(database, settings, "left_files").files == 0


def test_a_row_that_cannot_go_holds_up_no_other(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 3)
    for number in range(8):
        insert(database, "notices", 400 + number)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION bad() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF OLD.key = 'k404' THEN RAISE EXCEPTION 'no'; END IF; RETURN OLD; END $$; "
            "CREATE TRIGGER bad BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION bad()"
        )
    done = run(database, settings, "notices")
    assert (done.outcome, done.rows, done.passed) == ("done", 7, 1)
    assert count(database, "outbox") == 1


def test_a_row_that_somebody_holds_is_left_for_another_night(
    database: Database, settings: Settings
) -> None:
    for number in range(3):
        insert(database, "notices", 400 + number)
    with database.engine.begin() as holding:
        holding.exec_driver_sql("SELECT FROM outbox WHERE key = 'k401' FOR UPDATE")
        assert run(database, settings, "notices").rows == 2
    assert run(database, settings, "notices").rows == 1


def test_a_run_that_was_interrupted_is_told_and_gone_on_with(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 2)
    for number in range(7):
        insert(database, "notices", 400 + number)
    batches = iter(range(2))

    def killed(*args: object, **options: object):
        if next(batches, None) is None:
            raise KeyboardInterrupt
        return sweeping.sweep_batch(*args, **options)

    monkeypatch.setattr(runs, "sweep_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        run(database, settings, "notices")
    monkeypatch.undo()
    assert count(database, "outbox") == 3
    assert run(database, settings, "notices").rows == 3
    with database.engine.connect() as connection:
        told = connection.execute(
            text("SELECT outcome, rows, ended_at IS NULL FROM retention_run ORDER BY id")
        )
        assert [tuple(row) for row in told] == [("interrupted", 4, False), ("done", 3, False)]


def test_a_run_whose_time_is_over_is_unfinished_and_goes_on_next_time(
    database: Database, settings: Settings
) -> None:
    insert(database, "notices", 400)
    assert run(database, settings, "notices", ends=time.monotonic()).outcome == "unfinished"
    run_due(database, settings, is_night=True, most_s=60)
    assert count(database, "outbox") == 0


def test_a_failing_rule_is_told_and_stops_no_other(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = sweeping.Sweep("outbox", "no_such_column")
    monkeypatch.setitem(sweeping.SWEEPS, "notices", (bad,))
    insert(database, "devices", 400)
    with pytest.raises(StateError, match="notices"):
        run_due(database, settings, is_night=False, most_s=60)
    assert count(database, "device") == 0
    with database.session() as session:
        ran = {one.rule.name: one.last for one in states(session, settings)}
        assert all(one is not None for one in ran.values())
        assert (ran["notices"].outcome, ran["notices"].reason) == ("failed", "ProgrammingError")
        assert overdue_rules(session.connection(), COUNTY) == ["notices"]
    # Once a day is enough.
    run_due(database, settings, is_night=True, most_s=60)
    assert count(database, "retention_run") == len(RULES)


def shift_runs(database: Database, by: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE retention_run SET begun_at = begun_at - CAST(:by AS interval), "
                "ended_at = ended_at - CAST(:by AS interval)"
            ),
            {"by": by},
        )


@pytest.mark.parametrize(
    ("rest", "is_night", "runs_again"),
    [
        ("19 hours", True, False),
        ("21 hours", True, True),
        ("21 hours", False, False),
        ("4 days", False, True),
    ],
)
def test_rules_run_at_night_or_once_they_are_late(
    database: Database, settings: Settings, rest: str, is_night: bool, runs_again: bool
) -> None:
    run_due(database, settings, is_night=False, most_s=60)
    shift_runs(database, rest)
    run_due(database, settings, is_night=is_night, most_s=60)
    assert count(database, "retention_run") == len(RULES) * (2 if runs_again else 1)


@pytest.mark.parametrize("step", ["10 years", "-10 years"])
def test_a_clock_that_was_set_deletes_nothing_by_itself(
    database: Database, settings: Settings, step: str
) -> None:
    run_due(database, settings, is_night=True, most_s=60)
    shift_runs(database, step)
    insert(database, "notices", 400)
    with pytest.raises(StateError):
        run_due(database, settings, is_night=True, most_s=60)
    assert count(database, "outbox") == 1
    with database.session() as session:
        last = next(one.last for one in states(session, settings) if one.rule.name == "notices")
    assert last.outcome == "refused"
    assert "onegrid retention run notices" in last.reason
    run_due(database, settings, is_night=True, most_s=60)
    assert count(database, "retention_run WHERE rule = 'notices'") == 2, "said once"
    assert run(database, settings, "notices").rows == 1


def test_a_clock_that_is_right_again_leaves_nothing_late(
    database: Database, settings: Settings
) -> None:
    """A clock was a day ahead, a day behind, then right: what was refused was called late."""
    run_due(database, settings, is_night=True, most_s=60)
    shift_runs(database, "-2 days")
    with pytest.raises(StateError):
        run_due(database, settings, is_night=True, most_s=60)
    with database.engine.connect() as connection:
        assert len(overdue_rules(connection, COUNTY)) == len(RULES)
    set_clock(database, "1 day")
    with database.engine.connect() as connection:
        assert overdue_rules(connection, COUNTY) == []


def test_two_processes_do_not_run_at_once(database: Database, settings: Settings) -> None:
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        with runs._alone(database, COUNTY):
            inside.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(30)
    with pytest.raises(StateError, match="another process"):
        run(database, settings, "notices")
    over.set()
    thread.join()
    assert run(database, settings, "notices").outcome == "done"


def test_a_run_whose_lock_was_cut_counts_nothing_that_it_did_not_delete(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 2)
    for number in range(7):
        insert(database, "notices", 400 + number)
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
        "AND classid = 20197"
    )
    batches = iter(range(2))
    others: list[int] = []

    def another_begins(*args: object, **options: object):
        if next(batches, None) is None and not others:
            with database.engine.connect() as connection:
                while connection.execute(cut).all():  # it takes a moment to end
                    time.sleep(0.01)
            others.append(0)
            others[0] = run(database, settings, "notices").rows
        return sweeping.sweep_batch(*args, **options)

    monkeypatch.setattr(runs, "sweep_batch", another_begins)
    insert(database, "notices", 500)
    first = run(database, settings, "notices")
    assert (first.outcome, first.rows, others) == ("failed", 4, [4])
    with database.engine.connect() as connection:
        told = connection.execute(
            text("SELECT outcome, rows FROM retention_run ORDER BY id"),
        )
        assert [tuple(row) for row in told] == [("interrupted", 4), ("done", 4)]
        entries = connection.execute(
            text("SELECT sum((detail->>'rows')::int) FROM audit_log WHERE action = :action"),
            {"action": "retention.delete"},
        )
        assert entries.scalar() == 8


def set_clock(database: Database, by: str) -> None:
    """As if the database's clock were set on by so much: all that was noted is as much older."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_log DISABLE TRIGGER USER")
        connection.execute(text("UPDATE audit_log SET at = at - CAST(:by AS interval)"), {"by": by})
        connection.exec_driver_sql("ALTER TABLE audit_log ENABLE TRIGGER USER")
        connection.exec_driver_sql("ALTER TABLE retention_run DISABLE TRIGGER USER")
        connection.execute(
            text(
                "UPDATE retention_run SET begun_at = begun_at - CAST(:by AS interval), "
                "held_against = held_against - CAST(:by AS interval)"
            ),
            {"by": by},
        )
        connection.exec_driver_sql("ALTER TABLE retention_run ENABLE TRIGGER USER")


def test_a_clock_that_is_ahead_at_the_first_run_deletes_nothing_until_it_is_right(
    database: Database, settings: Settings
) -> None:
    with database.session() as session:
        audit(session, COUNTY, "ada", "try", "x")
    set_clock(database, "4 years")
    insert(database, "notices", 400)
    # Ahead by four years, by two, by two and what is noted meanwhile.
    for by in ("0", "-2 years", "21 hours"):
        set_clock(database, by)
        with pytest.raises(StateError):
            run_due(database, settings, is_night=True, most_s=60)
        assert count(database, "outbox") == 1
        with database.session() as session:
            audit(session, COUNTY, "ada", "try", by)
    set_clock(database, "-2 years")
    run_due(database, settings, is_night=True, most_s=60)
    assert count(database, "outbox") == 0


@pytest.fixture
def log(database: Database, settings: Settings) -> Iterator[ReadLog]:
    made = ReadLog(database, COUNTY, settings.home, HeadKeeper(settings))
    made.start()
    yield made
    made.stop()


def fill(database: Database, log: ReadLog, mark: str) -> None:
    """Two batches of reads, with changes between them."""
    for number in range(2):
        for record in range(3):
            log.note("ada", "see", f"{mark}{number}{record}")
        log.flush()
        with database.session() as session:
            audit(session, COUNTY, "ada", "try", f"{mark}{number}")


def keep_head(database: Database, settings: Settings) -> None:
    HeadKeeper(settings).keep(database, force=True)


def check(database: Database, settings: Settings):
    with database.session() as session:
        return verify_all(session, COUNTY, settings.home, is_protected=False)


def test_old_reads_and_entries_go_and_the_log_is_still_whole(
    database: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, "a")
    age_logs(database, 730.02)
    keep_head(database, settings)
    fill(database, log, "b")
    age_logs(database, 365.99)
    fill(database, log, "c")
    (settings.home / "audit" / "heads.jsonl").unlink()
    keep_head(database, settings)
    before = check(database, settings)
    assert before.is_whole
    assert (before.reads, before.batches) == (18, 6)
    reads = run(database, settings, "audit_reads")
    assert (reads.outcome, reads.rows) == ("done", 6)
    assert check(database, settings).is_whole
    entries = run(database, settings, "audit_log")
    assert (entries.outcome, entries.rows) == ("done", 4)
    after = check(database, settings)
    assert after.is_whole
    assert (after.reads, after.batches, after.deleted) == (12, 4, 4)
    assert [run(database, settings, one).rows for one in ("audit_reads", "audit_log")] == [0, 0]
    fill(database, log, "d")
    assert check(database, settings).is_whole


def test_kept_heads_of_what_is_gone_go_too(
    database: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, "a")
    age_logs(database, 2000)
    keep_head(database, settings)
    fill(database, log, "b")
    keep_head(database, settings)
    for rule in ("audit_reads", "audit_log"):
        run(database, settings, rule)
    assert check(database, settings).is_whole
    fill(database, log, "c")
    keep_head(database, settings)
    found = check(database, settings)
    assert found.is_whole
    assert found.heads == len(list(kept_heads(settings.home, COUNTY)))


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE audit.checkpoint SET through = through + 4",
        "UPDATE audit.checkpoint SET hash = md5(hash) WHERE log = 'audit_log'",
        "DELETE FROM audit.checkpoint",
        "DELETE FROM audit_log WHERE id = (SELECT min(id) FROM audit_log)",
        "DELETE FROM audit_read WHERE batch = (SELECT min(batch) FROM audit_read)",
        "UPDATE audit_log SET detail = '{}' WHERE action = 'log.expire'",
    ],
)
def test_more_than_was_due_does_not_go_unseen(
    database: Database, log: ReadLog, settings: Settings, forgery: str
) -> None:
    fill(database, log, "a")
    age_logs(database, 2000)
    fill(database, log, "b")
    for rule in ("audit_reads", "audit_log"):
        run(database, settings, rule)
    assert check(database, settings).is_whole
    with database.session() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(forgery))
    assert not check(database, settings).is_whole


@pytest.fixture
def serving(cluster: Cluster, database: Database) -> Iterator[Database]:
    """The database as the role that serves."""
    grant_serving(database.engine, SERVING_ROLE)
    made = Database.at(cluster.url_of(str(database.engine.url.database), role=SERVING_ROLE))
    yield made
    made.engine.dispose()


def test_whoever_serves_deletes_what_is_due_and_no_more(
    database: Database, serving: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, "a")
    age_logs(database, 1830)
    fill(database, log, "b")
    age_logs(database, 183)
    fill(database, log, "c")
    # What the process says of its settings moves no limit: the owner's period counts.
    short = settings.model_copy(update={"retention": {"audit_log": 184, "audit_reads": 184}})
    gone = [run(serving, short, rule).rows for rule in ("audit_reads", "audit_log")]
    assert gone == [6, 4]
    found = check(database, settings)
    assert found.is_whole
    assert found.reads == 12


_A_GAP = (
    "INSERT INTO audit_log (county, actor, action, detail) VALUES "
    "('990100', 'x', 'reads.gap', '{\"since\": \"x\", \"most_s\": \"x\"}')"
)
_A_RUN = (
    "INSERT INTO retention_run (county, rule, days, until, outcome) "
    "VALUES ('990100', 'x', 1, now(), 'done')"
)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.period SET days = 184",
        "INSERT INTO audit.period VALUES ('990100', 'audit_log', 184)",
        "DELETE FROM audit.period",
        "UPDATE audit.checkpoint SET through = 9",
        "INSERT INTO audit.checkpoint VALUES ('990100', 'audit_log', 9, '', 1, now())",
        "DELETE FROM audit.checkpoint",
        "SET onegrid.expiring = 'on'; DELETE FROM audit_log",
        "SET onegrid.expiring = 'on'; DELETE FROM audit_read",
        "SET onegrid.expiring = 'on'; TRUNCATE audit_log",
        "INSERT INTO audit_log (county, actor, action) VALUES ('990200', 'x', 'log.expire')",
        "SELECT set_config('onegrid.expiring', 'on', false); DELETE FROM incident_event",
        _A_GAP,
        f"{_A_RUN}; DELETE FROM retention_run",
        f"{_A_RUN}; UPDATE retention_run SET rows = 0",
    ],
)
def test_whoever_serves_cannot_shorten_a_period_or_delete(
    serving: Database, statement: str
) -> None:
    refused = pytest.raises(
        DBAPIError, match=r"permission denied|nothing of this log|a gap says|is kept for"
    )
    with refused, serving.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_an_entry_about_a_deletion_says_what_is_so_whoever_writes_it(
    database: Database, serving: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, "a")
    age_logs(database, 2000)
    fill(database, log, "b")
    for rule in ("audit_reads", "audit_log"):
        run(serving, settings, rule)
    with serving.session() as session:
        for action in ("log.expire", "reads.expire"):
            audit(session, COUNTY, "eve", action, "999", hash="x", deleted=0)
    assert check(database, settings).is_whole


def test_a_seal_is_read_however_its_number_was_written(
    database: Database, serving: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, "a")
    with serving.session() as session:
        batch = session.scalar(text("SELECT max(batch) FROM audit_read"))
        audit(session, COUNTY, "eve", "reads.seal", f" {batch} ")
    found = check(database, settings)
    assert (found.is_whole, found.broken_batch) == (True, None)


def test_a_read_that_is_said_to_be_old_is_kept_all_the_same(
    database: Database, serving: Database, settings: Settings
) -> None:
    with database.session() as session:
        session.execute(text("SELECT audit_read_partition(now() - interval '27 days 23 hours')"))
        session.execute(text("SELECT audit_read_partition(now())"))
        session.execute(text("CREATE TABLE audit.read_1999_01 PARTITION OF audit_read DEFAULT"))
    with serving.session() as session:
        session.execute(
            text(
                "SELECT audit_note_reads(:county, ARRAY[now() - interval '400 days'], "
                "ARRAY['eve'], ARRAY['read'], ARRAY['x'])"
            ),
            {"county": COUNTY},
        )
    run(serving, settings, "audit_reads")
    assert check(database, settings).reads == 1


def test_the_owners_period_is_never_below_the_law(database: Database) -> None:
    with pytest.raises(DBAPIError, match="check constraint"), database.session() as session:
        set_periods(session, COUNTY, {"audit_log": 183, "audit_reads": 183})


def test_a_change_of_the_period_is_an_entry_of_the_log(
    database: Database, settings: Settings
) -> None:
    days = settings.retention_days
    for changed in (days, days, days | {"audit_log": 2000}):
        with database.session() as session:
            set_periods(session, COUNTY, changed)
    with database.engine.connect() as connection:
        told = connection.execute(
            text("SELECT subject, detail->>'days' FROM audit_log ORDER BY id")
        )
        assert [tuple(row) for row in told] == [
            ("audit_reads", "366"),
            ("audit_log", "1096"),
            ("audit_log", "2000"),
        ]


def test_whoever_serves_reads_the_periods_and_may_not_set_them(
    database: Database, serving: Database
) -> None:
    with database.session() as session:
        assert periods_of(session, COUNTY) == {"audit_log": 1096, "audit_reads": 1096}
        assert set_periods(session, COUNTY, {"audit_log": 400, "audit_reads": 366})
        assert may_set_periods(session)
    with serving.session() as session:
        assert periods_of(session, COUNTY) == {"audit_log": 400, "audit_reads": 366}
        assert not may_set_periods(session)


def test_an_entry_of_a_clock_that_was_ahead_goes_with_those_after_it(
    database: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, "a")
    with database.session() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE audit_log SET at = at + interval '9999 days' WHERE subject = 'a0'")
        )
    age_logs(database, 2000)
    fill(database, log, "b")
    run(database, settings, "audit_reads")
    assert run(database, settings, "audit_log").rows == 4
    assert check(database, settings).is_whole


_MONTHS = (
    "pg_class WHERE relnamespace = 'audit'::regnamespace AND relname LIKE 'read_%' "
    "AND relkind = 'r'"
)


def test_an_empty_month_of_reads_is_dropped(
    database: Database, log: ReadLog, settings: Settings
) -> None:
    fill(database, log, "a")
    age_logs(database, 2000)
    fill(database, log, "b")
    before = count(database, _MONTHS)
    run(database, settings, "audit_reads")
    assert count(database, _MONTHS) == before - 1


def test_a_period_of_the_log_counts_from_its_limit_to_the_minute(
    database: Database, settings: Settings
) -> None:
    with database.session() as session:
        set_periods(session, COUNTY, {"audit_log": 400, "audit_reads": 200})
    told = run(database, settings, "audit_reads", dry_run=True)
    with database.engine.connect() as connection:
        now = connection.execute(text("SELECT now()")).scalar_one()
    assert abs(now - told.until - timedelta(days=200)) < timedelta(minutes=1)
