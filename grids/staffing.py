"""Joining staff to areas: who on the staff list looks after which grid, community or beat."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data.models import Division, Grid, Person, Responsibility, ServiceArea

__all__ = ["StaffingReport", "join_staff"]


@dataclass(frozen=True, slots=True)
class StaffingReport:
    """How many responsibilities began and ended, and whose area is not known."""

    begun: int
    ended: int
    without_area: tuple[str, ...]


def join_staff(session: Session, county: str, *, at: datetime | None = None) -> StaffingReport:
    """Bring responsibilities in line with the staff list and the published plan.

    Responsibilities for grids that have ended end too. A gridworker's area is a community,
    whose grids are dealt to its gridworkers so that households are even; everybody else is
    responsible for the community, town or service area that the list names. What holds
    already stays as it is: changes are dated, never overwritten.
    """
    moment = at or datetime.now(UTC)
    ended = _end_with_grids(session, county, moment)
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
    lost, begun = [], 0
    workers: dict[str, list[Person]] = {}
    for person in people:
        area, division = areas.get(person.area_ref or ""), divisions.get(person.area_ref or "")
        if person.role == "gridworker" and division is not None:
            workers.setdefault(division, []).append(person)
        elif area is None and division is None:
            lost.append(person.name)
        elif (person.id, None if area else division, area) not in held:
            chosen: dict[str, int | str | None] = (
                {"service_area_id": area} if area else {"division": division}
            )
            session.add(_responsibility(person, moment, chosen))
            begun += 1
    begun += _deal_grids(session, county, workers, open_rows, moment)
    session.flush()
    return StaffingReport(begun, ended, tuple(lost))


def _by_name(rows: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for code, name, same in rows:
        found[name] = found[same] = code
    return found


def _responsibility(
    person: Person, moment: datetime, area: dict[str, int | str | None]
) -> Responsibility:
    return Responsibility(
        county=person.county,
        person_id=person.id,
        role=person.role,
        holder="A",
        valid=Range(moment, None),
        **area,
    )


def _end_with_grids(session: Session, county: str, moment: datetime) -> int:
    ended = session.execute(
        text(
            "UPDATE responsibility SET valid = tstzrange(lower(responsibility.valid), "
            "greatest(upper(grid.valid), lower(responsibility.valid))) FROM grid "
            "WHERE grid.id = responsibility.grid_id AND responsibility.county = :county "
            "AND upper_inf(responsibility.valid) AND upper(grid.valid) <= :moment RETURNING 1"
        ),
        {"county": county, "moment": moment},
    )
    return len(ended.all())


def _deal_grids(
    session: Session,
    county: str,
    workers: dict[str, list[Person]],
    open_rows: Iterable[Responsibility],
    moment: datetime,
) -> int:
    """Give each unheld grid to the gridworker of its community with the fewest households."""
    taken = {row.grid_id: row.person_id for row in open_rows if row.grid_id is not None}
    grids = session.scalars(
        select(Grid)
        .where(Grid.county == county, func.upper_inf(Grid.valid))
        .order_by(Grid.households.desc(), Grid.code)
    ).all()
    load: dict[int, int] = {}
    for grid in grids:
        if grid.id in taken:
            load[taken[grid.id]] = load.get(taken[grid.id], 0) + grid.households
    begun = 0
    for grid in grids:
        team = workers.get(grid.community, [])
        if grid.id in taken or not team:
            continue
        person = min(team, key=lambda one: (load.get(one.id, 0), one.id))
        load[person.id] = load.get(person.id, 0) + max(grid.households, 1)
        session.add(_responsibility(person, moment, {"grid_id": grid.id}))
        begun += 1
    return begun
