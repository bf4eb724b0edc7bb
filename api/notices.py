"""Notices for whoever is signed in: those not seen yet, and that one was seen."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from api.incidents import ACTING
from api.session import Db, changing, desk
from data.sessions import SignedIn
from routing.incidents.inbox import mark_seen, unseen

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/notices", tags=["incidents"])


def _seat(who: SignedIn) -> dict[str, Any]:
    """Where somebody sits: their area, and whether notices to the desk are for them."""
    role = next(one for one in ("dispatcher", "centre", "worker") if one in who.roles)
    return {
        "scope": who.scope(role),
        "person": who.person_id if "worker" in who.roles else None,
        "desk": role != "worker",
    }


@router.get("")
def listed(db: Db, who: Annotated[SignedIn, Depends(desk(*ACTING, polled=True))]) -> dict[str, Any]:
    """Notices that nobody has seen yet."""
    rows = unseen(db, **_seat(who))
    return {"notices": [dict(row._mapping) for row in rows]}  # noqa: SLF001 - SQLAlchemy's name for it


@router.post("/{number}/seen", status_code=204, response_class=Response)
def seen(db: Db, who: Annotated[SignedIn, Depends(changing(*ACTING))], number: int) -> None:
    """Say that a notice was seen: it is shown no more."""
    mark_seen(db, number=number, **_seat(who))
