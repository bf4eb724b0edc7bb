"""Attack: taking the id under which another system will report, so that its report is swallowed.

Receipt keys were one space for all senders: whoever took a camera's next id first got the camera's
case, and the camera was answered 200 with somebody else's number and secret. Each sender has keys
of its own now, and none is written by another.
"""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from data import migrate
from data.accounts import Grant, add_account
from data.database import Database
from data.settings import DEMO_COUNTY as COUNTY
from data.settings import Settings

PASSWORD = "Blaue-Ziege-77-Kanal"
LON, LAT = 122.31, 43.575
HERE = {"class_code": "B01", "x": LON, "y": LAT, "crs": "EPSG:4326"}
KEYS = {"cam": "cam-key-long-1", "city": "city-key-long-2"}
ELSEWHERE = "990100001004"


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    keys = ",".join(f"{name}:{key}" for name, key in KEYS.items())
    settings = city_settings.model_copy(update={"intake_keys": keys})
    with TestClient(create_app(settings, city)) as client:
        yield client


def open311(web: TestClient, key: str) -> str:
    form = {"api_key": KEYS["city"], "service_code": "P01", "lat": LAT, "long": LON}
    answer = web.post("/open311/v2/requests.json", data=form, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    return answer.json()[0]["service_request_id"]


def alert(web: TestClient, name: str, partner: str = "cam"):
    seen = {"id": name, "camera": "C7", "kind": "fire", "at": "2026-11-27T00:00:00Z"}
    seen |= {"lon": LON, "lat": LAT, "confidence": 0.99}
    return web.post("/api/v1/alerts", json=seen, headers={"X-Api-Key": KEYS[partner]})


def message(web: TestClient, name: str):
    said = {"id": name, "class_code": "E01", "lon": LON, "lat": LAT}
    return web.post("/api/v1/reports", json=said, headers={"X-Api-Key": KEYS["cam"]})


def dispatcher(web: TestClient, city: Database, login: str, area: str | None) -> dict[str, str]:
    with city.session() as session:
        add_account(session, COUNTY, login, login, PASSWORD, (Grant("dispatcher", area),))
    form = {"login": login, "password": PASSWORD}
    answer = web.post("/login", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dispatch")
    query = text(
        "SELECT csrf FROM session JOIN account ON account.id = account_id WHERE login = :login"
    )
    with city.session() as session:
        return {"X-CSRF-Token": session.scalars(query, {"login": login}).one()}


@pytest.mark.parametrize("taken", ["cam:fire-0012", "fire-0012"])
def test_nobody_takes_the_id_of_another_sender(web: TestClient, city: Database, taken: str) -> None:
    cases = [open311(web, taken)]
    other = alert(web, taken, "city")
    cases += [other.json()["case"], message(web, taken).json()["case"]]
    csrf = dispatcher(web, city, "cam", None)  # a login may be called as a partner is
    for channel in ("console", "phone", "worker"):
        body = HERE | {"receipt_key": taken, "channel": channel}
        answer = web.post("/api/v1/incidents", json=body, headers=csrf)
        assert answer.status_code == 201
        cases.append(answer.json()["case"])
    table = f"ref,class,x,y\n{taken},B01,{LON},{LAT}\n".encode()
    path = "/api/v1/incidents/table?crs=EPSG:4326"
    cases.append(web.post(path, content=table, headers=csrf).json()["rows"][0]["case"])
    form = {"class_code": "E01", "place": f"{LON}, {LAT}", "key": taken}
    made = web.post("/report", data=form, files={"photo": ("", b"")}, follow_redirects=False)
    cases.append(made.headers["location"].split("/")[2])
    fire = alert(web, "fire-0012")
    assert fire.status_code == 201, "the camera's own report is a case of its own"
    assert len({*cases, fire.json()["case"]}) == len(cases) + 1
    again = alert(web, "fire-0012")
    assert (again.status_code, again.json()) == (200, fire.json())


def test_a_key_of_another_area_answers_with_no_case_of_it(web: TestClient, city: Database) -> None:
    fire = alert(web, "fire-0014").json()["case"]
    csrf = dispatcher(web, city, "d1", ELSEWHERE)
    for key in ("cam:fire-0014", "fire-0014"):
        answer = web.post("/api/v1/incidents", json=HERE | {"receipt_key": key}, headers=csrf)
        assert (answer.status_code, answer.json()["case"] == fire) == (201, False)
    # One's own report outside one's area is known again, how far it has come is not told.
    again = web.post("/api/v1/incidents", json=HERE | {"receipt_key": "fire-0014"}, headers=csrf)
    assert again.status_code == 200
    assert set(again.json()) == {"incident", "case"}


def test_a_key_that_is_too_long_is_refused_not_cut(web: TestClient) -> None:
    form = {"api_key": KEYS["city"], "service_code": "P01", "lat": LAT, "long": LON}
    headers = {"Idempotency-Key": "k" * 101}
    assert web.post("/open311/v2/requests.json", data=form, headers=headers).status_code == 400


def test_what_was_taken_before_the_upgrade_is_known_again(web: TestClient, city: Database) -> None:
    taken = {
        "cam:fire-1": alert(web, "fire-1").json()["case"],
        "cam:sms-1": message(web, "sms-1").json()["case"],
        "o-1": open311(web, "o-1"),
    }
    csrf = dispatcher(web, city, "d2", None)
    mine = web.post("/api/v1/incidents", json=HERE | {"receipt_key": "d-1"}, headers=csrf)
    taken["d-1"] = mine.json()["case"]
    path = "/api/v1/incidents/table?crs=EPSG:4326"
    table = f"ref,class,x,y\nt-1,B01,{LON},{LAT}\n".encode()
    taken["csv:t-1"] = web.post(path, content=table, headers=csrf).json()["rows"][0]["case"]
    before_and_again(city, taken)
    assert alert(web, "fire-1").json()["case"] == taken["cam:fire-1"]
    assert message(web, "sms-1").json()["case"] == taken["cam:sms-1"]
    assert open311(web, "o-1") == taken["o-1"]
    again = web.post("/api/v1/incidents", json=HERE | {"receipt_key": "d-1"}, headers=csrf)
    assert again.json()["case"] == taken["d-1"]
    rows = web.post(path, content=table, headers=csrf).json()["rows"]
    assert rows[0]["case"] == taken["csv:t-1"]


def before_and_again(city: Database, taken: dict[str, str]) -> None:
    """The database as it was before the upgrade, with the keys as they were, then upgraded."""
    migrate.downgrade(city.engine, "0017")
    with city.session() as session:
        for key, case in taken.items():
            said = text("UPDATE incident SET receipt_key = :key WHERE source_ref = :case")
            session.execute(said, {"key": key, "case": case})
    migrate.upgrade(city.engine)
