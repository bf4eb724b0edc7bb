"""Photos of an incident: drawn anew, so that nothing the camera wrote into them is kept."""

import hashlib
import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Attachment, Incident
from routing.errors import ReportError
from routing.incidents.course import record

__all__ = ["LARGEST_PHOTO", "MOST_PHOTOS", "add_photo", "photo_of", "redrawn"]

LARGEST_PHOTO = 12_000_000  # bytes
MOST_PHOTOS = 20
_MOST_PIXELS = 60_000_000
_LONGEST_SIDE = 2048
_KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


def redrawn(content: bytes, *, longest_side: int = _LONGEST_SIDE) -> bytes:
    """Draw a photo anew as JPEG: upright, of at most so many pixels a side, no EXIF, no place.

    Raises
    ------
    ReportError
        If it is no picture, too large, or cut off.
    """
    if len(content) > LARGEST_PHOTO:
        raise ReportError("photo", f"a photo has at most {LARGEST_PHOTO / 1e6:.0f} MB")
    try:
        # Pillow only warns of pictures that unpack to a hundred times their size.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=_KINDS)
            if picture.width * picture.height > _MOST_PIXELS:
                raise ReportError("photo", f"a photo has at most {_MOST_PIXELS:,} pixels")
            _require_whole(picture.format or "", content)
            picture.draft("RGB", (longest_side, longest_side))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombWarning) as error:
        raise ReportError("photo", "this is no photo in JPEG, PNG, WebP, GIF or BMP") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ReportError("photo", f"the photo cannot be read: {error}") from error
    upright.thumbnail((longest_side, longest_side))
    # A new image takes no metadata along.
    clean = Image.new("RGB", upright.size)
    clean.paste(upright)
    made = io.BytesIO()
    clean.save(made, "JPEG", quality=85)
    return made.getvalue()


def _require_whole(kind: str, content: bytes) -> None:
    """Refuse a picture that is cut off: whether Pillow does is a switch of the whole process."""
    # Neither marker can stand in the compressed data: its scan is ended by an end of image.
    cut = kind == "JPEG" and content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda")
    if cut or (kind == "PNG" and content.rfind(b"IEND") < content.rfind(b"IDAT")):
        raise ReportError("photo", "the photo is cut off")


def add_photo(session: Session, incident: Incident, content: bytes, actor: str) -> int:
    """Keep a photo of an incident that its caller has locked; the same one again is the same.

    Raises
    ------
    ReportError, StateError
        If it is no photo, or there are `MOST_PHOTOS` already.
    """
    clean = redrawn(content)
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
