"""Signs on doors: random tokens that stand for known addresses."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

__all__ = ["SignedAddress", "address_of_sign", "signs_of"]

_TOKEN_BYTES = 12
_FIND = text(
    "SELECT coalesce(components->>'text', text) AS text, ST_X(geom) AS lon, ST_Y(geom) AS lat "
    "FROM door_sign JOIN address ON address.id = address_id "
    "WHERE token = :token AND door_sign.county = :county"
)
_HELD = text("SELECT address_id, token FROM door_sign WHERE address_id = ANY (:ids)")
_MAKE = text(
    "INSERT INTO door_sign (token, county, address_id) "
    "SELECT token, :county, id FROM unnest(CAST(:tokens AS text[]), CAST(:ids AS bigint[])) "
    "AS new (token, id) ON CONFLICT (address_id) DO NOTHING"
)


class SignedAddress(NamedTuple):
    """The address of a sign (degrees, EPSG:4326)."""

    text: str
    lon: float
    lat: float


def address_of_sign(session: Session, county: str, token: str) -> SignedAddress | None:
    """The address that a sign hangs at."""
    found = session.execute(_FIND, {"county": county, "token": token}).one_or_none()
    return None if found is None else SignedAddress(found.text, found.lon, found.lat)


def signs_of(session: Session, county: str, addresses: Sequence[int]) -> dict[int, str]:
    """Token of each of some addresses, by their number; made where there was none."""
    tokens = [secrets.token_urlsafe(_TOKEN_BYTES) for _ in addresses]
    session.execute(_MAKE, {"county": county, "tokens": tokens, "ids": list(addresses)})
    rows = session.execute(_HELD, {"ids": list(addresses)})
    return {row.address_id: row.token for row in rows}
