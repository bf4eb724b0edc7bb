"""For everybody: report something by a QR code or on the phone, and follow it by its case code."""

import io
import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from api.card import BAGS, MaybeLat, MaybeLon, card_of_handle, form_of
from api.errors import TooLargeError
from api.hosts import public_url
from api.pages import language_of, render
from api.session import Db, county_of, engines
from api.uploads import fitting
from data.importing.columns import LOCAL_ZONE
from data.models import Incident, IncidentClass
from data.pictures import LARGEST_PHOTO
from gis.errors import GeometryError
from grids.card import place_in_grid
from routing.errors import ReportError, SeveralPlacesError
from routing.incidents.intake import KnownPlace, Report, known_address, report_incident
from routing.incidents.photos import add_photo, clean_photo
from routing.incidents.published import course_of_case, rate_case, stage_of_case
from routing.incidents.rules import load_rules

__all__ = ["begin", "follow_path", "router"]

router = APIRouter(include_in_schema=False)
PUBLIC = "public"
Case = Annotated[str, Path(max_length=60)]
Key = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.get("/report", response_class=HTMLResponse)
def page(
    request: Request,
    db: Db,
    grid: Annotated[str, Query(pattern=r"^(\d{15})?$")] = "",
    lon: MaybeLon = None,
    lat: MaybeLat = None,
) -> str:
    """The form; the code on a door plate brings its grid along."""
    place = None if lon is None or lat is None else (lon, lat)
    if place is None and grid:
        place = place_in_grid(db, county_of(request), grid)
    said = {"place": "" if place is None else f"{place[0]:.6f}, {place[1]:.6f}"}
    return _page(request, db, said)


async def begin(request: Request) -> Response:
    """The form for one of the five bags, from a card: it knows the place already."""
    asked = await form_of(request)
    async with request.app.state.admission.turn():
        return await run_in_threadpool(_begun, request, asked)


def _begun(request: Request, asked: dict[str, str]) -> Response:
    with request.app.state.database.session() as session:
        directory = engines(request).directory(session)
        card, address = card_of_handle(request, directory, asked.get("handle", ""))
        said = {"place": address or f"{card.lon:.6f}, {card.lat:.6f}"}
        said["class_code"] = BAGS.get(asked.get("bag", ""), "")
        return HTMLResponse(_page(request, session, said))


def _page(request: Request, db: Session, said: Mapping[str, str], wrong: str = "") -> str:
    chinese = language_of(request) == "zh"
    query = select(IncidentClass).order_by(IncidentClass.code)
    classes: dict[str, dict[str, str]] = {}
    for one in db.scalars(query):
        group = classes.setdefault(one.group, {})
        group[one.code] = one.name if chinese else one.name_en
    # The same form sent twice is one case.
    key = said.get("key") or secrets.token_urlsafe(16)
    return render(request, "public_report.html", classes=classes, said=said, wrong=wrong, key=key)


class PublicReport(BaseModel):
    """What the form sends; `photo` is its photo, drawn anew, `is_photo` whether it is one."""

    class_code: str = Field(max_length=30)
    key: str = Field(min_length=8, max_length=90)
    place: str = Field("", max_length=200)
    description: str = Field("", max_length=4000)
    phone: str = Field("", max_length=40)
    consent: str = Field("", max_length=5)
    photo: bytes = b""
    is_photo: bool = True


async def _sent(request: Request) -> PublicReport:
    """The form, read by ourselves: FastAPI would read it before anybody looks how long it is.

    It is counted before it is read, and its photo is drawn anew before a turn is taken.
    """
    await run_in_threadpool(request.app.state.guard.report, request)
    said = request.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,9}", said) or int(said) > LARGEST_PHOTO + 100_000:
        raise TooLargeError(f"a report with its photo has at most {LARGEST_PHOTO / 1e6:.0f} MB")
    async with request.form(max_files=1, max_fields=20) as form:
        words = {name: value for name, value in form.items() if isinstance(value, str)}
        photo = form.get("photo")
        content = await photo.read() if isinstance(photo, UploadFile) else b""
    words = {name: value for name, value in words.items() if name not in {"photo", "is_photo"}}
    sent = fitting(PublicReport, words)
    if not content:
        return sent
    try:
        address, _ = request.app.state.guard.client(request)
        drawn = await request.app.state.public_converters.run(clean_photo, content, asks=address)
    except ReportError:
        return sent.model_copy(update={"is_photo": False})
    return sent.model_copy(update={"photo": drawn})


@router.post("/report", response_model=None)
def take(
    request: Request, sent: Annotated[PublicReport, Depends(_sent)], db: Db
) -> HTMLResponse | RedirectResponse:
    """Take it, and show its case code; sent twice it is one case."""
    county = county_of(request)
    try:
        if not sent.is_photo:
            raise ReportError("photo", "the photo cannot be read")
        place = _place_of(request, db, sent.place)
        report = Report(
            PUBLIC,
            sent.class_code,
            place.lon,
            place.lat,
            "EPSG:4326",
            description=sent.description,
            address=place.address,
            phone=sent.phone if sent.consent else "",
            receipt_key=sent.key,
        )
        directory = engines(request).directory(db)
        with db.begin_nested():
            made, _ = report_incident(db, county, report, directory, actor=PUBLIC)
            if sent.photo:
                add_photo(db, made, sent.photo, PUBLIC)
    except (ReportError, GeometryError) as error:
        # What was typed is not typed again.
        wrong = error.field if isinstance(error, ReportError) else "place"
        wrong = "several" if isinstance(error, SeveralPlacesError) else wrong
        typed = sent.model_dump(include={"place", "description", "class_code", "phone", "key"})
        return HTMLResponse(_page(request, db, typed, wrong), 422)
    return RedirectResponse(follow_path(made), 303)


def follow_path(incident: Incident) -> str:
    """Where whoever reported a case follows it: its number and its secret."""
    return f"/report/{incident.source_ref}/{incident.follow_key}"


def _place_of(request: Request, db: Db, said: str) -> KnownPlace:
    """``lon, lat`` in EPSG:4326, or an address that is known."""
    parts = said.replace("，", ",").split(",")
    try:
        lon, lat = (float(part) for part in parts)
    except ValueError:
        return known_address(engines(request).book(db), said)
    return KnownPlace(lon, lat, "")


@router.get("/report/qr.svg")
def qr(request: Request, grid: Annotated[str, Query(pattern=r"^(\d{15})?$")] = "") -> Response:
    """The code to print on a door plate: it opens the form with its grid."""
    address = f"{public_url(request)}/report" + (f"?grid={grid}" if grid else "")
    drawn = io.BytesIO()
    segno.make(address, error="m").save(drawn, kind="svg", scale=6, border=4)
    return Response(drawn.getvalue(), media_type="image/svg+xml")


@router.post("/report/{case}/{key}/satisfaction")
def satisfied(
    request: Request,
    db: Db,
    case: Case,
    key: Key,
    satisfaction: Annotated[str, Form(max_length=20)],
    words: Annotated[str, Form(max_length=1000)] = "",
) -> RedirectResponse:
    """Say how content one is with what was done, once the case has ended."""
    request.app.state.guard.report(request)
    rate_case(db, county_of(request), case, key, satisfaction, words)
    return RedirectResponse(f"/report/{case}/{key}", 303)


@router.get("/report/{case}/{key}", response_class=HTMLResponse)
def follow(request: Request, db: Db, case: Case, key: Key) -> HTMLResponse:
    """How far a case is, for whoever has its secret: its stages and times."""
    county = county_of(request)
    told = course_of_case(db, county, case, key, load_rules(db, county))
    page = HTMLResponse(_followed(request, db, told, key))
    page.headers["cache-control"] = "no-store"
    return page


@router.get("/report/{case}", response_class=HTMLResponse)
def public_stage(request: Request, db: Db, case: Case) -> str:
    """How far a case of a public class is; by its number nothing else is told."""
    county = county_of(request)
    return _followed(request, db, stage_of_case(db, county, case, load_rules(db, county)), "")


def _followed(request: Request, db: Session, told: dict[str, Any], key: str) -> str:
    held = db.get_one(IncidentClass, told["class_code"])
    name = held.name if language_of(request) == "zh" else held.name_en
    shown = {"case": told, "key": key, "class_name": name, "zone": LOCAL_ZONE}
    shown["address"] = f"{public_url(request)}/report/{told['case']}/{key}" if key else ""
    return render(request, "public_case.html", **shown)
