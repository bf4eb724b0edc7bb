"""Pages and the API over HTTP, without a browser: rights, errors, forms, attacks."""

import base64
import hashlib
import re
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.demo import DEMO_LOGIN, DEMO_PASSWORD
from data.accounts import add_account
from data.database import Database
from data.settings import Settings

PLACE = {"lon": 122.31, "lat": 43.575}


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city)) as client:
        yield client


def sign_in(web: TestClient, login: str = DEMO_LOGIN, password: str = DEMO_PASSWORD) -> None:
    answer = web.post("/login", data={"login": login, "password": password}, follow_redirects=False)
    assert answer.status_code == 303


def csrf_of(web: TestClient, path: str) -> str:
    return web.get(path).text.split('name="csrf" value="')[1].split('"')[0]


@pytest.mark.parametrize("path", ["/planner", "/dispatch", "/maps/planner"])
def test_desks_ask_for_a_login_and_come_back(web: TestClient, path: str) -> None:
    answer = web.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")


def test_a_wrong_password_is_refused_in_the_readers_language(web: TestClient) -> None:
    answer = web.post("/login", data={"login": "demo", "password": "guess"})
    assert answer.status_code == 401
    assert "不" in answer.text


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_a_login_never_leads_to_another_host(web: TestClient, target: str) -> None:
    data = {"login": DEMO_LOGIN, "password": DEMO_PASSWORD, "next": target}
    answer = web.post("/login", data=data, follow_redirects=False)
    assert answer.headers["location"] == "/planner"


def test_a_planner_is_no_dispatcher(web: TestClient, city: Database) -> None:
    with city.session() as session:
        add_account(session, "990100", "ada", "Ada", "long enough, too", ("planner",))
        add_account(session, "150502", "bob", "Bob", "long enough, too", ("planner",))
    sign_in(web, "ada", "long enough, too")
    assert web.get("/planner").status_code == 200
    assert web.get("/dispatch").status_code == 403
    sign_in(web, "bob", "long enough, too")
    assert web.get("/planner").status_code == 403, "an account of another county"


@pytest.mark.parametrize(
    ("path", "data"),
    [("/planner/drafts", {"profile": "tongliao"}), ("/planner/drafts/new", {"title": "x"})],
)
def test_a_form_of_another_session_is_refused(web: TestClient, path: str, data: dict) -> None:
    sign_in(web)
    assert web.post(path, data=data | {"csrf": "forged"}).status_code == 403
    assert web.post(path, data=data).status_code == 422


def test_planner_draws_a_draft_and_opens_it(web: TestClient, city: Database) -> None:
    sign_in(web)
    data = {"csrf": csrf_of(web, "/planner"), "profile": "tongliao", "seed": "12"}
    opened = web.post("/planner/drafts", data=data)
    assert opened.status_code == 200
    with city.session() as session:
        draft = session.execute(text("SELECT max(id) FROM generation")).scalar_one()
    assert opened.url.path == f"/planner/drafts/{draft}"
    assert "通辽 12" in opened.text


def test_a_large_county_shows_one_community_at_a_time(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.planner.MOST_GRIDS", 10)
    sign_in(web)
    assert "990100001001001" not in web.get("/planner").text
    assert "990100001001001" in web.get("/planner?community=990100001001").text
    chosen = web.get("/planner?grid=990100001002001").text
    assert "990100001002001" in chosen
    assert "990100001001001" not in chosen


def test_the_card_says_its_crs_and_its_people(web: TestClient) -> None:
    page = web.get("/card", params=PLACE).text
    assert "EPSG:4326" in page
    assert "社区民警" in page
    assert "0990-555" in page
    assert "虚构" in page


def test_the_language_switch_is_kept(web: TestClient) -> None:
    assert "Contact card" in web.get("/card?lang=en").text
    assert "Contact card" in web.get("/card").text
    assert "网格服务联系卡" in web.get("/card?lang=zh").text


def test_programs_get_json_and_problems(web: TestClient) -> None:
    answer = web.get("/api/v1/who", params=PLACE)
    facts = answer.json()
    assert (facts["crs"], len(facts["grid"]["code"])) == ("EPSG:4326", 15)
    assert not {"private_phone", "person_id"} & set(facts["people"][0])
    for path, status in [("/api/v1/who?lon=999&lat=1", 422), ("/api/v1/none", 404)]:
        problem = web.get(path)
        assert problem.status_code == status
        assert problem.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail"} <= set(problem.json())


@pytest.mark.parametrize("query", ["lon=nan&lat=1", "lon=inf&lat=1", "lon=1", "lon=1&lat=x"])
def test_impossible_places_are_refused(web: TestClient, query: str) -> None:
    assert web.get(f"/api/v1/who?{query}").status_code == 422


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("class=?", 404),
        ("at=2026-01-01T00:00:00", 422),
        ("at=1999-01-01T00:00:00Z", 409),
        ("at=9999-12-31T23:59:59Z", 422),
        ("at=0001-01-01T00:00:00Z", 422),
        ("owner=%00&address=%00", 200),
        ("radius_m=-1", 422),
        ("radius_m=10001", 422),
        (f"owner={'x' * 201}", 422),
    ],
)
def test_who_is_asked_badly(web: TestClient, asked: str, status: int) -> None:
    assert web.get(f"/api/v1/who?lon=122.31&lat=43.575&{asked}").status_code == status


def test_an_unforeseen_error_shows_nothing_of_itself(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("api.card.card_at", fail)
    browser = TestClient(web.app, raise_server_exceptions=False)
    answer = browser.get("/card", params=PLACE)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>"])
def test_what_is_typed_never_becomes_markup(web: TestClient, value: str) -> None:
    page = web.post("/card", data={"q": value}).text
    assert value not in page


def test_every_answer_forbids_other_hosts(web: TestClient) -> None:
    for path in ("/card", "/docs", "/api/v1/who?lon=1&lat=1", "/none"):
        policy = web.get(path).headers.get_list("content-security-policy")
        assert len(policy) == 1
        assert "default-src 'self'" in policy[0]
        assert "unsafe" not in policy[0]


def test_pages_hold_no_script_and_no_style_of_their_own(web: TestClient) -> None:
    sign_in(web)
    inline = re.compile(
        r"<script(?![^>]*(src=|application/json))|<style|\son\w+=|\sstyle=|javascript:"
    )
    for path in ("/card", "/docs", "/login", "/report", "/planner", "/dispatch", "/none"):
        assert inline.search(web.get(path).text) is None, path
    page = web.get("/maps/card")
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in page.headers["content-security-policy"]


def test_a_click_on_the_map_is_asked_about_in_the_body(web: TestClient) -> None:
    card = web.post("/card", data={"lon": "122.31", "lat": "43.575"})
    assert card.status_code == 200
    assert 'id="card"' in card.text
    for lon, lat in (("x", "1"), ("200", "1"), ("1", "91"), ("nan", "1"), ("1", "")):
        assert web.post("/card", data={"lon": lon, "lat": lat}).status_code == 422


def test_health_counts_the_grids(web: TestClient) -> None:
    assert int(web.get("/healthz").json()["grids"]) > 40


def test_a_publication_reaches_the_next_answer(web: TestClient, city: Database) -> None:
    before = web.get("/api/v1/who", params=PLACE).json()["grid"]["code"]
    with city.session() as session:
        session.execute(text("UPDATE grid SET valid = tstzrange(lower(valid), now())"))
        session.execute(text("UPDATE generation SET valid = tstzrange(lower(valid), now())"))
    assert before
    assert status_within(web, 409) == 409


def status_within(web: TestClient, wanted: int, seconds: float = 10.0) -> int:
    """Status of the answer once the process has been told of a change, or after a time."""
    ends = time.monotonic() + seconds
    while (status := web.get("/api/v1/who", params=PLACE).status_code) != wanted:
        if time.monotonic() > ends:
            break
        time.sleep(0.02)
    return status
