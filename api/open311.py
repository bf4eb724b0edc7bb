"""Open311 GeoReport v2, XML and JSON: other cities' apps report here and follow up.

The standard (wiki.open311.org/GeoReport_v2) says the names, the statuses and the error bodies.
What a record says here is less than it allows: descriptions are not published.
"""

import re
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import DataError

from api.errors import UNFIT, OddQueryError, RefusedError, status_of
from api.hosts import public_url
from api.limits import body_of
from api.moments import Moment
from api.session import Db, county_of, engines
from data.errors import NotFoundError
from data.settings import Settings
from gis.errors import OneGridError
from routing.errors import ReportError
from routing.incidents.intake import KnownPlace, Report, known_address, report_incident
from routing.incidents.published import published, services

__all__ = ["router"]

Format = Literal["xml", "json"]
_LARGEST = 40_000
_LONGEST_SPAN = timedelta(days=90)
_BASE = "/open311/v2"


class _Route(APIRoute):
    """Errors in the standard's own words."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                said = "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in error.errors())
                return _errors(request, 400, said[:500])
            except (DataError, UnicodeEncodeError):
                return _errors(request, 400, UNFIT)
            except OneGridError as error:
                # The standard knows no 409, 412 or 422.
                status = status_of(error)
                return _errors(request, 400 if status in {409, 412, 422} else status, str(error))

        return answered


router = APIRouter(prefix="/open311", tags=["open311"], route_class=_Route)


def _answer(kind: str, root: str, item: str, rows: Sequence[Mapping[str, Any]]) -> Response:
    if kind == "json":
        return JSONResponse([dict(row) for row in rows])
    return _xml(_tree(root, item, rows))


def _tree(root: str, item: str, rows: Sequence[Mapping[str, Any]]) -> ET.Element:
    tree = ET.Element(root)
    for row in rows:
        one = ET.SubElement(tree, item)
        for name, value in row.items():
            said = str(value).lower() if isinstance(value, bool) else value
            ET.SubElement(one, name).text = None if said is None else str(said)
    return tree


def _xml(tree: ET.Element, status: int = 200) -> Response:
    content = ET.tostring(tree, encoding="utf-8", xml_declaration=True)
    return Response(content, status, media_type="text/xml; charset=utf-8")


def _errors(request: Request, status: int, said: str) -> Response:
    rows = [{"code": str(status), "description": said}]
    if request.url.path.endswith(".json"):
        return JSONResponse(rows, status)
    return _xml(_tree("errors", "error", rows), status)


def _jurisdiction(request: Request, jurisdiction_id: Annotated[str, Query()] = "") -> None:
    """Refuse whoever names another jurisdiction: this endpoint serves one."""
    if jurisdiction_id and jurisdiction_id != county_of(request):
        raise NotFoundError(f"jurisdiction_id {jurisdiction_id[:40]!r} was not found")


Here = Depends(_jurisdiction)


@router.get("/discovery.{kind}")
def discovery(request: Request, kind: Format) -> Response:
    """Where which version is."""
    url = public_url(request) + _BASE
    endpoint = {
        "specification": "http://wiki.open311.org/GeoReport_v2",
        "url": url,
        "changeset": "2026-11-01",
        "type": "production",
    }
    if kind == "json":
        formats = ["text/xml", "application/json"]
        told = {"changeset": "2026-11-01", "endpoints": [endpoint | {"formats": formats}]}
        return JSONResponse(told)
    tree = ET.Element("discovery")
    ET.SubElement(tree, "changeset").text = "2026-11-01"
    one = ET.SubElement(ET.SubElement(tree, "endpoints"), "endpoint")
    for name, value in endpoint.items():
        ET.SubElement(one, name).text = value
    formats_of = ET.SubElement(one, "formats")
    for name in ("text/xml", "application/json"):
        ET.SubElement(formats_of, "format").text = name
    return _xml(tree)


@router.get("/v2/services.{kind}", dependencies=[Here])
def listed(db: Db, kind: Format) -> Response:
    """What can be reported."""
    rows = [
        {
            "service_code": one.code,
            "service_name": one.name,
            "description": one.name_en,
            "metadata": False,
            "type": "realtime",
            "keywords": one.name_en,
            "group": one.group,
        }
        for one in services(db)
    ]
    return _answer(kind, "services", "service", rows)


@router.get("/v2/services/{code}.{kind}", dependencies=[Here])
def definition(db: Db, code: str, kind: Format) -> Response:
    """What else a service asks for: nothing."""
    if code not in {one.code for one in services(db)}:
        raise NotFoundError(f"service_code {code[:30]!r} was not found")
    if kind == "json":
        return JSONResponse({"service_code": code, "attributes": []})
    tree = ET.Element("service_definition")
    ET.SubElement(tree, "service_code").text = code
    ET.SubElement(tree, "attributes")
    return _xml(tree)


async def _form(request: Request) -> dict[str, str]:
    if "json" in request.headers.get("content-type", ""):
        raise OddQueryError("send a form (application/x-www-form-urlencoded), as GeoReport v2 says")
    content = await body_of(request, _LARGEST)
    return dict(parse_qsl(content.decode("utf-8", "replace")))


@router.post("/v2/requests.{kind}", status_code=201, dependencies=[Here])
def take(
    request: Request, said: Annotated[dict[str, str], Depends(_form)], db: Db, kind: Format
) -> Response:
    """Report; the form's names are the standard's."""
    partner = partner_of(request, said.get("api_key", ""))
    code = said.get("service_code", "")
    if not code:
        raise ReportError("service_code", "service_code was not provided")
    if code not in {one.code for one in services(db)}:
        raise NotFoundError(f"service_code {code[:30]!r} was not found")
    place = _place(request, db, said)
    name = " ".join(said[one] for one in ("first_name", "last_name") if said.get(one))
    made, _ = report_incident(
        db,
        county_of(request),
        Report(
            "open311",
            code,
            place.lon,
            place.lat,
            "EPSG:4326",
            description=said.get("description", ""),
            address=place.address,
            name=name[:100],
            phone=said.get("phone", "")[:40],
            receipt_key=request.headers.get("idempotency-key") or None,
        ),
        engines(request).directory(db),
        actor=f"open311:{partner}",
    )
    row = {"service_request_id": made.source_ref, "service_notice": None, "account_id": None}
    answer = _answer(kind, "service_requests", "request", [row])
    answer.status_code = 201
    return answer


def partner_of(request: Request, key: str) -> str:
    """Name of the partner whose key it is.

    Raises
    ------
    RefusedError
        If nobody has it.
    """
    settings: Settings = request.app.state.settings
    for name, held in settings.named_keys:
        if secrets.compare_digest(held.encode(), key.encode()):
            return name
    raise RefusedError("api_key is missing or unknown")


def _place(request: Request, db: Db, said: Mapping[str, str]) -> KnownPlace:
    if said.get("lat") and said.get("long"):
        try:
            return KnownPlace(float(said["long"]), float(said["lat"]), "")
        except ValueError:
            raise ReportError("place", "lat and long must be numbers of degrees") from None
    words = said.get("address_string", "").strip()[:200]
    if not words:
        raise ReportError("place", "lat and long, or an address_string, must be provided")
    return known_address(engines(request).book(db), words)


@router.get("/v2/requests.{kind}", dependencies=[Here])
def requests(
    request: Request,
    db: Db,
    kind: Format,
    service_request_id: Annotated[str, Query(max_length=4000)] = "",
    service_code: Annotated[str, Query(max_length=400)] = "",
    start_date: Moment | None = None,
    end_date: Moment | None = None,
    status: Annotated[str, Query(pattern="^((open|closed)(,(open|closed))?)?$")] = "",
) -> Response:
    """What was reported, of the last 90 days unless asked otherwise."""
    since, until = _span(start_date, end_date)
    states = set(status.split(",")) - {""}
    rows = published(
        db,
        county_of(request),
        since,
        until,
        cases=re.split(r"\s*,\s*", service_request_id) if service_request_id else None,
        classes=service_code.split(",") if service_code else None,
        is_open=None if len(states) != 1 else states == {"open"},
    )
    return _answer(kind, "service_requests", "request", [_record(row) for row in rows])


@router.get("/v2/requests/{case}.{kind}", dependencies=[Here])
def one_request(request: Request, db: Db, case: str, kind: Format) -> Response:
    """One of them."""
    now = datetime.now(UTC)
    rows = published(db, county_of(request), now, now, cases=[case])
    if not rows:
        raise NotFoundError(f"service_request_id {case[:60]!r} was not found")
    return _answer(kind, "service_requests", "request", [_record(row) for row in rows])


def _span(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    for moment in (start, end):
        if moment is not None and moment.tzinfo is None:
            raise ReportError("start_date", "a date must have a time zone")
    until = end or (start + _LONGEST_SPAN if start else datetime.now(UTC))
    since = start or until - _LONGEST_SPAN
    if not timedelta(0) <= until - since <= _LONGEST_SPAN:
        raise ReportError("start_date", "start_date and end_date span at most 90 days")
    return since, until


def _record(row: Any) -> dict[str, Any]:
    return {
        "service_request_id": row.case,
        "status": "closed" if row.state in {"closed", "void"} else "open",
        "status_notes": row.state,
        "service_name": row.class_name,
        "service_code": row.class_code,
        "description": None,
        "agency_responsible": row.agency,
        "service_notice": None,
        "requested_datetime": _w3c(row.reported_at),
        "updated_datetime": _w3c(row.changed_at),
        "expected_datetime": _w3c(row.due_at),
        "address": None,
        "address_id": None,
        "zipcode": None,
        "lat": round(row.lat, 6),
        "long": round(row.lon, 6),
        "media_url": None,
    }


def _w3c(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
