"""Each desk does its main act once, in a real browser; the database says whether it did."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from maps.city_map import MapRequest, city_map
from maps.texts import texts
from tests.browser.conftest import Desk


def colours(picture: bytes, left: float = 0.0, right: float = 1.0) -> int:
    """Count the colours of a part of a picture that cover more than a thousandth of it."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    part = image.crop((int(image.width * left), 80, int(image.width * right), image.height))
    pixels = np.asarray(part).reshape(-1, 3) // 16
    _, counts = np.unique(pixels @ [1, 16, 256], return_counts=True)
    return int((counts > len(pixels) / 1000).sum())


def map_of(desk: Desk):
    frame = desk.page.wait_for_selector("iframe.map").content_frame()
    frame.wait_for_url("**/maps/**")
    frame.wait_for_selector("canvas")
    return frame


def overlaps(frame) -> list[str]:
    """Pairs of map controls whose boxes overlap."""
    boxes = frame.eval_on_selector_all(
        ".leaflet-control, .og-legend",
        "all => all.map(e => [e.className, e.getBoundingClientRect().toJSON()])",
    )
    found = []
    for i, (one, a) in enumerate(boxes):
        for two, b in boxes[i + 1 :]:
            apart = (
                a["right"] <= b["left"]
                or b["right"] <= a["left"]
                or a["bottom"] <= b["top"]
                or b["bottom"] <= a["top"]
            )
            if not apart and one != two:
                found.append(f"{one} over {two}")
    return found


def test_planner_draws_a_draft_of_the_county(desk: Desk) -> None:
    desk.sign_in()
    frame = map_of(desk)
    assert overlaps(frame) == []
    assert colours(desk.shoot("planner"), right=0.6) > 5, "the map is not blank"
    desk.page.fill("input[name=seed]", "4")
    desk.page.click("text=划分草案")
    desk.page.wait_for_selector("#map[data-idle=true]")
    assert "编辑中" in desk.page.inner_text("#state")
    assert colours(desk.shoot("planner-draft"), right=0.6) > 4
    with desk.database.session() as session:
        note = session.scalar(text("SELECT note FROM generation WHERE state = 'draft'"))
    assert note == "tongliao, seed 4"


@pytest.mark.parametrize("kind", ["urban", "rural", "dedicated"])
def test_planner_finds_a_grid_of_any_kind_on_the_map(desk: Desk, kind: str) -> None:
    with desk.database.session() as session:
        code = session.execute(
            text("SELECT max(code) FROM grid WHERE kind = :kind AND upper_inf(valid)"),
            {"kind": kind},
        ).scalar_one()
    desk.sign_in()
    frame = map_of(desk)
    frame.click(".search-button")
    frame.type("input.search-input", code)
    frame.click(".search-tip")
    desk.page.wait_for_timeout(800)
    assert frame.eval_on_selector(".leaflet-control-scale-line", "e => e.textContent") != "300 m"
    desk.shoot(f"planner-found-{kind}")


def test_a_click_on_the_map_gives_the_card_of_that_place(desk: Desk) -> None:
    desk.open("/card")
    map_of(desk)
    assert colours(desk.shoot("card"), right=0.6) > 4
    box = desk.page.locator("iframe.map").bounding_box()
    assert box is not None
    desk.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.7)
    desk.page.wait_for_selector("#card")
    assert "EPSG:4326" in desk.page.inner_text("footer")


def test_planner_sees_where_the_staff_has_gaps(desk: Desk) -> None:
    desk.sign_in()
    desk.open("/planner/coverage?team=trio-jiangyan&most=500")
    assert "微网格联络员" in desk.page.inner_text("#problems")
    assert "户数过多" in desk.page.inner_text("#problems")
    assert overlaps(map_of(desk)) == []
    assert colours(desk.shoot("coverage"), right=0.6) > 5


@pytest.mark.parametrize("path", ["/card", "/login", "/docs", "/planner", "/dispatch", "/none"])
def test_no_page_asks_another_host(desk: Desk, path: str) -> None:
    if path in {"/planner", "/dispatch"}:
        desk.sign_in()
    desk.page.goto(desk.base + path)
    if path == "/dispatch":  # its feed never ends
        desk.page.wait_for_selector("#map[data-idle=true]")
    else:
        desk.settle()
    desk.shoot(f"page{path.replace('/', '-')}")
    if path == "/docs":
        assert "/api/v1/who" in desk.page.inner_text("body")
    if path == "/none":  # Chromium reports the status of the page itself as an error
        desk.troubles = [t for t in desk.troubles if "404" not in t]


@pytest.mark.parametrize("path", ["/card", "/planner", "/planner/coverage"])
def test_a_chinese_page_holds_no_english_word(desk: Desk, path: str) -> None:
    desk.sign_in()
    desk.open(path)
    words = desk.page.inner_text("body") + map_of(desk).inner_text("body")
    known = {"English", "EPSG", "DEMO", "Leaflet", "GB", "T", "N", "m", "km"}
    english = set("".join(c if c.isascii() and c.isalpha() else " " for c in words).split())
    assert english - known == set()


def test_the_exported_map_opens_with_no_network_at_all(desk: Desk, tmp_path: Path) -> None:
    with desk.database.session() as session:
        page = city_map(session, "990100", MapRequest(texts("zh"), inline=True))
    (tmp_path / "city.html").write_text(page.html, encoding="utf-8")
    desk.page.context.set_offline(True)
    desk.page.goto((tmp_path / "city.html").as_uri())
    desk.page.wait_for_selector("canvas")
    assert colours(desk.shoot("map-file")) > 5
    layers = desk.page.eval_on_selector_all(
        ".leaflet-control-layers-overlays span", "all => all.map(e => e.textContent.trim())"
    )
    assert {"底图", "社区", "城镇网格", "农村网格", "专属网格", "事件", "处置人员"} <= set(
        layers
    ), json.dumps(layers, ensure_ascii=False)
