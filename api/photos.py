"""Photos of incidents: taken in, drawn anew, shown to whoever may see the incident."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api.incidents import ACTING, found_incident
from api.limits import body_of
from api.session import Db, changing, desk
from data.sessions import SignedIn
from routing.incidents.photos import LARGEST_PHOTO, add_photo, photo_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])


async def _picture(request: Request) -> bytes:
    return await body_of(request, LARGEST_PHOTO)


@router.post("/{number}/photos", status_code=201)
def add(
    content: Annotated[bytes, Depends(_picture)],
    db: Db,
    who: Annotated[SignedIn, Depends(changing(*ACTING))],
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
