from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from data.accounts import Grant, add_account, disable_account, grant_role
from data.audit import audit, verify
from data.database import Database
from data.errors import NotFoundError, StateError
from data.models import LoginSession
from data.sessions import log_in, log_out, signed_in

ADA = ("990100", "ada", "Ada", "correct horse", ("planner",))


def test_an_account_signs_in_and_out(database: Database) -> None:
    with database.session() as session:
        add_account(session, *ADA)
        token = log_in(session, "ada", "correct horse")
        who = signed_in(session, token)
        assert who is not None
        assert (who.login, who.roles) == ("ada", frozenset({"planner"}))
        log_out(session, token)
        assert signed_in(session, token) is None


@pytest.mark.parametrize(("login", "password"), [("ada", "wrong"), ("bob", "correct horse")])
def test_a_wrong_login_or_password_says_the_same(
    database: Database, login: str, password: str
) -> None:
    with database.session() as session:
        add_account(session, *ADA)
        with pytest.raises(NotFoundError, match="do not fit"):
            log_in(session, login, password)


def test_neither_password_nor_token_is_held_in_the_clear(database: Database) -> None:
    with database.session() as session:
        add_account(session, *ADA)
        token = log_in(session, "ada", "correct horse")
        held = session.execute(text("SELECT account::text || session::text FROM account, session"))
        line = held.scalar_one()
        assert "correct horse" not in line
        assert token not in line


def test_an_expired_session_is_nobody(database: Database) -> None:
    with database.session() as session:
        add_account(session, *ADA)
        token = log_in(session, "ada", "correct horse")
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(LoginSession).values(expires_at=past))
        assert signed_in(session, token) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password": "short one"}, "12 characters"),
        ({"password": "x" * 129}, "more than 128"),
        ({"password": "P@ssw0rd!2024"}, "guessed first"),
        ({"password": "onegrid Lin 2026", "name": "Lin"}, "guessed first|little more than"),
        ({"login": "horse"}, "holds the login"),
        ({"grants": ("king",)}, "unknown role"),
        ({"grants": ("auditor", "security")}, "kept separate"),
        ({"grants": (Grant("planner", "990199001000"),)}, "no division"),
    ],
)
def test_an_unfit_account_is_refused(database: Database, change: dict, message: str) -> None:
    facts = dict(zip(("county", "login", "name", "password", "grants"), ADA, strict=True)) | change
    with database.session() as session, pytest.raises((StateError, NotFoundError), match=message):
        add_account(session, **facts)


def test_an_idle_session_ends_and_a_used_one_goes_on(database: Database) -> None:
    with database.session() as session:
        add_account(session, *ADA)
        token = log_in(session, "ada", "correct horse")
        for minutes, there in ((29, True), (29, True), (31, False)):
            past = LoginSession.seen_at - timedelta(minutes=minutes)
            session.execute(update(LoginSession).values(seen_at=past))
            assert (signed_in(session, token) is not None) == there


def test_a_disabled_account_is_out_at_once(database: Database) -> None:
    with database.session() as session:
        add_account(session, *ADA)
        token = log_in(session, "ada", "correct horse")
        disable_account(session, "ada")
        assert signed_in(session, token) is None
        with pytest.raises(NotFoundError):
            log_in(session, "ada", "correct horse")


def test_grants_hold_in_their_area_and_class(city: Database) -> None:
    town, code = "990100001000", "990100001002"
    with city.session() as session:
        one_class = session.scalar(text("SELECT min(code) FROM incident_class"))
        add_account(session, *ADA[:4], (Grant("planner", town), Grant("dispatcher", code)))
        grant_role(session, "ada", Grant("dispatcher", code, one_class))
        grant_role(session, "ada", Grant("dispatcher", code))
        who = signed_in(session, log_in(session, "ada", "correct horse"))
        assert who is not None
        assert who.scope("planner").prefixes == ("990100001",)
        assert who.scope("dispatcher").prefixes == (code,)
        assert who.scope("reviewer").prefixes == ()
        seen = who.scope("dispatcher")
        assert seen.sees(code, "any"), "one of the grants is for all classes"
        assert not seen.sees("990100001003", one_class)


def test_logs_are_append_only_and_chained(database: Database) -> None:
    with database.session() as session:
        for number in range(3):
            audit(session, "990100", "ada", "try", str(number), word="网格")
    with database.session() as session:
        whole = verify(session, "990100")
        assert (whole.entries, whole.broken_at, whole.holds_head) == (3, None, True)
    for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(Exception, match="append-only"), database.session() as session:
            session.execute(text(statement))


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE audit_log SET actor = 'eve' WHERE subject = '1'",
        "UPDATE audit_log SET detail = '{}' WHERE subject = '1'",
        "DELETE FROM audit_log WHERE subject = '1'",
    ],
)
def test_a_forged_log_is_found(database: Database, forgery: str) -> None:
    with database.session() as session:
        for number in range(4):
            audit(session, "990100", "ada", "try", str(number), word="网格")
    with database.session() as session:
        head = verify(session, "990100").head
        session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER append_only"))
        session.execute(text(forgery))
        assert verify(session, "990100").broken_at is not None
        session.execute(text("DELETE FROM audit_log WHERE id >= 2"))
        cut = verify(session, "990100", head=head)
        assert (cut.broken_at, cut.holds_head) == (None, False)


def test_what_is_rolled_back_is_not_noted(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.session() as session:
        audit(session, "990100", "ada", "try")
        raise ZeroDivisionError
    with database.session() as session:
        assert verify(session, "990100").entries == 0


def test_entries_written_side_by_side_make_one_chain(database: Database) -> None:
    def write(number: int) -> None:
        for _ in range(10):
            with database.session() as session:
                audit(session, "990100", f"writer {number}", "try")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with database.session() as session:
        found = verify(session, "990100")
        assert (found.entries, found.broken_at) == (40, None)
