"""Attack: asking for a map's tile under a version that is to come, so that the picture of now is
kept for everybody who asks for it then; and filling the server's memory with tiles of nothing.
"""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from data.database import Database
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from grids.drafting import Workbench
from grids.figures import base_version
from maps.tiles import TileCache

HERE = "14/13757/5977"


def kept(web: TestClient, path: str) -> bool:
    before = dict(web.app.state.tiles._tiles)
    answer = web.get(path)
    assert answer.status_code == 200, answer.text
    is_held = web.app.state.tiles._tiles != before
    assert ("immutable" in answer.headers["cache-control"]) is is_held, path
    return is_held


def test_a_draft_is_kept_by_its_present_version_alone(web: TestClient, city: Database) -> None:
    with city.session() as session:
        draft = Workbench(COUNTY).create(session, Scope.whole(COUNTY), author="x", title="").id
    web.post("/login", data={"login": "demo-review", "password": "onegrid-demo"})
    path = f"/tiles/draft/{draft}/{HERE}.mvt"
    for version in ("1", "2", "-1", "00", "fresh", ""):
        assert not kept(web, f"{path}?v={version}"), version
    assert kept(web, f"{path}?v=0")
    with city.session() as session:
        session.execute(text("UPDATE generation SET version = 1 WHERE id = :id"), {"id": draft})
    assert not kept(web, f"{path}?v=0")
    assert kept(web, f"{path}?v=1"), "what was asked for early was not kept"


def test_the_plan_and_the_ground_are_kept_by_their_versions_alone(
    web: TestClient, city: Database
) -> None:
    query = text("SELECT id, lower(valid) AS since FROM generation WHERE valid IS NOT NULL")
    with city.session() as session:
        ground, plan = base_version(session), session.execute(query).one()
    assert kept(web, f"/tiles/base/{HERE}.mvt?v={ground}")
    for version in ("", "1.1", f"{ground}0"):
        assert not kept(web, f"/tiles/base/{HERE}.mvt?v={version}")
    at = {"at": plan.since.isoformat()}
    early = {"at": (datetime.now(UTC) + timedelta(days=9)).isoformat()}
    for moment, version in ((at, plan.id + 1), (early, plan.id + 1), (at, "")):
        answer = web.get(f"/tiles/plan/{HERE}.mvt", params=moment | {"v": version})
        assert answer.headers["cache-control"] == "no-cache"
    answer = web.get(f"/tiles/plan/{HERE}.mvt", params=at | {"v": plan.id})
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("size", [0, 10])
def test_tiles_are_bounded_by_their_number_too(size: int) -> None:
    cache = TileCache(most_bytes=1000, most_tiles=50)
    for key in range(500):
        assert cache.get(key, lambda: b"x" * size) == b"x" * size
    assert len(cache._tiles) == 50
