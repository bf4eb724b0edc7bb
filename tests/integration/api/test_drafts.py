"""The drafts' API over HTTP: editing with ETags, review by somebody else, tiles, refusals."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import openpyxl
import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.demo import DEMO_LOGIN, DEMO_PASSWORD, DEMO_REVIEWER
from data.accounts import Grant, grant_role
from data.database import Database
from data.models import Generation
from data.settings import Settings
from grids.publishing import publish

TOWN = "990100001001"


class Desk:
    """A signed-in client that carries the session's token and the draft's version."""

    def __init__(self, web: TestClient, city: Database, login: str) -> None:
        self.web, self.city = web, city
        form = {"login": login, "password": DEMO_PASSWORD}
        assert web.post("/login", data=form, follow_redirects=False).status_code == 303
        with city.session() as session:
            query = "SELECT csrf FROM session ORDER BY expires_at DESC LIMIT 1"
            self.csrf = session.scalar(text(query))
        self.version = 0

    def get(self, path: str):
        return self.web.get(f"/api/v1/drafts{path}")

    def post(self, path: str, body: dict | None = None, version: int | None = None):
        seen = self.version if version is None else version
        headers = {"X-CSRF-Token": self.csrf, "If-Match": f'"{seen}"'}
        answer = self.web.post(f"/api/v1/drafts{path}", json=body or {}, headers=headers)
        if answer.is_success:
            assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
            self.version = answer.json()["version"]
        return answer


@pytest.fixture
def web(city: Database, city_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(city_settings, city)) as client:
        yield client


@pytest.fixture
def planner(web: TestClient, city: Database) -> Desk:
    return Desk(web, city, DEMO_LOGIN)


def merge_of(desk: Desk, draft: int) -> dict:
    """A merge of two grids that touch."""
    with desk.city.session() as session:
        bench = desk.web.app.state.workbench
        plan = bench.community(session, session.get(Generation, draft), TOWN)
    borders = plan.blocks.borders
    apart = plan.grid_of[borders.left] != plan.grid_of[borders.right]
    i = np.flatnonzero(apart)[0]
    two = [plan.keys[plan.grid_of[side[i]]] for side in (borders.left, borders.right)]
    return {"operation": "merge", "community": TOWN, "grids": two}


def begun(planner: Desk) -> int:
    answer = planner.post("", {"title": "试"})
    assert answer.status_code == 201, answer.text
    return answer.json()["draft"]


def test_an_edit_comes_back_with_its_consequences(planner: Desk) -> None:
    draft = begun(planner)
    asked = merge_of(planner, draft)
    done = planner.post(f"/{draft}/edits", asked).json()
    assert (done["version"], done["head"], done["communities"]) == (1, 1, [TOWN])
    gone, grown = sorted(done["changes"], key=lambda one: one["after"] is not None)
    assert (gone["key"], gone["after"], grown["key"]) == (
        asked["grids"][1],
        None,
        asked["grids"][0],
    )
    assert done["moved"]["households"] == gone["before"]["households"]
    assert done["moved"]["addresses"] > 0
    assert done["moved"]["workers"]
    assert done["totals"]["after"]["grids"] == done["totals"]["before"]["grids"] - 1
    assert done["totals"]["after"]["households"] == done["totals"]["before"]["households"]
    assert (
        sum(done["totals"]["after"]["histogram"]) == sum(done["totals"]["before"]["histogram"]) - 1
    )
    warned = [one for one in done["warnings"] if one["grid"] == grown["key"]]
    assert {"out_of_range"} <= {one["kind"] for one in warned}
    back = planner.post(f"/{draft}/undo").json()
    assert (back["version"], back["head"]) == (2, 0)
    assert back["totals"]["after"] == back["totals"]["before"]
    assert planner.post(f"/{draft}/redo").json()["head"] == 1
    seen = planner.get(f"/{draft}").json()
    assert [one["operation"] for one in seen["edits"]] == ["merge"]
    assert seen["communities"] == [TOWN]
    panel = planner.get(f"/{draft}/communities/{TOWN}").json()
    assert grown["key"] in {grid["key"] for grid in panel["grids"]}


def test_a_stale_edit_gets_412_and_the_current_state(planner: Desk) -> None:
    draft = begun(planner)
    asked = merge_of(planner, draft)
    planner.post(f"/{draft}/edits", asked)
    late = planner.post(f"/{draft}/edits", asked, version=0)
    assert late.status_code == 412
    assert late.json()["current"]["version"] == 1
    assert len(late.json()["current"]["edits"]) == 1
    assert late.headers["etag"] == '"1"'


def test_a_refused_edit_tells_rule_and_place(planner: Desk) -> None:
    draft = begun(planner)
    with planner.city.session() as session:
        bench = planner.web.app.state.workbench
        plan = bench.community(session, session.get(Generation, draft), TOWN)
    far = plan.blocks.keys[int(np.argmax(plan.grid_of != plan.grid_of[0]))]
    two = [key for key in plan.blocks.keys if plan.grid_of[plan.blocks.position[key]] == 0]
    asked = {"operation": "new_grid", "community": TOWN, "blocks": [two[0], far, two[-1]]}
    refused = planner.post(f"/{draft}/edits", asked)
    assert refused.status_code == 422
    facts = refused.json()
    assert facts["rule"] in {"contiguous", "empty"}
    if facts["rule"] == "contiguous":
        assert shapely.from_geojson(str(facts["place"]).replace("'", '"')).area > 0
    assert planner.get(f"/{draft}").json()["version"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"operation": "explode"},
        {"operation": "merge", "community": TOWN, "grids": ["x", "y"]},
        {"operation": "merge", "community": "990100009999", "grids": ["x", "y"]},
        {"operation": "cut", "community": TOWN, "line": [[1e400, 0], [0, 1]]},
        {"operation": "cut", "community": TOWN, "line": [[0, 0], [1, 1], [1, 0], [0, 1]]},
        {"operation": "rename", "community": TOWN, "grid": "x" * 100, "name": "y"},
        {"operation": "dedicate", "community": TOWN, "grid": f"{TOWN}001", "zone_id": 10**17},
    ],
)
def test_nonsense_is_refused_with_a_reason(planner: Desk, body: dict) -> None:
    draft = begun(planner)
    written = json.dumps(body).replace("Infinity", "1e999")
    headers = {"X-CSRF-Token": planner.csrf, "If-Match": '"0"', "Content-Type": "application/json"}
    answer = planner.web.post(f"/api/v1/drafts/{draft}/edits", content=written, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert len(answer.json()["detail"]) > 5


def test_without_token_or_version_nothing_is_edited(planner: Desk) -> None:
    draft = begun(planner)
    path = f"/api/v1/drafts/{draft}/undo"
    assert planner.web.post(path, headers={"If-Match": '"0"'}).status_code == 403
    assert planner.web.post(path, headers={"X-CSRF-Token": planner.csrf}).status_code == 422


def test_a_draft_is_reviewed_by_somebody_else_and_published_at_a_day(
    planner: Desk, web: TestClient, city: Database
) -> None:
    draft = begun(planner)
    assert planner.post(f"/{draft}/steps/submit").status_code == 409, "it changes nothing yet"
    asked = merge_of(planner, draft)
    planner.post(f"/{draft}/edits", asked)
    assert planner.post(f"/{draft}/steps/submit").json()["state"] == "review"
    assert planner.post(f"/{draft}/undo").status_code == 409, "it is in review"
    assert planner.post(f"/{draft}/steps/approve").status_code == 403, "a planner is no reviewer"
    reviewer = Desk(TestClient(web.app), city, DEMO_REVIEWER)
    assert reviewer.post(f"/{draft}/steps/return", {"reason": " "}).status_code == 409
    pinned = {"words": "这里太大", "place": [122.31, 43.575]}
    assert reviewer.post(f"/{draft}/notes", pinned).json()["notes"][0]["place"] == [122.31, 43.575]
    back = reviewer.post(f"/{draft}/steps/return", {"reason": "太大"}).json()
    assert (back["state"], back["steps"][-1]["reason"]) == ("draft", "太大")
    note = back["notes"][0]["id"]
    planner.post(f"/{draft}/notes/{note}/resolve")
    planner.post(f"/{draft}/steps/submit")
    assert reviewer.post(f"/{draft}/publish").status_code == 403, "it is not approved yet"
    assert reviewer.post(f"/{draft}/steps/approve").json()["state"] == "approved"
    day = datetime.now(UTC) + timedelta(days=2)
    past = reviewer.post(f"/{draft}/publish", {"at": (day - timedelta(days=30)).isoformat()})
    assert (past.status_code, "never from an earlier" in past.text) == (409, True)
    done = reviewer.post(f"/{draft}/publish", {"at": day.isoformat()})
    assert done.json()["state"] == "published"
    place = {"lon": 122.31, "lat": 43.575}
    assert web.get("/api/v1/who", params=place).status_code == 200
    with city.session() as session:
        query = text("SELECT step FROM review_step WHERE generation_id = :draft ORDER BY id")
        steps = session.scalars(query, {"draft": draft}).all()
    assert steps == ["submit", "return", "submit", "approve", "publish"]


def test_nobody_approves_what_they_drew(planner: Desk, city: Database) -> None:
    with city.session() as session:
        grant_role(session, DEMO_LOGIN, Grant("reviewer"))
    draft = begun(planner)
    planner.post(f"/{draft}/edits", merge_of(planner, draft))
    planner.post(f"/{draft}/steps/submit")
    assert "somebody else" in planner.post(f"/{draft}/steps/approve").json()["detail"]


def test_tiles_hold_the_draft_as_it_is(planner: Desk, web: TestClient) -> None:
    draft = begun(planner)
    z = 14
    x, y = tile_of(122.31, 43.575, z)
    path = f"/tiles/draft/{draft}/{z}/{x}/{y}.mvt"
    first = web.get(f"{path}?v=0")
    assert first.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert b"990100001001001" in first.content
    asked = merge_of(planner, draft)
    gone = asked["grids"][1].encode()
    planner.post(f"/{draft}/edits", asked)
    second = web.get(f"{path}?v=1").content
    assert gone in first.content
    assert gone not in second
    late = web.get(f"{path}?v=0")
    assert (late.content, late.headers["cache-control"]) == (second, "no-cache"), "it is no more"
    plan = web.get(f"/tiles/plan/{z}/{x}/{y}.mvt").content
    assert gone in plan
    assert len(web.get(f"/tiles/base/{z}/{x}/{y}.mvt").content) > 1000
    assert web.get(f"/tiles/base/{z}/{2**z}/0.mvt").status_code == 404
    web.cookies.clear()
    assert web.get(f"{path}?v=1", follow_redirects=False).status_code == 303


def tile_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    x = (lon + 180) / 360 * 2**z
    angle = np.radians(lat)
    y = (1 - np.arcsinh(np.tan(angle)) / np.pi) / 2 * 2**z
    return int(x), int(y)


def test_an_earlier_plan_comes_back(planner: Desk, city: Database) -> None:
    draft = begun(planner)
    planner.post(f"/{draft}/edits", merge_of(planner, draft))
    with city.session() as session:
        former = session.scalar(text("SELECT id FROM generation WHERE valid @> now()"))
        publish(session, "990100", draft)
    answer = planner.post("", {"former": former})
    assert answer.status_code == 201, answer.text
    assert [one["operation"] for one in answer.json()["edits"]] == ["restore"]
    assert planner.post("", {"former": 10**9}).status_code == 404


def test_the_change_report_as_page_pdf_and_workbook(planner: Desk, web: TestClient) -> None:
    draft = begun(planner)
    asked = merge_of(planner, draft)
    name = "=HYPERLINK(1)"
    planner.post(f"/{draft}/edits", asked)
    renamed = {"operation": "rename", "community": TOWN, "grid": asked["grids"][0], "name": name}
    planner.post(f"/{draft}/edits", renamed)
    page = web.get(f"/planner/drafts/{draft}/report").text
    assert "变更的社区: 1" in page
    assert page.count("<svg") == 2
    assert "沿革" in page
    printed = web.get(f"/planner/drafts/{draft}/report.pdf")
    assert printed.headers["content-type"] == "application/pdf"
    assert printed.content.startswith(b"%PDF")
    book = openpyxl.load_workbook(
        io.BytesIO(web.get(f"/planner/drafts/{draft}/report.xlsx").content)
    )
    assert book.sheetnames == ["合计", "网格", "沿革", "未结事件", "提醒"]
    named = [cell for row in book["网格"].iter_rows() for cell in row if cell.value == name]
    assert [cell.data_type for cell in named] == ["s"], "it is a word, no formula"
    assert book["沿革"].max_row == 2


def test_the_history_tells_generations_and_lineage(
    planner: Desk, web: TestClient, city: Database
) -> None:
    draft = begun(planner)
    asked = merge_of(planner, draft)
    planner.post(f"/{draft}/edits", asked)
    with city.session() as session:
        publish(session, "990100", draft)
    page = web.get("/planner/history").text
    assert page.count("data-id=") == 2
    assert "恢复" in page
    grown = web.get(f"/api/v1/history/{asked['grids'][0]}").json()
    assert {one["source"] for one in grown["steps"]} == set(asked["grids"])
    assert sum(one["share"] for one in grown["steps"]) == pytest.approx(1)
    gone = web.get(f"/api/v1/history/{asked['grids'][1]}").json()
    assert {one["target"] for one in gone["steps"]} == {asked["grids"][0]}
    assert web.get("/api/v1/history/x").status_code == 422


def test_open_incidents_are_handed_over_by_a_dispatcher_only(
    planner: Desk, web: TestClient, city: Database
) -> None:
    draft = begun(planner)
    asked = merge_of(planner, draft)
    planner.post(f"/{draft}/edits", asked)
    query = text("SELECT id, grid_id FROM incident ORDER BY id")
    with city.session() as session:
        before = session.execute(query).all()
        publish(session, "990100", draft)
    with city.session() as session:
        assert session.execute(query).all() == before, "nothing is moved by itself"
    proposed = web.get("/api/v1/incidents/handovers").json()["handovers"]
    incident = proposed[0]["id"]
    path, headers = f"/api/v1/incidents/{incident}/hand-over", {"X-CSRF-Token": planner.csrf}
    assert web.post(path, headers=headers).status_code == 200
    with city.session() as session:
        code, kinds = session.execute(
            text(
                "SELECT grid.code, (SELECT array_agg(kind) FROM incident_event "
                "WHERE incident_id = incident.id) FROM incident JOIN grid ON grid.id = grid_id "
                "WHERE incident.id = :id AND upper_inf(grid.valid)"
            ),
            {"id": incident},
        ).one()
        people = session.scalar(
            text("SELECT count(*) FROM assignment WHERE incident_id = :id"), {"id": incident}
        )
    assert code == asked["grids"][0]
    assert "hand_over" in kinds
    assert people > 0
    assert web.post(path, headers=headers).status_code == 404, "it is done"
