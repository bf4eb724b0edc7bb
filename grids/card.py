"""The contact card 网格服务联系卡: what a resident is told of a grid's people, today."""

from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.orm import Session

from gis.address import Lookup
from grids.address_book import AddressBook
from grids.card_layout import CardLayout
from grids.places import GridFacts, division_keys
from grids.responsibility import Holder
from grids.responsibility.records import UnitFacts
from grids.who import Directory

__all__ = [
    "AddressAnswer",
    "Card",
    "CardPerson",
    "card_at",
    "card_of_address",
    "photo_of",
    "place_in_grid",
]


@dataclass(frozen=True, slots=True)
class CardPerson:
    """One of those whom a card names.

    Attributes
    ----------
    private_phone : str or None
        Only with the person's recorded consent, on cards that show it.
    photo_of : int or None
        Number of the person whose photo may be shown; likewise.
    """

    role: str
    name: str
    duty_phone: str | None
    private_phone: str | None = None
    photo_of: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A grid and one person for each role that the card shows.

    Attributes
    ----------
    others : tuple of str
        Codes of other grids that the place may lie in: on their edge, or in their building.
    centre : UnitFacts or None
        The nearest centre: of the community, the town, the county.
    lon, lat : float
        The place, degrees, EPSG:4326.
    """

    grid: GridFacts
    others: tuple[str, ...]
    people: tuple[CardPerson, ...]
    centre: UnitFacts | None
    layout: CardLayout
    lon: float
    lat: float


def card_at(
    directory: Directory, lon: float, lat: float, *, address: str | None = None
) -> Card | None:
    """Card of the grid at a place, or of the one that its address is known to belong to.

    None outside every grid.
    """
    answer = directory.answer(lon, lat, address=address)
    if answer.grid is None:
        return None
    layout = directory.layout
    shown = [answer.first(role) for role in layout.roles]
    people = tuple(_person(directory, layout, one) for one in shown if one is not None)
    centre = _centre(directory, answer.grid.community)
    return Card(answer.grid, answer.on_boundary, people, centre, layout, lon, lat)


@dataclass(frozen=True, slots=True)
class AddressAnswer:
    """What a typed address leads to: a card, or what decides.

    Attributes
    ----------
    lookup : Lookup
    card : Card or None
        Where the address is certain and lies in a grid.
    address : str
        The known address that it was taken for; empty where it is not certain.
    grids : tuple of GridFacts
        Grids that may be meant, by code.
    is_outside : bool
        Whether the address is known and lies in no grid.
    """

    lookup: Lookup
    card: Card | None = None
    address: str = ""
    grids: tuple[GridFacts, ...] = ()
    is_outside: bool = False


def card_of_address(directory: Directory, book: AddressBook, typed: str) -> AddressAnswer:
    """The card of a typed address where it is certain, else the question that decides.

    Parameters
    ----------
    book : AddressBook
        Of the directory's places.
    """
    lookup = book.look_up(typed)
    facts = directory.places.facts
    grids = tuple(sorted((facts[one] for one in lookup.areas if one >= 0), key=lambda g: g.code))
    if not lookup.is_certain:
        return AddressAnswer(lookup, grids=grids)
    row = int(lookup.rows[0])
    address = book.table.text(row)
    if not grids:
        return AddressAnswer(lookup, address=address, is_outside=True)
    named = replace(directory, places=book.naming)
    card = card_at(named, *book.place(row), address=address)
    return AddressAnswer(lookup, card, address, grids)


def _person(directory: Directory, layout: CardLayout, one: Holder) -> CardPerson:
    facts = None if one.person_id is None else directory.staff.people.get(one.person_id)
    private = facts.private_phone if facts and layout.shows_private_phone else None
    photo = facts.id if facts and layout.shows_photo and facts.has_photo else None
    return CardPerson(one.role, one.name, one.duty_phone, private, photo)


def _centre(directory: Directory, community: str) -> UnitFacts | None:
    centres, units = directory.staff.centres, directory.staff.units
    found = (centres.get(code) for _, code in division_keys(community))
    return next((units[one] for one in found if one is not None), None)


_INSIDE = text(
    "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) AS p FROM grid "
    "WHERE county = :county AND code = :code AND valid @> now()) AS inner_point"
)
_PHOTO = text("SELECT photo FROM person WHERE id = :person AND photo_consent_at <= now()")


def place_in_grid(session: Session, county: str, code: str) -> tuple[float, float] | None:
    """A place inside a grid of the present plan (lon, lat; EPSG:4326); None for no such grid."""
    found = session.execute(_INSIDE, {"county": county, "code": code}).one_or_none()
    return None if found is None else (found[0], found[1])


def photo_of(session: Session, person: int) -> bytes | None:
    """The photo of a person who has agreed that it is shown (JPEG)."""
    held = session.scalar(_PHOTO, {"person": person})
    return None if held is None else bytes(held)
