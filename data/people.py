"""People as they are looked up: by role and by a part of the name."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, and_, func, or_, select, union
from sqlalchemy.orm import Session

from data.errors import NotFoundError
from data.models import Division, Grid, Person, Position, Responsibility
from data.scope import Scope

__all__ = ["find_people", "people_seen", "person_of", "serving"]


def serving(scope: Scope) -> ColumnElement[bool]:
    """The condition that a person is of an area: listed there, or holding a post in it."""
    if scope.is_whole:
        return Person.county == scope.county
    inside = and_(Division.county == scope.county, scope.where(Division.code))
    posts = (
        select(Responsibility.id)
        .outerjoin(Grid, Grid.id == Responsibility.grid_id)
        .where(
            Responsibility.person_id == Person.id,
            Responsibility.valid.contains(func.now()),
            or_(scope.where(Responsibility.division), scope.where(Grid.community)),
        )
    )
    named = union(select(Division.code).where(inside), select(Division.name).where(inside))
    return and_(Person.county == scope.county, or_(Person.area_ref.in_(named), posts.exists()))


def people_seen(session: Session, scope: Scope, numbers: Collection[int]) -> set[int]:
    """Those of some people who are of an area, or are in it now."""
    standing = (
        select(Position.person_id)
        .join(Grid, func.ST_Covers(Grid.geom, Position.geom))
        .where(
            Position.person_id == Person.id,
            Grid.county == scope.county,
            Grid.valid.contains(func.now()),
            scope.where(Grid.community),
        )
    )
    query = select(Person.id).where(Person.id.in_(numbers), or_(serving(scope), standing.exists()))
    return set(session.scalars(query))


def find_people(
    session: Session, scope: Scope, role: str, words: str = "", limit: int = 50
) -> Sequence[Person]:
    """People of an area and a role whose name or area holds some words, by name."""
    like = Person.name.icontains(words, autoescape=True) | Person.area_ref.icontains(
        words, autoescape=True
    )
    query = select(Person).where(serving(scope), Person.role == role, like)
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
