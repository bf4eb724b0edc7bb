"""Search as you type: names and numbers that what is typed may be the beginning of."""

import re
from dataclasses import dataclass

import numpy as np

from gis.address.forms import key_of
from gis.address.normalize import is_chinese, normalize
from gis.address.numbers import SLOTS
from gis.address.question import address_text, level_of
from gis.address.reading import Reading, read
from gis.address.table import AddressTable, Rows

__all__ = ["Suggestion", "suggest"]

# With fewer characters everything begins.
_SHORTEST = 2
_MOST_FORMS = 200
_LAST_NUMBER = re.compile(r"[0-9]+[A-Za-z]?$")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What somebody may be about to type.

    Attributes
    ----------
    text : str
        An address to look up, or the beginning of one.
    level : str
        One of `LEVELS`.
    """

    text: str
    level: str


def suggest(table: AddressTable, typed: str, *, most: int = 8) -> list[Suggestion]:
    """Addresses, or beginnings of some, that fit what has been typed.

    Parameters
    ----------
    typed : str
        Characters, Pinyin or its first letters; fewer than two are not looked at.
    most : int

    Notes
    -----
    Logarithmic in the number of names; linear in the known addresses of one name.
    """
    plain = normalize(typed)
    if len(plain) < _SHORTEST:
        return []
    return _next_numbers(table, plain, most) or _names(table, plain, most)


def _names(table: AddressTable, plain: str, most: int) -> list[Suggestion]:
    """Names that begin as the end of what is typed does; the longest such end decides."""
    chinese = is_chinese(plain)
    text = plain.upper() if chinese else key_of(plain)
    for start in range(len(text)) if chinese else _words(text):
        head, begun = text[:start], text[start:]
        if len(begun) < _SHORTEST and not head:
            continue
        names = _beginning(table, begun)
        near = _rows_of(table, head) if names and chinese and head else None
        held = [one for one in names if near is None or _meets(table, one, near)]
        if held:
            held.sort(key=lambda one: (-len(table.with_name(one)), table.name(one)))
            start_of = "" if near is None else head
            return [_named(table, one, start_of) for one in held[:most]]
    return []


def _words(text: str) -> list[int]:
    """Where words begin, but numbers."""
    return [found.start() for found in re.finditer(r"(?<!\S)[^\d\s]", text)]


def _beginning(table: AddressTable, start: str) -> set[int]:
    """Numbers of the names of which some form begins so."""
    found: set[int] = set()
    for form in table.beginning_with(start, _MOST_FORMS):
        name = table.known(form)
        found.update(name.names if name else ())
    return found


def _rows_of(table: AddressTable, head: str) -> Rows | None:
    """Known addresses that fit what stands before; None where that says nothing."""
    reading = read(table, head)
    names = [one.name.names for choices in reading.said for one in choices[:1] if one.name.names]
    if not names:
        return None
    rows = np.unique(np.concatenate([table.with_name(one) for one in names[0]]))
    return _with_numbers(table, rows, reading)


def _with_numbers(table: AddressTable, rows: Rows, reading: Reading) -> Rows:
    for slot in SLOTS:
        if number := reading.numbers.get(slot):
            rows = rows[table.slots[slot][rows] == table.number_index.get(number, -1)]
    return rows


def _meets(table: AddressTable, name: int, rows: Rows) -> bool:
    return bool(((table.roads[rows] == name) | (table.estates[rows] == name)).any())


def _named(table: AddressTable, name: int, before: str) -> Suggestion:
    is_estate = bool(table.estates[table.with_name(name)[0]] == name)
    return Suggestion(before + table.label(name), "estate" if is_estate else "road")


def _next_numbers(table: AddressTable, plain: str, most: int) -> list[Suggestion]:
    """Known numbers behind a name that is typed whole; the last number may not be whole yet."""
    tail = _LAST_NUMBER.search(plain)
    begun = tail[0].upper() if tail else ""
    reading = read(table, plain[: tail.start()] if tail else plain)
    exact = [choices[0] for choices in reading.said if choices[0].quality == 1]
    names = [one.name.names[0] for one in exact if one.name.names]
    # A short form at the end may be the beginning of several names.
    if reading.unexplained or not names or (not begun and len(exact) < len(reading.said)):
        return []
    rows = table.with_name(names[0])
    for name in names[1:]:
        rows = rows[(table.roads[rows] == name) | (table.estates[rows] == name)]
    rows = _with_numbers(table, rows, reading)
    if not len(rows):
        return []
    typed = [at for at, slot in enumerate(SLOTS) if reading.numbers.get(slot)]
    for slot in SLOTS[max(typed, default=-1) + 1 :]:
        if found := _numbered(table, rows, slot, begun, most):
            return found
    row = int(rows[0])
    whole = len(rows) == 1 and not begun
    return [Suggestion(table.text(row), level_of(table, row))] if whole else []


def _numbered(
    table: AddressTable, rows: Rows, slot: str, begun: str, most: int
) -> list[Suggestion]:
    codes, first = np.unique(table.slots[slot][rows], return_index=True)
    held = [
        (table.numbers[code], int(rows[at]))
        for code, at in zip(codes.tolist(), first.tolist(), strict=True)
        if code and table.numbers[code].startswith(begun)
    ]
    held.sort(key=lambda one: (len(one[0]), one[0]))
    return [Suggestion(address_text(table, row, slot), slot) for _, row in held[:most]]
