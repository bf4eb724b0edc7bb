"""People as they are looked up: by role and by a part of the name."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import Person

__all__ = ["find_people"]


def find_people(
    session: Session, county: str, role: str, words: str = "", limit: int = 50
) -> Sequence[Person]:
    """People of a role whose name or area holds some words, by name."""
    like = Person.name.icontains(words, autoescape=True) | Person.area_ref.icontains(
        words, autoescape=True
    )
    query = select(Person).where(Person.county == county, Person.role == role, like)
    return session.scalars(query.order_by(Person.name, Person.id).limit(limit)).all()
