"""For everybody: the contact card by address or place, and the same for programs."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.pages import render, texts_of
from api.session import Db, county_of, engines
from grids.card import card_at, find_addresses
from maps.city_map import MapRequest, city_map

__all__ = ["router"]

router = APIRouter()
Lon = Annotated[
    float, Query(ge=-180, le=180, allow_inf_nan=False, description="degrees, EPSG:4326")
]
Lat = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, description="degrees, EPSG:4326")]
RadiusM = Annotated[
    float, Query(ge=0, le=10_000, allow_inf_nan=False, description="how far off it may be, metres")
]
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
    if lon is None and len(matches) == 1 and matches[0].text == q.strip():
        lon, lat = matches[0].lon, matches[0].lat
    place = (lon, lat) if lon is not None and lat is not None else None
    card = card_at(engines(request).directory(db, county), *place) if place else None
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


@router.get("/api/v1/who")
def who(request: Request, db: Db, lon: Lon, lat: Lat, radius_m: RadiusM = 0.0) -> dict[str, Any]:
    """Grid and duty contacts of a place (EPSG:4326); which grids it may be in if uncertain."""
    directory = engines(request).directory(db, county_of(request))
    answer = directory.answer(lon, lat, radius_m=radius_m)
    people = [
        {"name": p.name, "role": p.role, "duty_phone": p.duty_phone, "by": p.by, "area": p.area}
        for p in answer.people
    ]
    return {
        "crs": "EPSG:4326",
        "grid": asdict(answer.grid) if answer.grid else None,
        "micro_grid": answer.micro_grid,
        "on_boundary": answer.on_boundary,
        "ambiguous": answer.ambiguous,
        "candidates": [asdict(one) for one in answer.candidates],
        "people": people,
        "reason": answer.reason,
    }


@router.get("/healthz", include_in_schema=False)
def health(request: Request, db: Db) -> dict[str, str]:
    """Whether a plan is published and answers."""
    directory = engines(request).directory(db, county_of(request))
    return {"status": "ok", "grids": str(len(directory.grids))}
