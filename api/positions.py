"""Positions of devices, as Traccar's client and OsmAnd tell them; of those signed in, their own."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from api.limits import body_of
from api.moments import Moment
from api.session import Db, changing
from data.database import Database
from data.sessions import SignedIn
from routing.errors import DeviceError, ReportError
from routing.positions import Fix, forget_position, take_fix

__all__ = ["router", "take"]

router = APIRouter(prefix="/api/v1/positions", tags=["positions"])
_LARGEST = 20_000
_MS_FROM = 100_000_000_000  # seconds since 1970 reach this in the year 5138
_MS_MOST = 100_000_000_000_000  # and milliseconds this
Own = Annotated[SignedIn, Depends(changing("worker"))]


class OwnFix(BaseModel):
    """Where whoever is signed in is (EPSG:4326), and when they were there."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    at: Moment


@router.post("/own", status_code=204, response_class=Response)
def take_own(db: Db, who: Own, asked: OwnFix) -> None:
    """Tell one's own position, from the worker's page."""
    if who.person_id is None:
        raise DeviceError("this account stands for nobody in the staff list")
    at = asked.at if asked.at.tzinfo else asked.at.replace(tzinfo=UTC)
    take_fix(db, Fix(asked.lon, asked.lat, at), person=who.person_id)


@router.post("/own/forget", status_code=204, response_class=Response)
def forget_own(db: Db, who: Own) -> None:
    """Going off duty: the position is deleted at once."""
    if who.person_id is not None:
        forget_position(db, who.person_id)


async def _told(request: Request) -> dict[str, Any]:
    """Query, form or JSON as one: the names are those of OsmAnd's protocol."""
    said: dict[str, Any] = dict(request.query_params)
    if request.method == "GET":
        return said
    content = await body_of(request, _LARGEST)
    if "json" in request.headers.get("content-type", ""):
        return said | _flat(_parsed_json(content))
    return said | dict(parse_qsl(content.decode("utf-8", "replace")))


def _parsed_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReportError("location", "the body is no JSON") from error


def _flat(body: Any) -> dict[str, Any]:
    """Traccar's JSON: ``{"device_id": …, "location": {"timestamp": …, "coords": {…}}}``."""
    place = body.get("location", body) if isinstance(body, dict) else None
    coords = place.get("coords", place) if isinstance(place, dict) else None
    if not isinstance(place, dict) or not isinstance(coords, dict):
        raise ReportError("location", "a position is an object with a location and its coords")
    return {
        "id": body.get("device_id", body.get("id")),
        "timestamp": place.get("timestamp"),
        "lat": coords.get("latitude", coords.get("lat")),
        "lon": coords.get("longitude", coords.get("lon")),
    }


@router.get("", response_class=Response, operation_id="take_position_by_query")
@router.post("", response_class=Response, operation_id="take_position")
async def take(request: Request) -> Response:
    """Take a position: ``id`` is the device's token; ``lat``, ``lon`` EPSG:4326; ``timestamp``."""
    said = await _told(request)
    fix = Fix(_degrees(said, "lon"), _degrees(said, "lat"), _moment(said.get("timestamp")))
    token = str(said.get("id") or said.get("deviceid") or "")
    async with request.app.state.device_admission.turn():
        await run_in_threadpool(_kept, request.app.state.database, fix, token)
    return Response()


def _kept(database: Database, fix: Fix, token: str) -> None:
    with database.session() as session:
        take_fix(session, fix, token=token)


def _degrees(said: dict[str, Any], name: str) -> float:
    value = said.get(name, said.get({"lon": "longitude", "lat": "latitude"}[name]))
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ReportError(name, f"{name} {str(value)[:40]!r} is no number of degrees") from None


def _moment(value: Any) -> datetime:
    """Seconds or milliseconds since 1970, or ISO 8601; a device that tells none means now."""
    if value is None or value == "":
        return datetime.now(UTC)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _parsed(str(value)[:40])
    # Devices tell the present: what was before 1970 is none, and has no date before the year 1.
    if not 0 <= number <= _MS_MOST:
        raise ReportError("timestamp", f"the time {str(value)[:40]!r} is none")
    return datetime.fromtimestamp(number / 1000 if number >= _MS_FROM else number, UTC)


def _parsed(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ReportError("timestamp", f"the time {value!r} is none") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
