"""The numbers of an address: door, building, unit and room, in one form however they are said."""

import re
from dataclasses import dataclass

__all__ = ["SLOTS", "Numbers", "number_key", "numbers_in", "plain_numbers"]

# From the widest to the narrowest.
SLOTS = ("door", "building", "unit", "room")
_NUMBER = r"[0-9]{1,5}[A-Z]?"
# 3号楼, 3幢, 3#楼, A座; 21号院, 21号附1, 123弄45号; 5楼 is a floor, which decides nothing.
_TOKENS = re.compile(
    rf"(?P<building>(?:{_NUMBER}|[A-Z][0-9]{{0,2}})(?:号楼|号栋|号幢|#楼|#|幢|栋|座))"
    r"|(?P<unit>[0-9]{1,2}(?:单元|梯))"
    r"|(?P<floor>(?:地下|负|B)?[0-9]{1,3}(?:层|楼|F))"
    rf"|(?P<door>(?:[0-9]{{1,5}}弄)?{_NUMBER}(?:[-之/][0-9]{{1,4}})?(?:号院|号)(?:附[0-9]{{1,4}}号?)?"
    r"(?![楼线路街巷]))"
    r"|(?P<room>[0-9]{2,5}[A-Z]?(?:室|房间|房|户))"
)
# 3-2-301 is building, unit, room; after a building 2-301 is unit and room; else the last is a room.
_DASHED = re.compile(r"(?<![0-9-])([0-9]{1,3})-(?:([0-9]{1,2})-)?([0-9]{2,5})$")
_BARE_ROOM = re.compile(r"(?<![0-9])([0-9]{2,5}[A-Z]?)$")
_MARKS = re.compile(r"号楼|号栋|号幢|#楼|#|幢|栋|座|单元|梯|号院|号|室|房间|房|户")
_PLAIN_DOOR = re.compile(r"^[0-9]{1,9} ?[a-z]?(?:[/;-][0-9]{1,6}[a-z]?)*$")
_PLAIN_NAMED = {"block": "building", "blk": "building", "flat": "room", "apt": "room"}


@dataclass(frozen=True, slots=True)
class Numbers:
    """What numbers an address names, each as `number_key` writes it; empty where it names none."""

    door: str = ""
    building: str = ""
    unit: str = ""
    room: str = ""

    def get(self, slot: str) -> str:
        """The number of one of `SLOTS`."""
        held: str = getattr(self, slot)
        return held

    def filled(self, other: "Numbers") -> "Numbers":
        """These numbers, and those of another where these name none."""
        return Numbers(*(self.get(slot) or other.get(slot) for slot in SLOTS))


def number_key(text: str) -> str:
    """A number without the words around it.

    Examples
    --------
    >>> [number_key(one) for one in ("3号楼", "A座", "21号附1号", "021号", "1弄5号", "12a", "4;5")]
    ['3', 'A', '21-1', '21', '1弄5', '12A', '4/5']
    """
    bare = _MARKS.sub("", text.replace("号附", "-").replace("之", "-"))
    bare = re.sub(r"[,;/ ]+", "/", re.sub(r"(?<=[0-9]) (?=[A-Za-z]$)", "", bare).strip()).upper()
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", bare)


def numbers_in(text: str) -> tuple[Numbers, tuple[str, ...]]:
    """Take the numbers out of a normalized address.

    Returns
    -------
    numbers : Numbers
    rest : tuple of str
        What stands before, between and behind them: names, in their order.

    Examples
    --------
    >>> numbers_in("春水市春晖街21号春晖花园3幢2单元301室")
    (Numbers(door='21', building='3', unit='2', room='301'), ('春水市春晖街', '春晖花园'))
    >>> numbers_in("锦绣花园3-2-301")[0]
    Numbers(door='', building='3', unit='2', room='301')
    """
    found: dict[str, str] = {}
    text = _without_tail(text, found)
    rest, at = [], 0
    for one in _TOKENS.finditer(text):
        slot = one.lastgroup or ""
        if slot in found:
            continue
        found[slot] = number_key(one[0])
        rest.append(text[at : one.start()])
        at = one.end()
    rest.append(text[at:])
    held = {slot: found[slot] for slot in SLOTS if slot in found}
    return Numbers(**held), tuple(part for part in rest if part)


def _without_tail(text: str, found: dict[str, str]) -> str:
    """Read what people write last without a word behind it."""
    dashed = _DASHED.search(text)
    if dashed is not None:
        first, middle, last = dashed.groups()
        found["room"] = number_key(last)
        if middle:
            found["unit"] = number_key(middle)
        has_building = any(one.lastgroup == "building" for one in _TOKENS.finditer(text))
        found["unit" if has_building and not middle else "building"] = number_key(first)
        return text[: dashed.start()]
    bare = _BARE_ROOM.search(text)
    if bare is not None and any(mark in text[: bare.start()] for mark in "号幢栋座元梯层楼#"):
        found["room"] = number_key(bare[1])
        return text[: bare.start()]
    return text


def plain_numbers(words: list[str]) -> tuple[Numbers, list[str]]:
    """Take the numbers out of the words of a plain address that no name explains.

    Examples
    --------
    >>> plain_numbers(["no", "12a", "flat", "3"])
    (Numbers(door='12A', building='', unit='', room='3'), [])
    >>> plain_numbers(["74", "77", "garden", "house"])
    (Numbers(door='74/77', building='', unit='', room=''), ['garden', 'house'])
    """
    found: dict[str, str] = {}
    rest: list[str] = []
    named = before = ""
    for word in words:
        is_next = bool(_PLAIN_DOOR.match(before) and _PLAIN_DOOR.match(word) and not named)
        before = word
        if word in _PLAIN_NAMED:
            named = _PLAIN_NAMED[word]
        elif named:
            found[named], named = number_key(word), ""
        elif is_next and "door" in found:
            found["door"] += "/" + number_key(word)
        elif _PLAIN_DOOR.match(word) and "door" not in found:
            found["door"] = number_key(word)
        elif word != "no":
            rest.append(word)
    return Numbers(**found), rest
