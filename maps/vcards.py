"""The people of a contact card as vCard 4.0 (RFC 6350) and as jCard (RFC 7095)."""

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from grids.card import Card, CardPerson

__all__ = ["jcard", "vcard"]

# Name, parameters, type of the value, value: what both formats are written from.
_Property = tuple[str, dict[str, Any], str, Any]
_SPACE = uuid.UUID("6f1f4d0e-6a3b-5d0e-9a7a-2d1c1c9f0a11")
_LONGEST_LINE = 75

RoleName = Callable[[str], str]


def vcard(card: Card, role_name: RoleName, at: datetime) -> str:
    """Write a vCard for each person of a card, with CRLF line ends as the standard says.

    Parameters
    ----------
    role_name : callable
        A role's name in the reader's language, by its code.
    at : datetime
        When the card was true.
    """
    lines: list[str] = []
    for person in card.people:
        lines.append("BEGIN:VCARD")
        lines += [_line(one) for one in _properties(card, person, role_name, at)]
        lines.append("END:VCARD")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def jcard(card: Card, role_name: RoleName, at: datetime) -> list[Any]:
    """A jCard for each person of a card."""
    return [
        ["vcard", [list(one) for one in _properties(card, person, role_name, at)]]
        for person in card.people
    ]


def _properties(
    card: Card, person: CardPerson, role_name: RoleName, at: datetime
) -> Iterator[_Property]:
    role = role_name(person.role)
    identity = f"{card.grid.code[:6]} {person.role} {person.name} {person.duty_phone}"
    yield "version", {}, "text", "4.0"
    yield "kind", {}, "text", "individual"
    yield "uid", {}, "uri", uuid.uuid5(_SPACE, identity).urn
    yield "fn", {}, "text", f"{person.name} {role}"
    yield "title", {}, "text", role
    yield "org", {}, "text", card.centre.name if card.centre else card.grid.community_name
    if person.duty_phone:
        yield "tel", {"type": ["work", "voice"], "pref": "1"}, "text", person.duty_phone
    if person.private_phone:
        yield "tel", {"type": ["cell", "voice"]}, "text", person.private_phone
    yield "note", {}, "text", f"{card.grid.name} {card.grid.code}"
    yield "rev", {}, "timestamp", at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(one: _Property) -> str:
    name, parameters, kind, value = one
    said = "".join(f";{key.upper()}={_parameter(held)}" for key, held in parameters.items())
    if kind == "timestamp":
        value = value.replace("-", "").replace(":", "")
    return f"{name.upper()}{said}:{_escaped(str(value)) if kind == 'text' else value}"


def _parameter(value: Any) -> str:
    return f'"{",".join(value)}"' if isinstance(value, list) else str(value)


def _escaped(text: str) -> str:
    for sign in ("\\", ",", ";"):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def _folded(line: str) -> str:
    """Break a line after 75 octets, never inside a character."""
    parts: list[str] = []
    rest = line
    while len(rest.encode()) > _LONGEST_LINE - bool(parts):
        cut = min(len(rest), _LONGEST_LINE - bool(parts))
        while len(rest[:cut].encode()) > _LONGEST_LINE - bool(parts):
            cut -= 1
        parts.append(rest[:cut])
        rest = rest[cut:]
    return "\r\n ".join([*parts, rest])
