"""The demonstration city's staff and its month of incidents; fictional names and phones."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from data.demo.city import COMMUNITIES, DemoCity, to_wgs84

__all__ = ["BEATS", "draw_incidents", "draw_staff"]

Row = dict[str, Any]

# Police beats 警格 need not follow grids: name, west, south, east, north.
BEATS = (
    ("临江警格", 0, 0, 900, 825),
    ("滨江警格", 900, 0, 2400, 825),
    ("春晖警格", 0, 825, 1400, 1650),
    ("锦绣警格", 1400, 825, 2400, 1650),
    ("乡村警格", 0, 1650, 2400, 2700),
)
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀英霞平刚桂兰玉萍红梅建国志强文斌晓东海燕春花"
_TEXTS = {
    "dispute": "居民反映{name}，请求调解",
    "event": "巡查发现{name}问题，请派人处理",
    "part": "{name}损坏，存在安全隐患",
    "security": "群众报告{name}情况",
}


def _name(rng: np.random.Generator) -> str:
    given = "".join(_GIVEN[i] for i in rng.integers(0, len(_GIVEN), int(rng.integers(1, 3))))
    return _SURNAMES[int(rng.integers(0, len(_SURNAMES)))] + given


def draw_staff(seed: int) -> list[Row]:
    """Sixty people in all roles, with the areas that they look after."""
    rng = np.random.default_rng([seed, 1])
    posts: list[tuple[str, str, str]] = [("网格中心主任", "990100000000", "汽车")]
    for name, *_, ur_code, _households in COMMUNITIES:
        workers = 5 if ur_code[0] == "1" else 2
        posts.append(("网格中心主任", name, "汽车"))
        posts += [("网格员", name, "电动车" if n % 2 else "步行") for n in range(workers)]
        posts += [("调解员", name, "电动车"), ("医生", name, "汽车"), ("水电工", name, "电动车")]
    posts += [("社区民警", beat, "汽车") for beat, *_ in BEATS]
    used: set[str] = set()
    rows = []
    for number, (role, area, mode) in enumerate(posts, 1):
        name = _name(rng)
        while name in used:
            name = _name(rng)
        used.add(name)
        phone = f"0990-555{number:04d}"
        row = {"编号": f"P{number:03d}", "姓名": name, "岗位": role, "值班电话": phone}
        rows.append(row | {"交通方式": mode, "责任区": area})
    return rows


def draw_incidents(
    city: DemoCity, classes: list[Row], seed: int, end: datetime, count: int = 600
) -> list[Row]:
    """A month of incidents up to `end`, every class at least once, most near dwellings."""
    rng = np.random.default_rng([seed, 2])
    # What comes by the bags is told by residents, not by patrols.
    classes = [one for one in classes if one["group"] != "bag"]
    homes = [building for building in city.buildings if building.weight > 0]
    weight = np.array([home.households for home in homes], float)
    chosen = rng.choice(len(homes), count, p=weight / weight.sum())
    offsets = rng.normal(0, 25, (count, 2))
    spots = []
    for home, (east, north) in zip(chosen.tolist(), offsets.tolist(), strict=True):
        x, y = homes[home].centre
        spots.append((float(np.clip(x + east, 5, 2395)), float(np.clip(y + north, 5, 2695))))
    places = to_wgs84(spots)
    ages = np.sort(rng.uniform(0, 30 * 24 * 60, count))[::-1]
    rows = []
    for number in range(count):
        kind = (
            classes[number] if number < len(classes) else classes[int(rng.integers(len(classes)))]
        )
        at = end - timedelta(minutes=float(ages[number]))
        rows.append(
            {
                "案件编号": f"DEMO-{number + 1:05d}",
                "事件类别": kind["name"],
                "难易程度": str(rng.choice(["一般", "一般", "一般", "疑难复杂", "重大"])),
                "上报时间": at.isoformat(timespec="seconds"),
                "经度": f"{places[number, 0]:.7f}",
                "纬度": f"{places[number, 1]:.7f}",
                "问题描述": _TEXTS[kind["group"]].format(name=kind["name"]),
            }
        )
    return rows
