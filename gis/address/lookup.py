"""Looking a typed address up: one area, or the question that decides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gis.address.forms import key_of
from gis.address.normalize import is_chinese
from gis.address.numbers import SLOTS, Numbers
from gis.address.reading import Reading, Said, alike, read
from gis.address.table import AddressTable, Rows

__all__ = ["Areas", "Lookup", "Option", "address_text", "level_of", "look_up"]

# From the widest to the narrowest: what a question may ask for.
_ASKED = ("name", "community", *SLOTS)
_ANSWERS = frozenset({"building", "unit", "room"})
_MOST_OPTIONS = 24
_MOST_WAYS = 32
_SUFFIX = {"door": "号", "building": "号楼", "unit": "单元", "room": "室"}
# Below it a name is a guess.
_TRUSTED = 0.6


@dataclass(frozen=True, slots=True)
class Areas:
    """In which area (grid) each known address lies.

    Attributes
    ----------
    first : ndarray of int32, shape (n,)
        -1 outside every area.
    more : dict of int to tuple of int
        Further areas of a row whose building several share.
    """

    first: NDArray[np.int32]
    more: dict[int, tuple[int, ...]]

    def of(self, rows: Rows) -> tuple[int, ...]:
        """All areas of some rows, ascending."""
        found = set(np.unique(self.first[rows]).tolist())
        if self.more:
            for row in self.more.keys() & set(rows.tolist()):
                found.update(self.more[row])
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to a question: what it says, and an address to ask with instead."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is known of a typed address.

    Attributes
    ----------
    level : str
        How closely it matches a known address: one of `LEVELS`, empty where nothing does.
    score : float
        From 0 to 1: how much of what was typed is so in a known address.
    rows : ndarray of int32
        The known addresses that it fits.
    areas : tuple of int
        Their areas; the answer where `is_certain`.
    is_certain : bool
        Whether it is one area and nothing was guessed.
    asked : str
        What decides: ``name``, ``community``, ``door``, ``building``, ``unit``, ``room``; ``area``
        where only the area itself does; ``confirm`` where only a yes is wanting.
    options : tuple of Option
        What may be answered, in order.
    readings : tuple of (str, str)
        What was typed, and the known name that it was taken for.
    is_beside : bool
        Whether a place beside the address was typed: 对面, 东600米.
    has_more : bool
        Whether there are more options than are listed.
    """

    level: str
    score: float
    rows: Rows
    areas: tuple[int, ...]
    is_certain: bool
    asked: str = ""
    options: tuple[Option, ...] = ()
    readings: tuple[tuple[str, str], ...] = ()
    is_beside: bool = False
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class _Match:
    """Rows that fit one way to understand the names."""

    rows: Rows
    names: tuple[Said, ...]
    left_out: tuple[Said, ...] = ()
    unknown_slot: str = ""

    @property
    def quality(self) -> float:
        return float(np.prod([one.quality for one in self.names]))


_NOBODY = np.empty(0, np.int32)


def look_up(table: AddressTable, areas: Areas, text: str) -> Lookup:
    """Look a typed address up.

    An area is certain only where everything typed is explained by known addresses at least as
    close as a building (or by one that is known just so), and all of them lie in that area.

    Parameters
    ----------
    table : AddressTable
    areas : Areas
        Of the same rows.
    text : str
        As typed.

    Notes
    -----
    Linear in the number of known addresses that have the rarest of the names.
    """
    same = table.with_text(text.strip())
    if len(same):
        return _known_so(table, areas, same)
    reading = read(table, text)
    found = _best_match(table, reading)
    if found is None:
        return Lookup("", 0.0, _NOBODY, (), is_certain=False)
    return _judged(table, areas, reading, found)


def _known_so(table: AddressTable, areas: Areas, rows: Rows) -> Lookup:
    """An address that is typed as it is known: in it, and in what is known inside it."""
    row = int(rows[0])
    held = np.concatenate([rows, *_within(table, row)])
    rows = np.unique(held).astype(np.int32)
    level = level_of(table, row)
    inside = areas.of(rows)
    if len(inside) == 1:
        return Lookup(level, 1.0, rows, inside, is_certain=True)
    return _with_question(table, areas, Lookup(level, 1.0, rows, inside, is_certain=False))


def _within(table: AddressTable, row: int) -> Iterable[Rows]:
    """Known addresses of the same names whose numbers go further."""
    name = int(table.estates[row]) if table.estates[row] >= 0 else int(table.roads[row])
    if name < 0:
        return
    near = table.with_name(name)
    if table.roads[row] >= 0:
        near = near[table.roads[near] == table.roads[row]]
    for locality in table.localities[table.spoken[row]]:
        inside = np.array(table.known[key_of(locality)].localities, np.int32)
        near = near[np.isin(table.communities[near], inside)]
    for slot in SLOTS:
        if held := table.slots[slot][row]:
            near = near[table.slots[slot][near] == held]
    if any(table.slots[slot][row] for slot in SLOTS):
        yield near


def _best_match(table: AddressTable, reading: Reading) -> _Match | None:
    """The likeliest way to understand the names for which there are addresses."""
    found = _likeliest(table, _ways(reading.said), reading.numbers)
    if found is None or not found.left_out:
        return found
    # No address has all the names: one that is known may be another one mistyped.
    wider = [(*choices, *alike(table, choices[0].text)) for choices in reading.said]
    other = _likeliest(table, _ways(wider), reading.numbers)
    if other is None or other.left_out:
        return found
    return replace(other, left_out=found.left_out)


def _likeliest(
    table: AddressTable, ways: list[tuple[Said, ...]], numbers: Numbers
) -> _Match | None:
    fits = [one for names in ways if len((one := _matched(table, names, numbers)).rows)]
    if not fits:
        return None
    # A guess that fits all numbers is no better than a name as written that does not.
    return max(fits, key=lambda one: (-len(one.left_out), not one.unknown_slot, one.quality))


def _ways(said: Sequence[tuple[Said, ...]]) -> list[tuple[Said, ...]]:
    """Ways to take the names together, one for each of what they may stand for."""
    ways: list[tuple[Said, ...]] = [()]
    for choices in said:
        ways = [(*way, one) for way in ways for one in choices][:_MOST_WAYS]
    return ways


def _matched(table: AddressTable, names: tuple[Said, ...], numbers: Numbers) -> _Match:
    rows, left_out = _with_names(table, names)
    unknown = ""
    for slot in SLOTS:
        number = numbers.get(slot)
        if not number or not len(rows):
            continue
        held = table.slots[slot][rows]
        code = table.number_index.get(number, -1)
        fits = rows[(held == code) | (held == 0)]
        if not len(fits):
            unknown = slot
            break
        rows = fits
    return _Match(_closest(table, rows, numbers, unknown), names, left_out, unknown)


def _with_names(table: AddressTable, names: tuple[Said, ...]) -> tuple[Rows, tuple[Said, ...]]:
    """Rows that have all names, and the names that no row has beside the others."""
    order = sorted(names, key=lambda one: _frequency(table, one))
    rows: Rows | None = None
    left_out = []
    for said in order:
        if rows is None:
            if said.name.names:
                rows = np.unique(np.concatenate([table.with_name(n) for n in said.name.names]))
            continue
        fits = rows[_has(table, rows, said)]
        if len(fits):
            rows = fits
        else:
            left_out.append(said)
    if rows is None:
        return _NOBODY, ()
    # Localities that stand before the first name of a road or estate count as well.
    for said in order:
        if not said.name.names and said not in left_out:
            fits = rows[_has(table, rows, said)]
            rows, left_out = (fits, left_out) if len(fits) else (rows, [*left_out, said])
    return rows, tuple(left_out)


def _frequency(table: AddressTable, said: Said) -> float:
    if not said.name.names:
        return float("inf")
    return sum(len(table.with_name(name)) for name in said.name.names)


def _has(table: AddressTable, rows: Rows, said: Said) -> NDArray[np.bool_]:
    names = np.array(said.name.names, np.int32)
    has = np.isin(table.roads[rows], names) | np.isin(table.estates[rows], names)
    if said.name.localities:
        inside = np.array(said.name.localities, np.int32)
        has |= np.isin(table.communities[rows], inside)
    held: NDArray[np.bool_] = has
    return held


def _closest(table: AddressTable, rows: Rows, numbers: Numbers, unknown: str) -> Rows:
    """Of rows that do not contradict the numbers those that share the most of them."""
    shared = np.zeros(len(rows), np.int32)
    for slot in SLOTS:
        if slot == unknown:
            break
        if number := numbers.get(slot):
            shared += table.slots[slot][rows] == table.number_index.get(number, -1)
    closest: Rows = rows[shared == shared.max()] if len(rows) else rows
    return closest


def _judged(table: AddressTable, areas: Areas, reading: Reading, found: _Match) -> Lookup:
    numbers = reading.numbers
    rivals = _rivals(table, areas, reading, found)
    rows = np.unique(np.concatenate([found.rows, *(one.rows for one in rivals)]))
    level = _level(table, found, numbers)
    inside = areas.of(rows)
    readings = tuple((one.text, one.form) for one in found.names if one.text != one.form)
    score = _score(reading, found)
    doubt = (
        reading.unexplained
        or reading.beside
        or rivals
        or found.left_out
        or found.unknown_slot
        or found.quality < _TRUSTED
        or _goes_beyond(table, rows, numbers)
    )
    close = level in _ANSWERS or _is_known_end(table, rows, numbers)
    if close and not doubt and len(inside) == 1:
        return Lookup(level, score, rows, inside, is_certain=True, readings=readings)
    held = Lookup(level, score, rows, inside, is_certain=False, readings=readings)
    return _with_question(table, areas, replace(held, is_beside=reading.beside))


def _level(table: AddressTable, found: _Match, numbers: Numbers) -> str:
    """The closest slot in which the rows have the number that was typed."""
    row = int(found.rows[0])
    for slot in reversed(SLOTS):
        code = table.number_index.get(numbers.get(slot), -1)
        if numbers.get(slot) and table.slots[slot][row] == code:
            return slot
    names = {name for one in found.names for name in one.name.names}
    if int(table.estates[row]) in names:
        return "estate"
    return "road" if int(table.roads[row]) in names else "community"


def _score(reading: Reading, found: _Match) -> float:
    typed = [slot for slot in SLOTS if reading.numbers.get(slot)]
    wrong = len(reading.unexplained) + len(found.left_out) + bool(found.unknown_slot)
    parts = len(found.names) + len(typed) + len(reading.unexplained)
    return round(found.quality * (1 - wrong / max(parts, 1)), 3)


def _rivals(table: AddressTable, areas: Areas, reading: Reading, found: _Match) -> list[_Match]:
    """Other ways to understand names that were guessed, which lead to other areas."""
    if all(len(choices) == 1 for choices in reading.said):
        return []
    own = areas.of(found.rows)
    ways = (_matched(table, names, reading.numbers) for names in _ways(reading.said))
    fits = [one for one in ways if len(one.rows) and not one.left_out and not one.unknown_slot]
    return [one for one in fits if areas.of(one.rows) != own]


def _goes_beyond(table: AddressTable, rows: Rows, numbers: Numbers) -> bool:
    """Whether a building or unit was typed that the known addresses do not tell.

    A room is in its building or behind its door; another building may be anywhere.
    """
    for slot in ("building", "unit"):
        if numbers.get(slot) and (table.slots[slot][rows] == 0).all():
            return slot == "building" or (table.slots["building"][rows] == 0).all()
    return False


def _is_known_end(table: AddressTable, rows: Rows, numbers: Numbers) -> bool:
    """Whether the typed address is a known one, and none that is known lies inside it."""
    return (
        all(
            (table.slots[slot][rows] == 0).all()
            for slot in SLOTS
            if not numbers.get(slot) or slot == "room"
        )
        and any(numbers.get(slot) for slot in SLOTS)
    ) or len(rows) == 1


def _with_question(table: AddressTable, areas: Areas, found: Lookup) -> Lookup:
    """Ask for the first part in which the rows differ that tells their areas apart."""
    rows, inside = found.rows, found.areas
    for part in _ASKED:
        values = _values(table, rows, part)
        different = np.unique(values)
        if len(different) < 2:
            continue
        if len(inside) > 1 and all(areas.of(rows[values == one]) == inside for one in different):
            continue
        options = [_option(table, rows[values == one], part) for one in different]
        options.sort(key=lambda one: (len(one.value), one.value))
        held = tuple(options[:_MOST_OPTIONS])
        return replace(found, asked=part, options=held, has_more=len(options) > len(held))
    text = table.text(int(rows[0]))
    asked = "area" if len(inside) > 1 else "confirm"
    return replace(found, asked=asked, options=(Option(text, text),))


def _values(table: AddressTable, rows: Rows, part: str) -> NDArray[np.int64]:
    if part == "name":
        values = table.roads[rows].astype(np.int64) * (len(table.names) + 1) + table.estates[rows]
    else:
        held = table.communities if part == "community" else table.slots[part]
        values = held[rows].astype(np.int64)
    return values


def _option(table: AddressTable, rows: Rows, part: str) -> Option:
    row = int(rows[0])
    text = address_text(table, row, part)
    if part in SLOTS:
        number = table.numbers[table.slots[part][row]]
        return Option(number + (_SUFFIX[part] if number and is_chinese(text) else ""), text)
    if part == "community":
        held = int(table.communities[row])
        return Option(table.community_names[held] if held >= 0 else "", text)
    return Option(text, text)


def address_text(table: AddressTable, row: int, part: str) -> str:
    """A known address as far as one of its parts, in words that are read as this one.

    Parameters
    ----------
    part : str
        ``name``, ``community``, or one of `SLOTS`.
    """
    road, estate = (
        table.labels[held] if (held := int(each[row])) >= 0 else ""
        for each in (table.roads, table.estates)
    )
    shown = SLOTS[: SLOTS.index(part) + 1] if part in SLOTS else ()
    numbers = _numbers_of(table, row)
    said = {slot: numbers.get(slot) if slot in shown else "" for slot in SLOTS}
    place = int(table.communities[row])
    named = place >= 0 and (part == "community" or _is_elsewhere_too(table, row, shown))
    community = table.community_names[place] if named else ""
    if not is_chinese(road + estate):
        flat = f"flat {said['room']}" if said["room"] else ""
        block = f"block {said['building']}" if said["building"] else ""
        line = " ".join(filter(None, (said["door"], estate if road else "", road or estate)))
        return ", ".join(filter(None, (line, block, flat, community)))
    words = {slot: value + _SUFFIX[slot] if value else "" for slot, value in said.items()}
    rest = words["building"] + words["unit"] + words["room"]
    if not road:
        # A village's house: its number stands behind the name.
        return ("" if community == estate else community) + estate + words["door"] + rest
    return community + road + words["door"] + estate + rest


def _is_elsewhere_too(table: AddressTable, row: int, shown: Sequence[str]) -> bool:
    """Whether another community has an address of the same words."""
    name = int(table.estates[row]) if table.estates[row] >= 0 else int(table.roads[row])
    if name < 0:
        return False
    near = table.with_name(name)
    alike = (table.roads[near] == table.roads[row]) & (table.estates[near] == table.estates[row])
    for slot in shown:
        alike &= table.slots[slot][near] == table.slots[slot][row]
    return len(np.unique(table.communities[near[alike]])) > 1


def _numbers_of(table: AddressTable, row: int) -> Numbers:
    return Numbers(*(table.numbers[table.slots[slot][row]] for slot in SLOTS))


def level_of(table: AddressTable, row: int) -> str:
    """How close a known address is: one of `LEVELS`."""
    numbers = _numbers_of(table, row)
    deepest = next((slot for slot in reversed(SLOTS) if numbers.get(slot)), "")
    return deepest or ("estate" if table.estates[row] >= 0 else "road")
