"""Two dispatchers and a worker carry cases through every flow in real browsers, to the end."""

import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Route
from sqlalchemy import text

from data.accounts import Grant, add_account
from data.models import FlowChoice
from data.settings import DEMO_COUNTY as COUNTY
from tests.browser.conftest import Desk, Served, watched
from tests.browser.test_desks import colours

CENTRE = (122.31, 43.575)
LISTED = "case_ => document.getElementById('incidents').textContent.includes(case_)"


@pytest.fixture(scope="module")
def second_login(server: Served) -> str:
    with server.database.session() as session:
        roles = (Grant("dispatcher"), Grant("centre"))
        add_account(session, COUNTY, "demo-second", "第二调度员", Desk.OWN_PASSWORD, roles)
    return "demo-second"


@pytest.fixture(scope="module")
def viewport() -> dict[str, int]:
    """Two live maps are drawn without a graphics card here: smaller than a desk's are."""
    return {"width": 1200, "height": 760}


@pytest.fixture
def second(
    browser: Browser, server: Served, second_login: str, viewport: dict[str, int]
) -> Iterator[Desk]:
    made = watched(browser, server, viewport=viewport)
    made.sign_in(second_login)
    yield made
    made.page.context.close()
    assert made.troubles == []


def opened(desk: Desk, path: str = "/dispatch") -> None:
    desk.page.goto(desk.base + path)  # the feed never ends: the network is never idle
    desk.page.wait_for_selector("#map[data-idle=true]")


def report(desk: Desk, words: str, class_code: str = "E01", severity: str = "general") -> str:
    """Take a report by keys alone: the place is under the cross."""
    page = desk.page
    page.keyboard.press("Escape")
    page.click("h1 >> nth=0")
    page.keyboard.press("n")
    page.keyboard.press(" ")
    desk.until("document.getElementById('place').value !== ''")
    page.select_option("#report-class", class_code)
    page.select_option("select[name=severity]", severity)
    page.fill("textarea[name=description]", words)
    page.click("#report p.row button >> nth=0")
    page.wait_for_selector("#incident:not([hidden]) #title small")
    return page.inner_text("#title small")


def act(desk: Desk, action: str, **given: str) -> None:
    """Press an action's button, fill what it asks for, and wait until it is in the course."""
    page = desk.page
    page.wait_for_selector(f"[data-action={action}]")
    before = page.locator("#course li").count()
    page.click(f"[data-action={action}]")
    for name, value in given.items():
        field = page.locator(f"#ask [name={name}]")
        if field.evaluate("e => e.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    if given:
        page.click("#ask button >> nth=0")
    desk.until(f"document.querySelectorAll('#course li').length > {before}")


def state_of(desk: Desk, case: str) -> str:
    query = text("SELECT state FROM incident WHERE source_ref = :case")
    with desk.database.session() as session:
        return session.scalar(query, {"case": case})


def look_at(desk: Desk, case: str) -> None:
    page = desk.page
    page.fill("#words", case)
    desk.until(
        "case_ => document.querySelectorAll('#incidents li').length === 1"
        " && document.querySelector('#incidents small').textContent.includes(case_)",
        case,
    )
    page.click("#incidents li button")
    desk.until("case_ => document.querySelector('#title small')?.textContent === case_", case)


@pytest.fixture
def flow(server: Served, request: pytest.FixtureRequest) -> Iterator[str]:
    """The flow that the county chose for the while of a test."""
    with server.database.session() as session:
        session.add(FlowChoice(county=COUNTY, class_scope="*", flow=request.param))
    yield request.param
    with server.database.session() as session:
        session.execute(text("DELETE FROM flow_choice"))


@pytest.mark.parametrize("flow", ["tongliao", "shigu", "urban"], indirect=True)
def test_a_case_is_carried_through_its_flow(desk: Desk, second: Desk, flow: str) -> None:
    desk.sign_in()
    opened(desk)
    opened(second)
    case = report(desk, f"{flow} 井盖缺失")
    second.until(LISTED, case)
    desk.page.wait_for_selector(".candidate")
    desk.shoot(f"console-{flow}-candidates")
    desk.page.click("[data-send] >> nth=0")
    desk.page.wait_for_selector("[data-action=take]")
    look_at(second, case)
    second.page.wait_for_selector("[data-action=recall]")
    act(second, "recall", reason="派错了人")
    act(second, "escalate", reason="需镇级协调")
    desk.page.wait_for_selector(".candidate")
    desk.page.click("[data-send] >> nth=0")
    act(desk, "take")
    act(desk, "whistle", units=first_unit(desk), reason="请城管到场")
    refused_report(desk)
    act(desk, "answer", unit=first_unit(desk))
    act(desk, "report", result="井盖已装好")
    look_at(second, case)
    act(second, "rework", reason="照片不清")
    act(desk, "report", result="已补照片")
    if flow != "tongliao":
        act(second, "verify", result="现场核查属实")
    if flow != "urban":
        act(second, "follow_up", satisfaction="satisfied")
    second.shoot(f"console-{flow}-checked")
    act(second, "close")
    assert state_of(desk, case) == "closed"
    second.until("document.querySelectorAll('[data-action]').length === 0")
    english = re.sub(r"[A-Z0-9-]{8,}", "", second.page.inner_text("#incident"))
    words = set(re.findall(r"[A-Za-z]{2,}", english)) - {"EPSG", "DEMO", flow}
    assert words == set()


def first_unit(desk: Desk) -> str:
    with desk.database.session() as session:
        query = text("SELECT id FROM unit WHERE kind = 'department' ORDER BY id LIMIT 1")
        return str(session.scalar(query) or session.scalar(text("SELECT min(id) FROM unit")))


def refused_report(desk: Desk) -> None:
    """While a department that was called has not reported, the case is not done."""
    assert desk.page.locator("[data-action=report]").count() == 0


@pytest.fixture
def worker(browser: Browser, server: Served) -> Iterator[Desk]:
    """A gridworker's phone, which knows where it is."""
    place = {"longitude": CENTRE[0], "latitude": CENTRE[1]}
    made = watched(
        browser,
        server,
        viewport={"width": 390, "height": 844},
        geolocation=place,
        permissions=["geolocation"],
    )
    yield made
    made.page.context.close()
    assert made.troubles == []


def worker_signed_in(worker: Desk, person: int) -> None:
    login = f"hand-{person}"
    with worker.database.session() as session:
        if session.scalar(text("SELECT 1 FROM account WHERE login = :l"), {"l": login}) is None:
            made = add_account(session, COUNTY, login, "网格员", Desk.OWN_PASSWORD, ("worker",))
            made.person_id = person
    worker.page.goto(worker.base + "/login")
    worker.page.fill("input[name=login]", login)
    worker.page.fill("input[name=password]", Desk.OWN_PASSWORD)
    worker.page.click("main button")
    worker.page.wait_for_url("**/work")


def press(worker: Desk, action: str, **given: str) -> None:
    page = worker.page
    page.click(f"[data-action={action}]")
    for name, value in given.items():
        page.fill(f".ask [name={name}]", value)
    if given:
        page.click(".ask button >> nth=0")
    worker.until(f"!document.querySelector('[data-action={action}]')")


def test_a_worker_declines_takes_asks_for_time_and_reports(desk: Desk, worker: Desk) -> None:
    desk.sign_in()
    opened(desk)
    case = report(desk, "垃圾暴露")
    desk.page.wait_for_selector(".candidate")
    first = int(desk.page.get_attribute("[data-send] >> nth=0", "data-send"))
    desk.page.click("[data-send] >> nth=0")
    worker_signed_in(worker, first)
    worker.page.wait_for_selector(".task")
    worker.shoot("work-task")
    worker.page.click("[data-way]")
    worker.page.wait_for_selector(".way")
    worker.shoot("work-way")
    press(worker, "decline", reason="正在处理火情")
    desk.until("document.querySelector('#course').textContent.includes('正在处理火情')")
    desk.page.wait_for_selector(".candidate")
    assert desk.page.get_attribute("[data-send] >> nth=0", "data-send") != str(first)
    # Whoever declined is not asked for it again; the next one takes it.
    second = int(desk.page.get_attribute("[data-send] >> nth=0", "data-send"))
    desk.page.click("[data-send] >> nth=0")
    worker.page.context.clear_cookies()
    worker_signed_in(worker, second)
    worker.page.wait_for_selector("[data-action=take]")
    press(worker, "take")
    press(worker, "request_extension", reason="需等配件", amount="2")
    act(desk, "grant_extension")
    worker.page.reload()
    worker.page.wait_for_selector("[data-action=report]")
    worker.page.click("[data-action=report]")
    worker.page.fill(".ask [name=result]", "已清运")
    worker.page.set_input_files(
        ".ask [name=photo]",
        files=[{"name": "a.png", "mimeType": "image/png", "buffer": picture()}],
    )
    worker.page.click(".ask button >> nth=0")
    worker.until("!document.querySelector('[data-action=report]')")
    desk.page.wait_for_selector("#photos img")
    desk.until("document.querySelector('#photos img').naturalWidth > 0")
    desk.shoot("console-photo")
    act(desk, "follow_up", satisfaction="satisfied")
    act(desk, "close")
    assert state_of(desk, case) == "closed"


def picture(size: tuple[int, int] = (320, 200), kind: str = "PNG") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, (30, 120, 60)).save(made, kind)
    return made.getvalue()


def test_without_a_network_a_worker_goes_on_and_it_is_sent_once(desk: Desk, worker: Desk) -> None:
    desk.sign_in()
    opened(desk)
    case = report(desk, "路灯不亮")
    desk.page.wait_for_selector(".candidate")
    person = int(desk.page.get_attribute("[data-send] >> nth=0", "data-send"))
    desk.page.click("[data-send] >> nth=0")
    worker_signed_in(worker, person)
    worker.page.wait_for_selector("[data-action=take]")
    worker.page.evaluate("navigator.serviceWorker.ready")
    worker.page.wait_for_timeout(500)
    worker.page.context.set_offline(True)
    worker.page.reload()
    worker.page.wait_for_selector("#net.offline")
    worker.page.click("[data-action=take]")
    worker.until("document.getElementById('waiting').textContent === '1'")
    worker.page.click("#reporting summary")
    worker.page.fill("textarea[name=description]", "离线上报的积水")
    worker.page.fill("input[name=place]", f"{CENTRE[0]}, {CENTRE[1]}")
    worker.page.click("#report button >> nth=1")
    worker.until("document.getElementById('waiting').textContent === '2'")
    worker.shoot("work-offline")
    assert state_of(worker, case) == "dispatched"
    worker.page.context.set_offline(False)
    worker.until("document.getElementById('waiting').textContent === '0'", seconds=40)
    assert state_of(worker, case) == "handled"
    worker.page.evaluate("dispatchEvent(new Event('online'))")
    worker.page.wait_for_timeout(500)
    with worker.database.session() as session:
        steps = session.scalar(
            text(
                "SELECT count(*) FROM incident_event AS e JOIN incident ON incident.id = "
                "incident_id WHERE source_ref = :case AND e.kind = 'take'"
            ),
            {"case": case},
        )
        told = session.scalar(
            text("SELECT count(*) FROM incident WHERE description = '离线上报的积水'")
        )
    assert (steps, told) == (1, 1)
    worker.troubles[:] = [one for one in worker.troubles if "ERR_INTERNET" not in one]


def test_a_closure_on_the_way_makes_it_another(desk: Desk) -> None:
    desk.sign_in()
    opened(desk)
    report(desk, "占道经营", "E05")
    desk.page.wait_for_selector(".candidate")
    before = way_of(desk)
    middle = before[len(before) // 2 - 1 : len(before) // 2 + 1]
    desk.page.evaluate(
        "line => console_.map.jumpTo({center: [(line[0][0] + line[1][0]) / 2, "
        "(line[0][1] + line[1][1]) / 2], zoom: 17})",
        middle,
    )
    desk.until("console_.map.loaded() && !console_.map.isMoving()")
    desk.page.keyboard.press("c")
    box = desk.page.locator("#map").bounding_box()
    (x, y), (to_x, to_y) = middle
    along = np.array([to_x - x, to_y - y]) / np.hypot(to_x - x, to_y - y)
    for side in (-2e-4, 2e-4):  # across the road
        place = [(x + to_x) / 2 - along[1] * side, (y + to_y) / 2 + along[0] * side]
        at = desk.page.evaluate("p => console_.map.project(p)", place)
        desk.page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])
        desk.page.wait_for_timeout(400)
    desk.shoot("console-closing")
    desk.page.keyboard.press("Enter")
    desk.page.fill("#closure-reason", "管道抢修")
    desk.page.click("#closure-form button >> nth=0")
    desk.page.wait_for_selector("[data-reopen]")
    desk.page.wait_for_timeout(1500)
    after = way_of(desk)
    desk.shoot("console-closed-road")
    assert after != before
    desk.page.click("[data-reopen]")
    desk.until("!document.querySelector('[data-reopen]')")
    desk.page.wait_for_timeout(500)
    assert way_of(desk) == before


def way_of(desk: Desk) -> list[list[float]]:
    number = desk.page.evaluate("Number(document.querySelector('#incidents .chosen').dataset.id)")
    advice = desk.page.evaluate(
        "async id => (await fetch(`/api/v1/incidents/${id}/recommendation`)).json()", number
    )
    return advice["candidates"][0]["route"]


def test_a_cluster_is_found_and_many_are_sent_at_once(desk: Desk) -> None:
    desk.sign_in()
    opened(desk)
    desk.page.evaluate(
        """async () => {
          const csrf = JSON.parse(document.getElementById('facts').textContent).csrf;
          for (let i = 0; i < 6; i += 1) {
            await fetch('/api/v1/incidents', {method: 'POST',
              headers: {'Content-Type': 'application/json', 'X-CSRF-Token': csrf},
              body: JSON.stringify({class_code: 'P01', crs: 'EPSG:4326', description: '停水',
                x: 122.3105 + i * 1e-4, y: 43.5755})});
          }
        }"""
    )
    desk.page.check("#layer-clusters")
    desk.page.wait_for_selector(".cluster")
    assert "突发" in desk.page.inner_text("#clusters")
    desk.page.click(".cluster button >> nth=0")
    desk.page.wait_for_timeout(1200)
    desk.shoot("console-cluster")
    desk.page.select_option("select[name=group]", "P01")
    desk.until("document.querySelectorAll('#incidents li').length >= 6")
    desk.page.click("h1 >> nth=0")
    desk.page.keyboard.press("b")
    desk.page.wait_for_selector("[data-batch]")
    desk.shoot("console-batch")
    many = desk.page.locator("[data-batch]").count()
    desk.page.click("[data-batch] >> nth=0")
    desk.until(f"document.querySelectorAll('[data-batch]').length === {many - 1}")
    desk.page.click("#batch-close")


def test_the_ledger_is_a_page_a_workbook_and_a_print(desk: Desk) -> None:
    desk.sign_in()
    desk.open("/dispatch/ledger?period=month")
    desk.shoot("ledger")
    assert "结案率" in desk.page.inner_text("main")
    assert desk.violations() == []
    for path in ("table.xlsx", "print.pdf"):
        size = desk.page.evaluate(
            "async path => (await (await fetch(path)).arrayBuffer()).byteLength",
            f"/dispatch/ledger/{path}",
        )
        assert size > 4000


def test_everybody_reports_and_follows(desk: Desk) -> None:
    desk.open(f"/report?lon={CENTRE[0]}&lat={CENTRE[1]}")
    assert desk.page.input_value("select[name=class_code]") == ""  # nobody reports by accident
    desk.page.select_option("select[name=class_code]", "P01")
    desk.page.fill("textarea[name=description]", "井盖松动")
    desk.shoot("report")
    assert desk.violations() == []
    # A phone's photo of 48 million pixels is drawn smaller before it is sent.
    photo = {
        "name": "大照片.jpg",
        "mimeType": "image/jpeg",
        "buffer": picture((8000, 6000), "JPEG"),
    }
    desk.page.set_input_files("input[name=photo]", files=[photo])
    desk.page.click("#public button:not([type])")
    desk.page.wait_for_selector("#case")
    desk.shoot("report-case")
    assert "接诉受理" in desk.page.inner_text("main")
    with desk.database.session() as session:
        query = "SELECT content FROM attachment ORDER BY id DESC LIMIT 1"
        kept = Image.open(io.BytesIO(session.scalar(text(query))))
    assert kept.size == (2048, 1536)


def test_the_live_map_shows_what_it_should(desk: Desk) -> None:
    desk.sign_in()
    opened(desk)
    desk.page.wait_for_timeout(500)
    assert colours(desk.shoot("dispatch"), left=0.25, right=0.7) > 6
    for layer in ("heat", "cells"):
        desk.page.check(f"#layer-{layer}")
        desk.page.wait_for_timeout(800)
        desk.shoot(f"console-{layer}")
        desk.page.uncheck(f"#layer-{layer}")
    desk.page.select_option("select[name=state]", "accepted")
    desk.page.wait_for_timeout(500)
    desk.page.click("h1 >> nth=0")
    desk.page.keyboard.press("j")
    desk.page.wait_for_selector(".candidate")
    words = desk.page.inner_text("body")
    known = {"English", "EPSG", "DEMO", "N", "J", "K", "m"}
    english = set(re.findall(r"[A-Za-z]+", words)) - known
    assert not {one for one in english if not re.fullmatch(r"[A-Z0-9]{1,7}", one)}
    desk.shoot("dispatch-incident")
    assert desk.violations() == []


def test_the_console_fits_a_phone(desk: Desk) -> None:
    desk.page.set_viewport_size({"width": 390, "height": 844})
    desk.sign_in()
    opened(desk)
    desk.shoot("console-phone")
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_lost_connection_brings_what_was_missed(desk: Desk, second: Desk) -> None:
    desk.sign_in()
    opened(desk)
    opened(second)
    before = list(second.troubles)
    second.page.context.set_offline(True)
    case = report(desk, "断网期间的上报")
    second.page.context.set_offline(False)
    second.until(LISTED, case)
    second.settle()
    # What it asked for meanwhile, its map's tiles too, could not come.
    second.troubles[:] = before


def test_the_report_form_meets_no_serious_violation(desk: Desk) -> None:
    desk.sign_in()
    opened(desk)
    desk.page.keyboard.press("n")
    desk.page.keyboard.press(" ")
    desk.page.wait_for_selector("#report:not([hidden])")
    desk.shoot("console-report")
    assert desk.violations() == []


SHOWN = "window.console_.map.queryRenderedFeatures({ layers: ['incident'] }).length"


@pytest.mark.parametrize("refusal", ["503", "cut"])
def test_cases_come_back_to_the_map_after_an_outage(desk: Desk, refusal: str) -> None:
    """A tile that was refused once was asked for never again: the map of a busy city was empty."""
    desk.sign_in()
    opened(desk)
    report(desk, "路灯不亮")
    desk.until(f"{SHOWN} > 0")

    refused = 0

    def refuse(route: Route) -> None:
        nonlocal refused
        refused += 1
        route.fulfill(status=503) if refusal == "503" else route.abort()

    for _ in range(2):
        refused = 0
        desk.page.route("**/tiles/work/**", refuse)
        desk.page.wait_for_selector("#connection:not([hidden])")
        desk.page.wait_for_timeout(7000)
        assert refused > 2
        desk.page.unroute("**/tiles/work/**")
        with desk.page.expect_response(
            lambda told: "/tiles/work/" in told.url and told.status in {200, 304}, timeout=40_000
        ):
            pass
        desk.until(f"{SHOWN} > 0")
        desk.page.wait_for_selector("#connection[hidden]", state="attached")
    expected = ("/tiles/work/", "503", "ERR_FAILED")
    desk.troubles[:] = [one for one in desk.troubles if not any(part in one for part in expected)]
