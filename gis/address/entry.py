"""A known address in the form in which it is looked up: its names and its numbers."""

import re
from dataclasses import dataclass, field

from gis.address.components import Component
from gis.address.normalize import is_chinese, normalize
from gis.address.numbers import Numbers, number_key, numbers_in, plain_numbers
from gis.address.parsing import parse

__all__ = ["Entry", "entry_of"]

_LOCALITIES = ("province", "city", "county", "town", "community")


@dataclass(frozen=True, slots=True)
class Entry:
    """A known address taken apart.

    Attributes
    ----------
    road, estate : str
        Empty where it has none.
    numbers : Numbers
    localities : tuple of str
        What it lies in, widest first.
    """

    road: str = ""
    estate: str = ""
    numbers: Numbers = field(default_factory=Numbers)
    localities: tuple[str, ...] = ()


def entry_of(text: str, *, road: str = "", door: str = "", estate: str = "") -> Entry:
    """Take a known address apart.

    Parameters
    ----------
    text : str
        The whole address.
    road, door, estate : str
        What the source says of it by itself; it wins.

    Examples
    --------
    >>> entry_of("春水市春晖街21号春晖花园3幢2单元").road
    '春晖街'
    >>> entry_of("12 Triq il-Kbira, Mosta", road="Triq il-Kbira").road
    'Triq il-Kbira'
    """
    if is_chinese(text):
        found, said = _chinese(text), Entry(numbers=Numbers(number_key(normalize(door))))
    else:
        found, said = _plain(text), _plain_door(door)
    return Entry(
        _written(road) or found.road,
        _written(estate) or said.estate or found.estate,
        said.numbers.filled(found.numbers),
        found.localities,
    )


def _written(name: str) -> str:
    """A name as answers write it: Chinese in the one form, others as the source does."""
    return normalize(name).upper() if is_chinese(name) else " ".join(name.split())


def _plain_door(door: str) -> Entry:
    """What a house is called beside its street: a number, a name, or both."""
    words = re.split(r"[,; ]+", door.strip())
    numbers, _ = plain_numbers([word.casefold() for word in words])
    _, name = plain_numbers(words)
    named = [word for word in name if any(one.isalpha() for one in word)]
    if numbers.door and len(named) == 1 and numbers.door.endswith(named[0].upper()):
        named = []
    return Entry(estate=" ".join(named), numbers=numbers)


def _plain(text: str) -> Entry:
    kinds: dict[str, list[str]] = {}
    for one in parse(text).components:
        kinds.setdefault(one.kind, []).append(one.text)
    door = "".join(kinds.get("door", []))
    road = "".join(kinds.get("road", [])[:1])
    more = tuple(one for one in kinds.get("community", []) if not one[:1].isdigit())
    numbers, _ = plain_numbers([door] if door else [])
    # A house outside every street is known by its place.
    return Entry(road, "" if road else "".join(more[:1]), numbers, more)


def _chinese(text: str) -> Entry:
    plain = normalize(text).upper()
    numbers, rest = numbers_in(plain)
    names = named_pieces(plain, rest)
    roads = [one.text for one in names if one.kind == "road"]
    estates = [one.text for one in names if one.kind not in {"road", *_LOCALITIES}]
    localities = tuple(one.text for one in names if one.kind in _LOCALITIES)
    road, estate = "".join(roads[:1]), "".join(estates[-1:])
    if not road and not estate and localities:
        # A house of a village has no road: the village is its name.
        estate = localities[-1]
    return Entry(road, estate, numbers, localities)


def named_pieces(plain: str, rest: tuple[str, ...]) -> list[Component]:
    """The names in what numbers leave of a normalized address, as the model tells them apart."""
    kinds = _kinds(plain)
    made: list[Component] = []
    at = 0
    for part in rest:
        at = plain.index(part, at)
        begin = at
        for end in range(at + 1, at + len(part) + 1):
            if end == at + len(part) or kinds[end] != kinds[end - 1]:
                made.append(Component(kinds[begin][0], plain[begin:end]))
                begin = end
        at += len(part)
    return made


def _kinds(plain: str) -> list[tuple[str, int]]:
    """Kind and number of the component that each character belongs to; an estate for none."""
    kinds = [("estate", -1)] * len(plain)
    at = 0
    for number, one in enumerate(parse(plain).components):
        begin = plain.find(one.text, at)
        if begin >= 0:
            at = begin + len(one.text)
            kind = one.kind if one.kind in {*_LOCALITIES, "road"} else "estate"
            kinds[begin:at] = [(kind, number)] * len(one.text)
    return kinds
