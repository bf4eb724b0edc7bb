from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from data.accounts import add_account, log_in, log_out, signed_in
from data.database import Database
from data.errors import NotFoundError, StateError
from data.models import LoginSession

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
    [({"password": "short"}, "8 characters"), ({"roles": ("king",)}, "unknown role")],
)
def test_an_unfit_account_is_refused(database: Database, change: dict, message: str) -> None:
    facts = dict(zip(("county", "login", "name", "password", "roles"), ADA, strict=True)) | change
    with database.session() as session, pytest.raises(StateError, match=message):
        add_account(session, **facts)


def test_logs_are_append_only(database: Database) -> None:
    with database.session() as session:
        session.execute(
            text("INSERT INTO audit_log (county, actor, action) VALUES ('990100', 'a', 'b')")
        )
    for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(Exception, match="append-only"), database.session() as session:
            session.execute(text(statement))
