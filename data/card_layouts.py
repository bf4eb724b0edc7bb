"""A county's own card layout, and photos of its staff with their consent."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from data.errors import NotFoundError, SourceError
from data.models import CardLayout, Person, Role
from data.people import person_of

__all__ = ["LayoutFile", "keep_photo", "set_layout"]


class LayoutFile(BaseModel):
    """A card layout as a file says it (JSON)."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field("own", max_length=30)
    name: str = Field(max_length=100)
    roles: list[str] = Field(min_length=1, max_length=30)
    services: list[str] = Field(default=[], max_length=40)
    services_en: list[str] = Field(default=[], max_length=40)
    hours: str = Field("", max_length=100)
    hours_en: str = Field("", max_length=100)
    supervision_phone: str = Field("", max_length=40)
    shows_private_phone: bool = False
    shows_photo: bool = False
    source: str = Field(min_length=1, max_length=2000)
    verified: bool = False

    @model_validator(mode="after")
    def _both_languages(self) -> "LayoutFile":
        if len(self.services) != len(self.services_en):
            raise ValueError("services and services_en must be of one length")
        return self


def set_layout(session: Session, county: str, content: str) -> LayoutFile:
    """Keep a county's layout; it takes the place of the one before.

    Raises
    ------
    SourceError
        If it is no layout, or names a role that is not known.
    """
    try:
        said = LayoutFile.model_validate_json(content)
    except ValidationError as error:
        parts = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SourceError("; ".join(parts)) from error
    known = set(session.scalars(select(Role.code)))
    if unknown := [role for role in said.roles if role not in known]:
        raise SourceError(f"roles {', '.join(unknown)} are unknown; see onegrid staff roles")
    for held in session.scalars(select(CardLayout).where(CardLayout.county == county)):
        session.delete(held)
    session.flush()
    session.add(CardLayout(county=county, **said.model_dump()))
    return said


def keep_photo(
    session: Session, county: str, source_ref: str, photo: bytes | None, consent_at: datetime | None
) -> None:
    """Keep the photo (JPEG) of a person who has agreed at a time, or take it away.

    Raises
    ------
    NotFoundError
        If the staff list has no such person.
    SourceError
        If a photo comes without consent.
    """
    if photo is not None and consent_at is None:
        raise SourceError("a photo is kept only with the day of the person's consent")
    person = session.get(Person, person_of(session, county, source_ref))
    if person is None:
        raise NotFoundError(f"no person {source_ref!r}")
    person.photo, person.photo_consent_at = photo, consent_at
