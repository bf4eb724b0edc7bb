"""A server is put on a network with the demonstration's printed password, without TLS, or behind
nobody: somebody names another host, or says through X-Forwarded-For that they are somebody else.
"""

import socket

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.cli import serving
from data.accounts import add_account, disable_account
from data.database import Database
from data.passwords import hash_of
from data.settings import Settings

PUBLIC = "https://grid.example"


@pytest.fixture
def started(monkeypatch):
    """Sockets on which the server would answer; it does not."""
    asked: list[socket.socket] = []
    monkeypatch.setattr(serving, "load_all", lambda: None)
    monkeypatch.setattr(
        serving, "serve_forked", lambda _, listening, *__, **___: asked.append(listening)
    )
    monkeypatch.setenv("ONEGRID_HOST", "0.0.0.0")  # noqa: S104 - what is tried here
    monkeypatch.setenv("ONEGRID_PORT", "0")
    return asked


def test_without_a_public_address_nothing_listens_beyond_this_machine(onegrid, started) -> None:
    for command in ("serve", "up"):
        assert "set ONEGRID_PUBLIC_URL" in onegrid(command, code=2)
    assert started == []


def test_plain_http_needs_to_be_asked_for(onegrid, started, monkeypatch, city: Database) -> None:
    monkeypatch.setenv("ONEGRID_PUBLIC_URL", "http://grid.example")
    for command in ("serve", "up"):
        assert "--insecure" in onegrid(command, code=2)
    close_demo(city)
    onegrid("serve", "--insecure")
    assert len(started) == 1


def test_the_demonstrations_password_opens_nothing_beyond_this_machine(
    onegrid, started, monkeypatch, city: Database
) -> None:
    monkeypatch.setenv("ONEGRID_PUBLIC_URL", PUBLIC)
    told = onegrid("serve", code=2)
    assert "demo, demo-review, demo-worker" in " ".join(told.split())
    assert started == []
    close_demo(city)
    onegrid("serve")
    assert len(started) == 1
    config = serving.server_config(Settings())
    assert config.proxy_headers is False, "127.0.0.1 is no proxy unless it is named"


def test_behind_a_proxy_of_this_machine_a_server_is_exposed(onegrid, started, monkeypatch) -> None:
    monkeypatch.setenv("ONEGRID_HOST", "127.0.0.1")
    onegrid("serve")
    monkeypatch.setenv("ONEGRID_PUBLIC_URL", PUBLIC)
    for command in ("serve", "up"):
        assert "demo, demo-review, demo-worker" in " ".join(onegrid(command, code=2).split())
    monkeypatch.setenv("ONEGRID_PUBLIC_URL", "http://grid.example")
    assert "--insecure" in onegrid("serve", code=2)
    monkeypatch.setenv("ONEGRID_PUBLIC_URL", "http://localhost:8000")
    onegrid("serve")
    assert len(started) == 2


def test_an_own_account_with_the_demonstrations_password_is_found(
    onegrid, started, monkeypatch, city: Database
) -> None:
    monkeypatch.setenv("ONEGRID_PUBLIC_URL", PUBLIC)
    close_demo(city)
    with city.session() as session:
        add_account(session, "990100", "zhang", "Zhang", "Blaue-Ziege-77-Kanal", ("planner",))
        # As earlier versions took it.
        held = {"hash": hash_of("onegrid-demo")}
        session.execute(
            text("UPDATE account SET password_hash = :hash WHERE login = 'zhang'"), held
        )
    assert "zhang" in onegrid("serve", code=2)
    assert started == []


def close_demo(city: Database) -> None:
    with city.session() as session:
        for login in ("demo", "demo-review", "demo-worker"):
            disable_account(session, login)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("grid.example", 200),
        ("grid.example:8443", 200),
        ("GRID.example", 200),
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("grid.example.evil.example", 400),
        ("evil.example#grid.example", 400),
        ("grid.example@evil.example", 400),
        ("evil.example@grid.example", 400),
        ("grid.example/evil", 400),
        ("grid.example?evil", 400),
        ("grid.example#evil", 400),
        ("grid.example:99999", 400),
        ("grid.example:x", 400),
        ("192.0.2.1", 400),
        ("", 400),
    ],
)
def test_only_the_public_host_and_this_machines_names_are_answered(
    city: Database, city_settings: Settings, host: str, status: int
) -> None:
    settings = city_settings.model_copy(update={"public_url": PUBLIC})
    with TestClient(create_app(settings, city)) as web:
        answer = web.get("/login", headers={"Host": host})
        assert answer.status_code == status
        assert "nosniff" in answer.headers["x-content-type-options"]


def test_links_lead_to_the_public_address_whatever_the_host_says(
    city: Database, city_settings: Settings
) -> None:
    settings = city_settings.model_copy(update={"public_url": PUBLIC})
    with TestClient(create_app(settings, city), base_url="http://127.0.0.1") as web:
        for path in ("/api/ogc", "/open311/discovery.json"):
            text_of = web.get(path).text
            assert f"{PUBLIC}/" in text_of
            assert "127.0.0.1" not in text_of


def test_https_makes_cookies_secure_and_browsers_stay(
    city: Database, city_settings: Settings
) -> None:
    form = {"login": "ada", "password": "Blaue-Ziege-77-Kanal"}
    with city.session() as session:
        add_account(session, "990100", "ada", "Ada", form["password"], ("planner",))
    for public, is_https in ((PUBLIC, True), ("http://localhost", False)):
        settings = city_settings.model_copy(update={"public_url": public})
        with TestClient(create_app(settings, city), base_url=public) as web:
            answer = web.post("/login", data=form, follow_redirects=False)
            cookies = answer.headers.get_list("set-cookie")
            assert len(cookies) == 2
            assert all(("Secure" in one) == is_https for one in cookies)
            assert all("HttpOnly" in one and "SameSite=strict" in one for one in cookies)
            assert ("strict-transport-security" in answer.headers) == is_https


@pytest.mark.parametrize(
    ("proxies", "said", "noted"),
    [
        ("", "198.51.100.9", "127.0.0.1"),
        ("10.0.0.0/8", "198.51.100.9", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("127.0.0.0/8, 10.0.0.0/8", "203.0.113.1, 198.51.100.9, 10.1.2.3", "198.51.100.9"),
        ("127.0.0.1", "127.0.0.1, 198.51.100.9", "198.51.100.9"),
    ],
)
def test_who_asks_is_told_by_named_proxies_only(
    city: Database, city_settings: Settings, proxies: str, said: str, noted: str
) -> None:
    settings = city_settings.model_copy(update={"proxies": proxies})
    with TestClient(create_app(settings, city), client=("127.0.0.1", 50000)) as web:
        form = {"login": "demo", "password": "a wrong guess"}
        web.post("/login", data=form, headers={"X-Forwarded-For": said})
    with city.session() as session:
        query = "SELECT detail->>'address' FROM audit_log WHERE action = 'login.refused'"
        assert session.scalar(text(query)) == noted


def test_keys_that_can_be_guessed_open_nothing_beyond_this_machine(
    onegrid, started, monkeypatch, city: Database
) -> None:
    close_demo(city)
    monkeypatch.setenv("ONEGRID_PUBLIC_URL", PUBLIC)
    monkeypatch.setenv("ONEGRID_INTAKE_KEYS", "desk:a, other:c9cXf1Zt0Qw83kLm")
    assert "the keys of desk in" in " ".join(onegrid("serve", code=2).split())
    assert started == []


@pytest.mark.parametrize(
    "setting",
    [
        "PROXIES=10.0.0.1/8",
        "PROXIES=proxy",
        "PROXIES=0.0.0.0/0",
        "TRUSTED_NETWORKS=10.0.0.0/8,::/0",
        "PUBLIC_URL=grid",
        "PUBLIC_URL=https://grid.example@evil.example",
        "PUBLIC_URL=https://grid.example/path",
        "PUBLIC_URL=https://grid.example/?x",
        "AUDIT_WITNESS=http://witness.example",
        "AUDIT_WITNESS=file:///etc/passwd",
        "AUDIT_WITNESS=somebody",
        "DATABASE_URL=sqlite:///x",
    ],
)
def test_a_setting_that_would_be_misread_is_refused(monkeypatch, setting: str) -> None:
    name, _, value = setting.partition("=")
    monkeypatch.setenv(f"ONEGRID_{name}", value)
    with pytest.raises(ValueError, match=name.lower()):
        Settings()
