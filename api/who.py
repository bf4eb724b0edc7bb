"""The one answer for programs: where a place lies, who is responsible, who leads, and why."""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from api.guard import TooManyError
from api.moments import AwareMoment
from api.remembered import by_database_or_memory
from api.session import COOKIE, engines
from data.sessions import signed_in
from grids.responsibility import Holder
from grids.who import Directory, WhoAnswer

__all__ = ["router", "who"]


router = APIRouter()


class WhoQuery(BaseModel):
    """What is asked; the place in degrees, EPSG:4326."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, populate_by_name=True)

    lon: float = Field(ge=-180, le=180, description="degrees, EPSG:4326")
    lat: float = Field(ge=-90, le=90, description="degrees, EPSG:4326")
    radius_m: float = Field(0.0, ge=0, le=10_000, description="how far off the place may be")
    class_code: str | None = Field(
        None, alias="class", max_length=30, description="class of incident, its code"
    )
    owner: str | None = Field(None, max_length=200, description="unit that owns the thing")
    address: str | None = Field(None, max_length=400, description="standard address of the place")
    at: AwareMoment | None = Field(None, description="time with its zone; now by default")


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
    detail: str


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
    as_of: datetime = Field(description="when what is told was last known to be so")
    is_current: bool = Field(description="false while the database is away")
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


def _parameters() -> list[dict[str, Any]]:
    """The query's fields as OpenAPI lists parameters."""
    schema = WhoQuery.model_json_schema()
    return [
        {"name": name, "in": "query", "required": name in schema["required"], "schema": one}
        for name, one in schema["properties"].items()
    ]


@router.get(
    "/api/v1/who",
    response_model=None,
    responses={
        200: {"model": WhoModel},
        422: {"description": "Not usable"},
        429: {"description": "Too many without a key or a session"},
    },
    openapi_extra={"parameters": _parameters()},
)
async def who(request: Request) -> Response:
    """Grid and duty contacts of a place (EPSG:4326), who leads for a class, and why."""
    try:
        asked = parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)
        query = WhoQuery.model_validate(dict(asked))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    await _admit(request)
    directory = engines(request).ready() if query.at is None else None
    if directory is None or query.radius_m:
        told = await run_in_threadpool(_asked, request, directory, query)
    else:
        told = _plain(_answer(directory, query))
    return Response(to_json(told), media_type="application/json")


async def _admit(request: Request) -> None:
    """Strangers get as many answers as cards: asked at every place they are all of them."""
    guard = request.app.state.guard
    if guard.is_partner(request):
        return
    try:
        if guard.is_ready(request):
            guard.require_card(request)
        else:
            await run_in_threadpool(guard.require_card, request)
    except TooManyError:
        async with request.app.state.admission.turn():
            known = await run_in_threadpool(_is_signed_in, request)
        if not known:
            raise


def _is_signed_in(request: Request) -> bool:
    token = request.cookies.get(COOKIE)
    if token is None:
        return False
    with request.app.state.database.session() as session:
        return signed_in(session, token) is not None


def _asked(request: Request, directory: Directory | None, query: WhoQuery) -> dict[str, Any]:
    if directory is not None:
        return _plain(_answer(directory, query))
    if query.at is not None:
        with request.app.state.database.session() as session:
            directory = engines(request).directory(session, query.at)
            return _plain(_answer(directory, query))
    return by_database_or_memory(
        request, lambda known: _plain(_answer(known.directory, query), known.as_of)
    )


def _answer(directory: Directory, query: WhoQuery) -> WhoAnswer:
    return directory.answer(
        query.lon,
        query.lat,
        radius_m=query.radius_m,
        class_code=query.class_code,
        owner=query.owner,
        address=query.address,
        at=query.at,
    )


def _plain(answer: WhoAnswer, as_of: datetime | None = None) -> dict[str, Any]:
    where, staff, grid = answer.where, answer.staff, answer.where.grid
    return {
        "crs": "EPSG:4326",
        "at": staff.inquiry.at.isoformat(),
        "as_of": (as_of or staff.inquiry.at).isoformat(),
        "is_current": as_of is None,
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
        "people": [_contact(one) for one in staff.people],
        "lead": None if staff.lead is None else _contact(staff.lead),
        "fallback": staff.fallback,
        "trace": [
            {name: getattr(step, name) for name in StepModel.model_fields} for step in staff.trace
        ],
    }


def _contact(one: Holder) -> dict[str, Any]:
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
