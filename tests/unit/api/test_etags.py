"""Which entity tags an ``If-None-Match`` names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.etags import is_held

TAGS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'))
WEAK = st.sampled_from(["", "W/"])


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ("*", True),
        (" * ", True),
        ('"b", "a"', True),
        ('"b",,W/"a"', True),
        ('"x,y", "a"', True),
        ('"x, \\"a"', False),
        ('"a', False),
        ("a", False),
        ("", False),
        ('"b"', False),
        ('"A"', False),
        ('"b" "a"', False),
        ('w/"a"', False),
        ('*, "b"', False),
    ],
)
def test_a_tag_is_found_by_the_weak_comparison(said: str, held: bool) -> None:
    assert is_held(said, '"a"') is held
    assert is_held(said, 'W/"a"') is held


@given(st.lists(st.tuples(WEAK, TAGS), max_size=6), TAGS, WEAK)
def test_a_list_names_exactly_its_tags(listed: list[tuple[str, str]], tag: str, weak: str) -> None:
    said = ", ".join(f'{prefix}"{one}"' for prefix, one in listed)
    assert is_held(said, f'{weak}"{tag}"') is (tag in {one for _, one in listed})


@given(st.text(max_size=300))
def test_nothing_that_is_said_fails(said: str) -> None:
    assert isinstance(is_held(said, '"a"'), bool)


def test_a_long_header_takes_no_long_time() -> None:
    for said in ('"' * 60_000, "," * 60_000, '"a",' * 15_000, " " * 60_000, 'W/"' * 20_000):
        assert is_held(said, '"b"') is False
