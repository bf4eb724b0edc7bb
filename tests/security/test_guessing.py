"""Somebody guesses passwords: at one name from many addresses, one password on many names, or
by keeping the hashing busy, so that the name's owner or everybody is kept out.
"""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.admission import BusyError
from api.app import create_app
from api.demo import DEMO_LOGIN, DEMO_PASSWORD
from api.password_pool import PasswordPool
from api.signing_in import DEVICE_COOKIE
from data.accounts import add_account, change_password
from data.database import Database
from data.settings import Settings
from tests.aside import run_aside

OWN = "seven boats sail"


@pytest.fixture
def clients(city: Database, city_settings: Settings) -> Iterator:
    """Clients of one server, each with an address of its own."""
    app = create_app(city_settings, city)
    with city.session() as session:
        add_account(session, "990100", "ada", "Ada", OWN, ("planner",))
    with TestClient(app):

        def client(address: str = "192.0.2.1") -> TestClient:
            return TestClient(app, client=(address, 50000))

        yield client


def try_in(web: TestClient, login: str, password: str) -> int:
    form = {"login": login, "password": password}
    return web.post("/login", data=form, follow_redirects=False).status_code


def actions(city: Database) -> list[str]:
    with city.session() as session:
        return list(session.scalars(text("SELECT action FROM audit_log ORDER BY id")))


def test_a_name_that_is_guessed_at_from_everywhere_is_open_to_its_owners_device(
    clients, city: Database
) -> None:
    owner = clients("198.51.100.7")
    assert try_in(owner, "ada", OWN) == 303
    found = [try_in(clients(f"203.0.{n}.9"), "ada", f"wrong guess {n}") for n in range(15)]
    assert set(found[:10]) == {401}
    assert set(found[10:]) == {429}
    refused = clients("203.0.113.77").post("/login", data={"login": "ada", "password": OWN})
    assert refused.status_code == 429, "a stranger does not learn whether it is right"
    assert int(refused.headers["retry-after"]) > 60
    assert try_in(owner, "ada", OWN) == 303
    moved = clients("198.51.7.200")
    moved.cookies.set(DEVICE_COOKIE, owner.cookies[DEVICE_COOKIE])
    assert try_in(moved, "ada", OWN) == 303, "the device, not its address"
    assert actions(city).count("login.slowed") == 1


def test_an_unknown_name_is_slowed_like_a_known_one(clients) -> None:
    found = [try_in(clients(f"203.0.{n}.9"), "nobody", f"wrong guess {n}") for n in range(12)]
    assert found == [401] * 10 + [429] * 2


def test_guesses_are_slowed_by_address_whatever_the_name(clients) -> None:
    found = [try_in(clients(), f"name-{n}", f"wrong guess {n}") for n in range(33)]
    assert found == [401] * 30 + [429] * 3
    assert try_in(clients("192.0.9.9"), "ada", OWN) == 303


def test_the_right_password_costs_no_share(clients) -> None:
    assert {try_in(clients(), "ada", OWN) for _ in range(14)} == {303}


@pytest.mark.parametrize("change", ["forged", "another's", "older than the password"])
def test_a_device_cookie_that_does_not_hold_opens_nothing(
    clients, city: Database, change: str
) -> None:
    owner = clients("198.51.100.7")
    assert try_in(owner, "ada", OWN) == 303
    cookie = owner.cookies[DEVICE_COOKIE]
    if change == "forged":
        cookie = cookie[:-3] + ("abc" if cookie[-3:] != "abc" else "cba")
    elif change == "another's":
        other = clients("198.51.100.8")
        assert try_in(other, DEMO_LOGIN, DEMO_PASSWORD) == 303
        cookie = other.cookies[DEVICE_COOKIE]
    new = OWN
    if change == "older than the password":
        new = "eight boats sail"
        with city.session() as session:
            change_password(session, "ada", new)
    for n in range(11):
        try_in(clients(f"203.0.{n}.9"), "ada", f"wrong guess {n}")
    thief = clients("203.0.113.77")
    thief.cookies.set(DEVICE_COOKIE, cookie)
    assert try_in(thief, "ada", new) == 429


def test_a_stolen_device_cookie_has_a_share_of_its_own(clients) -> None:
    owner = clients("198.51.100.7")
    assert try_in(owner, "ada", OWN) == 303
    thief = clients("203.0.113.77")
    thief.cookies.set(DEVICE_COOKIE, owner.cookies[DEVICE_COOKIE])
    found = [try_in(thief, "ada", f"wrong guess {n}") for n in range(22)]
    assert found == [401] * 20 + [429] * 2, "as a device, then as a stranger"


def test_one_password_on_many_names_is_seen_and_slowed(clients, city: Database) -> None:
    found = [try_in(clients(f"203.0.{n}.9"), f"name-{n}", "spring rain 2026") for n in range(12)]
    assert found == [401] * 8 + [429] * 4
    assert "login.sprayed" in actions(city)
    assert try_in(clients("198.51.100.7"), "ada", OWN) == 303


def test_what_is_stored_of_an_attack_names_no_password(clients, city: Database) -> None:
    for n in range(9):
        try_in(clients(f"203.0.{n}.9"), f"name-{n}", "spring rain 2026")
    with city.session() as session:
        rows = "SELECT string_agg(audit_log::text, '') FROM audit_log WHERE action ~ 'login'"
        assert "spring" not in session.scalar(text(rows))
        assert "name-" not in (session.scalar(text("SELECT string_agg(key, '') FROM asked")) or "")


def test_a_form_of_another_site_signs_nobody_in_or_out(clients) -> None:
    web = clients()
    form = {"login": "ada", "password": OWN}
    for path in ("/login", "/logout"):
        for site in ("cross-site", "same-site", "something new"):
            answer = web.post(path, data=form, headers={"Sec-Fetch-Site": site})
            assert answer.status_code == 403, site
    for site in ("same-origin", "none"):
        headers = {"Sec-Fetch-Site": site}
        answer = web.post("/login", data=form, headers=headers, follow_redirects=False)
        assert answer.status_code == 303


def test_hashing_is_bounded_and_known_devices_come_first() -> None:
    pool, order, go = PasswordPool(most=1, most_waiting=2), [], threading.Event()

    async def crowd() -> list[object]:
        async def one(name: str, *, first: bool = False) -> None:
            await pool.run(lambda: (go.wait(5), order.append(name)), first=first)

        begun = [asyncio.create_task(one("running"))]
        await asyncio.sleep(0.05)
        begun += [asyncio.create_task(one(f"stranger {n}")) for n in range(4)]
        await asyncio.sleep(0.05)
        begun.append(asyncio.create_task(one("known", first=True)))
        await asyncio.sleep(0.05)
        go.set()
        return await asyncio.gather(*begun, return_exceptions=True)

    ended = run_aside(crowd)
    pool.stop()
    assert order == ["running", "known", "stranger 0", "stranger 1"]
    assert sum(isinstance(one, BusyError) for one in ended) == 2


def test_hashing_holds_no_turn_at_the_database(clients, monkeypatch) -> None:
    inside, go = threading.Event(), threading.Event()

    def slowly(*_: str) -> bool:
        inside.set()
        return not go.wait(10)

    monkeypatch.setattr("api.signing_in.fits", slowly)
    app = clients().app
    guess = threading.Thread(target=try_in, args=(clients(), "ada", "wrong guess"))
    guess.start()
    assert inside.wait(10)
    admission, pool = app.state.admission, app.state.database.engine.pool
    deadline = time.monotonic() + 5
    while pool.checkedout() and time.monotonic() < deadline:
        time.sleep(0.01)  # a background writer's
    assert (admission._turns._value, pool.checkedout()) == (12, 0)
    go.set()
    guess.join(timeout=10)
