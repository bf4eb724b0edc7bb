"""Taking an address apart, Chinese or plain, standard or as people say it."""

import re

from gis.address.components import Address, Component
from gis.address.normalize import is_chinese, normalize
from gis.address.tagging import tag

__all__ = ["parse"]

# What stands last is written alike everywhere; the tagged addresses that the model knows have no
# rooms, since they were left out of them.
_TAIL = re.compile(
    r"(?P<unit>\d{1,2}(?:单元|梯))?"
    r"(?P<floor>(?:地下|负|B)?\d{1,3}[层楼])?"
    r"(?P<room>(?:(?<=[元梯层楼幢栋座号])\d{2,5}[A-Z]?|\d{2,5}[A-Z]?(?=[室房户]))(?:室|房间?|户)?)?$"
)
# 3-2-301 is building 3, unit 2, room 301.
_DASHED = re.compile(r"(?<![\d-])(\d{1,3})-(\d{1,2})-(\d{2,5})$")
_PLAIN_NUMBER = re.compile(r"^(?:no\.?\s*)?(\d+\s?[a-z]?(?:[-/]\d+[a-z]?)?)$")


def parse(text: str) -> Address:
    """Take an address apart.

    Parameters
    ----------
    text : str
        As typed, in Chinese from the widest to the narrowest, or as a house number with a street
        and, after a comma, a town.

    Examples
    --------
    >>> [(one.kind, one.text) for one in parse("春晖街21号三号楼301室").components]
    [('road', '春晖街'), ('door', '21号'), ('building', '3号楼'), ('room', '301室')]
    >>> [(one.kind, one.text) for one in parse("12 Triq il-Kbira, Mosta").components]
    [('door', '12'), ('road', 'triq il-kbira'), ('community', 'mosta')]
    """
    plain = normalize(text)
    if not is_chinese(plain):
        return Address(plain, _plain_components(text))
    dashed = _DASHED.search(plain)
    if dashed:
        names = zip(("building", "unit", "room"), dashed.groups(), strict=True)
        tail = tuple(Component(kind, one) for kind, one in names)
        return Address(plain, (*tag(plain[: dashed.start()]), *tail))
    found = _TAIL.search(plain)
    if found is None or not found[0]:
        return Address(plain, tag(plain))
    tail = tuple(Component(kind, one) for kind, one in found.groupdict().items() if one)
    return Address(plain, (*tag(plain[: found.start()]), *tail))


def _plain_components(text: str) -> tuple[Component, ...]:
    first, *more = [normalize(part) for part in re.split(r"[,;\n]", text) if part.strip()] or [""]
    words = first.split()
    made: list[Component] = []
    for at in (0, -1):
        if len(words) > 1 and (number := _PLAIN_NUMBER.match(words[at])):
            made.append(Component("door", number[1]))
            del words[at]
            break
    if more and not made and (number := _PLAIN_NUMBER.match(more[0])):
        made.append(Component("door", number[1]))
        more = more[1:]
    if words:
        made.append(Component("road", " ".join(words)))
    return (*made, *(Component("community", part) for part in more))
