"""The demonstration city's departments, B holders, leave and duty rosters; fictional."""

from datetime import datetime, timedelta
from typing import Any

from data.importing.columns import LOCAL_ZONE

__all__ = ["draw_leave", "draw_posts", "draw_rosters", "draw_units"]

Row = dict[str, Any]
COUNTY_CODE = "990100000000"
# Name, presence of the second post, classes that the department answers for.
DEPARTMENTS = (
    ("春水市住建局", "rotating", ("施工管理", "物业纠纷")),
    ("春水市城管局", "resident", ("市容环境", "宣传广告", "街面秩序")),
    ("春水市交通局", "on_call", ("道路交通",)),
    ("春水市园林局", "on_call", ("园林绿化",)),
    ("春水市人社局", "rotating", ("拖欠农民工工资纠纷", "其他劳动争议纠纷")),
    ("春水市司法局", "resident", ("征地拆迁纠纷",)),
)


def draw_units() -> list[Row]:
    """The county's centre, a police station and the departments."""
    rows = [
        ("U01", "春水市网格化服务中心", "网格化服务中心", "0990-5551000", COUNTY_CODE),
        ("U02", "春水市城中派出所", "派出所", "0990-5551100", ""),
    ]
    rows += [
        (f"U{number:02d}", name, "部门", f"0990-555{1100 + number:04d}", "")
        for number, (name, *_) in enumerate(DEPARTMENTS, 3)
    ]
    headings = ("编号", "名称", "类型", "值班电话", "所属区划")
    return [dict(zip(headings, row, strict=True)) for row in rows]


def draw_posts(staff: list[Row]) -> list[Row]:
    """B holders of mediators and police, and the departments for their classes."""
    rows: list[Row] = []
    for role in ("调解员", "社区民警"):
        team = [one for one in staff if one["岗位"] == role]
        for one, other in zip(team, [*team[1:], team[0]], strict=True):
            rows.append(_post(one["责任区"], role, person=other["编号"], holder="B"))
    for name, _, classes in DEPARTMENTS:
        rows += [_post(COUNTY_CODE, "职能部门", unit=name, scope=scope) for scope in classes]
    return rows


def _post(area: str, role: str, **more: str) -> Row:
    row = {"人员编号": "", "单位": "", "岗位": role, "责任区": area, "岗别": "A", "负责类别": ""}
    names = {"person": "人员编号", "unit": "单位", "holder": "岗别", "scope": "负责类别"}
    return row | {names[key]: value for key, value in more.items()}


def draw_leave(staff: list[Row], now: datetime) -> list[Row]:
    """Two people who are away for a week: one with a deputy, one whose B holder answers."""
    today = now.astimezone(LOCAL_ZONE).date()
    worker, deputy = [one["编号"] for one in staff if one["岗位"] == "网格员"][:2]
    mediator = next(one["编号"] for one in staff if one["岗位"] == "调解员")
    days = {"开始日期": str(today - timedelta(days=1)), "结束日期": str(today + timedelta(days=6))}
    return [
        {"人员编号": worker, "代班人": deputy, **days, "备注": "年休假"},
        {"人员编号": mediator, "代班人": "", **days, "备注": "培训"},
    ]


def draw_rosters() -> list[Row]:
    """Office hours of every department, and who answers at other times."""
    rows: list[Row] = []
    for name, presence, _ in DEPARTMENTS:
        office = {
            "单位": name,
            "值守方式": "常驻",
            "值班日": "周一至周五",
            "值班时段": "08:30-17:30",
        }
        night = {"单位": name, "值守方式": presence, "值班日": "", "值班时段": "17:30-08:30"}
        rows += [office, night]
    return rows
