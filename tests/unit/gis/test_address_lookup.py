"""Looking addresses up: certain only where every known address that fits lies in one area."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.address import AddressTable, Areas, Entry, Numbers, entry_of, look_up, suggest
from gis.address.question import address_text

ROADS = ("春晖街", "春晖路", "滨江北街", "滨江南街", "人民街")
ESTATES = ("春晖花园", "阳光家园", "安和新村")
COMMUNITIES = ("临江社区", "安和社区")


def table_of(rows: list[tuple[str, ...]], **more) -> AddressTable:
    """A table of (road, door, estate, building, unit, community)."""
    entries = [
        Entry(road, estate, Numbers(door, building, unit), ("春水市",))
        for road, door, estate, building, unit, _ in rows
    ]
    where = np.array([COMMUNITIES.index(row[5]) for row in rows], np.int32)
    return AddressTable.build(
        [text_of(row) for row in rows],
        entries,
        communities=where,
        community_names=COMMUNITIES,
        **more,
    )


def text_of(row: tuple[str, ...]) -> str:
    road, door, estate, building, unit, _ = row
    said = f"春水市{road}" + (f"{door}号" if door else "") + estate
    return said + (f"{building}号楼" if building else "") + (f"{unit}单元" if unit else "")


def areas_of(numbers: list[int], more: dict[int, tuple[int, ...]] | None = None) -> Areas:
    return Areas(np.array(numbers, np.int32), more or {})


row = st.tuples(
    st.sampled_from(ROADS),
    st.sampled_from(["1", "2", "21"]),
    st.sampled_from(["", *ESTATES]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(COMMUNITIES),
)
cities = st.lists(row, min_size=1, max_size=12, unique_by=text_of)


@given(cities, st.data())
def test_a_certain_area_is_that_of_every_address_that_fits(rows, data) -> None:
    held = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    table, areas = table_of(rows), areas_of(held)
    chosen = data.draw(st.sampled_from(rows))
    kept = data.draw(st.tuples(*[st.booleans()] * 5))
    typed = tuple(part if keep else "" for part, keep in zip(chosen, kept, strict=False))
    found = look_up(table, areas, text_of((*typed, "")))
    fits = {
        area
        for one, area in zip(rows, held, strict=True)
        if all(want in ("", part) for want, part in zip(typed, one, strict=False))
    }
    if found.is_certain:
        assert found.areas == tuple(fits)
    elif len(found.rows):
        assert fits & set(found.areas) or not any(typed)


@given(cities, st.data())
def test_every_known_address_is_found_and_its_text_is_read_as_itself(rows, data) -> None:
    held = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    table, areas = table_of(rows), areas_of(held)
    for at, one in enumerate(rows):
        inside = {
            area
            for other, area in zip(rows, held, strict=True)
            if other[0] == one[0]
            and (not one[2] or other[2] == one[2])
            and all(
                a in ("", b)
                for a, b in zip((one[1], *one[3:5]), (other[1], *other[3:5]), strict=True)
            )
        }
        found = look_up(table, areas, text_of(one))
        assert found.is_certain == (len(inside) == 1)
        assert held[at] in found.areas
        again = look_up(table, areas, address_text(table, at, "room"))
        assert held[at] in again.areas


@given(st.lists(st.sampled_from([*ROADS, *ESTATES, "21号", "3幢", "二单元", "x", "号", "-", "春"])))
def test_any_text_gets_an_answer_or_a_question(pieces: list[str]) -> None:
    rows = [(r, "21", e, b, "", COMMUNITIES[0]) for r, e, b in product(ROADS, ESTATES, "12")]
    table = table_of(rows)
    areas = areas_of(list(range(len(rows))))
    found = look_up(table, areas, "".join(pieces))
    assert 0 <= found.score <= 1
    assert found.is_certain <= (len(found.areas) == 1)
    if not found.is_certain and len(found.rows):
        assert found.asked
        assert found.options
    assert all(one.text for one in suggest(table, "".join(pieces)))


@given(st.text(max_size=300))
def test_hostile_text_is_only_text(typed: str) -> None:
    table = table_of([("春晖街", "21", "", "", "", COMMUNITIES[0])])
    found = look_up(table, areas_of([1]), typed)
    assert found.areas in {(), (1,)}
    suggest(table, typed)


SMALL = [
    ("春晖街", "21", "春晖花园", "1", "", "临江社区"),
    ("春晖街", "21", "春晖花园", "2", "", "临江社区"),
    ("春晖街", "23", "阳光家园", "1", "", "临江社区"),
    ("滨江北街", "21", "安和新村", "1", "1", "安和社区"),
    ("滨江北街", "21", "安和新村", "1", "2", "安和社区"),
]
AREAS = [1, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("typed", "area"),
    [
        ("春水市春晖街21号春晖花园1号楼", 1),
        ("春晖花园一幢", 1),
        ("春晖花园1-301", 1),
        ("春晖花园1#楼", 1),
        ("我家住在阳光家园1栋502", 2),
        ("洋光家园1号楼", 2),
        ("村辉花园2号楼", 1),
        ("滨江北街21号安和新村1号楼2单元", 4),
        ("安和新村1-2-301", 4),
        ("俗名院1号楼", 2),
    ],
)
def test_what_is_certain(typed: str, area: int) -> None:
    table = table_of(SMALL, aliases=[("俗名院", "阳光家园")])
    found = look_up(table, areas_of(AREAS), typed)
    assert (found.is_certain, found.areas) == (True, (area,))


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("春晖街21号", "building"),
        ("春晖花园", "building"),
        ("春晖街", "name"),
        ("安和新村1号楼", "unit"),
        ("安和新村1号楼301", "unit"),
        ("春晖花园1号楼对面", "confirm"),
        ("春晖花园1号楼东600米", "confirm"),
        ("北京市朝阳区春晖花园1号楼", "confirm"),
        ("安和社区春晖花园1号楼", "confirm"),
        ("春晖花园99号楼", "building"),
        ("滨江南街21号安和新村1号楼1单元", "confirm"),
    ],
)
def test_what_is_asked(typed: str, asked: str) -> None:
    found = look_up(table_of(SMALL), areas_of(AREAS), typed)
    assert (found.is_certain, found.asked) == (False, asked)
    assert found.options


def test_a_shared_building_is_never_one_area() -> None:
    found = look_up(table_of(SMALL), areas_of(AREAS, {0: (2,)}), text_of(SMALL[0]))
    assert (found.is_certain, found.areas, found.asked) == (False, (1, 2), "area")


def test_beginnings_are_found_by_characters_pinyin_and_numbers() -> None:
    table = table_of(SMALL)
    assert {one.text for one in suggest(table, "春晖")} == {"春晖街", "春晖花园"}
    assert suggest(table, "yangg")[0].text == "阳光家园"
    assert suggest(table, "ygjy")[0].text == "阳光家园"
    assert [one.text for one in suggest(table, "春晖街2")] == [
        "春晖街21号春晖花园",
        "春晖街23号阳光家园",
    ]
    assert suggest(table, "春") == []


def test_plain_addresses_are_found_without_accents_and_in_any_order() -> None:
    texts = ["12 Triq iż-Żabbar, Mosta", "12A Triq iż-Żabbar, Mosta", "12 Triq il-Kbira, Mosta"]
    entries = [entry_of(one, road=one.split(" ", 1)[1].split(",")[0]) for one in texts]
    table, areas = AddressTable.build(texts, entries), areas_of([1, 2, 3])
    for typed, area in (
        ("12 TRIQ IZ ZABBAR", 1),
        ("Triq iz-Zabbar 12a, Mosta", 2),
        ("12 Triq il-Kbra mosta", 3),
        ("12, Triq il-Kbira, Flat 3", 3),
    ):
        found = look_up(table, areas, typed)
        assert (found.is_certain, found.areas) == (True, (area,)), typed
    assert not look_up(table, areas, "12").is_certain
