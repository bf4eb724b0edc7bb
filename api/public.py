"""For everybody: whether the server answers."""

from fastapi import APIRouter, Request

from api.session import Db, engines

__all__ = ["router"]

router = APIRouter()


@router.get("/healthz", include_in_schema=False)
def health(request: Request, db: Db) -> dict[str, str]:
    """Whether a plan is published and answers."""
    directory = engines(request).directory(db)
    return {"status": "ok", "grids": str(len(directory.places.facts))}
