from datetime import UTC, datetime

import pytest

from data.importing.columns import CellError, moment, number, recognise, text, whole


def test_headings_in_either_language_are_recognised() -> None:
    found = recognise(["编号", " Lon ", "纬度", "备注"], ("id", "lon", "lat", "name"))
    assert found == {"id": "编号", "lon": " Lon ", "lat": "纬度"}


@pytest.mark.parametrize("value", ["x", "", "nan", "inf", None])
def test_what_is_no_number_is_refused(value: str | None) -> None:
    with pytest.raises(CellError, match="lon"):
        number({"c": value}, "c", "lon")


def test_an_empty_count_is_unknown_and_not_zero() -> None:
    assert whole({"c": ""}, "c", "households") is None
    assert whole({"c": "0"}, "c", "households") == 0


@pytest.mark.parametrize("value", ["-1", "1.5"])
def test_a_count_that_is_no_whole_number_is_refused(value: str) -> None:
    with pytest.raises(CellError, match="whole number"):
        whole({"c": value}, "c", "households")


def test_a_time_without_zone_is_beijing_time() -> None:
    assert moment({"c": "2026/11/25 08:00:00"}, "c", "time") == datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2026-02-30", "1889-01-01", "2199-12-31"])
def test_impossible_times_are_refused(value: str) -> None:
    with pytest.raises(CellError, match="time"):
        moment({"c": value}, "c", "time")


def test_blanks_and_nul_bytes_are_trimmed() -> None:
    assert text({"c": " 王\x00芳 "}, "c") == "王芳"
