"""The contact card as a file, on paper and on maps; and the door signs of a grid."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from pydantic_core import to_json
from sqlalchemy.orm import Session

from api.card import MaybeLat, MaybeLon, card_of_handle, form_of
from api.etags import is_held
from api.hosts import public_url
from api.pages import language_of, map_answer, texts_of
from api.papers import Paper
from api.session import Db, county_of, desk, engines
from data.door_signs import signs_of
from data.errors import NotFoundError
from data.importing.columns import LOCAL_ZONE
from data.roles import role_name_in
from data.sessions import SignedIn
from grids.card import Card
from grids.who import Directory
from maps.card_files import SIZES, PrintedCard, cards_page
from maps.city_map import MapRequest, city_map
from maps.door_signs import door_signs_page
from maps.grid_picture import grid_picture
from maps.texts import texts
from maps.vcards import jcard, vcard

__all__ = ["card_file", "router"]

router = APIRouter(include_in_schema=False)
GridCode = Annotated[str, Path(pattern=r"^\d{6,20}$")]
_VCARD, _JCARD = "text/vcard; charset=utf-8", "application/vcard+json"
_SIGNS_OF = ("planner", "dispatcher", "centre")
Desk = Annotated[SignedIn, Depends(desk(*_SIGNS_OF))]


async def card_file(request: Request) -> Response:
    """A card that was given, as contacts or on paper; paper is counted as cards are."""
    asked = await form_of(request)
    if asked.get("kind") in SIZES:
        await run_in_threadpool(request.app.state.guard.require_card, request)
    async with request.app.state.admission.turn():
        return await run_in_threadpool(_file, request, asked)


def _file(request: Request, asked: dict[str, str]) -> Response:
    language = asked.get("lang", "") if asked.get("lang") in {"zh", "en"} else language_of(request)
    role_name = role_name_in(language)
    with request.app.state.database.session() as session:
        directory = engines(request).directory(session)
        card, address = card_of_handle(request, directory, asked.get("handle", ""))
        if asked.get("kind") not in SIZES:
            return _contacts(card, role_name, asked.get("kind", ""))
        link = _link(request, session, address)
        picture = _picture(session, directory, card) if asked["kind"] == "a4" else None
        page = cards_page(
            [PrintedCard(card, link, address, picture)],
            asked["kind"],
            texts(language),
            role_name,
            as_of=datetime.now(LOCAL_ZONE).date(),
            note=request.app.state.settings.review_number,
        )
    address, _ = request.app.state.guard.client(request)
    return Paper(page, "card.pdf", asks=address)


def _contacts(card: Card, role_name: Callable[[str], str], kind: str) -> Response:
    """A vCard for each person, or a jCard where that is asked for."""
    now = datetime.now(UTC)
    if kind == "jcard":
        body, name, media = to_json(jcard(card, role_name, now)), "card.json", _JCARD
    else:
        body, name, media = vcard(card, role_name, now).encode(), "card.vcf", _VCARD
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=media, headers=headers)


def _link(request: Request, session: Session, address: str) -> str:
    """Where the code on a card leads: to the card of its address, where that is known."""
    book = engines(request).book(session)
    rows = book.table.with_text(address)
    if not len(rows):
        return f"{public_url(request)}/card"
    number = int(book.ids[rows[0]])
    token = signs_of(session, county_of(request), [number])[number]
    return f"{public_url(request)}/d/{token}"


def _picture(session: Session, directory: Directory, card: Card) -> Markup:
    shape = directory.places.grids.shapes([card.grid.id])[0]
    return grid_picture(session, card.grid.code[:6], shape, card.grid.name)


@router.get("/card/map/{code}.svg")
def small_map(
    request: Request, db: Db, code: Annotated[str, Path(pattern=r"^\d{6,20}$")]
) -> Response:
    """A grid of the present plan with what lies around it."""
    directory = engines(request).directory(db)
    grid = directory.places.grid_of_code(code)
    if grid is None:
        raise NotFoundError(f"no grid {code}")
    tag = f'"{grid.id}-{directory.places.begins.timestamp():.0f}"'
    headers = {"ETag": tag, "Cache-Control": "max-age=3600"}
    if is_held(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)

    def drawn() -> bytes:
        shape = directory.places.grids.shapes([grid.id])[0]
        return str(grid_picture(db, county_of(request), shape, grid.name)).encode()

    picture = request.app.state.tiles.get(("grid", tag), drawn)
    return Response(picture, media_type="image/svg+xml", headers=headers)


@router.get("/maps/card", response_class=HTMLResponse)
def card_map(request: Request, db: Db, lon: MaybeLon = None, lat: MaybeLat = None) -> HTMLResponse:
    """The resident's map: a click asks for the card of that place."""
    place = (lon, lat) if lon is not None and lat is not None else None
    number = request.app.state.settings.review_number
    drawn = MapRequest(
        texts_of(request),
        layers=frozenset({"grids"}),
        place=place,
        note=number,
        click="/card",
    )
    return map_answer(city_map(db, county_of(request), drawn))


@router.get("/api/v1/grids/{code}/door-signs.pdf")
def door_signs(
    request: Request,
    db: Db,
    who: Desk,
    code: GridCode,
    size: Annotated[str, Query(pattern="^a[46]$")] = "a6",
) -> Response:
    """A sign for each known address of a grid, with a code that leads to its card."""
    if not any(who.scope(role).covers(code) for role in who.roles & set(_SIGNS_OF)):
        raise NotFoundError(f"no grid {code} in your area")
    page = door_signs_page(
        db,
        engines(request).directory(db),
        engines(request).book(db),
        code,
        texts_of(request),
        size=size,
        link=public_url(request),
        as_of=datetime.now(LOCAL_ZONE).date(),
        note=request.app.state.settings.review_number,
    )
    return Paper(page, f"door-signs-{code}.pdf")
