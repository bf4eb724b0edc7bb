"""Recognising headings, Chinese and English, and reading cells of a type."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from data.conversions.headings import second_name
from data.errors import SourceError
from data.moments import is_countable
from data.safe_cells import cell_as_meant

__all__ = [
    "CellError",
    "hours",
    "moment",
    "names_of",
    "number",
    "period",
    "recognise",
    "text",
    "weekdays",
    "whole",
]

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
    "road": ("road", "street", "道路", "街路巷", "街路巷名称"),
    "door": ("door", "housenumber", "门牌", "门牌号", "门楼牌号"),
    "alias": ("alias", "俗称", "别名"),
    "households": ("households", "h_cnt", "户数"),
    "population": ("population", "p_cnt", "人口", "人口数"),
    "community": ("community", "code2", "社区代码", "所属社区"),
    "town": ("town_id", "town", "乡镇", "街道"),
    "kind": ("kind", "类型"),
    "person": ("person", "人员编号", "工号", "人员", "姓名"),
    "deputy": ("deputy", "代班人", "顶岗人"),
    "holder": ("holder", "ab岗", "a/b岗", "岗别"),
    "scope": ("scope", "负责类别", "负责事项"),
    "from": ("from", "开始日期", "开始时间", "起始日期", "生效日期"),
    "to": ("to", "结束日期", "结束时间", "截止日期", "失效日期"),
    "note": ("note", "备注", "事由"),
    "presence": ("presence", "值守方式", "进驻方式"),
    "weekdays": ("weekdays", "星期", "值班日"),
    "hours": ("hours", "值班时段", "时段"),
    "grid": ("grid", "grid_code", "网格", "网格编码", "网格代码"),
    "building": ("building", "楼栋编号", "建筑编号"),
    "division": ("division", "所属区划", "服务区划"),
    "position": ("position", "次序", "顺序"),
    "grid_kind": ("grid_kind", "网格类型"),
    "owner": ("owner", "权属单位"),
    "to_role": ("to_role", "派给岗位"),
    "to_unit": ("to_unit", "派给单位"),
    "source": ("source", "依据", "来源"),
}


class CellError(ValueError):
    """A cell that cannot be used; its text is the reason of refusal."""


def recognise(headings: Iterable[str], wanted: Iterable[str]) -> dict[str, str]:
    """Map wanted names to the headings that carry them, earlier aliases first.

    Raises
    ------
    SourceError
        If the file has no heading at all, or two columns have the name that is wanted.
    """
    named = [(heading.strip().lower(), heading) for heading in headings]
    if not named:
        raise SourceError("the file has no columns")
    present = dict(named)
    times = Counter(key for key, _ in named)
    found = {}
    for name in wanted:
        for alias in (name, *_HEADINGS.get(name, ())):
            if alias in present:
                _require_single(alias, times)
                found[name] = present[alias]
                break
    return found


def names_of(wanted: str) -> tuple[str, ...]:
    """What a column may be called, for whoever must rename one."""
    return _HEADINGS[wanted]


def _require_single(key: str, times: Counter[str]) -> None:
    """Refuse two columns of one name: which of them is meant is not guessed."""
    if times[key] > 1 or second_name(key) in times:
        raise SourceError(f"two columns are called {key!r}: rename or remove one of them")


def text(row: Mapping[str, Any], column: str | None, what: str = "") -> str:
    """Text of a cell without surrounding blanks; a missing one is refused if `what` is named."""
    value = "" if column is None else str(row.get(column) if row.get(column) is not None else "")
    value = cell_as_meant(value.strip().replace("\x00", ""))
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
    raw = text(row, column, what)
    value = _dated(raw, what)
    if not datetime(1990, 1, 1, tzinfo=UTC) < value < datetime.now(UTC) + timedelta(days=1):
        raise CellError(f"{what} {raw!r} is before 1990 or in the future")
    return value.astimezone(UTC)


def period(
    row: Mapping[str, Any], begin: str | None, end: str | None
) -> tuple[datetime | None, datetime | None]:
    """First and last moment that two cells state, each None where its cell is empty.

    A last day without an hour is meant as a whole: the period ends at the midnight after it.
    """
    begins = _dated(raw, "from") if (raw := text(row, begin)) else None
    ends = None
    if raw := text(row, end):
        ends = _dated(raw, "to")
        if len(raw) <= len("2026-12-31") or raw.endswith(" 00:00:00"):
            ends += timedelta(days=1)
    if begins is not None and ends is not None and ends <= begins:
        raise CellError(f"the end {raw!r} is not after the beginning")
    return begins, ends


def _dated(raw: str, what: str) -> datetime:
    try:
        value = datetime.fromisoformat(raw.replace("/", "-"))
    except ValueError as error:
        raise CellError(f"{what} {raw!r} is no date; write it like 2026-07-01 08:30") from error
    if not is_countable(value):
        raise CellError(f"{what} {raw!r}: the year {value.year} cannot be meant")
    return value if value.tzinfo is not None else value.replace(tzinfo=LOCAL_ZONE)


def weekdays(row: Mapping[str, Any], column: str | None) -> list[int] | None:
    """Days of the week of a cell: ``1-5``, ``周一至周五``, ``6,7``; None where it is empty."""
    raw = text(row, column)
    if not raw:
        return None
    plain = raw.translate(_DAY_SIGNS).replace("工作7", "1-5").replace("节假7", "6-7")
    found: set[int] = set()
    for part in filter(None, re.split(r"[,\s]+", plain)):
        bounds = part.split("-")
        if len(bounds) > 2 or not all(b in set("1234567") for b in bounds):
            raise CellError(f"days of the week {raw!r} are not like 1-5 or 周一至周五")
        found.update(range(int(bounds[0]), int(bounds[-1]) + 1))
    return sorted(found)


def hours(row: Mapping[str, Any], column: str | None) -> tuple[time, time] | None:
    """Hours of the day of a cell, ``08:30-17:30``; None where it is empty."""
    raw = text(row, column)
    if not raw:
        return None
    parts = re.split(r"\s*[-–~至]\s*", raw.replace("：", ":"))
    try:
        starts, ends = (time.fromisoformat(part.zfill(5)) for part in parts)
    except ValueError as error:
        raise CellError(f"hours {raw!r} are not like 08:30-17:30") from error
    if starts == ends:
        raise CellError(f"hours {raw!r} are empty: leave the cell empty for the whole day")
    return starts, ends


# 周一至周五 → 1-5; 、， → comma.
_DAY_SIGNS = str.maketrans("一二三四五六日天至~、，；;", "12345677--,,,,", "周星期")
