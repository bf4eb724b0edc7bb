"""The public card on a phone, by keyboard, without JavaScript, and on paper; looked at."""

import io
from collections.abc import Iterator

import numpy as np
import pypdfium2
import pytest
from PIL import Image
from playwright.sync_api import Browser
from sqlalchemy import text

from tests.browser.conftest import SCREENSHOTS, Desk, watched
from tests.served import Served

PHONE = {"width": 390, "height": 844}
KNOWN = "春水市滨南街1号春晖花园3号楼"


@pytest.fixture
def phone(browser: Browser, server: Served) -> Iterator[Desk]:
    made = watched(browser, server, viewport=PHONE, has_touch=True)
    yield made
    made.page.context.close()
    assert made.troubles == []


@pytest.fixture
def plain(browser: Browser, server: Served) -> Iterator[Desk]:
    """A phone that runs no scripts."""
    made = watched(browser, server, viewport=PHONE, java_script_enabled=False)
    yield made
    made.page.context.close()
    assert made.troubles == []


def fits(desk: Desk) -> bool:
    return bool(desk.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"])


def grid_of(desk: Desk, address: str) -> str:
    with desk.database.session() as session:
        return session.execute(
            text(
                "SELECT grid.code FROM address JOIN grid ON upper_inf(valid) "
                "AND ST_Covers(grid.geom, address.geom) WHERE address.text = :address"
            ),
            {"address": address},
        ).scalar_one()


def test_a_resident_types_answers_one_question_and_has_the_card(phone: Desk) -> None:
    phone.open("/card")
    phone.shoot("card-phone-start")
    phone.page.fill("#q", "滨南街1号")
    phone.page.click("#search button")
    phone.page.wait_for_selector("#matches")
    assert phone.violations() == []
    phone.shoot("card-question")
    phone.page.click("text=3号楼")
    phone.page.wait_for_selector("#card")
    phone.settle()
    assert phone.page.inner_text("#address") == KNOWN
    assert phone.page.inner_text("#code") == grid_of(phone, KNOWN)
    assert phone.page.eval_on_selector(".small-map", "e => e.naturalWidth") > 100
    assert fits(phone)
    assert phone.violations() == []
    phone.page.screenshot(path=SCREENSHOTS / "card-phone.png", full_page=True)
    phone.page.click("text=大字版")
    phone.page.wait_for_selector(".public.large #card")
    assert fits(phone)
    phone.page.screenshot(path=SCREENSHOTS / "card-large.png", full_page=True)
    phone.page.click("button:text-is('English')")
    phone.page.wait_for_selector("text=Contact card")
    shown = phone.page.inner_text("main")
    assert "Community police" in shown
    assert phone.page.inner_text("#code") == grid_of(phone, KNOWN)


def test_the_card_is_found_by_keyboard_alone(phone: Desk) -> None:
    phone.open("/card")
    phone.page.focus("#q")
    phone.page.keyboard.type("chunhuihy", delay=20)
    phone.page.wait_for_timeout(400)
    phone.page.fill("#q", "")
    phone.page.keyboard.type("chhy", delay=20)
    phone.page.wait_for_selector("#suggestions li")
    assert phone.violations() == []
    phone.shoot("card-suggestions")
    phone.page.keyboard.press("ArrowDown")
    chosen = phone.page.get_attribute("#q", "aria-activedescendant")
    assert phone.page.get_attribute(f"#{chosen}", "aria-selected") == "true"
    phone.page.keyboard.press("Enter")
    assert phone.page.input_value("#q") == "春晖花园"
    phone.page.keyboard.type("3")
    phone.page.wait_for_selector("#suggestions li:has-text('3号楼')")
    phone.page.keyboard.press("ArrowDown")
    phone.page.keyboard.press("Enter")
    phone.page.wait_for_selector("#card")
    assert phone.page.inner_text("#code") == grid_of(phone, KNOWN)


def test_everything_works_without_scripts(plain: Desk) -> None:
    page = plain.page
    page.goto(f"{plain.base}/card")
    page.fill("#q", "春晖花园")
    page.click("#search button")
    page.click(".options button >> nth=2")
    assert page.inner_text("#address") == KNOWN
    page.click(".bag-service")
    assert page.input_value("#where") == KNOWN
    page.fill("textarea", "楼道灯坏了")
    page.screenshot(path=SCREENSHOTS / "card-bag.png", full_page=True)
    page.click("text=提交")
    case, address = page.inner_text("#case"), page.get_attribute("#follow", "href")
    with plain.database.session() as session:
        state = "UPDATE incident SET state = 'closed' WHERE source_ref = :case"
        session.execute(text(state), {"case": case})
    page.goto(str(address))
    page.check("input[value=satisfied]")
    page.screenshot(path=SCREENSHOTS / "card-rate.png", full_page=True)
    page.click("#rate button")
    assert page.inner_text("#said b") == "满意"


def test_a_wait_is_counted_down_and_ends_by_itself(
    browser: Browser, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = Served(server.database, server.home, server.county)
    monkeypatch.setenv("ONEGRID_CARDS_FREE", "1 per 10 minutes")
    strict.start(trusted="")
    desk = watched(browser, strict, viewport=PHONE)
    try:
        for _ in range(2):
            desk.open("/card")
            desk.page.fill("#q", KNOWN)
            desk.page.click("#search button")
            desk.page.wait_for_load_state()
        desk.page.wait_for_selector("#wait")
        assert desk.violations() == []
        desk.shoot("card-wait")
        desk.page.wait_for_selector("#card", timeout=20_000)
    finally:
        desk.page.context.close()
        strict.stop()
    assert [one for one in desk.troubles if "429" not in one] == []


@pytest.mark.parametrize(("size", "wide_mm"), [("a6", 105), ("a4", 210)])
def test_a_printed_card_is_looked_at(phone: Desk, size: str, wide_mm: int) -> None:
    phone.open("/card")
    phone.page.fill("#q", KNOWN)
    phone.page.click("#search button")
    phone.page.wait_for_selector("#card")
    with phone.page.expect_download() as download:
        phone.page.click(f"button[value={size}]")
    paper = pypdfium2.PdfDocument(download.value.path())
    assert len(paper) == 1
    sheet = paper[0]
    assert round(sheet.get_width() / 72 * 25.4) == wide_mm
    words = sheet.get_textpage().get_text_bounded()
    for word in ("网格服务联系卡", "社区民警", "监督电话", "春晖花园3号楼", "扫码"):
        assert word in words
    picture = sheet.render(scale=2).to_pil()
    picture.save(SCREENSHOTS / f"card-{size}.png")
    assert ink(picture) > 0.02


def ink(picture: Image.Image) -> float:
    """Which part of a sheet is not white."""
    shades = np.asarray(picture.convert("L"))
    return float((shades < 200).mean())


def test_the_signs_of_a_grid_are_looked_at(desk: Desk) -> None:
    desk.sign_in()
    grid = grid_of(desk, KNOWN)
    answer = desk.page.request.get(f"{desk.base}/api/v1/grids/{grid}/door-signs.pdf?size=a6")
    paper = pypdfium2.PdfDocument(io.BytesIO(answer.body()))
    with desk.database.session() as session:
        known = session.scalar(
            text(
                "SELECT count(*) FROM address JOIN grid ON upper_inf(valid) "
                "AND ST_Covers(grid.geom, address.geom) WHERE grid.code = :grid"
            ),
            {"grid": grid},
        )
    assert len(paper) == known
    picture = paper[0].render(scale=2).to_pil()
    picture.save(SCREENSHOTS / "door-sign.png")
    assert ink(picture) > 0.02
