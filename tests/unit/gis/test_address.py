"""Address text: normalizing, taking apart, and what must hold of any text whatever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.address import KINDS, LEVELS, normalize, parse
from gis.address.normalize import LONGEST, number_of

pieces = st.sampled_from(
    [
        "春晖",
        "街",
        "路",
        "3",
        "三",
        "十",
        "号",
        "号楼",
        "幢",
        "单元",
        "室",
        "小区",
        "东",
        "米",
        "对面",
        "-",
    ]
)
words = st.one_of(st.text(max_size=60), st.lists(pieces, max_size=14).map("".join))


def parts(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in parse(text).components]


@pytest.mark.parametrize(
    ("typed", "compared"),
    [
        ("春水市　三号楼，二单元３０１室", "春水市3号楼2单元301室"),
        ("三元路二十一号", "三元路21号"),
        ("八里庄一百零三号", "八里庄103号"),
        ("十字街五〇二室", "十字街502室"),
        ("\u202e民\u200b权路１２號", "民权路12号"),
        ("Triq il-Kbira,  12", "triq il-kbira 12"),
        ("", ""),
    ],
)
def test_text_is_compared_in_one_form(typed: str, compared: str) -> None:
    assert normalize(typed) == compared


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (
            "江苏省泰州市姜堰区罗塘街道城南社区人民路21号3幢2单元301室",
            [
                ("province", "江苏省"),
                ("city", "泰州市"),
                ("county", "姜堰区"),
                ("town", "罗塘街道"),
                ("community", "城南社区"),
                ("road", "人民路"),
                ("door", "21号"),
                ("building", "3幢"),
                ("unit", "2单元"),
                ("room", "301室"),
            ],
        ),
        ("人民路21号301", [("road", "人民路"), ("door", "21号"), ("room", "301")]),
        ("人民路21号五楼", [("road", "人民路"), ("door", "21号"), ("floor", "5楼")]),
        (
            "锦绣花园3-2-301",
            [("estate", "锦绣花园"), ("building", "3"), ("unit", "2"), ("room", "301")],
        ),
        ("人民路21号对面", [("road", "人民路"), ("door", "21号"), ("relation", "对面")]),
        (
            "12 Triq il-Kbira, Mosta",
            [("door", "12"), ("road", "triq il-kbira"), ("community", "mosta")],
        ),
        ("Triq il-Kbira 12A", [("door", "12a"), ("road", "triq il-kbira")]),
        ("Triq il-Kbira, 12", [("door", "12"), ("road", "triq il-kbira")]),
    ],
)
def test_an_address_is_taken_apart(typed: str, found: list[tuple[str, str]]) -> None:
    assert parts(typed) == found


@pytest.mark.parametrize(
    ("typed", "level"),
    [
        ("人民路21号3幢2单元301室", "room"),
        ("人民路21号3幢2单元", "unit"),
        ("人民路21号3幢", "building"),
        ("人民路21号", "door"),
        ("人民路", "road"),
        ("", ""),
    ],
)
def test_the_level_is_the_closest_that_is_named(typed: str, level: str) -> None:
    assert parse(typed).level == level


def test_a_place_beside_another_is_not_exact() -> None:
    assert parse("人民路21号").is_exact
    assert not parse("人民路21号对面").is_exact


@given(words)
def test_any_text_is_taken_apart_in_its_order(typed: str) -> None:
    found = parse(typed)
    assert len(found.text) <= LONGEST
    assert found.level in {*LEVELS, ""}
    assert {one.kind for one in found.components} <= set(KINDS)
    assert all(one.text for one in found.components)
    if any("\u4e00" <= one <= "\u9fff" for one in found.text):
        at = 0
        for one in found.components:
            at = found.text.index(one.text, at) + len(one.text)


@given(words)
def test_normalizing_twice_changes_nothing(typed: str) -> None:
    assert normalize(normalize(typed)) == normalize(typed)


@given(st.integers(0, 9999))
def test_numerals_are_read_as_written(number: int) -> None:
    digits = "零一二三四五六七八九"
    assert number_of("".join(digits[int(one)] for one in str(number))) == number
    written, gap = "", False
    for place, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        one = number // place % 10
        if one:
            written += ("零" if gap and written else "") + digits[one] + name
        gap = not one
    assert number_of(written or "零") == number
