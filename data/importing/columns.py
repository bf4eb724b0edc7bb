"""Recognising headings, Chinese and English, and reading cells of a type."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from data.errors import SourceError

__all__ = ["CellError", "moment", "number", "recognise", "text", "whole"]

# Times without a zone in Chinese files are Beijing time.
LOCAL_ZONE = ZoneInfo("Asia/Shanghai")

_HEADINGS: dict[str, tuple[str, ...]] = {
    "id": ("id", "编号", "案件编号", "工单号", "序号", "codebase", "code", "代码", "区划代码"),
    "name": ("name", "姓名", "名称", "行政区划名称"),
    "parent": ("parent", "上级", "上级代码"),
    "level": ("level", "级别"),
    "ur_code": ("ur_code", "城乡分类", "城乡分类代码"),
    "lon": ("lon", "lng", "longitude", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
    "role": ("role", "角色", "岗位", "职务"),
    "duty_phone": ("duty_phone", "phone", "值班电话", "工作电话", "电话"),
    "mode": ("mode", "出行方式", "交通方式"),
    "area": ("area", "责任区", "责任区域", "服务区域", "社区"),
    "unit": ("unit", "单位", "所属单位"),
    "class": ("class", "offense", "类别", "事件类别", "案件类别"),
    "severity": ("severity", "难易程度", "严重程度"),
    "time": ("time", "reported_at", "时间", "上报时间", "发生时间"),
    "description": ("description", "描述", "问题描述", "事件描述"),
    "address": ("address", "地址", "标准地址", "详细地址"),
    "estate": ("estate", "小区", "小区名称"),
    "households": ("households", "h_cnt", "户数"),
    "population": ("population", "p_cnt", "人口", "人口数"),
    "community": ("community", "code2", "社区代码", "所属社区"),
    "town": ("town_id", "town", "乡镇", "街道"),
    "kind": ("kind", "类型"),
}


class CellError(ValueError):
    """A cell that cannot be used; its text is the reason of refusal."""


def recognise(headings: Iterable[str], wanted: Iterable[str]) -> dict[str, str]:
    """Map wanted names to the headings that carry them, earlier aliases first.

    Raises
    ------
    SourceError
        If the file has no heading at all.
    """
    present = {heading.strip().lower(): heading for heading in headings}
    if not present:
        raise SourceError("the file has no columns")
    found = {}
    for name in wanted:
        for alias in (name, *_HEADINGS.get(name, ())):
            if alias in present:
                found[name] = present[alias]
                break
    return found


def text(row: Mapping[str, Any], column: str | None, what: str = "") -> str:
    """Text of a cell without surrounding blanks; a missing one is refused if `what` is named."""
    value = "" if column is None else str(row.get(column) if row.get(column) is not None else "")
    value = value.strip().replace("\x00", "")
    if what and not value:
        raise CellError(f"{what} is missing")
    return value


def number(row: Mapping[str, Any], column: str | None, what: str) -> float:
    """Finite number of a cell."""
    raw = text(row, column, what)
    try:
        value = float(raw)
    except ValueError as error:
        raise CellError(f"{what} {raw!r} is no number") from error
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN
        raise CellError(f"{what} {raw!r} is not finite")
    return value


def whole(row: Mapping[str, Any], column: str | None, what: str) -> int | None:
    """Whole number >= 0 of a cell; None where the cell is empty (unknown, not zero)."""
    if not text(row, column):
        return None
    value = number(row, column, what)
    if value < 0 or value != int(value):
        raise CellError(f"{what} {value:g} is no whole number of 0 or more")
    return int(value)


def moment(row: Mapping[str, Any], column: str | None, what: str) -> datetime:
    """Moment of a cell, ISO-like; Beijing time where it has no zone; the future is refused."""
    raw = text(row, column, what).replace("/", "-")
    try:
        value = datetime.fromisoformat(raw)
    except ValueError as error:
        raise CellError(f"{what} {raw!r} is no date") from error
    if value.tzinfo is None:
        value = value.replace(tzinfo=LOCAL_ZONE)
    if not datetime(1990, 1, 1, tzinfo=UTC) < value < datetime.now(UTC) + timedelta(days=1):
        raise CellError(f"{what} {raw!r} is before 1990 or in the future")
    return value.astimezone(UTC)
