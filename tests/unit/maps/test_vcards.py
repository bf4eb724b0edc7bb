"""Contacts as vCard 4.0 and jCard: whatever a name holds, it comes back."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from grids.card import Card, CardPerson
from grids.card_layout import CardLayout
from grids.places import GridFacts
from grids.responsibility.records import UnitFacts
from maps.vcards import jcard, vcard

GRID = GridFacts(7, "990100001001007", "临江社区第7网格", "urban", "990100001001", "临江社区", 300)
AT = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r,;\\:"),
    min_size=1,
    max_size=120,
)


def card_of(*people: CardPerson) -> Card:
    centre = UnitFacts(1, "春水市网格中心", "centre", "0990-5551000")
    return Card(GRID, (), people, centre, CardLayout(), 122.31, 43.575)


def values(written: str, name: str) -> list[str]:
    """Values of a property, unfolded and unescaped as RFC 6350 says."""
    lines = written.replace("\r\n ", "").split("\r\n")
    held = [line.split(":", 1)[1] for line in lines if re.split("[;:]", line)[0] == name]
    return [re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], one) for one in held]


@given(names, names)
def test_any_name_comes_back_whole(name: str, role: str) -> None:
    written = vcard(card_of(CardPerson("police", name, "0990-1")), lambda _code: role, AT)
    assert written.endswith("END:VCARD\r\n")
    for line in written.split("\r\n"):
        assert len(line.encode()) <= 75
    plain = f"{name} {role}".replace("\r\n", "\n").replace("\r", "\n")
    assert values(written, "FN") == [plain]


def test_a_card_for_each_person_in_their_order() -> None:
    people = (
        CardPerson("gridworker", "孙强军", "0990-5550007", "13800000000"),
        CardPerson("doctor", "曹伟洋", None),
    )
    written = vcard(card_of(*people), str.upper, AT)
    assert values(written, "VERSION") == ["4.0", "4.0"]
    assert values(written, "TEL") == ["0990-5550007", "13800000000"]
    assert values(written, "TITLE") == ["GRIDWORKER", "DOCTOR"]
    assert values(written, "REV") == ["20261126T080000Z"] * 2
    assert len(set(values(written, "UID"))) == 2
    assert 'TEL;TYPE="work,voice";PREF=1:0990-5550007\r\n' in written


def test_a_jcard_says_the_same() -> None:
    person = CardPerson("police", "程东洋", "0990-5550056")
    (made,) = jcard(card_of(person), str, AT)
    assert made[0] == "vcard"
    held = {one[0]: one for one in made[1]}
    assert made[1][0] == ["version", {}, "text", "4.0"]
    assert held["tel"] == ["tel", {"type": ["work", "voice"], "pref": "1"}, "text", "0990-5550056"]
    assert held["rev"][2:] == ["timestamp", "2026-11-26T08:00:00Z"]
    assert held["fn"][3] == "程东洋 police"
