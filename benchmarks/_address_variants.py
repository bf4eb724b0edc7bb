"""What people type for an address that is known: less, otherwise, and with errors; seeded."""

import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator

from pypinyin import lazy_pinyin

from gis.address.forms import short_of
from gis.address.normalize import is_chinese

__all__ = ["variants"]

_DIGITS = "零一二三四五六七八九"
# Characters that addresses are made of: mistyped ones are taken from them.
_COMMON = (
    "街路巷道村园苑庄城区江河湖山海东西南北中大小新老上下前后春夏秋冬晖辉汇惠辰晨成城阳杨洋央安"
    "岸案和合河贺禾花华化滑家佳嘉加景锦金津进近京晶静丽利力立莉里理礼民明名铭鸣平萍苹人仁任荣"
    "容融胜盛圣生声石时实士世市室泰太台天田甜通同童统文闻稳温问西喜溪希习先贤仙现兴星新心欣信"
    "学雪血训迅育玉雨宇羽元园源远院中忠钟众志智致珠竹主祝紫子自建健件剑见康抗科可课乐勒林临邻"
    "滨宾彬斌福富服付复公工功宫光广桂贵国果海害好浩红宏洪虹鸿湖胡护环还换欢黄皇会解接杰介科"
)
_SOUNDS: dict[str, list[str]] = defaultdict(list)
for _one in sorted(set(_COMMON)):
    _SOUNDS[lazy_pinyin(_one)[0]].append(_one)

Vary = Callable[[str, random.Random], str]


def variants(text: str, names: tuple[str, ...], seed: int) -> Iterator[tuple[str, str, bool]]:
    """Variants of a known address.

    Parameters
    ----------
    text : str
        The address as it is known.
    names : tuple of str
        The names in it that may be mistyped, as they stand in it.

    Yields
    ------
    kind : str
    typed : str
    is_there : bool
        False where another place than the address is meant: only a question is right.
    """
    rng = random.Random(f"{seed} {text}")  # noqa: S311 - seeded, not secret
    for kind, vary in _CHINESE.items() if is_chinese(text) else _PLAIN.items():
        typed = vary(text, rng)
        if typed and typed != text:
            yield kind, typed, kind not in {"beside", "elsewhere"}
    for kind, break_one in _BREAKS.items() if is_chinese(text) else _PLAIN_BREAKS.items():
        name = rng.choice(names) if names else ""
        if len(name) > 2 and name in text:
            broken = break_one(name, rng)
            if broken and broken != name:
                yield kind, text.replace(name, broken, 1), True


def _numerals(text: str, _rng: random.Random) -> str:
    def written(found: re.Match[str]) -> str:
        number = int(found[1])
        if number > 99:
            return "".join(_DIGITS[int(one)] for one in found[1])
        tens, ones = divmod(number, 10)
        start = ("" if tens == 1 else _DIGITS[tens]) + "十" if tens else ""
        return start + (_DIGITS[ones] if ones or not tens else "")

    return re.sub(r"(\d+)(?=号楼|号|单元)", written, text)


def _wide(text: str, _rng: random.Random) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


def _without_city(text: str, _rng: random.Random) -> str:
    return re.sub(r"^.{1,4}市", "", text)


def _building_word(text: str, rng: random.Random) -> str:
    return text.replace("号楼", rng.choice(["幢", "栋", "#楼", "号栋"]))


def _estate_only(text: str, _rng: random.Random) -> str:
    found = re.search(r"\d+号(?!楼)(.+)$", text)
    return found[1] if found else ""


def _road_only(text: str, _rng: random.Random) -> str:
    return re.sub(r"(\d+号(?!楼))[^\d]+(\d+号楼)", r"\1\2", text)


def _to_door(text: str, _rng: random.Random) -> str:
    found = re.match(r".+?\d+号(?!楼)", text)
    return found[0] if found and found[0] != text else ""


def _alias(text: str, _rng: random.Random) -> str:
    found = re.search(r"\d+号(?!楼)([^\d]+)\d", text)
    short = short_of(found[1]) if found else ""
    return text.replace(found[1], short) if found and short else ""


def _spaced(text: str, _rng: random.Random) -> str:
    return re.sub(r"(号楼|号|街|路)", r"\1, ", text).strip(", ")


def _added(more: str, *, before: bool = False) -> Vary:
    return lambda text, _rng: more + text if before else text + more


def _beside(text: str, rng: random.Random) -> str:
    return text + rng.choice(["对面", "隔壁", "旁边", "东600米", "附近", "斜对面"])


_CHINESE: dict[str, Vary] = {
    "numerals": _numerals,
    "full width": _wide,
    "no city": _without_city,
    "building word": _building_word,
    "estate only": _estate_only,
    "road only": _road_only,
    "to the door": _to_door,
    "short name": _alias,
    "signs": _spaced,
    "room": _added("1单元301室"),
    "bare room": _added("502"),
    "courtesy": _added("我家住在", before=True),
    "beside": _beside,
    "elsewhere": lambda text, rng: (
        rng.choice(["北京市朝阳区", "上海市", "广州市天河区"]) + _without_city(text, rng)
    ),
}


def _sounds_alike(name: str, rng: random.Random) -> str:
    at = rng.randrange(len(name) - 1)
    alike = [one for one in _SOUNDS[lazy_pinyin(name[at])[0]] if one != name[at]]
    return name[:at] + rng.choice(alike) + name[at + 1 :] if alike else ""


def _left_out(name: str, rng: random.Random) -> str:
    at = rng.randrange(len(name) - 1)
    return name[:at] + name[at + 1 :]


def _other(name: str, rng: random.Random) -> str:
    at = rng.randrange(len(name) - 1)
    return name[:at] + rng.choice(_COMMON) + name[at + 1 :]


def _doubled(name: str, rng: random.Random) -> str:
    at = rng.randrange(len(name) - 1)
    return name[:at] + rng.choice(_COMMON) + name[at:]


def _swapped(name: str, rng: random.Random) -> str:
    at = rng.randrange(len(name) - 1)
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


_BREAKS: dict[str, Vary] = {
    "homophone": _sounds_alike,
    "left out": _left_out,
    "other": _other,
    "one too many": _doubled,
    "swapped": _swapped,
}


def _accents(text: str, _rng: random.Random) -> str:
    bare = "".join(
        one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one)
    )
    return bare.replace("ħ", "h").replace("Ħ", "H")


def _behind(text: str, _rng: random.Random) -> str:
    found = re.match(r"^(\S+) ([^,]+)(.*)$", text)
    return f"{found[2]} {found[1]}{found[3]}" if found and found[1][0].isdigit() else ""


def _wrong_letter(name: str, rng: random.Random) -> str:
    at = rng.randrange(len(name))
    return name[:at] + rng.choice("aeioutrsnlk") + name[at + 1 :]


_PLAIN: dict[str, Vary] = {
    "case": lambda text, _rng: text.upper(),
    "accents": _accents,
    "signs": lambda text, _rng: re.sub(r"[-']", " ", text),
    "no town": lambda text, _rng: text.split(",")[0] if "," in text else "",
    "no comma": lambda text, _rng: text.replace(",", ""),
    "number behind": _behind,
    "flat": _added(", Flat 3"),
}
_PLAIN_BREAKS: dict[str, Vary] = {
    "other": _wrong_letter,
    "left out": _left_out,
    "swapped": _swapped,
}
