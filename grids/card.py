"""The contact card 网格服务联系卡: what a resident is told of a grid's people."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from grids.places import GridFacts
from grids.responsibility import Holder
from grids.who import Directory

__all__ = ["AddressMatch", "Card", "card_at", "find_addresses", "place_in_grid"]

# Jiangyan's card: which roles it shows, in this order.
CARD_ROLES = ("centre_director", "gridworker", "police", "mediator", "doctor", "electrician")

_MATCHES = text(
    "SELECT text, ST_X(geom) AS lon, ST_Y(geom) AS lat, similarity(text, :query) AS score "
    "FROM address WHERE county = :county AND (text ILIKE :pattern ESCAPE '!' "
    "OR text % :query) ORDER BY (text = :query) DESC, text <-> :query, text LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class AddressMatch:
    """An address that fits what was typed, with its point (degrees, EPSG:4326)."""

    text: str
    lon: float
    lat: float
    score: float


@dataclass(frozen=True, slots=True)
class Card:
    """A grid and one person for each role that the card shows."""

    grid: GridFacts
    on_boundary: tuple[str, ...]
    people: tuple[Holder, ...]


def card_at(
    directory: Directory, lon: float, lat: float, *, address: str | None = None
) -> Card | None:
    """Card of the grid at a place, or of the one that its address is known to belong to.

    None outside every grid.
    """
    answer = directory.answer(lon, lat, address=address)
    if answer.grid is None:
        return None
    shown = [answer.first(role) for role in CARD_ROLES]
    people = tuple(person for person in shown if person is not None)
    return Card(answer.grid, answer.on_boundary, people)


_INSIDE = text(
    "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) AS p FROM grid "
    "WHERE county = :county AND code = :code AND valid @> now()) AS inner_point"
)


def place_in_grid(session: Session, county: str, code: str) -> tuple[float, float] | None:
    """A place inside a grid of the present plan (lon, lat; EPSG:4326); None for no such grid."""
    found = session.execute(_INSIDE, {"county": county, "code": code}).one_or_none()
    return None if found is None else (found[0], found[1])


def find_addresses(session: Session, county: str, query: str, limit: int = 8) -> list[AddressMatch]:
    """Addresses like what was typed, best first; an exact one alone is an answer.

    Several are candidates for the person to choose from: nothing is chosen silently.
    """
    typed = query.strip()[:200]
    if not typed:
        return []
    quoted = typed.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    found = session.execute(
        _MATCHES, {"county": county, "query": typed, "pattern": f"%{quoted}%", "limit": limit}
    ).all()
    matches = [AddressMatch(row.text, row.lon, row.lat, row.score) for row in found]
    exact = [match for match in matches if match.text == typed]
    return exact[:1] or matches
