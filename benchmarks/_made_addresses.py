"""A million addresses of a made county: estates on roads, and villages; seeded."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gis.address import Entry, Numbers

__all__ = ["MadeAddress", "made_addresses"]

_FIRST = "春夏秋冬金银玉丹翠清明光辉华丽锦安康福星河江湖海山林石云霞风雨雪梅兰竹菊桂柳桃杏"
_SECOND = "晖江和绣桂枫河兰竹阳珠庭乐星景合泉溪湾坡岭峰谷原塘桥亭台阁楼院堂门口前后洲岛滩"
_ROADS = ("路", "街", "大道", "巷")
_ESTATES = ("花园", "家园", "新村", "小区", "雅苑", "佳园", "名苑", "公寓")
_ESTATE_BUILDINGS, _UNITS, _VILLAGE_HOUSES = 20, 3, 200


@dataclass(frozen=True, slots=True)
class MadeAddress:
    """An address and its components; `group` numbers the estates and villages."""

    text: str
    entry: Entry
    group: int
    building: int


def made_addresses(count: int, seed: int = 0) -> Iterator[MadeAddress]:
    """Addresses, seven tenths in estates (20 buildings of 3 units each), the rest in villages."""
    rng = np.random.default_rng(seed)
    stems = [a + b for a in _FIRST for b in _SECOND]
    order = rng.permutation(len(stems)).tolist()
    made = group = 0
    while made < count:
        stem = stems[order[group % len(stems)]]
        more = _FIRST[group // len(stems)] if group >= len(stems) else ""
        urban = group % 4 > 0
        held = _estate(stem, more, group, rng) if urban else _village(stem, more, group)
        for one in held:
            if made == count:
                return
            made += 1
            yield one
        group += 1


def _estate(stem: str, more: str, group: int, rng: np.random.Generator) -> Iterator[MadeAddress]:
    road = f"{stem[::-1]}{_ROADS[group % 4]}"
    estate, door = f"{more}{stem}{_ESTATES[group % 8]}", str(int(rng.integers(1, 300)))
    for building in range(1, _ESTATE_BUILDINGS + 1):
        for unit in range(1, _UNITS + 1):
            numbers = Numbers(door, str(building), str(unit))
            text = f"春水市{road}{door}号{estate}{building}号楼{unit}单元"
            yield MadeAddress(text, Entry(road, estate, numbers, ("春水市",)), group, building)


def _village(stem: str, more: str, group: int) -> Iterator[MadeAddress]:
    village = f"{more}{stem}村"
    for house in range(1, _VILLAGE_HOUSES + 1):
        entry = Entry("", village, Numbers(str(house)), ("春水市", village))
        yield MadeAddress(f"春水市{village}{house}号", entry, group, house)
