import pytest

from data.errors import StateError
from grids.codes import LAST_SEQUENCE, new_codes, reading_order


def test_codes_follow_the_last_one_ever_given() -> None:
    assert new_codes("990100001001", 2, used={41}) == ["990100001001042", "990100001001043"]


def test_a_community_whose_codes_are_used_up_is_named() -> None:
    used = set(range(1, LAST_SEQUENCE))
    with pytest.raises(StateError, match="990100001001"):
        new_codes("990100001001", 2, used)


def test_after_the_last_code_those_left_out_before_are_given() -> None:
    codes = new_codes("990100001001", 3, used={1, 2, 998})
    assert [code[12:] for code in codes] == ["999", "003", "004"]


def test_reading_order_is_west_to_east_then_north_to_south() -> None:
    x, y = [5, 1, 9, 1, 9], [10, 10, 10, 1, 1]
    assert reading_order(x, y, 5.0).tolist() == [1, 0, 2, 3, 4]


def test_reading_order_of_nothing_is_nothing() -> None:
    assert reading_order([], [], 1.0).tolist() == []
