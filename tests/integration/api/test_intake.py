"""Reports from everywhere: Open311, SMS gateways, cameras, tables, the public page; and enemies."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import text

from api.app import create_app
from data.cluster import Cluster
from data.database import Database
from data.settings import DEMO_COUNTY as COUNTY
from data.settings import Settings
from tests.conftest import Furnished
from tests.integration.api.test_incidents import Console, worker_of

KEY = "partner-key-1"
V2 = "/open311/v2"
# After the schemas that Open311 publishes (open311/schema-validation, georeport-v2).
MAYBE = {"type": ["string", "null"]}
REQUEST = {
    "type": "object",
    "required": ["service_request_id", "status", "service_code", "requested_datetime"],
    "properties": {
        "service_request_id": {"type": "string"},
        "status": {"enum": ["open", "closed"]},
        "status_notes": MAYBE,
        "service_name": MAYBE,
        "service_code": {"type": "string"},
        "description": {"type": ["string", "null"], "maxLength": 4000},
        "agency_responsible": MAYBE,
        "service_notice": MAYBE,
        "requested_datetime": {"type": "string", "format": "date-time"},
        "updated_datetime": {"type": ["string", "null"], "format": "date-time"},
        "expected_datetime": {"type": ["string", "null"], "format": "date-time"},
        "address": MAYBE,
        "address_id": MAYBE,
        "zipcode": MAYBE,
        "lat": {"type": ["number", "null"]},
        "long": {"type": ["number", "null"]},
        "media_url": {"type": ["string", "null"], "format": "uri"},
    },
}
SERVICE = {
    "type": "object",
    "required": ["service_code", "service_name", "metadata", "type"],
    "properties": {
        "service_code": {"type": "string"},
        "service_name": {"type": "string"},
        "description": MAYBE,
        "metadata": {"type": "boolean"},
        "type": {"enum": ["realtime", "batch", "blackbox"]},
        "keywords": MAYBE,
        "group": MAYBE,
    },
}
DEFINITION = {
    "type": "object",
    "required": ["service_code", "attributes"],
    "properties": {"service_code": {"type": "string"}, "attributes": {"type": "array"}},
}
REPORT = {
    "api_key": KEY,
    "service_code": "E01",
    "lat": "43.575",
    "long": "122.31",
    "description": "井盖缺失",
    "first_name": "三",
    "phone": "0990-5551234",
}


def valid(value: object, schema: dict) -> None:
    checker = jsonschema.FormatChecker()
    jsonschema.validate(value, schema, jsonschema.Draft7Validator, format_checker=checker)


@pytest.fixture(scope="module")
def city(cluster: Cluster, furnished: Furnished) -> Iterator[Database]:
    """One city for all of these: what is refused changes nothing."""
    database = furnished.city(cluster, "intake_city")
    yield database
    database.engine.dispose()


@pytest.fixture(scope="module")
def asked(city: Database, furnished: Furnished) -> Iterator[TestClient]:
    settings = Settings(
        public_url="http://localhost", home=furnished.home, intake_keys=f"other:x, partner:{KEY}"
    )
    with TestClient(create_app(settings, city)) as client:
        yield client


@pytest.fixture
def web(asked: TestClient) -> TestClient:
    asked.app.state.guard.forget()
    asked.cookies.clear()
    return asked


def report(web: TestClient, kind: str = "json", **change: str):
    form = {name: value for name, value in (REPORT | change).items() if value}
    return web.post(f"{V2}/requests.{kind}", data=form)


def test_open311_in_json_fits_the_published_schemas(web: TestClient) -> None:
    services = web.get(f"{V2}/services.json").json()
    valid(services, {"type": "array", "minItems": 1, "items": SERVICE})
    assert not any(one["service_code"].startswith("D") for one in services), "disputes are private"
    valid(web.get(f"{V2}/services/E01.json").json(), DEFINITION)
    made = report(web)
    assert made.status_code == 201
    (told,) = made.json()
    listed = web.get(f"{V2}/requests.json").json()
    valid(listed, {"type": "array", "minItems": 1, "items": REQUEST})
    one = web.get(f"{V2}/requests/{told['service_request_id']}.json").json()
    valid(one, {"type": "array", "minItems": 1, "items": REQUEST})
    assert one[0]["status"] == "open"
    assert one[0]["expected_datetime"] > one[0]["requested_datetime"]
    both = f"{one[0]['service_request_id']}, {listed[1]['service_request_id']}"
    assert len(web.get(f"{V2}/requests.json", params={"service_request_id": both}).json()) == 2
    assert "井盖" not in json.dumps(listed, ensure_ascii=False), "words are not published"
    assert "5551234" not in json.dumps(one)


def test_open311_in_xml_says_the_same(web: TestClient) -> None:
    made = report(web, "xml")
    assert made.headers["content-type"] == "text/xml; charset=utf-8"
    assert made.content.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    code = ET.fromstring(made.content).findtext("request/service_request_id")
    root = ET.fromstring(web.get(f"{V2}/requests/{code}.xml").content)
    (one,) = web.get(f"{V2}/requests/{code}.json").json()
    assert root.tag == "service_requests"
    said = {part.tag: part.text for part in root.find("request")}
    assert said == {name: None if value is None else str(value) for name, value in one.items()}
    services = ET.fromstring(web.get(f"{V2}/services.xml").content)
    assert {part.findtext("metadata") for part in services} == {"false"}
    found = ET.fromstring(web.get("/open311/discovery.xml").content)
    assert found.findtext("endpoints/endpoint/url").endswith(V2)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"api_key": ""}, 403),
        ({"api_key": "forged"}, 403),
        ({"service_code": ""}, 400),
        ({"service_code": "X99"}, 404),
        ({"service_code": "D01"}, 404),
        ({"lat": ""}, 400),
        ({"lat": "north"}, 400),
        ({"lat": "inf"}, 400),
        ({"lat": "122.31", "long": "43.575"}, 400),
        ({"lat": "", "long": "", "address_string": "没有的街 1 号"}, 400),
        ({"description": "x" * 4001}, 400),
        ({"description": "x" * 1_000_000}, 413),
        ({"description": "\x00"}, 400),
    ],
)
def test_open311_refuses_in_its_own_words(
    web: TestClient, change: dict[str, str], status: int
) -> None:
    for kind in ("json", "xml"):
        answer = report(web, kind, **change)
        assert answer.status_code == status, answer.text
        if kind == "json":
            assert answer.json()[0]["code"] == str(status)
            assert answer.json()[0]["description"]
        else:
            assert ET.fromstring(answer.content).findtext("error/code") == str(status)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/services.json?jurisdiction_id=elsewhere.gov", 404),
        ("/services/X99.json", 404),
        ("/requests/none.json", 404),
        ("/requests.json?status=lost", 400),
        ("/requests.json?start_date=yesterday", 400),
        ("/requests.json?start_date=2026-01-01T00:00:00", 400),
        ("/requests.json?start_date=2026-01-01T00:00:00Z&end_date=2026-06-01T00:00:00Z", 400),
        ("/requests.json?start_date=2026-02-01T00:00:00Z&end_date=2026-01-01T00:00:00Z", 400),
        (f"/services.json?jurisdiction_id={COUNTY}", 200),
        ("/requests.json?status=closed&service_code=E01,E02", 200),
    ],
)
def test_open311_questions(web: TestClient, path: str, status: int) -> None:
    answer = web.get(V2 + path)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json()[0]["code"] == str(status)


def test_an_address_that_is_known_is_a_place(web: TestClient, city: Database) -> None:
    with city.session() as session:
        known = session.scalar(text("SELECT text FROM address ORDER BY length(text) DESC LIMIT 1"))
    assert report(web, lat="", long="", address_string=known).status_code in {201, 400}
    body = {"id": "7", "class_code": "E01", "text": "路灯不亮", "address": known}
    headers = {"X-Api-Key": KEY}
    assert web.post("/api/v1/reports", json=body, headers=headers).status_code == 201
    again = web.post("/api/v1/reports", json=body, headers=headers)
    assert again.status_code == 200, "the same id is the same report"
    assert web.post("/api/v1/reports", json=body).status_code == 403


def test_a_camera_alerts(web: TestClient, city: Database) -> None:
    now = datetime.now(UTC).isoformat()
    body = {
        "id": "a-1",
        "camera": "cam-7",
        "kind": "smoke",
        "at": now,
        "lon": 122.31,
        "lat": 43.575,
        "confidence": 0.9,
    }
    headers = {"X-Api-Key": KEY}
    made = web.post("/api/v1/alerts", json=body, headers=headers)
    assert made.status_code == 201
    with city.session() as session:
        row = session.execute(
            text("SELECT class_code, channel FROM incident WHERE source_ref = :case"), made.json()
        ).one()
    assert tuple(row) == ("E04", "video")
    late = datetime.now(UTC) + timedelta(days=1)
    for wrong in (
        {"kind": "ufo"},
        {"at": late.isoformat()},
        {"lon": 1e9},
        {"confidence": 2},
        {"x": 1},
    ):
        answer = web.post("/api/v1/alerts", json=body | {"id": "a-2"} | wrong, headers=headers)
        assert answer.status_code == 422, wrong


def photo() -> bytes:
    made = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "SecretMaker"
    Image.new("RGB", (80, 60), (10, 90, 200)).save(made, "JPEG", exif=exif)
    return made.getvalue()


FORM = {
    "class_code": "E01",
    "key": "key-12345678",
    "place": "122.31, 43.575",
    "description": "积水",
}


def test_everybody_may_report_and_follow(web: TestClient, city: Database) -> None:
    page = web.get("/report")
    assert page.status_code == 200
    with city.session() as session:
        code = session.scalar(text("SELECT min(code) FROM grid WHERE upper_inf(valid)"))
    assert "122." in web.get(f"/report?grid={code}").text
    drawn = web.get(f"/report/qr.svg?grid={code}")
    assert ET.fromstring(drawn.content).tag.endswith("svg")
    files = {"photo": ("a.jpg", photo(), "image/jpeg")}
    private = {"phone": "0990-5559999"}
    made = web.post("/report", data=FORM | private, files=files, follow_redirects=False)
    assert made.status_code == 303
    again = web.post("/report", data=FORM | private, files=files, follow_redirects=False)
    assert again.headers["location"] == made.headers["location"]
    told = web.get(made.headers["location"])
    assert "接诉受理" in told.text
    assert "积水" not in told.text
    with city.session() as session:
        query = "SELECT {} FROM {} AS part JOIN incident ON incident.id = part.incident_id "
        query += "WHERE channel = 'public' AND class_code = 'E01'"
        assert session.scalar(text(query.format("count(*)", "reporter"))) == 0, "without consent"
        contents = session.scalars(text(query.format("content", "attachment"))).all()
    assert len(contents) == 1
    assert b"SecretMaker" not in bytes(contents[0])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"place": "nowhere"}, 422),
        ({"place": ""}, 422),
        ({"place": "43.575, 122.31"}, 422),
        ({"place": "nan, nan"}, 422),
        ({"class_code": "X99"}, 422),
        ({"key": ""}, 422),
        ({"description": "x" * 1_000_000}, 422),
        ({"description": "<script>alert(1)</script>", "place": "nowhere"}, 422),
    ],
)
def test_a_public_report_that_does_not_fit_is_told_why(
    web: TestClient, change: dict, status: int
) -> None:
    answer = web.post("/report", data=FORM | change, follow_redirects=False)
    assert answer.status_code == status
    assert "<script>alert" not in answer.text


def test_what_is_no_photo_takes_nothing(web: TestClient, city: Database) -> None:
    before = count(city)
    for content in (b"MZ\x90 no photo", photo()[:200]):
        files = {"photo": ("a.jpg", content, "image/jpeg")}
        answer = web.post("/report", data=FORM, files=files, follow_redirects=False)
        assert answer.status_code == 422
        assert "积水" in answer.text, "what was typed is still there"
    huge = {"photo": ("a.jpg", b"\xff" * 13_000_000, "image/jpeg")}
    assert web.post("/report", data=FORM, files=huge).status_code == 413
    assert count(city) == before


def count(city: Database) -> int:
    with city.session() as session:
        return session.scalar(text("SELECT count(*) FROM incident"))


def test_much_in_little_time_is_refused(web: TestClient) -> None:
    seen = {
        web.post("/report", data={"key": "k" * 9, "class_code": "X"}).status_code for _ in range(30)
    }
    assert seen == {422, 429}


@pytest.mark.parametrize("case", ["DEMO-00001", "x" * 3000, "%00", "990100-000000-AAAAAAA"])
def test_cases_that_can_be_guessed_are_not_followed(web: TestClient, case: str) -> None:
    assert web.get(f"/report/{case}/{'0' * 32}").status_code in {404, 422}


def test_a_table_of_reports_is_taken_row_by_row(web: TestClient, city: Database) -> None:
    desk = Console(web, city, "demo")
    late = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    rows = [
        "ref,class,x,y,description,severity,reported_at",
        "1,E01,122.31,43.575,一,,",
        "2,E02,122.312,43.576,=HYPERLINK(1),major,2026-11-01T08:00:00+08:00",
        "3,X99,122.31,43.575,,,",
        "4,E01,north,43.575,,,",
        f"5,E01,122.31,43.575,,,{late}",
        "6,E01,122.31,43.575,,,yesterday",
        "7,E01,43.575,122.31,,,",
        "8,E01,122.31,43.575,,terrible,",
    ]
    for content in ("\n".join(rows).encode(), "\n".join(rows).encode("gb18030")):
        answer = web.post(
            "/api/v1/incidents/table?crs=EPSG:4326", content=content, headers=desk.headers
        )
        told = answer.json()
        assert (answer.status_code, told["taken"], told["refused"]) == (200, 2, 6), told
        assert all(row["case"] or row["reason"] for row in told["rows"])
    with city.session() as session:
        assert session.scalar(text("SELECT count(*) FROM incident WHERE channel = 'csv'")) == 2
    for content, crs in (
        (b"a,b\n1,2", "EPSG:4326"),
        (b"\xff\xfe\x00", "EPSG:4326"),
        (b"", "EPSG:4326"),
    ):
        path = f"/api/v1/incidents/table?crs={crs}"
        assert web.post(path, content=content, headers=desk.headers).status_code == 422
    path = "/api/v1/incidents/table?crs=EPSG:4326"
    assert web.post(path, content=b"x" * 6_000_000, headers=desk.headers).status_code == 413


def test_photos_are_seen_by_whoever_sees_the_incident(web: TestClient, city: Database) -> None:
    desk = Console(web, city, "demo")
    made = desk.post(
        body={"class_code": "E01", "x": 122.31, "y": 43.575, "crs": "EPSG:4326"}, status=201
    )
    path = f"/api/v1/incidents/{made['incident']}/photos"
    first = web.post(path, content=photo(), headers=desk.headers)
    assert first.status_code == 201
    assert web.post(path, content=photo(), headers=desk.headers).json() == first.json()
    number = first.json()["photo"]
    shown = web.get(f"{path}/{number}", headers=desk.headers)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert b"SecretMaker" not in shown.content
    assert web.get(f"{path}/{number + 1}", headers=desk.headers).status_code == 404
    assert web.get(f"{path}/{number}").status_code == 401
    assert web.post(path, content=b"no photo", headers=desk.headers).status_code == 422
    assert web.post(path, content=b"x" * 13_000_000, headers=desk.headers).status_code == 413
    stranger = worker_of(web, city, city_person(city))
    assert web.get(f"{path}/{number}", headers=stranger.headers).status_code == 404


def city_person(city: Database) -> int:
    with city.session() as session:
        query = text(
            "SELECT min(id) FROM person WHERE role = 'gridworker' AND NOT EXISTS ("
            "SELECT 1 FROM leave WHERE person_id = person.id)"
        )
        return session.scalar(query)


def test_devices_tell_where_people_are(web: TestClient, city: Database) -> None:
    from routing.positions import enrol_device, forget_position  # noqa: PLC0415

    person = city_person(city)
    with city.session() as session:
        token = enrol_device(session, COUNTY, person)
        forget_position(session, person)
    now = datetime.now(UTC)
    path = "/api/v1/positions"
    asked = {"id": token, "lat": 43.57, "lon": 122.3, "timestamp": int(now.timestamp()) - 30}
    assert web.get(path, params=asked).status_code == 200
    assert web.get(path, params=asked).status_code == 409, "replayed"
    asked["timestamp"] = (int(now.timestamp()) - 20) * 1000
    assert web.post(path, data=asked).status_code == 200
    told = {
        "device_id": token,
        "location": {
            "timestamp": now.isoformat(),
            "coords": {"latitude": 43.58, "longitude": 122.31, "accuracy": 5},
        },
    }
    assert web.post(path, json=told).status_code == 200
    assert web.get(path, params=asked | {"id": "forged"}).status_code == 403
    for wrong in (
        {"lat": "north"},
        {"timestamp": "yesterday"},
        {"timestamp": "1e400"},
        {"lon": "nan"},
        {"lat": "91"},
    ):
        assert web.get(path, params=asked | wrong).status_code == 422, wrong
    for body in (b"{", b"[]", b'{"location": 3}', b"[" * 15_000, b'{"location":{"coords":[]}}'):
        headers = {"content-type": "application/json"}
        assert web.post(path, content=body, headers=headers).status_code == 422
    assert web.post(path, content=b"x" * 30_000).status_code == 413


def test_a_worker_reports_with_a_photo_and_tells_where_they_are(
    web: TestClient, city: Database
) -> None:
    person = city_person(city)
    hand = worker_of(web, city, person)
    body = {
        "class_code": "E01",
        "x": 122.31,
        "y": 43.575,
        "crs": "EPSG:4326",
        "channel": "worker",
        "receipt_key": "w-1",
    }
    made = hand.post(body=body, status=201)
    path = f"/api/v1/incidents/{made['incident']}/photos"
    assert web.post(path, content=photo(), headers=hand.headers).status_code == 201
    hand.post(f"/{made['incident']}/triage", status=404)
    at = datetime.now(UTC) + timedelta(seconds=1)
    where = {"lon": 122.31, "lat": 43.57, "at": at.isoformat()}
    own = "/api/v1/positions/own"
    assert web.post(own, json=where, headers=hand.headers).status_code == 204
    assert web.post(f"{own}/forget", headers=hand.headers).status_code == 204
    with city.session() as session:
        held = text("SELECT count(*) FROM position WHERE person_id = :p")
        assert session.scalar(held, {"p": person}) == 0


def test_a_strangers_report_from_far_away_is_refused(web: TestClient, city: Database) -> None:
    answer = report(web, lat="39.9", long="116.4")
    assert answer.status_code == 400
    assert "far outside" in answer.text
    form = {"class_code": "E01", "key": "far-12345", "place": "116.4, 39.9"}
    answer = web.post("/report", data=form, headers={"Accept-Language": "zh"})
    assert (answer.status_code, "不在本县" in answer.text) == (422, True)
    with city.session() as session:
        query = text("SELECT min(ST_XMin(geom)), ST_Y(ST_Centroid(ST_Collect(geom))) FROM division")
        west, lat = session.execute(query).one()
    near = report(web, lat=str(lat), long=str(west - 0.005))
    assert near.status_code == 201


def test_an_address_that_may_be_several_is_asked_to_be_more(
    web: TestClient, city: Database
) -> None:
    with city.session() as session:
        query = "SELECT text FROM address ORDER BY id LIMIT 1"
        estate = session.scalar(text(query)).partition("号")[0].rstrip("0123456789")
    form = {"class_code": "E01", "key": "several-1234", "place": estate}
    answer = web.post("/report", data=form, headers={"Accept-Language": "zh"})
    assert (answer.status_code, "有多个相似的地址" in answer.text) == (422, True), estate


def test_open311_says_what_it_is_sent_as(web: TestClient) -> None:
    answer = web.post(f"{V2}/requests.json", json=REPORT)
    assert (answer.status_code, "send a form" in answer.text) == (400, True)


def test_a_step_that_is_sent_again_is_done_once(web: TestClient, city: Database) -> None:
    desk = Console(web, city, "demo")
    made = desk.post(
        body={"class_code": "E01", "x": 122.31, "y": 43.575, "crs": "EPSG:4326"}, status=201
    )
    path = f"/{made['incident']}"
    first = desk.get(f"{path}/recommendation")["candidates"][0]["person_id"]
    desk.post(f"{path}/send", {"person": first})
    hand = worker_of(web, city, first)
    once = hand.post(f"{path}/take", {"receipt_key": "s-1"})
    assert hand.post(f"{path}/take", {"receipt_key": "s-1"}) == once
    hand.post(f"{path}/take", {"receipt_key": "s-2"}, status=409)
    hand.post(f"{path}/report", {"result": "好了", "receipt_key": "s-3"})
    notices = web.get("/api/v1/notices", headers=desk.headers).json()["notices"]
    assert {"report", "accept"} <= {one["kind"] for one in notices}
    seen = f"/api/v1/notices/{notices[0]['id']}/seen"
    assert web.post(seen, headers=desk.headers).status_code == 204
    assert web.post(seen, headers=hand.headers).status_code == 404
    way = hand.post(f"{path}/way", {"lon": 122.3, "lat": 43.57})
    assert way["distance_m"] > 0
    assert way["streets"]
