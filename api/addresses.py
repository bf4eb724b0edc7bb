"""For programs, and for the search field: cards by address, and what somebody may be typing.

Addresses come in the body, never in the address line, which servers on the way keep in logs.
"""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field, model_validator

from api.moments import Day
from api.remembered import Known, known_in_turn
from data.importing.columns import LOCAL_ZONE
from gis.address import suggest
from grids.card import Card, card_at, card_of_address

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["addresses"])


class Typed(BaseModel):
    """What somebody has typed so far."""

    typed: str = Field(max_length=200)


class SuggestionModel(BaseModel):
    """An address, or the beginning of one."""

    text: str
    level: str


class Suggestions(BaseModel):
    """What may be meant, likeliest first."""

    suggestions: list[SuggestionModel]


class CardQuery(BaseModel):
    """An address, or a place in degrees (EPSG:4326)."""

    address: str = Field("", max_length=200)
    lon: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_of_both(self) -> "CardQuery":
        if bool(self.address.strip()) == (self.lon is not None and self.lat is not None):
            raise ValueError("either an address or lon and lat must be given")
        return self


class PersonModel(BaseModel):
    """One of those whom a card names."""

    role: str
    name: str
    duty_phone: str | None
    private_phone: str | None


class CardModel(BaseModel):
    """The contact card of a grid."""

    grid: str
    grid_name: str
    community: str
    community_name: str
    others: list[str]
    people: list[PersonModel]
    centre: str | None
    centre_phone: str | None
    services: list[str]
    hours: str
    supervision_phone: str
    as_of: Day


class OptionModel(BaseModel):
    """One answer to the question, and the address to ask with instead."""

    value: str
    address: str


class CardAnswer(BaseModel):
    """A card, or the question that decides; nothing is chosen silently."""

    level: str
    score: float
    address: str
    card: CardModel | None
    grids: list[str]
    asked: str
    options: list[OptionModel]
    as_of: datetime = Field(description="when what is told was last known to be so")
    is_current: bool = Field(description="false while the database is away")


@router.post("/addresses/suggest")
async def suggestions(request: Request, said: Typed) -> Suggestions:
    """Names and numbers that what is typed may be the beginning of."""
    await run_in_threadpool(request.app.state.guard.suggestion, request)
    found = await known_in_turn(request, lambda known: suggest(known.book().table, said.typed))
    return Suggestions(suggestions=[SuggestionModel(text=o.text, level=o.level) for o in found])


@router.post("/card")
async def card(request: Request, asked: CardQuery) -> CardAnswer:
    """The card of an address where it is certain, or of a place; else the question."""
    await run_in_threadpool(request.app.state.guard.require_card, request)
    return await known_in_turn(request, lambda known: _answered(known, asked))


def _answered(known: Known, asked: CardQuery) -> CardAnswer:
    as_of = known.as_of or datetime.now(UTC)
    of: dict[str, Any] = {"as_of": as_of, "is_current": known.as_of is None}
    if asked.lon is not None and asked.lat is not None:
        found = card_at(known.directory, asked.lon, asked.lat)
        grids = [] if found is None else [found.grid.code, *found.others]
        held: dict[str, Any] = {"level": "place", "score": 1.0, "address": "", "asked": ""}
        return CardAnswer(**held, **of, card=_model(found, as_of), grids=grids, options=[])
    answer = card_of_address(known.directory, known.book(), asked.address)
    lookup = answer.lookup
    return CardAnswer(
        level=lookup.level,
        score=lookup.score,
        address=answer.address,
        card=_model(answer.card, as_of),
        grids=[one.code for one in answer.grids],
        asked=lookup.asked,
        options=[OptionModel(value=one.value, address=one.text) for one in lookup.options],
        **of,
    )


def _model(card: Card | None, as_of: datetime) -> CardModel | None:
    if card is None:
        return None
    layout, centre = card.layout, card.centre
    return CardModel(
        grid=card.grid.code,
        grid_name=card.grid.name,
        community=card.grid.community,
        community_name=card.grid.community_name,
        others=list(card.others),
        people=[
            PersonModel(
                role=one.role,
                name=one.name,
                duty_phone=one.duty_phone,
                private_phone=one.private_phone,
            )
            for one in card.people
        ],
        centre=centre.name if centre else None,
        centre_phone=centre.duty_phone if centre else None,
        services=layout.services_in("zh"),
        hours=layout.hours,
        supervision_phone=layout.supervision_phone,
        as_of=as_of.astimezone(LOCAL_ZONE).date(),
    )
