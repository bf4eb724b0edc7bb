"""Photos of an incident: drawn anew, so that nothing the camera wrote into them is kept."""

import hashlib

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from data.errors import NotFoundError, SourceError, StateError
from data.models import Attachment, Incident
from data.pictures import STRANGERS_PIXELS, redrawn
from routing.errors import ReportError
from routing.incidents.course import record

__all__ = ["MOST_PHOTOS", "add_photo", "clean_photo", "photo_of"]

MOST_PHOTOS = 20


def clean_photo(content: bytes, *, most_pixels: int = STRANGERS_PIXELS) -> bytes:
    """Draw a photo anew, in a process of its own: it is asked outside every transaction.

    Raises
    ------
    ReportError
        If it is no picture, too large, cut off, or takes too much to read.
    """
    try:
        return redrawn(content, most_pixels=most_pixels)
    except SourceError as error:
        raise ReportError("photo", str(error)) from error


def add_photo(session: Session, incident: Incident, clean: bytes, actor: str) -> int:
    """Keep a photo of an incident that its caller has locked; the same one again is the same.

    Parameters
    ----------
    clean : bytes
        As `clean_photo` has drawn it.

    Raises
    ------
    StateError
        If there are `MOST_PHOTOS` already.
    """
    digest = hashlib.sha256(clean).hexdigest()
    query = select(Attachment.id).filter_by(incident_id=incident.id, digest=digest)
    if (held := session.scalar(query)) is not None:
        return held
    count = select(func.count()).where(Attachment.incident_id == incident.id)
    if (session.scalar(count) or 0) >= MOST_PHOTOS:
        raise StateError(f"incident {incident.id} has {MOST_PHOTOS} photos already")
    values = {
        "county": incident.county,
        "incident_id": incident.id,
        "actor": actor,
        "kind": "image/jpeg",
        "digest": digest,
        "content": clean,
    }
    number: int = session.execute(
        insert(Attachment).values(values).returning(Attachment.id)
    ).scalar_one()
    record(session, incident, "photo", actor, {"photo": number})
    return number


def photo_of(session: Session, incident: int, number: int) -> bytes:
    """Content of a photo, JPEG.

    Raises
    ------
    NotFoundError
        If the incident has none of that number.
    """
    query = select(Attachment.content).filter_by(incident_id=incident, id=number)
    content = session.scalar(query)
    if content is None:
        raise NotFoundError(f"incident {incident} has no photo {number}")
    return content
