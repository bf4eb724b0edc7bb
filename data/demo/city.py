"""The ground of the demonstration city: streets, river, railway, buildings, zones.

Drawn in metres on a plain lattice, then bent by one smooth map that every point goes
through, so that what met before still meets.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from data.demo.lattice import Point, footprint, rectangle, stretch
from gis.apportion import largest_remainder

__all__ = ["COMMUNITIES", "ZONES", "DemoBuilding", "DemoCity", "DemoWay", "draw_city"]

# Name, west, south, east, north (metres before bending), 城乡分类, households.
COMMUNITIES = (
    ("临江社区", 0, 0, 1200, 800, "111", 2750),
    ("安和社区", 1200, 0, 2400, 800, "111", 2600),
    ("春晖社区", 0, 800, 1200, 1650, "111", 2850),
    ("锦绣社区", 1200, 800, 2400, 1650, "111", 2600),
    ("柳河村", 0, 1650, 800, 2700, "220", 400),
    ("东升村", 800, 1650, 1600, 2700, "220", 380),
    ("石桥村", 1600, 1650, 2400, 2700, "220", 420),
)
# Name, tag, value, west, south, east, north.
ZONES = (
    ("春晖公园", "leisure", "park", 200, 1100, 600, 1250),
    ("锦绣商务区", "landuse", "commercial", 1400, 1100, 2000, 1250),
    ("春水第一小学", "amenity", "school", 400, 300, 600, 450),
    ("春水人民医院", "amenity", "hospital", 1800, 300, 2000, 450),
)
# fmt: off
_EASTWARD = (
    "滨南街", "文化街", "人民街", "建设街", "和平街", "滨江南街",
    "滨江北街", "胜利街", "光明街", "春晖街", "长安街", "站前街",
)
_NORTHWARD = (
    "西环路", "解放路", "青年路", "中山路", "团结路", "新华路",
    "春水大道", "友谊路", "工业路", "学府路", "科技路", "迎宾路",
    "东环路",
)
_ESTATES = (
    "花园", "家园", "新村", "小区", "雅苑", "佳园",
    "名苑", "公寓",
)
_ESTATE_FIRST = (
    "春晖", "临江", "安和", "锦绣", "金桂", "丹枫",
    "清河", "玉兰", "翠竹", "阳光", "明珠", "华庭",
    "康乐", "福星", "丽景", "百合",
)
# fmt: on
_ROWS = (0, 150, 300, 450, 600, 750, 850, 950, 1100, 1250, 1400, 1600)
_COLUMNS = tuple(range(0, 2401, 200))
_ARTERIAL_ROWS = {
    0: "secondary",
    450: "tertiary",
    750: "secondary",
    850: "primary",
    1250: "tertiary",
}
_ARTERIAL_COLUMNS = {0: "secondary", 600: "secondary", 1200: "primary", 1800: "secondary"}
_ARTERIAL_COLUMNS |= {2400: "secondary"}
_RIVER, _RAILWAY = (775, 825), 1650


@dataclass(frozen=True, slots=True)
class DemoWay:
    """A line or ring with its OSM tags, metres before bending."""

    points: list[Point]
    tags: dict[str, str]


@dataclass(slots=True)
class DemoBuilding:
    """A building: corners, address, households, levels and units 单元."""

    points: list[Point]
    use: str
    address: str
    households: int = 0
    levels: int = 1
    units: int = 1
    weight: float = 1.0
    community: int = 0

    @property
    def centre(self) -> Point:
        """Middle of the footprint."""
        x, y = np.mean(self.points, axis=0)
        return float(x), float(y)


@dataclass(slots=True)
class DemoCity:
    """Everything that is drawn."""

    ways: list[DemoWay] = field(default_factory=list)
    buildings: list[DemoBuilding] = field(default_factory=list)


def to_wgs84(points: list[Point]) -> NDArray[np.float64]:
    """Bend points and bring them to lon, lat (EPSG:4326); shape (n, 2)."""
    x, y = np.array(points, float).T
    bent_x = x + 30 * np.sin(y / 420) + 12 * np.sin(x / 260 + y / 300)
    bent_y = y + 35 * np.sin(x / 520 + 0.6) + 10 * np.sin(y / 310)
    angle = np.radians(9.0)
    east = (bent_x - 1200) * np.cos(angle) - (bent_y - 1350) * np.sin(angle)
    north = (bent_x - 1200) * np.sin(angle) + (bent_y - 1350) * np.cos(angle)
    lon = 122.31 + east / (111_320 * np.cos(np.radians(43.58)))
    lat = 43.58 + north / 111_100
    return np.round(np.column_stack([lon, lat]), 7)


def draw_city(seed: int) -> DemoCity:
    """Draw the city of a seed: the same seed, the same city."""
    rng = np.random.default_rng(seed)
    city = DemoCity()
    _streets(city)
    _nature(city)
    for name, key, value, west, south, east, north in ZONES:
        city.ways.append(DemoWay(rectangle(west, south, east, north), {key: value, "name": name}))
    _urban_buildings(city, rng)
    _village_buildings(city, rng)
    _count_households(city)
    return city


def _inside_zone(x: float, y: float) -> bool:
    return any(w < x < e and s < y < n for *_, w, s, e, n in ZONES)


def _streets(city: DemoCity) -> None:
    for index, y in enumerate(_ROWS):
        kind = _ARTERIAL_ROWS.get(y, "residential")
        tags = {"highway": kind, "name": _EASTWARD[index]}
        if kind == "residential" and index % 3 == 1:
            tags["oneway"] = "yes"
        for west, east in pairwise(_COLUMNS):
            if not _inside_zone((west + east) / 2, y):
                city.ways.append(DemoWay(stretch((west, y), (east, y)), tags))
    for index, x in enumerate(_COLUMNS):
        _northward(city, index, x)
    for y in (2000, 2350, 2700):
        tags = {"highway": "unclassified", "name": f"村{'一二三'[(y - 2000) // 350]}路"}
        for west, east in pairwise(_COLUMNS):
            city.ways.append(DemoWay(stretch((west, y), (east, y)), tags))


def _northward(city: DemoCity, index: int, x: int) -> None:
    kind = _ARTERIAL_COLUMNS.get(x, "residential")
    tags = {"highway": kind, "name": _NORTHWARD[index]}
    if kind == "residential" and index % 4 == 2:
        tags["oneway"] = "yes"
    for south, north in pairwise(_ROWS):
        if (south, north) == (750, 850):
            if kind != "residential":  # only arterials have a bridge
                city.ways.append(DemoWay(stretch((x, south), (x, north)), tags | {"bridge": "yes"}))
        elif not _inside_zone(x, (south + north) / 2):
            city.ways.append(DemoWay(stretch((x, south), (x, north)), tags))
    if kind != "residential":
        bridge = {"highway": "tertiary", "name": tags["name"], "bridge": "yes"}
        city.ways.append(DemoWay(stretch((x, 1600), (x, 1700)), bridge))
        for south, north in ((1700, 2000), (2000, 2350), (2350, 2700)):
            rural = {"highway": "tertiary", "name": tags["name"]}
            city.ways.append(DemoWay(stretch((x, south), (x, north)), rural))
    elif x % 400 == 0:
        for south, north in ((2000, 2350), (2350, 2700)):
            lane = {"highway": "residential", "name": f"{_NORTHWARD[index]}村道"}
            city.ways.append(DemoWay(stretch((x, south), (x, north)), lane))


def _nature(city: DemoCity) -> None:
    water = {"natural": "water", "water": "river", "name": "春水河"}
    city.ways.append(DemoWay(rectangle(-80, _RIVER[0], 2480, _RIVER[1]), water))
    railway = {"railway": "rail", "name": "春水铁路"}
    city.ways.append(DemoWay(stretch((-80, _RAILWAY), (2480, _RAILWAY)), railway))
    for name, west, south, east, north, ur_code, _ in COMMUNITIES:
        tags = {"boundary": "administrative", "admin_level": "9", "name": name, "ur_code": ur_code}
        city.ways.append(DemoWay(rectangle(west, south, east, north), tags))


def _community_at(x: float, y: float) -> int:
    for index, (_, west, south, east, north, *_rest) in enumerate(COMMUNITIES):
        if west <= x < east and south <= y < north:
            return index
    raise ValueError(f"({x}, {y}) is in no community")


def _urban_buildings(city: DemoCity, rng: np.random.Generator) -> None:
    cells = [
        (west, south, east, north)
        for south, north in pairwise(_ROWS)
        for west, east in pairwise(_COLUMNS)
        if (south, north) != (750, 850)
    ]
    names = [first + last for last in _ESTATES for first in _ESTATE_FIRST]
    for index, (west, south, east, north) in enumerate(cells):
        middle = ((west + east) / 2, (south + north) / 2)
        dwelling = not _inside_zone(*middle)
        road = _EASTWARD[_ROWS.index(south)]
        door = f"{road}{_COLUMNS.index(west) * 2 + 1}号"
        estate = door + names[index % len(names)]
        if not dwelling:
            _zone_buildings(city, door, (west, south, east, north))
            continue
        rows = 2 if north - south < 150 else 3
        number = 0
        for row in range(rows):
            for column in range(3):
                number += 1
                x = west + 22 + column * 56 + rng.uniform(0, 6)
                y = south + 18 + row * (north - south - 30) / rows + rng.uniform(0, 4)
                length, depth = rng.uniform(38, 46), rng.uniform(12, 15)
                building = DemoBuilding(
                    footprint(x, y, length, depth),
                    "apartments",
                    f"{estate}{number}号楼",
                    units=int(rng.integers(2, 4)),
                    weight=float(rng.choice([1.0, 1.0, 1.4, 2.0])),
                    community=_community_at(*middle),
                )
                city.buildings.append(building)


def _zone_buildings(city: DemoCity, door: str, cell: tuple[float, float, float, float]) -> None:
    west, south, east, north = cell
    x, y = (west + east) / 2, (south + north) / 2
    for name, key, value, zone_west, zone_south, zone_east, zone_north in ZONES:
        if not (zone_west < x < zone_east and zone_south < y < zone_north) or key == "leisure":
            continue
        use = {"commercial": "office", "school": "school", "hospital": "hospital"}[value]
        for number, start in enumerate((west + 30, west + 115), 1):
            corners = footprint(start, south + 40, 55, 60)
            house = DemoBuilding(corners, use, f"{door}{name}{number}号楼", levels=5, weight=0)
            city.buildings.append(house)


def _village_buildings(city: DemoCity, rng: np.random.Generator) -> None:
    for index, (name, west, south, east, north, ur_code, households) in enumerate(COMMUNITIES):
        if ur_code[0] == "1":
            continue
        spots = [
            (x, y + side)
            for y in (2000, 2350, 2700)
            for x in np.arange(west + 8, east - 20, 11.5)
            for side in (-42, -24, 10, 28)
            if south < y + side
            and y + side + 14 < north
            and not any(x - 4 < lane < x + 12.5 for lane in _COLUMNS)
        ]
        chosen = sorted(rng.choice(len(spots), households, replace=False).tolist())
        for number, spot in enumerate(chosen, 1):
            corners = footprint(float(spots[spot][0]), float(spots[spot][1]), 8.5, 9)
            house = DemoBuilding(corners, "house", f"{name}{number}号", community=index)
            city.buildings.append(house)


def _count_households(city: DemoCity) -> None:
    """Give each community's dwellings its households exactly; levels follow."""
    for index, (*_, ur_code, households) in enumerate(COMMUNITIES):
        homes = [b for b in city.buildings if b.weight > 0 and b.community == index]
        shares = largest_remainder(households, [home.weight for home in homes])
        for home, share in zip(homes, shares.tolist(), strict=True):
            home.households = share
            if ur_code[0] == "1":
                home.levels = max(3, -(-share // (2 * home.units)))
