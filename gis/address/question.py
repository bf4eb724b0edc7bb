"""The question that decides between known addresses, and the words that name one of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gis.address.found import Areas, Lookup, Option
from gis.address.normalize import is_chinese
from gis.address.numbers import SLOTS, Numbers
from gis.address.table import AddressTable, Rows

__all__ = ["address_text", "level_of", "with_question"]

# From the widest to the narrowest: what a question may ask for.
_ASKED = ("name", "community", *SLOTS)
_MOST_OPTIONS = 24
_SUFFIX = {"door": "号", "building": "号楼", "unit": "单元", "room": "室"}


def with_question(table: AddressTable, areas: Areas, found: Lookup) -> Lookup:
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
        values = table.roads[rows].astype(np.int64) * (table.name_count + 1) + table.estates[rows]
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
        table.label(held) if (held := int(each[row])) >= 0 else ""
        for each in (table.roads, table.estates)
    )
    shown = SLOTS[: SLOTS.index(part) + 1] if part in SLOTS else ()
    numbers = numbers_of(table, row)
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


def numbers_of(table: AddressTable, row: int) -> Numbers:
    return Numbers(*(table.numbers[table.slots[slot][row]] for slot in SLOTS))


def level_of(table: AddressTable, row: int) -> str:
    """How close a known address is: one of `LEVELS`."""
    numbers = numbers_of(table, row)
    deepest = next((slot for slot in reversed(SLOTS) if numbers.get(slot)), "")
    return deepest or ("estate" if table.estates[row] >= 0 else "road")
