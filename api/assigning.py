"""Assignment for programs: rows or a shape at once, or a file as a background job."""

import json
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.limits import LARGEST_ROWS
from api.session import Db, desk, engines
from api.uploads import asked_first, body_as, fitting, named_as, received
from data.errors import StateError
from data.jobs import enqueue, files_of, find_job, lane_of, remove_job, require_quota
from data.models import AssignJob
from data.sessions import SignedIn
from gis.crs import geometries_to_wgs84, parse_crs
from gis.errors import GeometryError
from grids.assign import Assigner, refused_path
from grids.assign.rows import assign_rows

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/assign")
Dispatcher = Annotated[SignedIn, Depends(desk("dispatcher"))]
MOST_ROWS = 10_000
_OF_TEXT = frozenset({".csv", ".gz", ".xlsx"})
# What `received` reads, for the description of the interface.
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "CSV, XLSX, Parquet, GPKG, GeoJSON or zipped Shapefile",
                        },
                        "crs": {"type": "string", "maxLength": 40},
                        "by_class": {"type": "boolean"},
                    },
                }
            }
        },
    }
}


class Row(BaseModel):
    """A place to assign, in the system that the request states."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, populate_by_name=True)

    id: str | int | None = None
    lon: float
    lat: float
    class_code: str | None = Field(None, alias="class", max_length=30)
    owner: str | None = Field(None, max_length=200)
    address: str | None = Field(None, max_length=400)


class Rows(BaseModel):
    """Places to assign; their coordinate system must be stated."""

    crs: str = Field(description="EPSG:n, GCJ-02 or BD-09")
    rows: list[Row] = Field(max_length=MOST_ROWS)


# What `body_as` reads, for the description of the interface.
_ROWS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["crs", "rows"],
                    "properties": {
                        "crs": {"type": "string", "description": "EPSG:n, GCJ-02 or BD-09"},
                        "rows": {
                            "type": "array",
                            "maxItems": MOST_ROWS,
                            "items": Row.model_json_schema(),
                        },
                    },
                }
            }
        },
    }
}


class Shape(BaseModel):
    """A shape whose grids are asked for."""

    crs: str = Field(description="EPSG:n, GCJ-02 or BD-09")
    geometry: dict[str, Any] = Field(description="GeoJSON point, line or polygon, x before y")


@router.post("", openapi_extra=_ROWS)
def rows(
    request: Request,
    who: Annotated[SignedIn, Depends(asked_first("dispatcher", has_token=False))],
    asked: Annotated[Rows, Depends(body_as(Rows, LARGEST_ROWS))],
    db: Db,
) -> dict[str, Any]:
    """Assign up to 10,000 rows at once, answered in their order; refused ones say why."""
    scope = who.scope("dispatcher")
    assigner = Assigner(engines(request).directory(db), datetime.now(UTC), within=scope)
    said = assign_rows(
        assigner,
        [(row.lon, row.lat) for row in asked.rows],
        parse_crs(asked.crs),
        classes=[row.class_code for row in asked.rows],
        owners=[row.owner for row in asked.rows],
        addresses=[row.address for row in asked.rows],
    )
    answers = [{"id": row.id, **one} for row, one in zip(asked.rows, said, strict=True)]
    refused = sum("refused" in one for one in said)
    counts = {"read": len(answers), "placed": len(answers) - refused, "refused": refused}
    return {"crs": "EPSG:4326", **counts, "rows": answers}


@router.post("/shares")
def shares(request: Request, db: Db, who: Dispatcher, asked: Shape) -> dict[str, Any]:
    """How much of a line or polygon lies in which grid, largest share first."""
    try:
        shape = shapely.from_geojson(json.dumps(asked.geometry))
    except (shapely.errors.GEOSException, RecursionError) as error:
        raise GeometryError(f"this is no GeoJSON geometry: {error}") from error
    if shapely.get_num_coordinates(shape) > MOST_ROWS:
        raise GeometryError(f"the shape has more than {MOST_ROWS} points")
    moved = geometries_to_wgs84(np.array([shape], dtype=object), parse_crs(asked.crs))[0]
    found = engines(request).directory(db).places.shares(moved)
    mine = [asdict(one) for one in found if who.scope("dispatcher").covers(one.code)]
    return {"crs": "EPSG:4326", "grids": mine}


class Table(BaseModel):
    """How the table of a job is read."""

    crs: str | None = Field(None, max_length=40)
    by_class: bool = False


def _has_room(request: Request, session: Session, who: SignedIn) -> None:
    require_quota(session, request.app.state.settings.jobs_dir, who.county, who.login)


@router.post("/jobs", status_code=202, openapi_extra=_FORM)
async def start(
    request: Request,
    who: Annotated[SignedIn, Depends(asked_first("dispatcher", also=_has_room))],
) -> JSONResponse:
    """Take a file and assign it in the background; the answer says where its progress is."""
    jobs_dir: Path = request.app.state.settings.jobs_dir
    async with received(request, who, jobs_dir) as sent:
        asked = fitting(Table, sent.fields)
        name = sent.name or "table.csv"
        path = await run_in_threadpool(named_as, sent, name)
        # A table of text states none itself: said now, not when its turn comes.
        if asked.crs is not None or path.suffix in _OF_TEXT:
            parse_crs(asked.crs)
        async with request.app.state.admission.turn():
            number = await run_in_threadpool(_start, request, who, asked, name, path)
    place = f"/api/v1/assign/jobs/{number}"
    return JSONResponse({"job": number, "progress": place}, 202, headers={"Location": place})


def _start(request: Request, who: SignedIn, asked: Table, name: str, path: Path) -> int:
    state = request.app.state
    with state.database.session() as session:
        lane = lane_of(session, who.county, who.login)
        job = AssignJob(
            county=who.county,
            name=name,
            crs=asked.crs,
            by_class=asked.by_class,
            author=who.login,
            lane=lane,
        )
        session.add(job)
        session.flush()
        source = files_of(state.settings.jobs_dir, job).source
        source.parent.mkdir(parents=True)
        shutil.move(path, source)
        number = job.id
    enqueue(state.database, number, f"{who.county}-{who.login}-{lane}")
    return number


@router.get("/jobs/{number}")
def progress(db: Db, who: Dispatcher, number: int) -> dict[str, Any]:
    """How far a job is: read = placed + refused."""
    job = find_job(db, who.county, number, author=who.login)
    place = f"/api/v1/assign/jobs/{number}"
    done = job.state == "done"
    return {
        "job": job.id,
        "state": job.state,
        "read": job.rows_done,
        "placed": job.rows_placed,
        "refused": job.rows_refused,
        "reason": job.reason,
        "result": f"{place}/result" if done else None,
        "refused_rows": f"{place}/refused" if done and job.rows_refused else None,
    }


@router.delete("/jobs/{number}", status_code=204)
def remove(request: Request, db: Db, who: Dispatcher, number: int) -> None:
    """Delete a job that has ended, with its tables: they count against what one may have."""
    job = find_job(db, who.county, number, author=who.login)
    remove_job(db, request.app.state.settings.jobs_dir, job)


@router.get("/jobs/{number}/{part}")
async def result(request: Request, who: Dispatcher, number: int, part: str) -> FileResponse:
    """The table that a job has made (``result``), or the rows that it refused (``refused``)."""

    def find() -> Path:
        with request.app.state.database.session() as session:
            job = find_job(session, who.county, number, author=who.login)
            target = files_of(request.app.state.settings.jobs_dir, job).target
        return refused_path(target) if part == "refused" else target

    path = await run_in_threadpool(find)
    if part not in {"result", "refused"} or not path.exists():
        raise StateError(f"job {number} has no {part} yet, or none at all")
    return FileResponse(path, filename=path.name)
