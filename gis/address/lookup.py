"""Looking a typed address up: one area, or the question that decides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gis.address.forms import key_of
from gis.address.found import Areas, Lookup
from gis.address.numbers import SLOTS, Numbers
from gis.address.question import level_of, with_question
from gis.address.reading import Reading, Said, alike, read
from gis.address.table import AddressTable, Rows

__all__ = ["look_up"]

_ANSWERS = frozenset({"building", "unit", "room"})
_MOST_WAYS = 16
# Below it a name is a guess.
_TRUSTED = 0.6


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
    matches = _matches(table, _ways(reading.said), reading.numbers)
    if not matches:
        return Lookup("", 0.0, _NOBODY, (), is_certain=False)
    found = _best_match(table, reading, matches)
    return _judged(table, areas, reading, found, _rivals(areas, matches, found))


def _known_so(table: AddressTable, areas: Areas, rows: Rows) -> Lookup:
    """An address that is typed as it is known: in it, and in what is known inside it."""
    row = int(rows[0])
    held = np.concatenate([rows, *_within(table, row)])
    rows = np.unique(held).astype(np.int32)
    level = level_of(table, row)
    inside = areas.of(rows)
    if len(inside) == 1:
        return Lookup(level, 1.0, rows, inside, is_certain=True)
    return with_question(table, areas, Lookup(level, 1.0, rows, inside, is_certain=False))


def _within(table: AddressTable, row: int) -> Iterable[Rows]:
    """Known addresses of the same names whose numbers go further."""
    name = int(table.estates[row]) if table.estates[row] >= 0 else int(table.roads[row])
    if name < 0:
        return
    near = table.with_name(name)
    if table.roads[row] >= 0:
        near = near[table.roads[near] == table.roads[row]]
    for locality in table.localities[table.spoken[row]]:
        inside = np.array(table.meaning(key_of(locality)).localities, np.int32)
        near = near[np.isin(table.communities[near], inside)]
    for slot in SLOTS:
        if held := table.slots[slot][row]:
            near = near[table.slots[slot][near] == held]
    if any(table.slots[slot][row] for slot in SLOTS):
        yield near


def _matches(table: AddressTable, ways: list[tuple[Said, ...]], numbers: Numbers) -> list[_Match]:
    """For each way to understand the names the addresses that fit, where there are any."""
    return [one for names in ways if len((one := _matched(table, names, numbers)).rows)]


def _best_match(table: AddressTable, reading: Reading, matches: list[_Match]) -> _Match:
    """The likeliest way to understand the names."""
    found = _likeliest(matches)
    if not found.left_out:
        return found
    # No address has all the names: one that is known may be another one mistyped.
    wider = [(*choices, *alike(table, choices[0].text)) for choices in reading.said]
    others = _matches(table, _ways(wider), reading.numbers)
    if not others or _likeliest(others).left_out:
        return found
    return replace(_likeliest(others), left_out=found.left_out)


def _likeliest(matches: list[_Match]) -> _Match:
    # A guess that fits all numbers is no better than a name as written that does not.
    return max(matches, key=lambda one: (-len(one.left_out), not one.unknown_slot, one.quality))


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
    """Rows that have all names, and the names that no row has beside the others.

    The rarest name begins; what names a locality alone comes last.
    """
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


def _judged(
    table: AddressTable, areas: Areas, reading: Reading, found: _Match, rivals: list[_Match]
) -> Lookup:
    numbers = reading.numbers
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
    return with_question(table, areas, replace(held, is_beside=reading.beside))


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


def _rivals(areas: Areas, matches: list[_Match], found: _Match) -> list[_Match]:
    """Other ways to understand names that were guessed, which lead to other areas."""
    own = areas.of(found.rows)
    fits = [one for one in matches if not one.left_out and not one.unknown_slot]
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
