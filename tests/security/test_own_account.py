"""Somebody has found a password, borrows an open desk, or uses a code a second time; and a form
of the account is sent by another site or without its token.
"""

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.demo import DEMO_LOGIN, DEMO_PASSWORD
from data.accounts import add_account, change_password
from data.common_passwords import common_passwords, is_common
from data.database import Database
from data.errors import StateError
from data.passwords import hash_of, meets_rules
from data.sessions import credentials_of, go_on, open_session, purge_sessions
from data.settings import Settings

OWN, NEW = "seven boats sail", "eight boats sail"


@pytest.fixture
def ada(web: TestClient, city: Database) -> TestClient:
    with city.session() as session:
        add_account(session, "990100", "ada", "Ada", OWN, ("planner",))
    assert enter(web) == "/planner"
    return web


def enter(web: TestClient, password: str = OWN, login: str = "ada") -> str:
    form = {"login": login, "password": password}
    answer = web.post("/login", data=form, follow_redirects=False)
    return answer.headers.get("location", str(answer.status_code))


def csrf_of(web: TestClient, path: str = "/account") -> str:
    return web.get(path).text.split('name="csrf" value="')[1].split('"')[0]


def send(web: TestClient, path: str, **form: str) -> int:
    form = {"csrf": csrf_of(web, "/account" if path.startswith("/account") else path)} | form
    return web.post(path, data=form, follow_redirects=False).status_code


def beside(web: TestClient) -> TestClient:
    return TestClient(web.app)


def with_factor(web: TestClient) -> tuple[pyotp.TOTP, list[str]]:
    assert send(web, "/account/factor/begin", password=OWN) == 303
    page = web.get("/account").text
    assert "data:image/svg" in page
    totp = pyotp.TOTP(re.search(r"<code>([A-Z2-7]{32})</code>", page)[1])
    form = {"csrf": csrf_of(web), "code": totp.now()}
    answer = web.post("/account/factor/confirm", data=form)
    return totp, re.findall(r"<code>([a-z2-7-]{19})</code>", answer.text)


def later(city: Database) -> None:
    """Let the time steps that were used be long ago."""
    with city.session() as session:
        session.execute(text("UPDATE account SET totp_step = 0"))


def test_one_changes_ones_password_and_everybody_else_is_out(ada: TestClient) -> None:
    other = beside(ada)
    assert enter(other) == "/planner"
    assert send(ada, "/account/password", password="wrong", new=NEW) == 401
    assert send(ada, "/account/password", password=OWN, new="wanggeyuan@2026") == 409
    assert send(ada, "/account/password", password=OWN, new=OWN) == 409
    assert send(ada, "/account/password", password=OWN, new=NEW) == 303
    assert ada.get("/planner", follow_redirects=False).status_code == 200
    assert other.get("/planner", follow_redirects=False).status_code == 303
    assert (enter(beside(ada)), enter(beside(ada), NEW)) == ("401", "/planner")


def test_other_sessions_are_listed_and_ended(ada: TestClient) -> None:
    other = beside(ada)
    agent = "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0"
    other.headers["User-Agent"] = agent
    assert enter(other) == "/planner"
    page = ada.get("/account").text
    assert "Firefox · Windows" in page
    assert agent not in page
    assert send(ada, "/account/sessions/end", password="wrong") == 401
    assert other.get("/planner", follow_redirects=False).status_code == 200
    assert send(ada, "/account/sessions/end", password=OWN) == 303
    assert other.get("/planner", follow_redirects=False).status_code == 303
    assert "Firefox" not in ada.get("/account").text


@pytest.mark.parametrize(
    "path",
    ["password", "sessions/end", "factor/begin", "factor/confirm", "factor/codes", "factor/remove"],
)
@pytest.mark.parametrize("csrf", ["", "forged", "网格", "é" * 43])
def test_a_form_without_its_token_changes_nothing(ada: TestClient, path: str, csrf: str) -> None:
    form = {"csrf": csrf, "password": OWN, "new": NEW, "code": "000000"}
    assert ada.post(f"/account/{path}", data=form).status_code in {403, 422}
    assert enter(beside(ada)) == "/planner"


def test_a_token_with_another_letter_is_refused_in_a_header_too(ada: TestClient) -> None:
    headers = {"X-CSRF-Token": "é".encode("latin-1")}
    answer = ada.post("/api/v1/drafts", json={"title": "x"}, headers=headers)
    assert answer.status_code == 403


def test_a_password_alone_is_not_enough_where_there_is_a_second_factor(
    ada: TestClient, city: Database
) -> None:
    older = beside(ada)
    assert enter(older) == "/planner"
    totp, codes = with_factor(ada)
    assert len(codes) == 10
    assert older.get("/planner", follow_redirects=False).status_code == 303, "by a password alone"
    assert ada.get("/planner", follow_redirects=False).status_code == 200
    thief = beside(ada)
    assert enter(thief) == "/login"
    for path in ("/planner", "/account", "/api/v1/drafts"):
        assert thief.get(path, follow_redirects=False).status_code in {303, 401}, path
    assert send(thief, "/login/factor", code="000000") == 401
    later(city)
    assert send(thief, "/login/factor", code=totp.now()) == 303
    assert thief.get("/planner", follow_redirects=False).status_code == 200


def test_a_code_is_not_taken_twice(ada: TestClient, city: Database) -> None:
    totp, codes = with_factor(ada)
    first, second = beside(ada), beside(ada)
    for web in (first, second):
        enter(web)
    later(city)
    code = totp.now()
    assert send(first, "/login/factor", code=code) == 303
    assert send(second, "/login/factor", code=code) == 401, "read over the shoulder"
    assert send(second, "/login/factor", code=codes[0].upper()) == 303
    third = beside(ada)
    enter(third)
    assert send(third, "/login/factor", code=codes[0]) == 401
    with city.session() as session:
        stored = session.scalar(text("SELECT string_agg(code_hash, ' ') FROM recovery_code"))
    assert not any(code.replace("-", "") in stored for code in codes)


def test_codes_are_not_guessed(ada: TestClient, city: Database) -> None:
    totp, _ = with_factor(ada)
    thief = beside(ada)
    enter(thief)
    found = [send(thief, "/login/factor", code=f"{n:06}") for n in range(12)]
    assert found == [401] * 10 + [429] * 2
    later(city)
    assert send(thief, "/login/factor", code=totp.now()) == 429


def test_the_second_factor_is_removed_by_its_owner_or_the_operator(
    ada: TestClient, onegrid
) -> None:
    with_factor(ada)
    assert send(ada, "/account/factor/remove", password="wrong") == 401
    assert enter(beside(ada)) == "/login"
    onegrid("user", "reset-factor", "ada")
    assert ada.get("/planner", follow_redirects=False).status_code == 303, "whoever has it is out"
    assert enter(beside(ada)) == "/planner"


def test_a_step_is_taken_once(ada: TestClient, city: Database) -> None:
    """Two codes sent at once took a session past the new password that it had to set."""
    with_factor(ada)
    with city.session() as session:
        session.execute(text("UPDATE account SET password_hash = :h"), {"h": hash_of("short 1")})
        token = open_session(session, credentials_of(session, "ada"), must_change=True)
        assert go_on(session, token, "factor") == "password"
        with pytest.raises(StateError, match="already"):
            go_on(session, token, "factor")


def test_an_older_password_that_is_poor_is_changed_before_anything_else(
    ada: TestClient, city: Database
) -> None:
    with city.session() as session:
        session.execute(text("UPDATE account SET password_hash = :h"), {"h": hash_of("short 1")})
    web = beside(ada)
    assert enter(web, "short 1") == "/login"
    assert web.get("/planner", follow_redirects=False).status_code == 303
    assert web.get("/login", follow_redirects=False).headers["location"] == "/login/password"
    assert send(web, "/login/password", new="short 1") == 409
    assert send(web, "/login/password", new=NEW) == 303
    assert web.get("/planner", follow_redirects=False).status_code == 200
    assert enter(beside(ada), NEW) == "/planner"


def test_the_demonstrations_password_is_exempt_on_this_machine_only(
    city: Database, city_settings: Settings
) -> None:
    bound = city_settings.model_copy(update={"host": "192.0.2.7"})
    proxied = city_settings.model_copy(update={"public_url": "https://grid.example"})
    for settings, target in ((city_settings, "/planner"), (bound, "401"), (proxied, "401")):
        with TestClient(create_app(settings, city)) as web:
            assert enter(web, DEMO_PASSWORD, DEMO_LOGIN) == target


@pytest.mark.parametrize("login", ["ada", "demo-ada"])
def test_nobody_has_the_demonstrations_password_for_an_account_of_their_own(
    city: Database, login: str
) -> None:
    with city.session() as session, pytest.raises(StateError, match="password"):
        add_account(session, "990100", login, "Ada", DEMO_PASSWORD, ("planner",))
    with city.session() as session:
        add_account(session, "990100", login, "Ada", OWN, ("planner",))
    with city.session() as session, pytest.raises(StateError, match="password"):
        change_password(session, login, DEMO_PASSWORD)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("short words", "密码不足 12 个字符"),
        ("w" + "ide sea " * 25, "密码超过 128 个字符，未作更改"),
        ("the ada sails far", "密码中包含账号"),
        ("1qaz2wsx3edc4rfv", "常见密码"),
        ("onegridwangge2026xy", "几乎没有其他内容"),
        (OWN, "新密码与现密码相同"),
    ],
)
def test_why_a_password_is_not_taken_is_said(ada: TestClient, new: str, said: str) -> None:
    form = {"csrf": csrf_of(ada), "password": OWN, "new": new}
    answer = ada.post("/account/password", data=form, headers={"Accept-Language": "zh"})
    assert answer.status_code == 409
    assert said in answer.text
    assert answer.text.count('role="alert"') == 1
    assert enter(beside(ada)) == "/planner", "it is the former one still"
    # The field of a page would cut what is pasted, and set what is left.
    field = re.search(r'<input name="new"[^>]*>', answer.text)[0]
    assert "maxlength" not in field


def test_a_password_that_was_changed_is_confirmed(ada: TestClient) -> None:
    form = {"csrf": csrf_of(ada), "password": OWN, "new": NEW}
    answer = ada.post("/account/password", data=form, headers={"Accept-Language": "zh"})
    assert answer.status_code == 200
    assert "密码已更改，其他会话均已退出" in answer.text
    assert "密码已更改" not in ada.get("/account").text


def test_sessions_that_ended_are_deleted(ada: TestClient, city: Database) -> None:
    enter(beside(ada))
    past = {"past": datetime.now(UTC) - timedelta(minutes=31)}
    with city.session() as session:
        first = "(SELECT min(id) FROM session)"
        session.execute(text(f"UPDATE session SET seen_at = :past WHERE id = {first}"), past)
        assert purge_sessions(session) == 1
        assert purge_sessions(session) == 0


def test_ten_thousand_common_passwords_are_refused() -> None:
    common = {one for _, one in zip(range(200_000), common_passwords(), strict=False)}
    assert len(common) >= 10_000
    assert min(map(len, common)) >= 12
    assert all(is_common(one) for one in common)


@pytest.mark.parametrize(
    ("password", "may"),
    [
        ("Zhangwei19851013", False),
        ("1qaz2wsx3edc4rfv", False),
        ("P@ssw0rd!2024", False),
        ("13800138000138", False),
        ("aaaaaaaaaaaaaaa", False),
        ("onegrid-demo", False),
        ("ada sails 2026", False),
        ("Ouyang Mengqi 88", False),
        ("zhangsan19880808", False),
        ("wangfang1990wf", False),
        ("tongliao660400gov", False),
        ("lan19880808lan", False),
        ("wxm19870512wxm", False),
        ("woaiwojia2024", False),
        ("correct horse battery staple", False),
        ("一二三四五六七八九十十一", False),
        ("欧阳梦琪一九八七年五月十二日", False),
        ("three grey herons", True),
        ("春水东流江上行舟夜半钟声", True),
        ("c8Kq-zv2T-mm1x", True),
        ("you can dance in rain", True),
        ("boatssail99 home", True),
        ("hunan-tea-river", True),
        ("x7%pQ2&mZ9!r", True),
    ],
)
def test_a_password_is_judged_by_length_and_what_is_guessed_first(password: str, may: bool) -> None:
    assert meets_rules("ada", "欧阳梦琪", password) is may
