"""Attack: names that are markup or script, in every field that somebody can fill.

A grid called ``<img src=x onerror=…>``, published, ran on the residents' map. Here each field of
words in the database holds names that break out of markup, of an attribute, of a script element
and of JavaScript's back-ticks. Then every page of every desk is opened, with all tooltips, pop-ups,
legends and search boxes of its map. A dialog, a script error, a request for what a name asks for,
or anything that the content policy had to stop, fails the test.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page
from sqlalchemy import text

from data.accounts import add_account, stand_for
from data.settings import DEMO_COUNTY
from maps.city_map import MapRequest, city_map
from maps.texts import texts
from tests.browser.conftest import Desk, watched
from tests.conftest import Furnished
from tests.planted import plant
from tests.served import Served

SHORT = "<img src=x onerror=alert()>"
LONG = "`+alert(1)+`${alert(2)}'\"><img src=x onerror=alert(3)></script><script>alert(4)</script>"
NEEDED = {
    "account.name",
    "address.road",
    "address.text",
    "building.name",
    "division.name",
    "grid.name",
    "incident.description",
    "incident_class.name",
    "person.name",
    "person.private_phone",
    "profile.name",
    "responsibility_change.author",
    "review_step.reason",
    "service_area.name",
    "street.name",
    "team.name",
    "unit.name",
    "zone.name",
    "zone.owner",
}
WATCH = """
window.stopped = [];
addEventListener("securitypolicyviolation", (event) =>
  console.error(`stopped: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
# Opens every tooltip and every pop-up of a Leaflet map.
OPEN_ALL = """() => {
  let said = 0;
  const open = (layer) => {
    if (layer.getTooltip?.()) { layer.openTooltip(); said += 1; }
    if (layer.getPopup?.()) { layer.openPopup(); said += 1; }
    layer.eachLayer?.(open);
  };
  for (const one of Object.values(window)) if (one instanceof L.Map) one.eachLayer(open);
  return said;
}"""


@pytest.fixture(scope="module")
def planted(cluster, furnished: Furnished, tmp_path_factory) -> Iterator[Served]:
    database = furnished.city(cluster, "planted_city")
    with database.session() as session:
        add_account(session, DEMO_COUNTY, "hand", SHORT, Desk.OWN_PASSWORD, ("worker",))
        stand_for(session, "hand", session.scalar(text("SELECT min(source_ref) FROM person")))
    missing = NEEDED - plant(database, SHORT, LONG)
    assert missing == set()
    home = tmp_path_factory.mktemp("planted") / "home"
    shutil.copytree(furnished.home, home, ignore=shutil.ignore_patterns("locators"))
    served = Served(database, home, DEMO_COUNTY)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def desk(browser: Browser, planted: Served) -> Iterator[Desk]:
    made = watched(browser, planted)
    made.page.add_init_script(WATCH)
    made.page.on("dialog", lambda dialog: said(made, dialog))
    yield made
    made.page.context.close()
    assert made.troubles == []


def said(desk: Desk, dialog) -> None:
    desk.troubles.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def see(desk: Desk, path: str) -> None:
    desk.page.goto(desk.base + path)
    desk.page.wait_for_timeout(700)
    assert desk.troubles == [], path


def open_map(desk: Desk, where: Page | Frame) -> None:
    where.wait_for_selector("canvas")
    assert where.evaluate(OPEN_ALL) > 10
    if where.query_selector(".search-button"):
        where.click(".search-button")
        where.type("input.search-input", "<img")
        where.wait_for_selector(".search-tip")
    desk.page.wait_for_timeout(700)


@pytest.mark.parametrize("path", ["/maps/card", "/maps/planner", "/maps/coverage"])
def test_names_on_a_map_stay_text(desk: Desk, path: str) -> None:
    desk.sign_in()
    see(desk, path)
    open_map(desk, desk.page)
    shown = desk.page.inner_text("body")
    assert "<img src=x onerror=" in shown
    assert desk.page.query_selector("img[src=x]") is None


def test_names_stay_text_on_every_page_for_residents(desk: Desk) -> None:
    for path in ("/card", "/report", "/docs", "/login", "/card?lon=122.31&lat=43.575"):
        see(desk, path)
    see(desk, "/card")
    desk.page.type("#q", "<img")
    desk.page.wait_for_timeout(500)
    desk.page.fill("#q", LONG)
    desk.page.click("#search button")
    desk.page.wait_for_timeout(700)


def test_names_stay_text_at_the_planners_desk(desk: Desk) -> None:
    desk.sign_in()
    for path in ("/planner", "/planner/coverage", "/planner/history"):
        see(desk, path)
    see(desk, "/planner")
    desk.page.fill("form[action='/planner/drafts/new'] input[name=title]", LONG)
    desk.page.click("form[action='/planner/drafts/new'] button")
    desk.page.wait_for_selector("#map[data-idle=true]")
    draft = desk.page.url.rsplit("/", 1)[-1]
    change = (
        "([path, body]) => import('/static/workbench/api.js').then((api) => api.change(path, body))"
    )
    desk.page.evaluate(change, ["/notes", {"words": LONG, "place": [122.31, 43.575]}])
    desk.page.evaluate(change, ["/checkpoints", {"name": SHORT}])
    see(desk, f"/planner/drafts/{draft}")
    desk.page.wait_for_selector("#notes li")
    desk.page.click("[data-community]")
    desk.page.wait_for_selector("#community tbody tr")
    for path in ("report", "conflicts"):
        see(desk, f"/planner/drafts/{draft}/{path}")


def test_names_stay_text_at_the_dispatchers_desk(desk: Desk) -> None:
    desk.sign_in()
    see(desk, "/dispatch")
    desk.page.wait_for_selector("#incidents li")
    desk.page.click("#incidents li button")
    desk.page.wait_for_selector("#title:has-text('img')")
    desk.page.wait_for_timeout(1500)
    desk.page.click("#layer-clusters")
    see(desk, "/dispatch/ledger")


def test_names_stay_text_on_the_workers_page(desk: Desk) -> None:
    desk.sign_in("hand")
    see(desk, "/work")


def test_an_exported_map_carries_its_policy_and_runs_no_name(
    desk: Desk, planted: Served, tmp_path: Path
) -> None:
    with planted.database.session() as session:
        page = city_map(session, DEMO_COUNTY, MapRequest(texts("zh"), inline=True, note=LONG))
    (tmp_path / "city.html").write_text(page.html, encoding="utf-8")
    desk.page.goto((tmp_path / "city.html").as_uri())
    open_map(desk, desk.page)
    assert "'unsafe-inline'" not in page.policy
    violation = (
        "() => new Promise((done) => { addEventListener('securitypolicyviolation', "
        "() => done(true)); const made = document.createElement('script'); "
        "made.textContent = 'window.ran = true'; document.body.append(made); })"
    )
    assert desk.page.evaluate(violation)
    assert desk.page.evaluate("window.ran === undefined")
    desk.troubles = [
        one for one in desk.troubles if "window.ran" not in one and "inline" not in one
    ]
