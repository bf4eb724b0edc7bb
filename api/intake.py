"""Reports from other systems: SMS gateways, video alerts, tables; each with a key or a login."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from api.converters import Converters
from api.hosts import public_url
from api.limits import body_of
from api.moments import Moment
from api.open311 import partner_of
from api.report import follow_path
from api.session import Db, county_of, engines
from api.uploads import asked_first
from data.sandbox import PLAN, work_folder
from data.sessions import SignedIn
from routing.errors import ReportError
from routing.incidents.intake import KnownPlace, Report, known_address, report_incident
from routing.incidents.tables import read_reports, report_table

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["intake"])
_LARGEST_TABLE = 5_000_000
# What cameras recognise, and which class it is here.
ALERTS = {
    "illegal_parking": "E05",
    "street_stall": "E05",
    "smoke": "E04",
    "fire": "E04",
    "crowd": "E04",
    "standing_water": "P01",
    "exposed_rubbish": "E01",
    "manhole_cover": "P01",
    "construction": "E03",
}
Key = Annotated[str, Header(alias="X-Api-Key", max_length=200)]


class Message(BaseModel):
    """A report in words, as an SMS gateway or a mini-program passes it on."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    id: str = Field(min_length=1, max_length=60, description="The same when sent again")
    class_code: str = Field(max_length=30)
    text: str = Field("", max_length=4000)
    address: str = Field("", max_length=200, description="A known address, where no place is given")
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)
    crs: Literal["EPSG:4326", "EPSG:4490", "GCJ-02", "BD-09"] = "EPSG:4326"
    phone: str = Field("", max_length=40, description="Only with the sender's consent")


class Alert(BaseModel):
    """What a camera has recognised, where it stands or looks at."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    id: str = Field(min_length=1, max_length=60, description="The same when sent again")
    camera: str = Field(min_length=1, max_length=60)
    kind: str = Field(max_length=40)
    at: Moment
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    crs: Literal["EPSG:4326", "EPSG:4490", "GCJ-02", "BD-09"] = "EPSG:4326"
    confidence: float = Field(ge=0, le=1)


def _taken(request: Request, db: Db, report: Report, actor: str) -> JSONResponse:
    directory = engines(request).directory(db)
    made, fresh = report_incident(db, county_of(request), report, directory, actor=actor)
    # For the one who reported: whoever has the address follows the case and rates it.
    told = {"case": made.source_ref, "follow": public_url(request) + follow_path(made)}
    return JSONResponse(told, 201 if fresh else 200)


@router.post("/reports", status_code=201)
def take_message(request: Request, db: Db, asked: Message, x_api_key: Key = "") -> JSONResponse:
    """Take a report in words; 200 where its id was taken before."""
    partner = partner_of(request, x_api_key)
    if asked.lon is not None and asked.lat is not None:
        place, crs = KnownPlace(asked.lon, asked.lat, ""), asked.crs
    else:
        place = known_address(engines(request).book(db), asked.address)
        crs = "EPSG:4326"
    report = Report(
        "public",
        asked.class_code,
        place.lon,
        place.lat,
        crs,
        description=asked.text,
        address=place.address,
        phone=asked.phone,
        receipt_key=asked.id,
    )
    return _taken(request, db, report, f"intake:{partner}")


@router.post("/alerts", status_code=201)
def take_alert(request: Request, db: Db, asked: Alert, x_api_key: Key = "") -> JSONResponse:
    """Take an alert; 200 where its id was taken before."""
    partner = partner_of(request, x_api_key)
    if asked.kind not in ALERTS:
        raise ReportError("kind", f"no alert {asked.kind!r}; there are: {', '.join(ALERTS)}")
    report = Report(
        "video",
        ALERTS[asked.kind],
        asked.lon,
        asked.lat,
        asked.crs,
        description=f"{asked.camera}: {asked.kind} ({asked.confidence:.0%})",
        reported_at=asked.at,
        receipt_key=asked.id,
    )
    return _taken(request, db, report, f"video:{partner}")


async def _table(request: Request) -> Sequence[Mapping[str, str]]:
    content = await body_of(request, _LARGEST_TABLE)
    converters: Converters = request.app.state.converters
    return await converters.run(_read, content)


def _read(content: bytes) -> Sequence[Mapping[str, str]]:
    folder = work_folder()
    try:
        path = folder / "reports.csv"
        path.write_bytes(content)
        return read_reports(path, name="the table", limits=PLAN)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@router.post("/incidents/table")
def take_table(
    request: Request,
    who: Annotated[SignedIn, Depends(asked_first("dispatcher", "centre"))],
    reports: Annotated[Sequence[Mapping[str, str]], Depends(_table)],
    db: Db,
    crs: Annotated[str, Query(max_length=40)],
) -> dict[str, Any]:
    """Take a CSV table of reports: what became of each row."""
    directory = engines(request).directory(db)
    rows = report_table(db, who.county, reports, crs, directory, actor=who.login)
    return {
        "taken": sum(not row.reason for row in rows),
        "refused": sum(bool(row.reason) for row in rows),
        "rows": [asdict(row) for row in rows],
    }
