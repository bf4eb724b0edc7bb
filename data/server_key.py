"""The key that all processes of a server sign with."""

import secrets

from sqlalchemy import text
from sqlalchemy.orm import Session

__all__ = ["server_key"]

_MAKE = text("INSERT INTO server_key (county, key) VALUES (:county, :key) ON CONFLICT DO NOTHING")
_READ = text("SELECT key FROM server_key WHERE county = :county")


def server_key(session: Session, county: str) -> bytes:
    """The county's key; the first who asks makes it."""
    held = session.scalar(_READ, {"county": county})
    if held is None:
        session.execute(_MAKE, {"county": county, "key": secrets.token_bytes(32)})
        held = session.scalar(_READ, {"county": county})
    return bytes(held or b"")
