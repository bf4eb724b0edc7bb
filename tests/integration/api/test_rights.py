"""Every endpoint × every role × inside and outside the role's area: statuses, and what is told.

Whatever is of another community gets names that nobody else has. Each GET of each desk is then
asked for by an account of one community: neither those names nor codes of others come back.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pypdfium2
import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from data.accounts import ROLES, Grant, add_account
from data.database import Database
from data.roads import close_roads
from data.scope import Scope
from data.settings import Settings
from grids.drafting import Workbench

PASSWORD = "a long Password"
COUNTY = "990100"
INSIDE, OUTSIDE = "990100001001", "990100001004"
# Anybody: what a resident sees, and signing in.
OPEN = {
    "GET /",
    "GET /docs",
    "GET /card",
    "POST /card",
    "POST /card/file",
    "GET /card/map/{code}.svg",
    "GET /d/{token}",
    "POST /api/v1/card",
    "POST /api/v1/addresses/suggest",
    "GET /maps/card",
    "GET /livez",
    "GET /metrics",
    "GET /readyz",
    "GET /healthz",
    "GET /login",
    "POST /login",
    "POST /logout",
    # They need a session that waits for them; see tests/security/test_own_account.
    "GET /login/factor",
    "POST /login/factor",
    "GET /login/password",
    "POST /login/password",
    "GET /api/v1/who",
    "GET /tiles/base/{z}/{x}/{y}.mvt",
    "GET /tiles/plan/{z}/{x}/{y}.mvt",
    "GET /report",
    "POST /report",
    "GET /report/qr.svg",
    "GET /report/{case}",
    "GET /report/{case}/{key}",
    "POST /report/begin",
    "POST /report/{case}/{key}/satisfaction",
    "GET /point/{srid}/{lon},{lat}",
    "POST /lost",
    "GET /api/ogc",
    "GET /api/ogc/api",
    "GET /api/ogc/conformance",
    "GET /api/ogc/collections",
    "GET /api/ogc/collections/{collection}",
    "GET /api/ogc/collections/{collection}/items",
    "GET /api/ogc/collections/{collection}/items/{code}",
    "GET /api/ogc/collections/{collection}/tiles",
    "GET /api/ogc/collections/{collection}/tiles/WebMercatorQuad",
    "GET /api/ogc/collections/{collection}/tiles/WebMercatorQuad/{z}/{row}/{column}",
    "GET /api/ogc/tileMatrixSets",
    "GET /api/ogc/tileMatrixSets/WebMercatorQuad",
    "GET /open311/discovery.{kind}",
    "GET /open311/v2/services.{kind}",
    "GET /open311/v2/services/{code}.{kind}",
    "GET /open311/v2/requests.{kind}",
    "GET /open311/v2/requests/{case}.{kind}",
}
# Whoever is signed in, about their own account; see tests/security/test_own_account.
OWN = {
    "GET /account",
    "POST /account/password",
    "POST /account/sessions/end",
    "POST /account/factor/begin",
    "POST /account/factor/confirm",
    "POST /account/factor/codes",
    "POST /account/factor/remove",
}
# Programs and devices: a key or a token of their own says who they are.
KEYED = {
    "POST /open311/v2/requests.{kind}",
    "POST /api/v1/reports",
    "POST /api/v1/alerts",
    "GET /api/v1/positions",
    "POST /api/v1/positions",
    "POST /api/v1/positions/own",  # of an account that stands for somebody; see test_intake
}


@dataclass(frozen=True)
class Case:
    """An endpoint, who may use it, and whether what it is about lies in an area."""

    route: str
    roles: frozenset[str]
    area: bool = False
    form: str | None = None
    body: str | None = None


def case(route: str, roles: str, *, area: bool = False, **how: str) -> Case:
    return Case(route, frozenset(roles.split()), area, **how)


POINT = '{{"crs": "EPSG:4326", "geometry": {{"type": "Point", "coordinates": [122.31, 43.575]}}}}'
NOTE = '{{"words": "x"}}'
# What stands in braces is filled in for each area.
CASES = [
    case("GET /planner", "planner reviewer"),
    case("GET /maps/planner", "planner reviewer"),
    case("GET /planner/coverage", "planner"),
    case("GET /maps/coverage", "planner"),
    case("POST /planner/drafts/new", "planner", form="title=x"),
    case("POST /planner/drafts/adopt", "planner"),
    case("GET /planner/history", "planner reviewer"),
    case(
        "GET /api/v1/history/statistics?at=2030-01-01T00:00:00Z&since=2020-01-01T00:00:00Z"
        "&until=2030-01-01T00:00:00Z",
        "planner reviewer",
    ),
    case("GET /api/v1/history/990100001001001", "planner reviewer"),
    case("GET /planner/drafts/{draft}", "planner reviewer", area=True),
    case("GET /planner/drafts/{draft}/conflicts", "planner reviewer", area=True),
    case("GET /planner/drafts/{draft}/report", "planner reviewer", area=True),
    case("GET /planner/drafts/{draft}/report.pdf", "planner reviewer", area=True),
    case("GET /planner/drafts/{draft}/report.xlsx", "planner reviewer", area=True),
    case("GET /dispatch", "dispatcher centre"),
    case("GET /tiles/work/12/3439/1494.mvt", "dispatcher centre"),
    case(
        "POST /api/v1/incidents/similar",
        "dispatcher centre",
        body='{{"lon": 122.31, "lat": 43.575, "class_code": "E01"}}',
    ),
    case("GET /api/v1/incidents/cells", "dispatcher centre"),
    case("GET /api/v1/incidents/handovers", "dispatcher"),
    case("GET /api/v1/incidents/clusters", "dispatcher centre"),
    case("GET /api/v1/incidents/proposals?incident={incident}", "dispatcher", area=True),
    case("GET /api/v1/incidents/{incident}/holes?person=1", "dispatcher centre", area=True),
    case(
        "POST /api/v1/incidents/{incident}/way",
        "dispatcher centre",
        area=True,
        body='{{"lon": 122.31, "lat": 43.575}}',
    ),
    case("POST /api/v1/incidents/{incident}/photos", "dispatcher centre", area=True, body="{{}}"),
    case("GET /api/v1/incidents/{incident}/photos/0", "dispatcher centre", area=True),
    case("POST /api/v1/incidents/table?crs=EPSG:4326", "dispatcher centre", body="{{}}"),
    case("GET /api/v1/closures", "dispatcher centre"),
    case("POST /api/v1/closures", "dispatcher", body='{{"geometry": {{}}}}'),
    case("POST /api/v1/closures/0/end", "dispatcher"),
    case("GET /api/v1/notices", "worker dispatcher centre"),
    case("POST /api/v1/notices/0/seen", "worker dispatcher centre"),
    case("GET /dispatch/ledger", "dispatcher centre"),
    case("GET /dispatch/ledger/table.xlsx", "dispatcher centre"),
    case("GET /dispatch/ledger/print.pdf", "dispatcher centre"),
    case("GET /work", "worker"),
    case("POST /api/v1/positions/own/forget", "worker"),
    case("POST /api/v1/incidents/{incident}/hand-over", "dispatcher", area=True, body="{{}}"),
    case("GET /api/v1/incidents", "dispatcher centre"),
    case(
        "POST /api/v1/incidents",
        "worker dispatcher centre",
        body='{{"class_code": "E01", "x": 122.31, "y": 43.575, "crs": "EPSG:4326"}}',
    ),
    case("GET /api/v1/incidents/tasks", "worker"),
    case("GET /api/v1/incidents/{incident}", "dispatcher centre", area=True),
    case("GET /api/v1/incidents/{incident}/recommendation", "dispatcher centre", area=True),
    case("POST /api/v1/incidents/{incident}/send", "dispatcher", area=True, body='{{"person": 0}}'),
    case("POST /api/v1/incidents/{incident}/triage", "dispatcher centre", area=True, body="{{}}"),
    case("POST /api/v1/assign", "dispatcher", body='{{"crs": "EPSG:4326", "rows": []}}'),
    case(
        "POST /api/v1/assign/shares",
        "dispatcher",
        body=POINT,
    ),
    case("POST /api/v1/assign/jobs", "dispatcher"),
    case("GET /api/v1/assign/jobs/{job}", "dispatcher"),
    case("DELETE /api/v1/assign/jobs/{job}", "dispatcher"),
    case("GET /api/v1/assign/jobs/{job}/result", "dispatcher"),
    case("GET /api/v1/drafts", "planner reviewer"),
    case("POST /api/v1/drafts", "planner", body='{{"title": "x"}}'),
    case("GET /api/v1/drafts/{draft}", "planner reviewer", area=True),
    case("GET /api/v1/drafts/{draft}/communities/{community}", "planner reviewer", area=True),
    case(
        "POST /api/v1/drafts/{draft}/edits",
        "planner",
        area=True,
        body='{{"operation": "rename", "community": "{community}", "grid": "x", "name": "y"}}',
    ),
    case("GET /api/v1/drafts/{draft}/people", "planner reviewer", area=True),
    case("POST /api/v1/drafts/{draft}/undo", "planner", area=True, body="{{}}"),
    case("POST /api/v1/drafts/{draft}/redo", "planner", area=True, body="{{}}"),
    case("POST /api/v1/drafts/{draft}/go", "planner", area=True, body='{{"position": 0}}'),
    case("POST /api/v1/drafts/{draft}/rebase", "planner", area=True, body="{{}}"),
    case("POST /api/v1/drafts/{draft}/checkpoints", "planner", area=True, body='{{"name": "x"}}'),
    case("POST /api/v1/drafts/{draft}/notes", "planner reviewer", area=True, body=NOTE),
    case("POST /api/v1/drafts/{draft}/notes/0/resolve", "planner reviewer", area=True, body="{{}}"),
    case("POST /api/v1/drafts/{draft}/steps/submit", "planner", area=True, body="{{}}"),
    case("POST /api/v1/drafts/{draft}/steps/withdraw", "planner", area=True, body="{{}}"),
    case("POST /api/v1/drafts/{draft}/steps/return", "reviewer", area=True, body="{{}}"),
    case("POST /api/v1/drafts/{draft}/steps/approve", "reviewer", area=True, body="{{}}"),
    case(
        "GET /api/v1/grids/{community}001/door-signs.pdf",
        "planner dispatcher centre",
        area=True,
    ),
    case("GET /tiles/draft/{draft}/12/3439/1494.mvt", "planner reviewer", area=True),
]
# What only somebody of the whole county may do, whose role fits.
COUNTY_ONLY = {
    "POST /api/v1/drafts/{draft}/publish": ("reviewer", "{}"),
    "POST /api/v1/drafts": ("planner", '{"former": 1}'),
    "POST /planner/drafts": ("planner", "profile=tongliao&seed=1"),
}
# Answers that never end are asked for in the browser tests.
STREAMS = {"GET /api/v1/drafts/*/events", "GET /api/v1/incidents/feed"}


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city)) as client:
        yield client


@pytest.fixture
def things(city: Database) -> dict[str, dict[str, int]]:
    """For each area, something of it to ask for."""
    with city.session() as session:
        for role in ROLES:
            grants = (Grant(role, INSIDE),)
            add_account(session, COUNTY, f"a-{role}", role, PASSWORD, grants)
        query = text(
            "SELECT max(incident.id) FROM incident JOIN grid ON grid.id = grid_id "
            "WHERE community = :code AND state = 'accepted'"
        )
        bench, whole = Workbench(COUNTY), Scope.whole(COUNTY)
        return {
            code: {
                "incident": session.scalar(query, {"code": code}),
                "draft": bench.create(session, whole, author="x", title="", area=code).id,
                "community": code,
                "job": 0,
            }
            for code in (INSIDE, OUTSIDE)
        }


def paths(web: TestClient) -> set[str]:
    """Every route of the application, without the values in its path."""
    found = set()
    for route in web.app.routes:
        inner = getattr(route, "original_router", None)
        for one in inner.routes if inner is not None else [route]:
            methods = getattr(one, "methods", None) or ()
            found |= {f"{method} {one.path}" for method in methods if method != "HEAD"}
    return found


def ask(web: TestClient, one: Case, values: dict[str, int], csrf: str) -> int:
    method, path = one.route.format(**values).split(" ", 1)
    headers = {"X-CSRF-Token": csrf, "If-Match": '"0"'}
    how: dict = {"headers": headers, "follow_redirects": False}
    if one.form is not None:
        fields = [pair.split("=") for pair in f"{one.form.format(**values)}".split("&") if pair]
        how["data"] = dict(fields) | {"csrf": csrf}
    if one.body is not None:
        how["json"] = json.loads(one.body.format(**values))
    return web.request(method, path, **how).status_code


def sign_in(web: TestClient, city: Database, login: str) -> str:
    answer = web.post("/login", data={"login": login, "password": PASSWORD}, follow_redirects=False)
    assert answer.status_code == 303
    with city.session() as session:
        return session.scalar(
            text(
                "SELECT csrf FROM session JOIN account ON account.id = account_id "
                "WHERE login = :login"
            ),
            {"login": login},
        )


def shape(route: str) -> str:
    """The route with its values' names taken out."""
    path = route.split("?", maxsplit=1)[0]
    return "/".join("*" if part.startswith("{") else part for part in path.split("/"))


def test_every_endpoint_stands_in_the_table(web: TestClient) -> None:
    known = {shape(one.route) for one in CASES} | {shape(route) for route in OPEN}
    known |= {shape(route) for route in COUNTY_ONLY} | STREAMS | {"GET /openapi.json"}
    known |= {shape(route) for route in KEYED | OWN} | {"GET /work/offline.js"}
    known = {like(route) for route in known}
    assert {one for one in map(shape, paths(web)) if like(one) not in known} == set()


def like(route: str) -> str:
    """Routes that differ in a value only are alike: a job's result, a note's number, a step."""
    for part in (
        "result",
        "990100001001001",
        "0",
        "submit",
        "withdraw",
        "return",
        "approve",
        "triage",
        "12",
        "3439",
    ):
        route = route.replace(f"/{part}", "/*")
    return route.replace("/1494.mvt", "/*").replace("/{y}.mvt", "/*")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says_in_its_area(
    web: TestClient, city: Database, things: dict, role: str
) -> None:
    csrf = sign_in(web, city, f"a-{role}")
    for one in CASES:
        inside = ask(web, one, things[INSIDE], csrf)
        if role not in one.roles:
            assert inside == 403, (role, one.route)
            continue
        assert inside not in {401, 403, 500}, (role, one.route, inside)
        if one.area:
            assert ask(web, one, things[OUTSIDE], csrf) in {403, 404}, (role, one.route)


@pytest.mark.parametrize("route", COUNTY_ONLY)
def test_what_is_the_countys_is_refused_to_a_town(
    web: TestClient, city: Database, things: dict, route: str
) -> None:
    role, body = COUNTY_ONLY[route]
    csrf = sign_in(web, city, f"a-{role}")
    method, path = route.format(**things[INSIDE]).split(" ")
    how: dict = {"headers": {"X-CSRF-Token": csrf}}
    if body.startswith("{"):
        how["json"] = json.loads(body)
    else:
        how["data"] = dict(pair.split("=") for pair in body.split("&")) | {"csrf": csrf}
    answer = web.request(method, path, **how)
    assert answer.status_code == 403
    assert "county" in answer.text


def test_nobody_may_do_anything_unless_signed_in(web: TestClient, things: dict) -> None:
    for one in CASES:
        status = ask(web, one, things[INSIDE], "")
        assert status in {303, 401}, (one.route, status)
        if status == 303:
            assert one.route.split()[1].startswith(
                ("/planner", "/dispatch", "/maps", "/tiles", "/work")
            )


def test_what_was_seen_is_noted(web: TestClient, city: Database, things: dict) -> None:
    sign_in(web, city, "a-dispatcher")
    number = things[INSIDE]["incident"]
    assert web.get(f"/dispatch?incident={number}&words=x").status_code == 200
    assert web.get(f"/api/v1/incidents/{number}?x=122.31").status_code == 200
    assert web.get("/api/v1/incidents?words=滨南街1号").status_code == 200
    start = {"lon": 122.31, "lat": 43.575}
    assert web.post(f"/api/v1/incidents/{number}/way", json=start).status_code == 200
    assert web.post("/api/v1/incidents/similar", json=start | {"class_code": "E01"}).is_success
    assert web.get("/api/v1/incidents/122.31,43.575").status_code in {404, 422}
    web.app.state.read_log.flush()
    with city.session() as session:
        query = "SELECT action, subject FROM audit_{} WHERE actor = 'a-dispatcher' ORDER BY id"
        changes = [tuple(row) for row in session.execute(text(query.format("log")))]
        reads = [tuple(row) for row in session.execute(text(query.format("read")))]
    assert changes == [("login", "")]
    assert reads == [
        ("see /dispatch", f"incident={number}"),
        ("see /api/v1/incidents/{number}", f"number={number}"),
        ("see /api/v1/incidents", ""),
        ("see /api/v1/incidents/{number}/way", f"number={number}"),
        ("see /api/v1/incidents/similar", ""),
        # That something odd was tried is noted, not what: it may be a place.
        ("see /api/v1/incidents/{number}", ""),
    ]


@pytest.mark.parametrize("role", ["planner", "reviewer", "dispatcher", "centre", "worker"])
def test_every_look_of_a_desk_is_noted(
    web: TestClient, city: Database, things: dict, role: str
) -> None:
    sign_in(web, city, f"a-{role}")
    seen = set()
    for one in CASES:
        method, path = one.route.format(**things[INSIDE]).split(" ", 1)
        if method == "GET" and role in one.roles:
            web.get(path, follow_redirects=False)
            seen.add(shape(one.route).split(" ", 1)[1].partition("?")[0])
    web.app.state.read_log.flush()
    query = text("SELECT DISTINCT action FROM audit_read WHERE actor = :actor")
    with city.session() as session:
        noted = session.scalars(query, {"actor": f"a-{role}"}).all()
    shapes = {like(shape(one.removeprefix("see "))) for one in noted}
    assert {like(path) for path in seen} - shapes == set()


@pytest.mark.usefixtures("things")
def test_what_a_map_asks_for_is_noted_once_a_minute_without_its_place(
    web: TestClient, city: Database
) -> None:
    sign_in(web, city, "a-dispatcher")
    for at in range(4):
        assert web.get(f"/tiles/work/14/{13757 + at}/5977.mvt").status_code == 200
        assert web.get("/api/v1/notices").status_code == 200
    web.app.state.read_log.flush()
    with city.session() as session:
        rows = session.execute(text("SELECT action, subject FROM audit_read ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [
        ("see /tiles/work/{z}/{x}/{y}.mvt", ""),
        ("see /api/v1/notices", ""),
    ]


# Names of what is not the area's, by what they are of.
FOREIGN = {
    "person": "外人",
    "division": "外村",
    "grid": "外格",
    "incident": "外事",
    "draft": "外稿",
    "service area": "外区",
}
# The published plan is everybody's, on every map; who can go is told wherever they come from.
PUBLIC = {
    "GET /tiles/draft/{draft}/12/3439/1494.mvt": ("grid", "division"),
    "GET /api/v1/incidents/proposals?incident={incident}": ("person",),
}
MORE = (
    case("GET /planner?community=990100001004", "planner reviewer"),
    case("GET /planner?grid=990100001004001", "planner reviewer"),
    case("GET /api/v1/incidents/{incident}/recommendation?why=true", "dispatcher centre"),
    case("GET /api/v1/incidents?words=外事", "dispatcher centre"),
    case("GET /api/v1/incidents?state=closed&state=accepted&limit=500", "dispatcher centre"),
    case("GET /api/v1/drafts/{draft}/people?words=外", "planner reviewer"),
    case("GET /api/v1/drafts/{draft}/people?role=mediator", "planner reviewer"),
    case("GET /api/v1/drafts/{draft}/communities/990100001004", "planner reviewer"),
    case("GET /api/v1/history/990100001004001", "planner reviewer"),
    case("GET /dispatch/ledger?period=month", "dispatcher centre"),
    case("GET /tiles/work/14/13757/5977.mvt", "dispatcher centre"),
    case("GET /tiles/work/10/859/373.mvt", "dispatcher centre"),
)


POSTS = "SELECT FROM responsibility LEFT JOIN grid ON grid.id = grid_id WHERE person_id = person.id"


@pytest.fixture
def foreign(city: Database, things: dict) -> dict[str, dict[str, int]]:
    """Mark whatever is of another community than the account's."""
    statements = (
        (
            "UPDATE person SET name = '外人' || id WHERE "
            f"EXISTS ({POSTS} AND coalesce(division, community) <> :inside) "
            f"AND NOT EXISTS ({POSTS} AND (service_area_id IS NOT NULL OR coalesce(division, "
            "community) IN (:inside, '990100001000', '990100000000')))"
        ),
        "UPDATE division SET name = '外村' || code WHERE level = 'village' AND code <> :inside",
        (
            "UPDATE position SET geom = (SELECT ST_PointOnSurface(geom) FROM grid WHERE community "
            "= :outside AND upper_inf(valid) LIMIT 1) FROM person WHERE person.id = person_id "
            "AND name LIKE '外人%'"
        ),
        "UPDATE grid SET name = '外格' || code WHERE community <> :inside",
        (
            "UPDATE incident SET description = '外事' || incident.id FROM grid "
            "WHERE grid.id = grid_id AND community <> :inside"
        ),
        "UPDATE generation SET title = '外稿' WHERE area = :outside",
        "UPDATE service_area SET name = '外区' || id",
    )
    with city.session() as session:
        for statement in statements:
            known = {"inside": INSIDE, "outside": OUTSIDE}
            values = {name: known[name] for name in known if f":{name}" in statement}
            assert session.execute(text(statement), values).rowcount > 0, statement
    return things


def told(answer) -> str:
    """The words of an answer, of whatever kind."""
    kind = answer.headers.get("content-type", "")
    if "spreadsheet" in kind:
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            return " ".join(book.read(name).decode() for name in book.namelist())
    if "pdf" in kind:
        pages = pypdfium2.PdfDocument(answer.content)
        return " ".join(page.get_textpage().get_text_range() for page in pages)
    words = answer.content.decode("utf-8", "replace")
    if "/recommendation" in str(answer.url) and answer.status_code == 200:
        # Who can go is told wherever they come from.
        words = json.dumps(answer.json() | {"candidates": []}, ensure_ascii=False)
    return (
        words.encode().decode("unicode_escape", "replace") if "maps" in str(answer.url) else words
    )


@pytest.mark.parametrize("role", ["planner", "reviewer", "dispatcher", "centre", "worker"])
def test_nothing_of_another_community_is_told(
    web: TestClient, city: Database, foreign: dict, role: str
) -> None:
    sign_in(web, city, f"a-{role}")
    seen = 0
    for one in (*CASES, *MORE):
        if role not in one.roles or not one.route.startswith("GET "):
            continue
        path = one.route.format(**foreign[INSIDE]).split(" ", 1)[1]
        answer = web.get(path, headers={"Accept-Language": "zh"})
        seen += answer.status_code == 200
        words = told(answer)
        hidden = [w for kind, w in FOREIGN.items() if kind not in PUBLIC.get(one.route, ())]
        if answer.status_code == 200:
            assert [word for word in hidden if word in words] == [], one.route
        if "grid" in PUBLIC.get(one.route, ()) or answer.status_code != 200:
            continue
        codes = set(re.findall(r"(?<!\d)990100\d{6,14}(?!\d)", words))
        own = {code for code in codes if code.startswith(INSIDE)}
        asked = set(re.findall(r"\d{12,}", path))
        assert codes - own - asked - {"990100001000", "990100000000"} == set(), one.route
    assert seen >= {"worker": 3}.get(role, 8)


def test_holes_are_told_of_people_in_the_area_only(
    web: TestClient, city: Database, things: dict
) -> None:
    query = text(
        "SELECT community, min(person_id) FROM position JOIN grid ON upper_inf(valid) "
        "AND ST_Covers(grid.geom, position.geom) WHERE community = ANY (:codes) GROUP BY community"
    )
    moved = text(
        "UPDATE position SET geom = (SELECT ST_PointOnSurface(geom) FROM grid "
        "WHERE community = :code AND upper_inf(valid) ORDER BY code LIMIT 1) WHERE person_id = "
        "(SELECT person_id FROM position ORDER BY person_id OFFSET :n LIMIT 1)"
    )
    with city.session() as session:
        for n, code in enumerate((INSIDE, OUTSIDE)):
            session.execute(moved, {"code": code, "n": n})
        people = dict(session.execute(query, {"codes": [INSIDE, OUTSIDE]}).all())
    sign_in(web, city, "a-dispatcher")
    number = things[INSIDE]["incident"]
    path = f"/api/v1/incidents/{number}/holes?person={people[INSIDE]}&person={people[OUTSIDE]}"
    answer = web.get(path)
    assert answer.status_code == 200, answer.text
    assert [one["person_id"] for one in answer.json()["holes"]] == [people[INSIDE]]


@pytest.mark.usefixtures("things")
def test_roads_are_closed_and_opened_in_ones_area_only(web: TestClient, city: Database) -> None:
    csrf = {"X-CSRF-Token": sign_in(web, city, "a-dispatcher")}
    query = text("SELECT ST_AsGeoJSON(ST_PointOnSurface(geom)) FROM division WHERE code = :code")
    numbers = []
    for code, status in ((INSIDE, 201), (OUTSIDE, 422)):
        with city.session() as session:
            lon, lat = json.loads(session.scalar(query, {"code": code}))["coordinates"]
        line = {"type": "LineString", "coordinates": [[lon, lat], [lon + 1e-4, lat]]}
        answer = web.post("/api/v1/closures", json={"geometry": line}, headers=csrf)
        assert answer.status_code == status, answer.text
        with city.session() as session:
            shape = shapely.LineString(line["coordinates"])
            whole, begins = Scope.whole(COUNTY), datetime.now(UTC)
            facts = {"begins": begins, "ends": None, "reason": "", "author": "test"}
            numbers.append(close_roads(session, whole, shape, **facts))
    for number, status in zip(numbers, (204, 422), strict=True):
        answer = web.post(f"/api/v1/closures/{number}/end", headers=csrf)
        assert answer.status_code == status, answer.text


@pytest.mark.usefixtures("things")
def test_a_table_of_places_is_answered_for_the_area_only(web: TestClient, city: Database) -> None:
    csrf = sign_in(web, city, "a-dispatcher")
    query = text(
        "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) AS p FROM grid "
        "WHERE community = :code AND upper_inf(valid) ORDER BY code LIMIT 1) AS x"
    )
    with city.session() as session:
        places = [session.execute(query, {"code": code}).one() for code in (INSIDE, OUTSIDE)]
    rows = [{"lon": lon, "lat": lat} for lon, lat in places]
    asked = {"crs": "EPSG:4326", "rows": rows}
    answer = web.post("/api/v1/assign", json=asked, headers={"X-CSRF-Token": csrf}).json()
    assert answer["rows"][0]["community"] == INSIDE
    assert answer["rows"][1] == {"id": None, "refused": "outside your area"}
    both = {"type": "LineString", "coordinates": [list(place) for place in places]}
    asked = {"crs": "EPSG:4326", "geometry": both}
    found = web.post("/api/v1/assign/shares", json=asked, headers={"X-CSRF-Token": csrf}).json()
    assert found["grids"]
    assert {one["code"][:12] for one in found["grids"]} == {INSIDE}
