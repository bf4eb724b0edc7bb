"""Incidents over HTTP: report, read, send, carry on to the end, and what is refused."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.demo import DEMO_PASSWORD
from api.session import COOKIE
from data.accounts import add_account
from data.database import Database
from data.passwords import DEMO_LOGINS
from data.settings import DEMO_COUNTY as COUNTY
from data.settings import Settings

OWN_PASSWORD = "Blaue-Ziege-77-Kanal"
HERE = {
    "class_code": "E01",
    "x": 122.31,
    "y": 43.575,
    "crs": "EPSG:4326",
    "description": "井盖缺失",
}


class Console:
    """A signed-in account that asks the API."""

    def __init__(self, web: TestClient, city: Database, login: str) -> None:
        self.web = web
        who = {"login": login, "password": DEMO_PASSWORD if login in DEMO_LOGINS else OWN_PASSWORD}
        assert web.post("/login", data=who, follow_redirects=False).status_code == 303
        query = text(
            "SELECT csrf FROM session JOIN account ON account.id = account_id WHERE login = :l"
        )
        with city.session() as session:
            csrf = session.scalars(query, {"l": login}).all()[-1]
        self.headers = {
            "Cookie": f"{COOKIE}={web.cookies[COOKIE]}",
            "X-CSRF-Token": csrf,
        }
        web.cookies.clear()

    def get(self, path: str = "") -> dict:
        answer = self.web.get(f"/api/v1/incidents{path}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str = "", body: dict | None = None, status: int = 200) -> dict:
        where = f"/api/v1/incidents{path}"
        answer = self.web.post(where, json=body or {}, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city)) as client:
        yield client


@pytest.fixture
def desk(web: TestClient, city: Database) -> Console:
    return Console(web, city, "demo")


def worker_of(web: TestClient, city: Database, person: int) -> Console:
    login = f"hand-{person}"
    with city.session() as session:
        if session.scalar(text("SELECT 1 FROM account WHERE login = :l"), {"l": login}) is None:
            account = add_account(session, COUNTY, login, "网格员", OWN_PASSWORD, ("worker",))
            account.person_id = person
    return Console(web, city, login)


def test_from_a_report_to_the_end(web: TestClient, city: Database, desk: Console) -> None:
    made = desk.post(body=HERE | {"receipt_key": "k1"}, status=201)
    assert desk.post(body=HERE | {"receipt_key": "k1"})["incident"] == made["incident"]
    path = f"/{made['incident']}"
    advice = desk.get(f"{path}/recommendation")
    first = advice["candidates"][0]
    assert len(first["route"]) > 1
    desk.post(f"{path}/send", {"person": first["person_id"], "version": made["version"]})
    hand = worker_of(web, city, first["person_id"])
    assert [one["id"] for one in hand.get("/tasks")["incidents"]] == [made["incident"]]
    hand.post(f"{path}/take")
    hand.post(f"{path}/report", {"result": "已装好"})
    told = desk.get(path)
    assert told["stage"] == "答复稳控"
    assert set(told["actions"]) == {"follow_up", "rework"}
    assert [one["kind"] for one in told["course"]] == [
        "accept",
        "triage",
        "dispatch",
        "take",
        "report",
    ]
    desk.post(f"{path}/follow_up", {"satisfaction": "satisfied", "version": told["version"]})
    desk.post(f"{path}/close")
    told = desk.get(path)
    assert (told["state"], told["actions"]) == ("closed", {})
    assert sum(told["spent"].values()) > 0


def test_refusals_say_why(desk: Console) -> None:
    made = desk.post(body=HERE, status=201)
    path = f"/{made['incident']}"
    refused = desk.post(f"{path}/close", status=409)
    assert refused["rule"] == "state"
    assert desk.post(f"{path}/void", status=409)["needed"] == "reason"
    assert desk.post(f"{path}/suspend", {"reason": "x"}, status=409)["rule"] in {"state", "actor"}
    desk.post(f"{path}/triage", {"version": 99}, status=412)
    desk.post("/999999999/triage", status=404)
    desk.post(f"{path}/Triage!", status=422)
    assert desk.post(body=HERE | {"class_code": "?"}, status=422)["field"] == "class_code"
    for wrong in ({"x": 1e999}, {"crs": "none"}, {"description": "x" * 5000}, {"extra": 1}):
        body = HERE | wrong
        if body["x"] == float("inf"):
            body["x"] = "Infinity"
        desk.post(body=body, status=422)


def test_the_list_filters(desk: Console) -> None:
    made = desk.post(body=HERE | {"description": "100%_独特"}, status=201)
    assert [one["id"] for one in desk.get("?words=100%25_")["incidents"]] == [made["incident"]]
    assert all(one["class_code"] == "E01" for one in desk.get("?group=E01")["incidents"])
    assert desk.get("?state=closed")["incidents"] == []
    assert desk.get("?light=red&limit=5")["incidents"] == []


def test_a_body_is_refused_before_it_is_held_whatever_length_it_says(web: TestClient) -> None:
    long = b'{"description": "' + b"x" * 3_000_000 + b'"}'
    parts = (long[at : at + 100_000] for at in range(0, len(long), 100_000))
    for content, kind in (
        (long, "application/json"),
        (parts, "application/json"),
        (long, "image/jpeg"),
    ):
        answer = web.post("/api/v1/reports", content=content, headers={"Content-Type": kind})
        assert answer.status_code == 413, answer.text
        assert "at most" in answer.json()["detail"]
