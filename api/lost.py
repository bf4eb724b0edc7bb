"""Location-to-service translation (LoST, RFC 5222): who answers for a service at a place.

A mapping names the person on duty and the duty telephone, so that each counts as a card.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from xml.parsers import expat

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.guard import TooManyError
from api.limits import body_of
from api.session import engines
from data.roles import role_name_in
from grids.card import AddressAnswer, Card, card_at, card_of_address

__all__ = ["router"]

router = APIRouter(tags=["lost"])
_LOST = "urn:ietf:params:xml:ns:lost1"
_GML = "http://www.opengis.net/gml"
_CIVIC = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TYPE = "application/lost+xml"
_SRS = ("urn:ogc:def:crs:EPSG::4326", "EPSG:4326")
_LARGEST, _PIECE = 20_000, 64
_HOLDS = timedelta(hours=1)
# Registered names (RFC 5031) where there are some; the rest are ours, as tags (RFC 4151).
_ROLES = {
    "urn:service:sos.police": "police",
    "urn:service:sos.physician": "doctor",
    "urn:service:counseling": "mediator",
    "tag:onegrid,2026:service:gridworker": "gridworker",
    "tag:onegrid,2026:service:centre-director": "centre_director",
    "tag:onegrid,2026:service:electrician": "electrician",
}
# Civic address elements (RFC 5139) in the order in which Chinese addresses are written.
_CIVIC_PARTS = ("A1", "A2", "A3", "A4", "A5", "A6", "RD", "STS", "HNO", "HNS", "LMK", "BLD", "UNIT")


class _LostError(Exception):
    """An error of the protocol: its element's name, and what to say."""

    def __init__(self, name: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.name, self.message, self.more = name, message, more


@router.post("/lost", openapi_extra={"requestBody": {"content": {_TYPE: {}}}})
async def lost(request: Request) -> Response:
    """Answer findService, listServices, listServicesByLocation and getServiceBoundary."""
    body = await body_of(request, _LARGEST)
    async with request.app.state.admission.turn():
        tree = await run_in_threadpool(_answered, request, body)
    return Response(ET.tostring(tree, encoding="utf-8", xml_declaration=True), media_type=_TYPE)


def _answered(request: Request, body: bytes) -> ET.Element:
    try:
        asked = _parsed(body)
        name = asked.tag.removeprefix(f"{{{_LOST}}}")
        if name == "listServices":
            return _services(request, None)
        with request.app.state.database.session() as session:
            if name == "getServiceBoundary":
                return _boundary(request, session, asked)
            if name == "listServicesByLocation":
                return _services(request, _located(request, session, asked))
            if name == "findService":
                return _found(request, session, asked)
        raise _LostError("badRequest", "no request of this protocol")
    except _LostError as error:
        return _errors(request, error)
    except TooManyError as error:
        return _errors(request, _LostError("forbidden", f"too many requests: {error}"))


def _parsed(body: bytes) -> ET.Element:
    try:
        _refuse_document_type(body)
        tree = ET.fromstring(body)  # noqa: S314 - short, and without a document type
    except (ET.ParseError, expat.ExpatError, LookupError, ValueError) as error:
        # An encoding that is unknown, or has several bytes a letter, is an error of its own kind.
        raise _LostError("badRequest", "this is no XML, or in an encoding not read here") from error
    if not tree.tag.startswith(f"{{{_LOST}}}"):
        raise _LostError("badRequest", "this is no LoST request")
    return tree


def _refuse_document_type(body: bytes) -> None:
    """Refuse a DTD in whatever encoding, before the tree's parser sees any of it.

    The same reader decides what is one: a search for its bytes does not find it in UTF-16. In small
    pieces, so that nothing is expanded after its beginning has been seen.
    """

    def refuse(*_said: object) -> None:
        raise _LostError("badRequest", "document types are not read")

    reader = expat.ParserCreate()
    reader.StartDoctypeDeclHandler = reader.EntityDeclHandler = refuse
    for begin in range(0, len(body), _PIECE):
        reader.Parse(body[begin : begin + _PIECE], False)
    reader.Parse(b"", True)


class _Place:
    """Where a request asks, by the first location whose profile is known."""

    def __init__(self, id_: str, lon: float, lat: float, address: str, card: Card | None) -> None:
        self.id, self.lon, self.lat, self.address, self.card = id_, lon, lat, address, card


def _located(request: Request, session: Session, asked: ET.Element) -> _Place:
    locations = asked.findall(f"{{{_LOST}}}location")
    if not locations:
        raise _LostError("badRequest", "a location is missing")
    request.app.state.guard.require_card(request)
    for one in locations:
        profile, id_ = one.get("profile", "geodetic-2d"), one.get("id", "")
        if profile == "geodetic-2d":
            lon, lat = _point(one)
            card = card_at(engines(request).directory(session), lon, lat)
            return _Place(id_, lon, lat, "", card)
        if profile == "civic":
            answer = _civic(request, session, one)
            if answer.card is None:
                raise _LostError("notFound", _why(answer))
            card = answer.card
            return _Place(id_, card.lon, card.lat, answer.address, card)
    profiles = " ".join(one.get("profile", "")[:40] for one in locations)
    raise _LostError(
        "locationProfileUnrecognized",
        "geodetic-2d and civic are known",
        unsupportedProfiles=re.sub(r"[^\w.:-]+", " ", profiles).strip() or "unknown",
    )


def _point(location: ET.Element) -> tuple[float, float]:
    """``gml:Point``, or the middle of a ``gml:Circle``; latitude stands first (RFC 5491)."""
    point = location.find(f".//{{{_GML}}}pos")
    shape = next(iter(location), None)
    if point is None or shape is None:
        raise _LostError("locationInvalid", "a gml:Point with its gml:pos is wanted")
    if shape.get("srsName", _SRS[0]) not in _SRS:
        raise _LostError("locationInvalid", f"places are taken in {_SRS[0]}")
    try:
        lat, lon = (float(part) for part in (point.text or "").split()[:2])
    except ValueError as error:
        raise _LostError("locationInvalid", "gml:pos holds latitude and longitude") from error
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise _LostError("locationInvalid", "gml:pos is no place on the earth")
    return lon, lat


def _civic(request: Request, session: Session, location: ET.Element) -> AddressAnswer:
    found = location.find(f".//{{{_CIVIC}}}civicAddress")
    if found is None:
        raise _LostError("locationInvalid", "a civicAddress is wanted")
    said = {one.tag.removeprefix(f"{{{_CIVIC}}}"): (one.text or "").strip() for one in found}
    parts = [said[part] for part in _CIVIC_PARTS if said.get(part)]
    chinese = any("\u4e00" <= letter <= "\u9fff" for part in parts for letter in part)
    number = said.get("HNO", "")
    if not chinese:
        rest = [part for part in reversed(parts) if part != number]
        typed = ", ".join([f"{number} {rest[0]}".strip(), *rest[1:]]) if rest else number
    else:
        typed = "".join(
            f"{part}号" if part == number and part.isdigit() else part for part in parts
        )
    directory, book = engines(request).directory(session), engines(request).book(session)
    return card_of_address(directory, book, typed)


def _why(answer: AddressAnswer) -> str:
    if not len(answer.lookup.rows):
        return "no address like this is known"
    return "several known addresses fit" if not answer.is_outside else "outside every grid"


def _found(request: Request, session: Session, asked: ET.Element) -> ET.Element:
    service = (asked.findtext(f"{{{_LOST}}}service") or "").strip()
    if service not in _ROLES:
        raise _LostError("serviceNotImplemented", "see listServices")
    place = _located(request, session, asked)
    card = place.card
    person = next((p for p in card.people if p.role == _ROLES[service]), None) if card else None
    if card is None or person is None or not person.duty_phone:
        raise _LostError("notFound", "nobody answers for this service there")
    tree = ET.Element(_in("findServiceResponse"))
    now = datetime.now(UTC)
    mapping = ET.SubElement(
        tree,
        _in("mapping"),
        {
            "expires": (now + _HOLDS).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lastUpdated": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "source": _source(request),
            "sourceId": f"{card.grid.code}-{person.role}",
        },
    )
    for language in ("zh", "en"):
        role = role_name_in(language)(person.role)
        name = ET.SubElement(mapping, _in("displayName"), {_XML_LANG: language})
        name.text = f"{person.name} {role}"
    ET.SubElement(mapping, _in("service")).text = service
    if asked.get("serviceBoundary") == "value":
        _add_boundary(mapping, request, session, card.grid.id)
    else:
        key = {"source": _source(request), "key": card.grid.code}
        ET.SubElement(mapping, _in("serviceBoundaryReference"), key)
    digits = re.sub(r"[^0-9+*#-]", "", person.duty_phone)
    ET.SubElement(mapping, _in("uri")).text = f"tel:{digits}"
    if re.fullmatch(r"[0-9*#]+", digits):
        ET.SubElement(mapping, _in("serviceNumber")).text = digits
    return _with_path(request, tree, place.id)


def _services(request: Request, place: _Place | None) -> ET.Element:
    tree = ET.Element(_in(f"listServices{'ByLocation' if place else ''}Response"))
    held = list(_ROLES)
    if place is not None:
        roles = {one.role for one in place.card.people} if place.card else set()
        held = [urn for urn, role in _ROLES.items() if role in roles]
    ET.SubElement(tree, _in("serviceList")).text = " ".join(held)
    return _with_path(request, tree, place.id if place else "")


def _boundary(request: Request, session: Session, asked: ET.Element) -> ET.Element:
    places = engines(request).directory(session).places
    key = asked.get("key", "")
    grid = places.grid_of_code(key)
    if grid is None:
        raise _LostError("notFound", "no boundary has this key")
    tree = ET.Element(_in("getServiceBoundaryResponse"))
    _add_boundary(tree, request, session, grid.id)
    return _with_path(request, tree, "")


def _add_boundary(parent: ET.Element, request: Request, session: Session, grid: int) -> None:
    shape = engines(request).directory(session).places.grids.shapes([grid])[0]
    for part in getattr(shape, "geoms", [shape]):
        one = ET.SubElement(parent, _in("serviceBoundary"), {"profile": "geodetic-2d"})
        polygon = ET.SubElement(one, f"{{{_GML}}}Polygon", {"srsName": _SRS[0]})
        rings = [("exterior", part.exterior), *(("interior", ring) for ring in part.interiors)]
        for kind, ring in rings:
            side = ET.SubElement(polygon, f"{{{_GML}}}{kind}")
            line = ET.SubElement(side, f"{{{_GML}}}LinearRing")
            positions: Sequence[tuple[float, float]] = ring.coords
            for lon, lat in positions:
                ET.SubElement(line, f"{{{_GML}}}pos").text = f"{lat:.7f} {lon:.7f}"


def _with_path(request: Request, tree: ET.Element, location: str) -> ET.Element:
    path = ET.SubElement(tree, _in("path"))
    ET.SubElement(path, _in("via"), {"source": _source(request)})
    if location:
        ET.SubElement(tree, _in("locationUsed"), {"id": location[:100]})
    return tree


def _errors(request: Request, error: _LostError) -> ET.Element:
    tree = ET.Element(_in("errors"), {"source": _source(request)})
    said = {"message": error.message, _XML_LANG: "en", **error.more}
    ET.SubElement(tree, _in(error.name), said)
    return tree


def _source(request: Request) -> str:
    """The server's name as the protocol knows servers: a domain."""
    host = request.url.hostname or ""
    said = re.fullmatch(r"([a-zA-Z0-9-]+\.)+[a-zA-Z0-9]+", host)
    return host if said else "onegrid.invalid"


def _in(name: str) -> str:
    return f"{{{_LOST}}}{name}"


ET.register_namespace("", _LOST)
ET.register_namespace("gml", _GML)
