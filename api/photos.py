"""Photos of incidents: taken in, drawn anew, shown to whoever may see the incident."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.converters import Converters
from api.incidents import ACTING, found_incident
from api.limits import body_of
from api.session import Db, desk
from api.uploads import asked_first
from data.pictures import LARGEST_PHOTO, STAFF_PIXELS
from data.sessions import SignedIn
from routing.incidents.photos import add_photo, clean_photo, photo_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])


# What is no number is refused where the route reads it; a bigint's has 19 digits at most.
_NUMBER = re.compile(r"[0-9]{1,18}")


def _is_theirs(request: Request, session: Session, who: SignedIn) -> None:
    number = str(request.path_params["number"])
    if _NUMBER.fullmatch(number):
        found_incident(session, who, int(number))


async def _picture(request: Request) -> bytes:
    content = await body_of(request, LARGEST_PHOTO)
    converters: Converters = request.app.state.converters
    return await converters.run(_drawn, content)


def _drawn(content: bytes) -> bytes:
    return clean_photo(content, most_pixels=STAFF_PIXELS)


@router.post("/{number}/photos", status_code=201)
def add(
    who: Annotated[SignedIn, Depends(asked_first(*ACTING, also=_is_theirs))],
    content: Annotated[bytes, Depends(_picture)],
    db: Db,
    number: int,
) -> dict[str, int]:
    """Add a photo: the body is the picture itself."""
    incident = found_incident(db, who, number, lock=True)
    return {"photo": add_photo(db, incident, content, who.login)}


@router.get("/{number}/photos/{photo}")
def read(
    db: Db, who: Annotated[SignedIn, Depends(desk(*ACTING))], number: int, photo: int
) -> Response:
    """A photo, JPEG."""
    content = photo_of(db, found_incident(db, who, number).id, photo)
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private"})
