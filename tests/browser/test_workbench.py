"""A whole redraw session on Taichung in real browsers, and what happens when things break."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely
from playwright.sync_api import Browser
from sqlalchemy import text

from data import importing
from data.accounts import add_account
from data.cluster import Cluster
from data.models import Generation
from data.scope import Scope
from grids.drafting import Workbench
from grids.plan import draw_draft
from grids.publishing import publish
from grids.redraw import (
    CommunityPlan,
    DraftState,
    EditRefusedError,
    apply,
    operation_to_json,
    resolve,
)
from grids.redraw import operations as op
from tests.browser.conftest import Desk, Served, watched
from tests.browser.test_desks import colours
from tests.conftest import create_database

COUNTY = "660400"
pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def taichung(
    cluster: Cluster, template: str, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    database = create_database(cluster, "browser_taichung", template)
    osm = shared / "osm" / "taichung.osm.gz"
    units = shared / "households" / "taichung_west_units.gpkg"
    with database.session() as session:
        importing.import_osm(session, osm, county=COUNTY, community_levels=("9", "10"))
        importing.import_households(session, units, county=COUNTY)
        publish(session, COUNTY, draw_draft(session, COUNTY, seed=1))
        for login, name, roles in (
            ("demo", "规划员甲", ("planner",)),
            ("second", "规划员乙", ("planner",)),
            ("review", "审核员", ("reviewer",)),
        ):
            add_account(session, COUNTY, login, name, Bench.PASSWORD, roles)
    served = Served(database, tmp_path_factory.mktemp("taichung"), COUNTY)
    served.start()
    yield served
    served.stop()


class Bench(Desk):
    """A desk on the workbench: clicks on places, and waits until the map has drawn them."""

    # The demonstration's own is no password of another county.
    PASSWORD = OWN_PASSWORD = "seven quiet lanterns"

    def begin(self, title: str) -> int:
        self.open("/planner")
        self.page.fill("input[name=title]", title)
        self.page.click("text=新建草案")
        self.ready()
        return int(self.page.url.rpartition("/")[2])

    def ready(self) -> None:
        self.page.wait_for_selector("#map[data-idle=true]", timeout=60_000)
        self.until("document.getElementById('totals').textContent !== ''")

    def show(self, shape) -> None:
        self.page.evaluate(
            "b => workbench.map.jumpTo(workbench.map.cameraForBounds(b, {padding: 80}))",
            list(shape.bounds),
        )
        self.page.wait_for_timeout(200)
        self.ready()

    def pixel(self, place) -> tuple[float, float]:
        box = self.page.locator("#map").bounding_box()
        at = self.page.evaluate("p => workbench.map.project(p)", [place.x, place.y])
        return box["x"] + at["x"], box["y"] + at["y"]

    def click(self, place, *, shift: bool = False) -> None:
        if shift:
            self.page.keyboard.down("Shift")
        self.page.mouse.click(*self.pixel(place))
        if shift:
            self.page.keyboard.up("Shift")

    def done(self, head: int) -> None:
        """Wait until an edit is acknowledged and the draft stands at its step."""
        self.until(
            "head => document.getElementById('said').className === 'done' && "
            "document.querySelectorAll('#edits li:not(.undone)').length === head + 1",
            head,
        )
        self.ready()


def bench_of(browser: Browser, served: Served, login: str = "demo") -> Bench:
    made = watched(browser, served)
    found = Bench(made.page, made.base, made.database, made.troubles)
    found.sign_in(login)
    return found


@pytest.fixture
def bench(browser: Browser, taichung: Served) -> Iterator[Bench]:
    made = bench_of(browser, taichung)
    yield made
    made.page.context.close()
    assert made.troubles == []


def plan_of(bench: Bench, draft: int) -> CommunityPlan:
    """The community with the most grids, as the draft has it."""
    with bench.database.session() as session:
        code = session.scalar(
            text(
                "SELECT community FROM grid WHERE upper_inf(valid) GROUP BY community "
                "ORDER BY count(*) DESC, community LIMIT 1"
            )
        )
        return Workbench(COUNTY).community(session, session.get(Generation, draft), code)


def middle(plan: CommunityPlan, key: str):
    return shapely.point_on_surface(plan.figures[plan.find(key)].polygon)


def pairs(plan: CommunityPlan) -> list[tuple[str, str]]:
    """Grids that share an edge."""
    borders = plan.blocks.borders
    left, right = plan.grid_of[borders.left], plan.grid_of[borders.right]
    return sorted(
        {(plan.keys[a], plan.keys[b]) for a, b in zip(left, right, strict=True) if a != b}
    )


def a_repaint(plan: CommunityPlan) -> op.Repaint:
    """A block that a grid can take from its neighbour."""
    borders = plan.blocks.borders
    for a, b in zip(borders.left.tolist(), borders.right.tolist(), strict=True):
        asked = op.Repaint(plan.code, (plan.blocks.keys[a],), plan.keys[plan.grid_of[b]])
        try:
            apply(DraftState({plan.code: plan}), resolve(DraftState({plan.code: plan}), asked), 1)
        except EditRefusedError:
            continue
        return asked
    raise AssertionError("no grid can take a block")


def across(shape) -> tuple:
    """Two places on both sides of a shape, west and east of its middle."""
    west, south, east, north = shape.bounds
    x, rim = (west + east) / 2, 0.06 * (north - south)
    return shapely.Point(x, south - rim), shapely.Point(x, north + rim)


def versions(bench: Bench, draft: int) -> tuple[int, int]:
    with bench.database.session() as session:
        row = session.execute(
            text("SELECT version, head FROM generation WHERE id = :id"), {"id": draft}
        ).one()
    return tuple(row)


def test_a_whole_redraw_session(bench: Bench, browser: Browser, taichung: Served) -> None:
    draft = bench.begin("中区调整")
    plan = plan_of(bench, draft)
    bench.show(shapely.union_all(plan.blocks.polygons))
    assert colours(bench.shoot("workbench-begun"), right=0.6) > 5
    # Paint: a neighbour's block goes to the chosen grid.
    asked = a_repaint(plan)
    bench.click(middle(plan, asked.grid))
    bench.page.keyboard.press("a")
    block = plan.blocks.polygons[plan.blocks.position[asked.blocks[0]]]
    bench.click(shapely.point_on_surface(block))
    assert "地块: 1" in bench.page.inner_text("#chosen")
    bench.page.keyboard.press("g")
    bench.done(1)
    assert bench.page.locator("#changes tbody tr").count() == 2
    bench.shoot("workbench-painted")
    # Split by a line.
    plan = plan_of(bench, draft)
    key = plan.keys[int(np.argmax([f.area_m2 for f in plan.figures]))]
    bench.show(plan.figures[plan.find(key)].polygon)
    bench.page.keyboard.press("v")
    bench.click(middle(plan, key))
    bench.page.keyboard.press("s")
    for place in across(plan.figures[plan.find(key)].polygon):
        bench.click(place)
    bench.shoot("workbench-line")
    bench.page.click("#finish")
    bench.done(2)
    bench.shoot("workbench-split")
    # Merge.
    plan = plan_of(bench, draft)
    one, two = pairs(plan)[0]
    bench.show(shapely.union_all([plan.figures[plan.find(k)].polygon for k in (one, two)]))
    bench.page.keyboard.press("v")
    bench.click(middle(plan, one))
    bench.click(middle(plan, two), shift=True)
    bench.shoot("workbench-two-chosen")
    bench.page.keyboard.press("m")
    bench.done(3)
    assert "户数超出范围" in bench.page.inner_text("#warnings")
    bench.shoot("workbench-merged")
    undo_and_redo(bench)
    # Draw one community anew.
    bench.page.click("[data-key] button >> nth=0")
    bench.page.click("#repartition")
    bench.page.fill("#repartition-dialog input[name=target]", "220")
    bench.shoot("workbench-dialog")
    bench.page.click("#repartition-dialog button[value=ok]")
    bench.done(3)
    bench.shoot("workbench-redrawn")
    # A warning leads to its place.
    if bench.page.locator("#warnings button").count():
        before = bench.page.evaluate("workbench.map.getCenter().toArray()")
        bench.page.click("#warnings button >> nth=0")
        bench.page.wait_for_timeout(1200)
        assert bench.page.evaluate("workbench.map.getCenter().toArray()") != before
    review(bench, browser, taichung, draft)


def undo_and_redo(bench: Bench) -> None:
    """Undo three times, redo twice."""
    for head in (2, 1, 0):
        bench.page.keyboard.press("Control+z")
        bench.done(head)
    assert bench.page.locator("#edits .undone").count() == 3
    for head in (1, 2):
        bench.page.keyboard.press("Control+y")
        bench.done(head)


def review(bench: Bench, browser: Browser, taichung: Served, draft: int) -> None:
    """Review, return, approve, publish at a future time; what is answered before and after."""
    bench.page.click("form[data-step=submit] button")
    bench.page.wait_for_selector("#state >> text=审核中")
    reviewer = bench_of(browser, taichung, "review")
    reviewer.open(f"/planner/drafts/{draft}")
    reviewer.ready()
    reviewer.page.keyboard.press("o")
    reviewer.page.mouse.click(500, 500)
    reviewer.page.fill("#note-dialog textarea", "此处请沿街定界")
    reviewer.page.click("#note-dialog button[value=ok]")
    reviewer.page.wait_for_selector("#notes >> text=此处请沿街定界")
    reviewer.page.fill("form[data-step=return] input", "边界不清")
    reviewer.page.click("form[data-step=return] button")
    reviewer.page.wait_for_selector("#state >> text=编辑中")
    bench.page.wait_for_selector("#state >> text=编辑中")
    bench.page.wait_for_selector("#steps >> text=边界不清")
    bench.page.wait_for_selector("#notes >> text=此处请沿街定界")
    bench.shoot("workbench-returned")
    bench.page.click("#notes >> text=已处理")
    bench.page.wait_for_selector("#notes .undone")
    bench.page.click("form[data-step=submit] button")
    reviewer.page.wait_for_selector("form[data-step=approve] button:visible")
    reviewer.page.click("form[data-step=approve] button")
    reviewer.page.wait_for_selector("#state >> text=已批准")
    day = datetime.now(UTC) + timedelta(days=2)
    reviewer.page.fill("form[data-step=publish] input", f"{day:%Y-%m-%dT%H:%M}")
    reviewer.page.click("form[data-step=publish] button")
    reviewer.page.wait_for_selector("#state >> text=已发布")
    reviewer.shoot("workbench-published")
    reviewer.page.context.close()
    assert reviewer.troubles == []
    with bench.database.session() as session:
        place = session.execute(
            text(
                "SELECT ST_X(p), ST_Y(p), fresh.code FROM "
                "(SELECT code, ST_PointOnSurface(geom) AS p FROM grid "
                "WHERE generation_id = :draft ORDER BY code DESC LIMIT 1) AS fresh"
            ),
            {"draft": draft},
        ).one()
    asked = f"/api/v1/who?lon={place[0]}&lat={place[1]}&at="
    codes = []
    for hours in (1, 72):
        at = datetime.now(UTC) + timedelta(hours=hours)
        answer = bench.page.request.get(f"{bench.base}{asked}{at:%Y-%m-%dT%H:%M:%SZ}")
        codes.append(answer.json()["grid"]["code"])
    assert codes[1] == place.code != codes[0]


def test_two_planners_see_each_other_and_lose_nothing(
    bench: Bench, browser: Browser, taichung: Served
) -> None:
    draft = bench.begin("两人")
    other = bench_of(browser, taichung, "second")
    other.open(f"/planner/drafts/{draft}")
    other.ready()
    for one in (bench, other):
        one.page.wait_for_selector("#people >> text=规划员甲")
        one.page.wait_for_selector("#people >> text=规划员乙")
    plan = plan_of(bench, draft)
    two = pairs(plan)[0]
    view = shapely.union_all([plan.figures[plan.find(k)].polygon for k in two])
    for one in (bench, other):
        one.show(view)
    gone = middle(plan, two[1])
    bench.click(middle(plan, two[0]))
    bench.click(gone, shift=True)
    bench.page.keyboard.press("m")
    bench.done(1)
    other.page.wait_for_selector("#edits >> text=合并网格")
    other.ready()
    other.page.wait_for_timeout(500)
    other.ready()
    keys = [
        one.page.evaluate("p => workbench.at(workbench.map.project(p)).grid.key", [gone.x, gone.y])
        for one in (bench, other)
    ]
    assert keys == [two[0], two[0]], "the other browser's tiles are fresh"
    other.shoot("workbench-two")
    # An edit on a state that has passed: told, shown, not lost, not doubled.
    seen = versions(bench, draft)
    late = other.page.evaluate(
        "async (d) => { const facts = JSON.parse(document.getElementById('facts').textContent);"
        "const r = await fetch(`/api/v1/drafts/${d}/undo`, {method: 'POST', headers: "
        "{'If-Match': '\"0\"', 'X-CSRF-Token': facts.csrf}}); return r.status; }",
        draft,
    )
    assert (late, versions(bench, draft)) == (412, seen)
    other.troubles = [one for one in other.troubles if "412" not in one]
    other.page.context.close()
    assert other.troubles == []


def test_a_refused_edit_flashes_its_place(bench: Bench) -> None:
    draft = bench.begin("拒绝")
    plan = plan_of(bench, draft)
    near = set(pairs(plan)) | {(b, a) for a, b in pairs(plan)}
    apart = next((a, b) for a in plan.keys for b in plan.keys if a < b and (a, b) not in near)
    bench.show(shapely.union_all(plan.blocks.polygons))
    bench.click(middle(plan, apart[0]))
    bench.click(middle(plan, apart[1]), shift=True)
    bench.page.click("#merge")
    bench.page.wait_for_selector("#said.error >> text=不相连")
    bench.page.wait_for_timeout(900)
    bench.shoot("workbench-refused")
    assert bench.page.evaluate(
        "workbench.map.queryRenderedFeatures({layers: ['flash-line']}).length"
    )
    assert versions(bench, draft) == (0, 0)
    bench.troubles = [one for one in bench.troubles if "422" not in one]


def test_a_draft_outlives_the_server_and_the_browser(
    bench: Bench, browser: Browser, taichung: Served
) -> None:
    draft = bench.begin("断电")
    plan = plan_of(bench, draft)
    two = pairs(plan)[0]
    bench.show(shapely.union_all([plan.figures[plan.find(k)].polygon for k in two]))
    bench.click(middle(plan, two[0]))
    bench.click(middle(plan, two[1]), shift=True)
    bench.page.keyboard.press("m")
    bench.done(1)
    taichung.kill()
    bench.page.wait_for_selector("#connection:visible")
    taichung.start()
    bench.page.wait_for_selector("#connection", state="hidden", timeout=30_000)
    bench.page.keyboard.press("Control+z")
    bench.done(0)
    bench.page.keyboard.press("Control+y")
    bench.done(1)
    bench.page.context.close()
    again = bench_of(browser, taichung)
    again.open(f"/planner/drafts/{draft}")
    again.ready()
    assert again.page.locator("#edits li").count() == 2
    assert again.troubles == []
    bench.troubles.clear()  # the server was away


def a_boundary(bench: Bench, draft: int) -> op.AdjustBoundary:
    """A block that can go to a grid of the community beside it."""
    with bench.database.session() as session:
        held, desk = session.get(Generation, draft), Workbench(COUNTY)
        codes = session.scalars(text("SELECT DISTINCT community FROM grid ORDER BY 1")).all()
        plans = {code: desk.community(session, held, code) for code in codes}
    state = DraftState(plans)
    for one in plans.values():
        for other in plans.values():
            shapes = np.array([figures.polygon for figures in other.figures], dtype=object)
            near = shapely.STRtree(shapes).query(one.blocks.polygons, "intersects").T
            for block, grid in near.tolist() if one is not other else []:
                asked = op.AdjustBoundary(
                    one.code, (one.blocks.keys[block],), other.code, other.keys[grid]
                )
                try:
                    apply(state, asked, 1)
                except EditRefusedError:
                    continue
                return asked
    raise AssertionError("no block can change its community")


def test_codes_are_exchanged_and_a_boundary_moves(bench: Bench) -> None:
    draft = bench.begin("边界")
    plan = plan_of(bench, draft)
    two = pairs(plan)[0]
    bench.show(shapely.union_all([plan.figures[plan.find(k)].polygon for k in two]))
    bench.click(middle(plan, two[0]))
    bench.click(middle(plan, two[1]), shift=True)
    bench.page.keyboard.press("x")
    bench.done(1)
    asked = a_boundary(bench, draft)
    with bench.database.session() as session:
        held, desk = session.get(Generation, draft), Workbench(COUNTY)
        one, other = (desk.community(session, held, c) for c in (asked.community, asked.to))
    block = one.blocks.polygons[one.blocks.position[asked.blocks[0]]]
    grid = other.figures[other.find(asked.grid)].polygon
    bench.show(shapely.union_all([block, grid]))
    bench.click(shapely.point_on_surface(grid))
    bench.page.keyboard.press("a")
    bench.click(shapely.point_on_surface(block))
    bench.page.keyboard.press("g")
    bench.done(2)
    bench.shoot("workbench-boundary")
    assert "调整社区边界" in bench.page.inner_text("#edits")


def test_everything_can_be_done_by_keys(bench: Bench) -> None:
    draft = bench.begin("键盘")
    plan = plan_of(bench, draft)
    two = pairs(plan)[0]
    bench.show(plan.figures[plan.find(two[0])].polygon)
    bench.page.evaluate("document.querySelector('.maplibregl-canvas').focus()")
    for key, press in zip(two, (" ", "Shift+ "), strict=True):
        place = middle(plan, key)
        bench.page.evaluate("p => workbench.map.jumpTo({center: p})", [place.x, place.y])
        bench.ready()
        bench.page.keyboard.press(press.replace(" ", "Space"))
    bench.page.keyboard.press("m")
    bench.done(1)
    # And with no map at all: the community's table, by Tab and Enter.
    bench.page.focus(f"[data-key='{two[0]}'] button")
    bench.page.keyboard.press("Enter")
    bench.page.focus("#rename")
    bench.page.keyboard.press("Enter")
    bench.page.keyboard.type("和平网格")
    bench.page.keyboard.press("Enter")
    bench.done(2)
    assert "和平网格" in bench.page.inner_text("#community")


def test_the_history_slides_over_generations(bench: Bench) -> None:
    draft = bench.begin("历史")
    plan = plan_of(bench, draft)
    two = pairs(plan)[0]
    bench.show(shapely.union_all([plan.figures[plan.find(k)].polygon for k in two]))
    bench.click(middle(plan, two[0]))
    bench.click(middle(plan, two[1]), shift=True)
    bench.page.keyboard.press("m")
    bench.done(1)
    with bench.database.session() as session:
        latest = session.scalar(text("SELECT max(lower(valid)) FROM generation"))
        publish(session, COUNTY, draft, at=max(latest, datetime.now(UTC)) + timedelta(hours=1))
    bench.open("/planner/history")
    bench.page.wait_for_selector("#map[data-idle=true]")
    gone = middle(plan, two[1])
    seen = []
    for step in ("End", "Home"):
        bench.page.focus("#generation")
        bench.page.keyboard.press(step)
        bench.page.evaluate("p => planHistory.jumpTo({center: p, zoom: 15})", [gone.x, gone.y])
        bench.page.wait_for_timeout(500)
        bench.page.wait_for_selector("#map[data-idle=true]")
        found = "planHistory.queryRenderedFeatures(planHistory.project(p), {layers: ['grid-fill']})"
        seen.append(bench.page.evaluate(f"p => {found}[0].properties.key", [gone.x, gone.y]))
    assert seen[0] == two[0] != seen[1]
    bench.page.fill("#find input", two[0])
    bench.page.click("#find button")
    bench.page.wait_for_selector("#lineage li")
    assert bench.page.locator("#lineage-graph .node").count() > 1
    bench.page.locator("#lineage-graph .node").first.scroll_into_view_if_needed()
    bench.shoot("workbench-history")
    assert bench.violations() == []


def test_conflicts_of_a_replay_stand_side_by_side(bench: Bench) -> None:
    other, draft = bench.begin("先行"), bench.begin("后到")
    plan = plan_of(bench, draft)
    two = pairs(plan)[0]
    desk, whole = Workbench(COUNTY), Scope.whole(COUNTY)
    lost = {"operation": "rename", "community": plan.code, "grid": two[1], "name": "不再有的网格"}
    merge = operation_to_json(op.Merge(plan.code, two))
    with bench.database.session() as session:
        desk.edit(session, whole, draft, 0, lost, author="demo")
        desk.edit(session, whole, other, 0, merge, author="demo")
    with bench.database.session() as session:
        latest = session.scalar(text("SELECT max(lower(valid)) FROM generation"))
        publish(session, COUNTY, other, at=max(latest, datetime.now(UTC)) + timedelta(hours=1))
    bench.open(f"/planner/drafts/{draft}")
    bench.ready()
    bench.page.click("#rebase")
    bench.page.wait_for_selector("#edits .conflict")
    bench.page.click("#edits .conflict a")
    bench.page.wait_for_selector(".pair svg")
    assert bench.page.locator(".pair svg").count() == 2
    bench.shoot("workbench-conflicts")
    assert bench.violations() == []
    bench.open(f"/planner/drafts/{draft}/report")
    assert bench.violations() == []


@pytest.mark.parametrize(
    "path", ["/planner", "/planner/history", "/planner/coverage", "/card", "/login"]
)
def test_the_other_pages_have_no_serious_violation_either(bench: Bench, path: str) -> None:
    bench.open(path)
    assert bench.violations() == []
    bench.troubles = [one for one in bench.troubles if "403" not in one and "409" not in one]


@pytest.mark.parametrize("palette", ["standard", "contrast", "blind"])
def test_no_serious_accessibility_violation(bench: Bench, palette: str) -> None:
    bench.begin("无障碍")
    bench.page.select_option("#palette", palette)
    bench.page.wait_for_timeout(600)
    bench.ready()
    bench.shoot(f"workbench-{palette}")
    assert bench.violations() == []


def test_the_workbench_fits_a_phone_and_speaks_chinese(browser: Browser, taichung: Served) -> None:
    made = watched(browser, taichung, viewport={"width": 390, "height": 844}, has_touch=True)
    phone = Bench(made.page, made.base, made.database, made.troubles)
    phone.sign_in()
    phone.begin("手机")
    phone.shoot("workbench-phone")
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    words = phone.page.inner_text("body")
    known = {"English", "EPSG", "Ctrl", "m", "km", *"ZYVABLCSOGNMKRDPXUH"}
    english = set("".join(c if c.isascii() and c.isalpha() else " " for c in words).split())
    assert english - known == set()
    phone.page.context.close()
    assert phone.troubles == []
