"""What a county's contact cards show: data, with a preset for every county."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import CardLayout as Stored
from data.presets import ALL_COUNTIES

__all__ = ["CardLayout", "load_layout"]


@dataclass(frozen=True, slots=True)
class CardLayout:
    """What a contact card 网格服务联系卡 shows.

    Attributes
    ----------
    roles : tuple of str
        In their order; a role that nobody holds is left out.
    services : tuple of (str, str)
        In Chinese and in English.
    hours, hours_en : str
    supervision_phone : str
        Who listens to complaints about the grid's work; empty for nobody.
    shows_private_phone, shows_photo : bool
        Beside what the person has agreed to.
    """

    roles: tuple[str, ...] = ()
    services: tuple[tuple[str, str], ...] = ()
    hours: str = ""
    hours_en: str = ""
    supervision_phone: str = ""
    shows_private_phone: bool = False
    shows_photo: bool = False

    def hours_in(self, language: str) -> str:
        """Hours in a language."""
        return self.hours_en if language == "en" and self.hours_en else self.hours

    def services_in(self, language: str) -> list[str]:
        """Services in a language."""
        return [english if language == "en" else chinese for chinese, english in self.services]


def load_layout(session: Session, county: str) -> CardLayout:
    """The county's own layout, else the preset; an empty one where there is none."""
    query = select(Stored).where(Stored.county.in_((county, ALL_COUNTIES)))
    held = sorted(session.scalars(query), key=lambda one: (one.county == ALL_COUNTIES, one.code))
    if not held:
        return CardLayout()
    first = held[0]
    return CardLayout(
        tuple(first.roles),
        tuple(zip(first.services, first.services_en, strict=True)),
        first.hours,
        first.hours_en,
        first.supervision_phone,
        first.shows_private_phone,
        first.shows_photo,
    )
