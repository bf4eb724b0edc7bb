"""People as they are looked up: by role and by a part of the name."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.models import Person

__all__ = ["find_people", "person_of"]


def find_people(
    session: Session, county: str, role: str, words: str = "", limit: int = 50
) -> Sequence[Person]:
    """People of a role whose name or area holds some words, by name."""
    like = Person.name.icontains(words, autoescape=True) | Person.area_ref.icontains(
        words, autoescape=True
    )
    query = select(Person).where(Person.county == county, Person.role == role, like)
    return session.scalars(query.order_by(Person.name, Person.id).limit(limit)).all()


def person_of(session: Session, county: str, source_ref: str) -> int:
    """Number of the person of a staff list's id.

    Raises
    ------
    NotFoundError
        If the county has none.
    """
    found = session.scalar(select(Person.id).filter_by(county=county, source_ref=source_ref))
    if found is None:
        raise NotFoundError(f"county {county} has no person {source_ref!r} in its staff list")
    return found
