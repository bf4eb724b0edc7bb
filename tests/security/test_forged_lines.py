"""Attack: forging lines of the log, and steering a terminal, by what a stranger types.

A login with a line break stood in `onegrid audit show` as an entry of its own; escape sequences
cleared the reader's screen and set its title. What is printed is escaped, by every command; what
cannot be a login is not kept at all.
"""

import json
import subprocess
import sys

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from data.accounts import add_account
from data.audit import audit
from data.database import Database
from data.errors import StateError
from data.settings import DEMO_COUNTY as COUNTY
from tests.conftest import ROOT

FORGED = "x: login\n9999 2026-11-28 00:00:00 p1: draft.publish 5"
STEERING = "\x1b[2J\x1b[H\x1b]0;owned\x07all is well\x9b8m\u202e\u2028\r"
PASSWORD = "Blaue-Ziege-77-Kanal"


def is_plain(said: str) -> bool:
    return all(c.isprintable() or c in "\n\u3000" for c in said)


@pytest.mark.parametrize("login", [FORGED, STEERING[:50], "\t", " demo", "a\rb\u202eevil"])
def test_what_cannot_be_a_login_is_not_kept(
    web: TestClient, city: Database, onegrid, login: str
) -> None:
    for _ in range(12):  # refused, then slowed
        answer = web.post("/login", data={"login": login, "password": "x"})
        assert answer.status_code in {401, 429}
    query = (
        "SELECT DISTINCT actor, action, subject FROM audit_log WHERE action LIKE 'login.%' "
        "ORDER BY action"
    )
    with city.session() as session:
        rows = session.execute(text(query)).all()
    assert [tuple(row) for row in rows] == [
        ("anybody", "login.refused", ""),
        ("anybody", "login.slowed", ""),
    ]
    assert is_plain(onegrid("audit", "show"))


def test_no_command_prints_what_steers_a_terminal(city: Database, onegrid) -> None:
    with city.session() as session:
        add_account(session, COUNTY, "ada", FORGED + STEERING, PASSWORD)
        session.execute(text("UPDATE account SET login = :x WHERE login = 'ada'"), {"x": STEERING})
        audit(session, COUNTY, FORGED, STEERING, FORGED + STEERING)  # as earlier versions kept it
    commands = [
        ("audit", "show"),
        ("audit", "show", "--json"),
        ("user", "list"),
        ("user", "list", "--json"),
    ]
    for words in commands:
        said = onegrid(*words)
        assert is_plain(said), words
        if "--json" in words:
            assert "\u202e" in json.dumps(json.loads(said), ensure_ascii=False)
    # The command itself has noted the periods of the logs behind it.
    lines = onegrid("audit", "show", "--limit", "9").splitlines()
    assert len([line for line in lines if "\\n9999" in line]) == 1, lines
    for words in (("user", "disable", STEERING[:20] + "x"), ("incident", "show", FORGED)):
        told = onegrid(*words, code=1)
        assert is_plain(told)
        assert not [line for line in told.splitlines() if line.startswith("9999")]


def test_warnings_of_the_program_steer_no_terminal() -> None:
    code = (
        "import logging; from data.log_setup import begin_log; begin_log('web'); "
        "logging.getLogger('onegrid').warning('job %s', 'a\\x1b[2J\\n9999 forged')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert line.endswith("warning web     job a\\x1b[2J\\n9999 forged")


@pytest.mark.parametrize("login", ["a\nb", "a\x1b[m", " ada", "ada ", "", "a\u202eb", "x" * 61])
def test_an_account_has_a_login_that_can_be_read(database: Database, login: str) -> None:
    with database.session() as session, pytest.raises(StateError, match="a login has"):
        add_account(session, COUNTY, login, "Ada", PASSWORD)
