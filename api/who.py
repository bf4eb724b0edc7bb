"""The one answer for programs: where a place lies, who is responsible, who leads, and why."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel

from api.session import engines
from gis.errors import GeometryError
from grids.responsibility import Holder
from grids.who import Directory, WhoAnswer

__all__ = ["Lat", "Lon", "contact", "router"]

router = APIRouter()
Lon = Annotated[
    float, Query(ge=-180, le=180, allow_inf_nan=False, description="degrees, EPSG:4326")
]
Lat = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, description="degrees, EPSG:4326")]
RadiusM = Annotated[
    float, Query(ge=0, le=10_000, allow_inf_nan=False, description="how far off it may be, metres")
]
ClassCode = Annotated[
    str | None, Query(alias="class", max_length=30, description="class of incident, its code")
]
Owner = Annotated[str | None, Query(max_length=200, description="unit that owns the thing")]
Address = Annotated[str | None, Query(max_length=400, description="standard address of the place")]
At = Annotated[datetime | None, Query(description="time with its zone; now by default")]


class Contact(BaseModel):
    """Someone responsible; the telephone is that of duty."""

    name: str
    role: str
    holder: str
    duty_phone: str | None
    by: str
    area: str
    stands_for: str | None


class CandidateModel(BaseModel):
    """A grid that an uncertain place may lie in."""

    code: str
    share: float
    distance_m: float
    edge_m: float


class StepModel(BaseModel):
    """One rule of the trace."""

    rule: str
    name: str
    asked: str | None
    outcome: str


class GridModel(BaseModel):
    """A grid."""

    code: str
    name: str
    kind: str
    community: str
    community_name: str
    households: int


class WhoModel(BaseModel):
    """The answer of ``/api/v1/who``."""

    crs: str
    at: datetime
    grid: GridModel | None
    micro_grid: str | None
    on_boundary: list[str]
    by: str
    ambiguous: bool
    candidates: list[CandidateModel]
    reason: str
    people: list[Contact]
    lead: Contact | None
    fallback: bool
    trace: list[StepModel]


@router.get("/api/v1/who", response_model=None, responses={200: {"model": WhoModel}})
async def who(
    request: Request,
    lon: Lon,
    lat: Lat,
    radius_m: RadiusM = 0.0,
    class_code: ClassCode = None,
    owner: Owner = None,
    address: Address = None,
    at: At = None,
) -> Response:
    """Grid and duty contacts of a place (EPSG:4326), who leads for a class, and why."""
    if at is not None and at.tzinfo is None:
        raise GeometryError(f"the time {at.isoformat()} has no zone: write it like {at}+08:00")
    asked: dict[str, Any] = {
        "radius_m": radius_m,
        "class_code": class_code,
        "owner": owner,
        "address": address,
        "at": at,
    }
    directory = engines(request).ready() if at is None else None
    if directory is None or radius_m:
        answer = await run_in_threadpool(_asked, request, directory, lon, lat, asked)
    else:
        answer = directory.answer(lon, lat, **asked)
    body = json.dumps(_plain(answer), ensure_ascii=False, separators=(",", ":"))
    return Response(body, media_type="application/json")


def _asked(
    request: Request, directory: Directory | None, lon: float, lat: float, asked: dict[str, Any]
) -> WhoAnswer:
    if directory is None:
        with request.app.state.database.session() as session:
            directory = engines(request).directory(session, asked["at"])
    return directory.answer(lon, lat, **asked)


def _plain(answer: WhoAnswer) -> dict[str, Any]:
    where, staff, grid = answer.where, answer.staff, answer.where.grid
    return {
        "crs": "EPSG:4326",
        "at": staff.inquiry.at.isoformat(),
        "grid": None
        if grid is None
        else {name: getattr(grid, name) for name in GridModel.model_fields},
        "micro_grid": where.micro_grid,
        "on_boundary": where.others,
        "by": where.by,
        "ambiguous": where.ambiguous,
        "candidates": [
            {name: getattr(one, name) for name in CandidateModel.model_fields}
            for one in where.candidates
        ],
        "reason": where.reason,
        "people": [contact(one) for one in staff.people],
        "lead": None if staff.lead is None else contact(staff.lead),
        "fallback": staff.fallback,
        "trace": [
            {"rule": s.rule, "name": s.name, "asked": s.asked, "outcome": s.outcome}
            for s in staff.trace
        ],
    }


def contact(one: Holder) -> dict[str, Any]:
    """What everybody may know of someone responsible."""
    return {
        "name": one.name,
        "role": one.role,
        "holder": one.holder,
        "duty_phone": one.duty_phone,
        "by": one.by,
        "area": one.area,
        "stands_for": one.stands_for,
    }
