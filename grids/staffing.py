"""Joining staff to areas: who on the staff list looks after which grid, community or beat."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import BigInteger, any_, cast, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from data.models import Division, Grid, Person, Responsibility, ServiceArea
from data.posts import PostChange, PostKey, posts_held, record_changes

__all__ = ["StaffingReport", "end_with_grids", "join_staff"]

_AUTHOR = "join_staff"
_ENDED_GRIDS = text(
    "SELECT r.id, upper(grid.valid) AS at FROM responsibility AS r "
    "JOIN grid ON grid.id = r.grid_id WHERE r.county = :county AND upper_inf(r.valid) "
    "AND upper(grid.valid) <= :moment UNION ALL "
    "SELECT r.id, upper(grid.valid) FROM responsibility AS r "
    "JOIN grid ON grid.code = left(r.micro_grid, length(grid.code)) "
    "WHERE r.micro_grid IS NOT NULL AND r.county = :county AND grid.county = :county "
    "AND upper_inf(r.valid) AND upper(grid.valid) <= :moment"
)
_ENDED_MEMBERS = text(
    "UPDATE membership SET valid = membership.valid * tstzrange(NULL, upper(grid.valid)) "
    "FROM grid WHERE grid.id = membership.grid_id AND membership.county = :county "
    "AND upper_inf(membership.valid) AND upper(grid.valid) <= :moment"
)


@dataclass(frozen=True, slots=True)
class StaffingReport:
    """How many responsibilities began and ended, and whose area is not known."""

    begun: int
    ended: int
    without_area: tuple[str, ...]


def join_staff(session: Session, county: str, *, at: datetime | None = None) -> StaffingReport:
    """Bring responsibilities in line with the staff list and the published plan.

    Responsibilities for grids that have ended end too, and so do memberships. A gridworker's
    area is a community, whose grids are dealt to its gridworkers so that households are even;
    everybody else is responsible for the community, town or service area that the list names.
    What holds already stays as it is: changes are dated, never overwritten.
    """
    moment = at or datetime.now(UTC)
    ended = end_with_grids(session, county, moment)
    record_changes(session, county, ended, author=_AUTHOR)
    people = session.scalars(
        select(Person).where(Person.county == county).order_by(Person.id)
    ).all()
    divisions = _by_name(
        (d.code, d.name, d.code) for d in session.scalars(select(Division).filter_by(county=county))
    )
    areas = {
        area.name: area.id for area in session.scalars(select(ServiceArea).filter_by(county=county))
    }
    open_rows = session.scalars(
        select(Responsibility).where(
            Responsibility.county == county, Responsibility.valid.contains(moment)
        )
    ).all()
    held = {(row.person_id, row.division, row.service_area_id) for row in open_rows}
    lost: list[str] = []
    begun: list[PostKey] = []
    workers: dict[str, list[Person]] = {}
    for person in people:
        area, division = areas.get(person.area_ref or ""), divisions.get(person.area_ref or "")
        if person.role == "gridworker" and division is not None:
            workers.setdefault(division, []).append(person)
        elif area is None and division is None:
            lost.append(person.name)
        elif (person.id, None if area else division, area) not in held:
            key = PostKey(person.id, None, person.role, service_area_id=area)
            begun.append(key if area else replace(key, division=division))
    begun += _deal_grids(session, county, moment, workers, open_rows)
    changes = [PostChange(key, moment, "A") for key in begun]
    record_changes(session, county, changes, author=_AUTHOR)
    return StaffingReport(len(begun), len(ended), tuple(lost))


def _by_name(rows: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for code, name, same in rows:
        found[name] = found[same] = code
    return found


def end_with_grids(session: Session, county: str, moment: datetime) -> list[PostChange]:
    """End memberships of grids that have ended by a time; return the posts that end with them.

    The caller records the changes, with others of the same posts where there are any.
    """
    key = {"county": county, "moment": moment}
    ends = {row.id: row.at for row in session.execute(_ENDED_GRIDS, key)}
    held = posts_held(session, Responsibility.id == any_(cast(list(ends), ARRAY(BigInteger))))
    session.execute(_ENDED_MEMBERS, key)
    return [PostChange(post, ends[number], "ended") for number, post, _ in held]


def _deal_grids(
    session: Session,
    county: str,
    moment: datetime,
    workers: dict[str, list[Person]],
    open_rows: Iterable[Responsibility],
) -> list[PostKey]:
    """Give each unheld grid to the gridworker of its community with the fewest households."""
    taken = {
        row.grid_id: row.person_id
        for row in open_rows
        if row.grid_id is not None and row.role == "gridworker" and row.person_id is not None
    }
    grids = session.scalars(
        select(Grid)
        .where(Grid.county == county, Grid.valid.contains(moment))
        .order_by(Grid.households.desc(), Grid.code)
    ).all()
    load: dict[int, int] = {}
    for grid in grids:
        if grid.id in taken:
            load[taken[grid.id]] = load.get(taken[grid.id], 0) + grid.households
    begun = []
    for grid in grids:
        team = workers.get(grid.community, [])
        if grid.id in taken or not team:
            continue
        person = min(team, key=lambda one: (load.get(one.id, 0), one.id))
        load[person.id] = load.get(person.id, 0) + max(grid.households, 1)
        begun.append(PostKey(person.id, None, "gridworker", grid_id=grid.id))
    return begun
