"""Attack: single odd values that end in a failure of the server.

A device's clock of before the year 1, an end of time that no day can be added to, digits that are
none to ``int``, half of a surrogate pair, bytes in an address line, a document type in UTF-16: each
was a 500, or got past what should have stopped it. Whoever can make a server fail at will can fill
its log, and looks for the next step in what fails.
"""

import http.cookies
import json

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from data.accounts import add_account
from data.database import Database
from data.settings import DEMO_COUNTY

PLACE = "lon=122.31&lat=43.575"
FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
ENDS = [FIRST, "0001-01-01T00:00:00+14:00", LAST, "9999-12-31T23:59:59-14:00"]
LOST_NAMESPACE = "urn:ietf:params:xml:ns:lost1"
MARK = {"content-type": "application/lost+xml"}
NUMBERS = ["-99999999999", "-62135596801", "-1e14", "1e14", "1e400", "nan", "-inf", "9" * 5000]


@pytest.fixture
def somebody(web: TestClient, city: Database) -> TestClient:
    """Whoever plans and dispatches, with the token of their session."""
    web.post("/login", data={"login": "demo", "password": "onegrid-demo"})
    with city.session() as session:
        web.headers["X-CSRF-Token"] = session.scalar(text("SELECT csrf FROM session LIMIT 1"))
    return web


@pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", "utf-16", "cp037", "x"])
@pytest.mark.parametrize("path", ["/login", "/report", "/account/password", "/planner/drafts"])
def test_no_form_chooses_how_it_is_decoded(web: TestClient, path: str, charset: str) -> None:
    """A megabyte of punycode, sent by a stranger, stopped the whole server for twenty seconds."""
    field = (
        f'--X\r\ncontent-disposition: form-data; name="login"\r\n\r\n{"a" * 50_000}\r\n--X--\r\n'
    )
    for kind in ("multipart/form-data; boundary=X", "Multipart/Form-Data; boundary=X"):
        headers = {"Content-Type": f'{kind}; CharSet="{charset}"'}
        assert web.post(path, content=field, headers=headers).status_code == 415
    plain = {"Content-Type": "multipart/form-data; boundary=X; charset=UTF-8"}
    answer = web.post(path, content=field, headers=plain, follow_redirects=False)
    assert answer.status_code in {303, 403, 422}


@pytest.mark.parametrize("path", ["/card", "/login", "/api/v1/who"])
def test_no_cookie_is_unquoted(web: TestClient, path: str) -> None:
    """Sixty-four kilobytes of backslashes, sent by a stranger, stopped the server for as long."""
    seen: list[str] = []
    unquote = http.cookies._unquote
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("http.cookies._unquote", lambda said: seen.append(said) or unquote(said))
        for said in ('lang="' + "\\" * 20_000 + '"', 'lang=en; x="\\101"; y=b', 'lang="en'):
            web.get(path, headers={"Cookie": said})
    assert [one for one in seen if '"' in one or "\\" in one] == []
    assert '<html lang="en' in web.get("/card", headers={"Cookie": 'a="\\1"; lang=en'}).text


def test_no_number_is_too_large_for_a_position(web: TestClient) -> None:
    huge = 10**400
    for said in ({"lat": huge, "lon": 1}, {"lat": 1, "lon": 1, "timestamp": huge}):
        assert web.post("/api/v1/positions", json={"id": "x", **said}).status_code == 422


@pytest.mark.parametrize("stamp", [*NUMBERS, *ENDS])
def test_a_devices_clock_may_say_anything(web: TestClient, stamp: str) -> None:
    query = {"id": "x", "lon": 122.31, "lat": 43.575, "timestamp": stamp}
    assert web.get("/api/v1/positions", params=query).status_code == 422
    coords = {"latitude": 43.575, "longitude": 122.31}
    body = {"device_id": "x", "location": {"timestamp": stamp, "coords": coords}}
    assert web.post("/api/v1/positions", json=body).status_code == 422


@pytest.mark.parametrize("name", ["lon", "lat"])
@pytest.mark.parametrize("value", [*NUMBERS, "²", ""])
def test_a_devices_place_may_be_anything(web: TestClient, name: str, value: str) -> None:
    query = {"id": "x", "lon": "122.31", "lat": "43.575"} | {name: value}
    assert web.get("/api/v1/positions", params=query).status_code == 422


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", ["start_date", "end_date"])
@pytest.mark.parametrize("kind", ["json", "xml"])
def test_a_span_at_the_end_of_time_is_refused(
    web: TestClient, name: str, end: str, kind: str
) -> None:
    answer = web.get(f"/open311/v2/requests.{kind}", params={name: end})
    assert answer.status_code == 400
    assert "year must be" in answer.text


@pytest.mark.parametrize("end", ENDS)
def test_no_question_is_asked_of_the_end_of_time(somebody: TestClient, end: str) -> None:
    day, period = end[:10], f"at={end}&since={end}&until={end}".replace("+", "%2B")
    wanted = {
        f"/api/v1/who?{PLACE}&at={end}".replace("+", "%2B"): 422,
        f"/api/v1/history/statistics?{period}": 422,
        f"/api/ogc/collections/grids/items?datetime=../{end}".replace("+", "%2B"): 400,
        f"/tiles/plan/10/1/1.mvt?at={end}".replace("+", "%2B"): 422,
        f"/dispatch/ledger?of={day}": 422,
        f"/dispatch/ledger/table.xlsx?period=month&of={day}": 422,
    }
    assert {path: somebody.get(path).status_code for path in wanted} == wanted


@pytest.mark.parametrize(
    "crs",
    [
        "+init=/dev/ptmx:k",
        "+proj=longlat +nadgrids=/dev/ptmx +ellps=krass",
        "+proj=longlat +nadgrids=/nonexistent",
        'GEOGCS["g",DATUM["d",SPHEROID["s",6378245,298.3],EXTENSION["PROJ4_GRIDS","/dev/ptmx"]]]',
        "IAU_2015:30100",
        "EPSG:5773",
        "GEOGCS[" * 500,
    ],
)
def test_no_coordinate_system_leads_to_a_file_of_the_server(somebody: TestClient, crs: str) -> None:
    """PROJ opens what a text names: a terminal there held the whole server for good."""
    place = {"x": 122.31, "y": 43.575, "crs": crs}
    row = {"lon": 122.31, "lat": 43.575}
    shape = {"type": "Point", "coordinates": [122.31, 43.575]}
    files = {"file": ("in.csv", "lon,lat\n122.31,43.575\n")}
    answers = [
        somebody.post("/api/v1/incidents", json={"class_code": "E01", **place}),
        somebody.post("/api/v1/assign", json={"crs": crs, "rows": [row]}),
        somebody.post("/api/v1/assign/shares", json={"crs": crs, "geometry": shape}),
        somebody.post("/api/v1/assign/jobs", files=files, data={"crs": crs}),
    ]
    assert [one.status_code for one in answers] == [422] * 4
    table = "class,x,y\nE01,122.31,43.575\n"
    sent = somebody.post("/api/v1/incidents/table", params={"crs": crs[:40]}, content=table)
    assert sent.json()["refused"] == 1


@pytest.mark.parametrize("number", ["²", "9" * 5000, "9" * 19, "-1", "१"])
def test_no_number_of_an_incident_makes_a_failure(somebody: TestClient, number: str) -> None:
    assert somebody.post(f"/api/v1/incidents/{number}/photos", content=b"x").status_code == 422


@pytest.mark.parametrize("end", ENDS)
def test_nothing_happens_at_the_end_of_time(somebody: TestClient, end: str) -> None:
    incident = {"class_code": "E01", "lon": 122.31, "lat": 43.575, "reported_at": end}
    assert somebody.post("/api/v1/incidents", json=incident).status_code == 422
    own = {"lon": 122.31, "lat": 43.575, "at": end}
    assert somebody.post("/api/v1/positions/own", json=own).status_code in {403, 422}
    table = f"class,x,y,description,severity,reported_at,ref,phone\nE01,122.31,43.575,,,{end},,\n"
    sent = somebody.post("/api/v1/incidents/table?crs=EPSG:4326", content=table.encode())
    assert sent.status_code == 200, sent.text
    assert sent.json()["refused"] == 1


@pytest.mark.parametrize("end", ENDS)
def test_no_plan_begins_at_the_end_of_time(web: TestClient, city: Database, end: str) -> None:
    with city.session() as session:
        add_account(session, DEMO_COUNTY, "rui", "Rui", "Blaue-Ziege-77-Kanal", ("reviewer",))
    web.post("/login", data={"login": "rui", "password": "Blaue-Ziege-77-Kanal"})
    with city.session() as session:
        csrf = session.scalar(text("SELECT csrf FROM session LIMIT 1"))
    headers = {"X-CSRF-Token": csrf}
    answer = web.post("/api/v1/drafts/1/publish", json={"at": end}, headers=headers)
    assert answer.status_code == 422
    assert "year must be" in answer.text


@pytest.mark.parametrize("name", ["1" * 5000, "²", "٤٣٢٦", "\ud800", "EPSG:" + "9" * 400])
def test_a_coordinate_system_may_be_called_anything(somebody: TestClient, name: str) -> None:
    body = json.dumps({"crs": name, "rows": [{"x": 122.31, "y": 43.575}]})
    headers = {"content-type": "application/json"}
    answer = somebody.post("/api/v1/assign", content=body, headers=headers)
    assert answer.status_code == 422


@pytest.mark.parametrize("half", ["\ud800", "a\udfffb"])
def test_half_of_a_pair_is_no_letter(somebody: TestClient, half: str) -> None:
    headers = {"content-type": "application/json"}
    for path, body in {
        "/api/v1/drafts": {"title": half},
        "/api/v1/incidents": {"class_code": half, "lon": 122.31, "lat": 43.575},
        "/api/v1/positions": {"id": half, "lat": 43.575, "lon": 122.31},
    }.items():
        answer = somebody.post(path, content=json.dumps(body), headers=headers)
        assert 400 <= answer.status_code < 500, path


@pytest.mark.parametrize("path", ["/card", "/api/v1/who", "/api/v1/positions", "/none", "/lost"])
def test_bytes_in_an_address_line_are_refused(web: TestClient, path: str) -> None:
    """What servers pass on of a query is bytes; programs made of it what they could."""
    told: list[dict] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"q=\xff\xfe",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        told.append(message)

    web.portal.call(web.app, scope, receive, send)
    assert told[0]["status"] == 400
    assert b"content-security-policy" in {name for name, _ in told[0]["headers"]}


@pytest.mark.parametrize("length", ["²", "1e3", "-1", "9" * 5000, "0x10"])
def test_a_length_that_is_none_is_refused(web: TestClient, length: str) -> None:
    headers = {"content-length": length.encode("latin-1")}
    assert web.post("/report", content=b"", headers=headers).status_code == 413


def refusal(web: TestClient, content: bytes) -> str:
    answer = web.post("/lost", content=content, headers=MARK)
    assert answer.status_code == 200
    assert f'errors xmlns="{LOST_NAMESPACE}"' in answer.text.replace("ns0:", "").replace(":ns0", "")
    return answer.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize(
    "kind",
    [
        "<!DOCTYPE listServices>",
        '<!DOCTYPE listServices SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE listServices [<!ENTITY a "b">]>',
        '<!DOCTYPE listServices [<!ENTITY % a SYSTEM "http://127.0.0.1/"> %a;]>',
    ],
)
def test_lost_reads_no_document_type(web: TestClient, encoding: str, kind: str) -> None:
    said = f'{kind}<listServices xmlns="{LOST_NAMESPACE}"/>'
    answer = refusal(web, said.encode(encoding))
    assert "badRequest" in answer
    assert "document types are not read" in answer


@pytest.mark.parametrize(
    ("declared", "encoded"),
    [
        ("utf-32", "utf-32"),
        ("utf-32", "utf-32-be"),
        ("cp037", "cp037"),
        ("cp500", "cp500"),
        ("utf-7", "utf-7"),
        ("big5", "big5"),
        ("gb18030", "gb18030"),
        ("rot13", "ascii"),
        ("none-such", "ascii"),
    ],
)
@pytest.mark.parametrize("kind", ["", '<!DOCTYPE a [<!ENTITY a "b">]>'])
@pytest.mark.parametrize("plain", [True, False], ids=["plain declaration", "all encoded"])
def test_lost_refuses_what_it_cannot_decode(
    web: TestClient, declared: str, encoded: str, kind: str, plain: bool
) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>'
    body = f'{kind}<listServices xmlns="{LOST_NAMESPACE}"/>'
    content = head.encode() + body.encode(encoded) if plain else (head + body).encode(encoded)
    assert "badRequest" in refusal(web, content)


def test_lost_expands_nothing(web: TestClient) -> None:
    """A billion laughs, and one hidden behind the first piece that is read."""
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    types = f'<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]>'
    for before in ("", " " * 63, f"<!--{'x' * 500}-->"):
        said = f'<?xml version="1.0"?>{before}{types}<listServices>&a11;</listServices>'
        assert "document types are not read" in refusal(web, said.encode("utf-16"))


def test_what_is_private_is_not_kept_by_browsers(somebody: TestClient) -> None:
    """Who sits at the same machine later finds nothing by the back button."""
    for path in (
        "/planner",
        "/dispatch",
        "/api/v1/incidents",
        "/api/v1/drafts",
        "/dispatch/ledger",
    ):
        answer = somebody.get(path)
        assert answer.status_code == 200
        assert answer.headers.get_list("cache-control") == ["no-store"], path
    assert "no-store" not in somebody.get("/static/map.js").headers.get("cache-control", "")


@pytest.mark.parametrize("token", ["é", "网格", "\udcff", ""])
def test_a_token_of_any_letters_is_refused(somebody: TestClient, token: str) -> None:
    form = {"csrf": token.encode("utf-8", "surrogateescape"), "title": "x"}
    assert somebody.post("/planner/drafts/new", data=form).status_code == 403
    header = {"X-CSRF-Token": token.encode("utf-8", "surrogateescape")}
    assert somebody.post("/api/v1/drafts", json={}, headers=header).status_code == 403


@pytest.mark.parametrize(("path", "kind"), [("/card", "text/html"), ("/api/v1/card", "json")])
def test_a_failure_carries_the_headers_of_every_answer(
    web: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("api.card.card_at", fail)
    monkeypatch.setattr("api.addresses.card_at", fail)
    browser = TestClient(web.app, raise_server_exceptions=False)
    answer = (
        browser.get(f"{path}?{PLACE}")
        if path == "/card"
        else browser.post(path, json={"lon": 122.31, "lat": 43.575})
    )
    assert answer.status_code == 500
    assert kind in answer.headers["content-type"]
    assert "secret" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
