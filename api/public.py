"""For everybody: the contact card by address or place."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.pages import render, texts_of
from api.session import Db, county_of, engines
from grids.card import card_at, find_addresses
from maps.city_map import MapRequest, city_map

__all__ = ["router"]

router = APIRouter()
MaybeLon = Annotated[float | None, Query(ge=-180, le=180, allow_inf_nan=False)]
MaybeLat = Annotated[float | None, Query(ge=-90, le=90, allow_inf_nan=False)]


@router.get("/card", response_class=HTMLResponse, include_in_schema=False)
def card_page(
    request: Request,
    db: Db,
    q: Annotated[str, Query(max_length=200)] = "",
    lon: MaybeLon = None,
    lat: MaybeLat = None,
) -> str:
    """The card of an address or a clicked place; several addresses are offered, none chosen."""
    county = county_of(request)
    matches = find_addresses(db, county, q) if q else []
    address = None
    if lon is None and len(matches) == 1 and matches[0].text == q.strip():
        lon, lat, address = matches[0].lon, matches[0].lat, matches[0].text
    place = (lon, lat) if lon is not None and lat is not None else None
    card = card_at(engines(request).directory(db), *place, address=address) if place else None
    return render(request, "card.html", q=q, matches=matches, card=card, place=place)


@router.get("/maps/card", response_class=HTMLResponse, include_in_schema=False)
def card_map(request: Request, db: Db, lon: MaybeLon = None, lat: MaybeLat = None) -> str:
    """The resident's map: a click asks for the card of that place."""
    place = (lon, lat) if lon is not None and lat is not None else None
    number = request.app.state.settings.review_number
    drawn = MapRequest(
        texts_of(request),
        layers=frozenset({"grids"}),
        place=place,
        note=number,
        click="/card?crs=EPSG:4326",
    )
    return city_map(db, county_of(request), drawn)


@router.get("/healthz", include_in_schema=False)
def health(request: Request, db: Db) -> dict[str, str]:
    """Whether a plan is published and answers."""
    directory = engines(request).directory(db)
    return {"status": "ok", "grids": str(len(directory.places.facts))}
