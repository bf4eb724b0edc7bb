"""For everybody: the contact card by address, place or door sign.

An address travels in the body of a request, never in its address line, which servers on the way
keep in their logs.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from itsdangerous import BadSignature
from starlette.exceptions import HTTPException

from api.limits import body_of
from api.pages import render
from api.remembered import Known, known_in_turn
from api.session import county_of, engines
from data.door_signs import address_of_sign
from data.errors import DatabaseError, NotFoundError
from data.importing.columns import LOCAL_ZONE
from grids.address_book import AddressBook
from grids.card import AddressAnswer, Card, card_at, card_of_address, photo_of, place_in_grid
from grids.who import Directory

__all__ = [
    "BAGS",
    "MaybeLat",
    "MaybeLon",
    "card_of_handle",
    "form_of",
    "look_up",
    "router",
]

router = APIRouter(include_in_schema=False)
# 五色袋: what somebody may tell from the card, and the class of incident that it becomes.
BAGS = {
    "suggestion": "B01",
    "complaint": "B02",
    "wish": "B03",
    "publicity": "B04",
    "service": "B05",
}
_LONGEST_FORM = 20_000
_HALF_TURN = 180.0
MaybeLon = Annotated[float | None, Query(ge=-180, le=180, allow_inf_nan=False)]
MaybeLat = Annotated[float | None, Query(ge=-90, le=90, allow_inf_nan=False)]


@router.get("/card", response_class=HTMLResponse)
async def card_page(
    request: Request,
    lon: MaybeLon = None,
    lat: MaybeLat = None,
    large: Annotated[str, Query(max_length=1)] = "",
) -> Response:
    """Where to type an address; the card of a place that was clicked."""
    asked = {"large": large}
    if lon is None or lat is None:
        return _page(request, "start", asked)
    return await known_in_turn(
        request, lambda known: _card_of_place(request, known, lon, lat, asked)
    )


@router.get("/d/{token}", response_class=HTMLResponse)
async def door_sign(request: Request, token: Annotated[str, Path(max_length=24)]) -> Response:
    """The card of the door whose sign was scanned; which door that is the database knows."""
    return await known_in_turn(request, lambda known: _card_of_sign(request, known, token))


def _card_of_sign(request: Request, known: Known, token: str) -> Response:
    if known.session is None:
        raise DatabaseError("which door a sign hangs at is not known while the database is away")
    found = address_of_sign(known.session, county_of(request), token)
    if found is None:
        raise NotFoundError("no sign of this town says so")
    return _card_of_place(request, known, found.lon, found.lat, {}, found.text)


def _card_of_place(
    request: Request, known: Known, lon: float, lat: float, asked: dict[str, str], address: str = ""
) -> HTMLResponse:
    guard = request.app.state.guard
    verdict = guard.card(request, asked.get("ticket", ""))
    if not verdict.may:
        place = guard.signer("place").dumps([lon, lat, address])
        return _refused(request, asked | {"place": place}, verdict)
    card = card_at(known.directory, lon, lat, address=address or None)
    if card is None:
        return _page(request, "outside", asked)
    return _card(request, asked, card, address, known=known)


async def look_up(request: Request) -> Response:
    """Answer the form: a card, or the question that decides."""
    asked = await form_of(request)
    held = engines(request).ready_book()
    guard = request.app.state.guard
    plain = held is not None and guard.is_ready(request) and not held[0].layout.shows_photo
    if plain and held is not None and not asked.keys() & {"grid", "handle", "place", "lon"}:
        return _looked_up(request, asked, Known(held[0], lambda: held[1]))
    return await known_in_turn(request, lambda known: _answered(request, known, asked))


async def form_of(request: Request) -> dict[str, str]:
    """A short form, as a browser sends it; the first of two fields of one name is dropped."""
    body = await body_of(request, _LONGEST_FORM)
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=20))
    except ValueError as error:
        raise HTTPException(400, "the form cannot be read") from error


def _answered(request: Request, known: Known, asked: dict[str, str]) -> Response:
    if asked.get("handle"):
        card, address = card_of_handle(request, known.directory, asked["handle"])
        return _card(request, asked, card, address, known=known)
    if asked.get("place"):
        lon, lat, address = opened(request, "place", asked["place"])
        return _card_of_place(request, known, lon, lat, asked, address)
    if asked.get("lon"):
        return _card_of_place(request, known, *_clicked(asked), asked)
    if asked.get("grid"):
        return _chosen_grid(request, known, asked)
    return _looked_up(request, asked, known)


def _clicked(asked: Mapping[str, str]) -> tuple[float, float]:
    """The place of the map that was clicked: lon, lat; EPSG:4326."""
    try:
        lon, lat = float(asked["lon"]), float(asked.get("lat", ""))
    except ValueError:
        raise HTTPException(422, "lon and lat must be numbers of degrees") from None
    if not (abs(lon) <= _HALF_TURN and abs(lat) <= _HALF_TURN / 2):
        raise HTTPException(422, "lon and lat must be degrees of EPSG:4326")
    return lon, lat


def _chosen_grid(request: Request, known: Known, asked: dict[str, str]) -> Response:
    """The grid that was chosen where the address leaves several; no other can be asked for."""
    typed, code = asked.get("typed", "")[:200], asked["grid"][:20]
    book = known.book()
    answer = card_of_address(known.directory, book, typed)
    if code not in {one.code for one in answer.grids}:
        return _looked_up(request, asked | {"q": typed}, known)
    if known.session is None:
        place = _known_place(book, code)
    else:
        place = place_in_grid(known.session, county_of(request), code)
    if place is None:
        return _looked_up(request, asked | {"q": typed}, known)
    return _card_of_place(request, known, *place, asked)


def _known_place(book: AddressBook, code: str) -> tuple[float, float] | None:
    """A known address of a grid alone (lon, lat; EPSG:4326)."""
    rows = book.rows_of_grid(code)
    return book.place(int(rows[0])) if len(rows) else None


def _looked_up(request: Request, asked: dict[str, str], known: Known) -> Response:
    typed = asked.get("q", "").strip()[:200]
    if not typed:
        return _page(request, "start", asked)
    verdict = request.app.state.guard.card(request, asked.get("ticket", ""))
    if not verdict.may:
        return _refused(request, asked, verdict)
    answer = card_of_address(known.directory, known.book(), typed)
    if answer.card is not None:
        readings = answer.lookup.readings
        return _card(request, asked, answer.card, answer.address, readings=readings, known=known)
    if answer.is_outside:
        return _page(request, "outside", asked)
    if not len(answer.lookup.rows):
        return _page(request, "none", asked)
    return _page(request, "question", asked, **_question(answer))


def _question(answer: AddressAnswer) -> dict[str, Any]:
    lookup = answer.lookup
    options: list[Any] = list(lookup.options)
    if lookup.asked == "area":
        options = [
            {"text": one.code, "value": f"{one.name} ({one.community_name})"}
            for one in answer.grids
        ]
    return {
        "question": lookup.asked,
        "options": options,
        "readings": lookup.readings,
        "beside": lookup.is_beside,
        "more": lookup.has_more,
    }


def _refused(request: Request, asked: dict[str, str], verdict: Any) -> HTMLResponse:
    hotline = ""
    held = engines(request).ready()
    if held is not None:
        hotline = held.layout.supervision_phone
    wait_s = int(verdict.wait_s) + 1
    state = "wait" if verdict.ticket else "full"
    page = _page(
        request, state, asked, ticket=verdict.ticket, wait_s=wait_s, hotline=hotline, status=429
    )
    page.headers["retry-after"] = str(wait_s)
    return page


def _card(
    request: Request,
    asked: dict[str, str],
    card: Card,
    address: str,
    *,
    known: Known,
    readings: tuple[tuple[str, str], ...] = (),
) -> HTMLResponse:
    signed = request.app.state.guard.signer("card").dumps([card.lon, card.lat, address])
    db = known.session
    shown = {one.photo_of for one in card.people if one.photo_of is not None} if db else set()
    photos = {one: _data_url(photo_of(db, one)) for one in shown if db is not None}
    as_of = (known.as_of or datetime.now(UTC)).astimezone(LOCAL_ZONE)
    return _page(
        request,
        "card",
        asked,
        card=card,
        address=address,
        readings=readings,
        handle=signed,
        photos=photos,
        bags=BAGS,
        as_of=as_of.date().isoformat(),
        since=as_of if known.as_of else None,
    )


def _data_url(photo: bytes | None) -> str:
    return "" if photo is None else f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"


def _page(
    request: Request, state: str, asked: dict[str, str], *, status: int = 200, **values: Any
) -> HTMLResponse:
    shown = {"q": asked.get("q", "")[:200], "large": asked.get("large", ""), "ticket": ""}
    shown |= {"handle": "", "place": asked.get("place", "")} | values
    page = HTMLResponse(render(request, "card.html", state=state, **shown), status)
    # Names and numbers are of today, and nobody's but the reader's.
    page.headers["cache-control"] = "no-store" if state != "start" else "no-cache"
    return page


def opened(request: Request, purpose: str, signed: str) -> tuple[float, float, str]:
    """The place (lon, lat; EPSG:4326) and the address that the server has signed.

    Raises
    ------
    NotFoundError
        If it has not.
    """
    try:
        lon, lat, address = request.app.state.guard.signer(purpose).loads(signed[:2000])
    except (BadSignature, ValueError) as error:
        raise NotFoundError("this was not given by the server") from error
    return lon, lat, address


def card_of_handle(request: Request, directory: Directory, handle: str) -> tuple[Card, str]:
    """The card that was given under a handle, as it is now, and its address.

    Raises
    ------
    NotFoundError
        If the handle is not of this server, or its place has no grid any more.
    """
    lon, lat, address = opened(request, "card", handle)
    card = card_at(directory, lon, lat, address=address or None)
    if card is None:
        raise NotFoundError("the place lies in no grid any more")
    return card, address
