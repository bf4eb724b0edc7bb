"""Who: given a place and a time, the grid and everyone responsible, and why.

A directory is loaded once for a time and answers in process. Nobody found on a grid climbs
to the community and the county (属地兜底): the answer is never nobody while anyone is held.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import StateError
from gis.locator import Locator

__all__ = ["Directory", "GridFacts", "Holder", "WhoAnswer", "load_directory"]

_GRIDS = text(
    "SELECT grid.id, grid.code, grid.name, grid.kind, grid.community, division.name AS "
    "community_name, grid.households, ST_AsBinary(grid.geom) AS geom FROM grid "
    "JOIN division ON division.code = grid.community "
    "WHERE grid.county = :county AND grid.valid @> CAST(:at AS timestamptz) ORDER BY grid.code"
)
_HOLDERS = text(
    "SELECT r.id, r.person_id, r.role, r.holder, r.grid_id, r.division, r.service_area_id, "
    "person.name, person.duty_phone, person.mode FROM responsibility AS r "
    "JOIN person ON person.id = r.person_id "
    "WHERE r.county = :county AND r.valid @> CAST(:at AS timestamptz) ORDER BY r.holder, r.id"
)
_AREAS = text(
    "SELECT id, name, kind, ST_AsBinary(geom) AS geom FROM service_area "
    "WHERE county = :county ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class GridFacts:
    """What an answer says of a grid."""

    id: int
    code: str
    name: str
    kind: str
    community: str
    community_name: str
    households: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A person responsible, in which role, by which responsibility, and why."""

    responsibility_id: int
    person_id: int
    name: str
    role: str
    holder: str
    duty_phone: str | None
    mode: str
    by: str
    area: str


@dataclass(frozen=True, slots=True)
class WhoAnswer:
    """The answer for one place: the grid, others on a shared edge, and who is responsible."""

    grid: GridFacts | None
    on_boundary: tuple[str, ...]
    people: tuple[Holder, ...]
    reason: str

    def first(self, role: str) -> Holder | None:
        """First holder of a role, A before B."""
        return next((person for person in self.people if person.role == role), None)


@dataclass(slots=True)
class Directory:
    """All grids, service areas and responsibilities of a county at one time."""

    county: str
    at: datetime
    grids: list[GridFacts]
    grid_locator: Locator
    areas: list[tuple[int, str, str]]
    area_locator: Locator
    by_grid: dict[int, list[Holder]] = field(default_factory=dict)
    by_division: dict[str, list[Holder]] = field(default_factory=dict)
    by_area: dict[int, list[Holder]] = field(default_factory=dict)

    def answer(self, lon: float, lat: float) -> WhoAnswer:
        """Answer for one place (degrees, EPSG:4326)."""
        hits = self.grid_locator.candidates(lon, lat)
        areas = self.area_locator.candidates(lon, lat)
        if not hits.size:
            people = self._area_people(areas) + self._county_people()
            return WhoAnswer(None, (), tuple(people), "outside every grid of the county")
        grid = self.grids[int(hits[0])]
        others = tuple(self.grids[int(hit)].code for hit in hits[1:])
        reason = "on the shared edge of grids: the smallest code" if others else "inside the grid"
        return WhoAnswer(grid, others, tuple(self.people_of(grid, areas)), reason)

    def people_of(
        self, grid: GridFacts, areas: np.ndarray[Any, np.dtype[np.int64]]
    ) -> list[Holder]:
        """Everyone responsible for a grid and the service areas at a place."""
        found = [*self.by_grid.get(grid.id, []), *self._area_people(areas)]
        found += self.by_division.get(grid.community, [])
        found += self.by_division.get(grid.community[:9] + "000", [])
        return found or self._county_people()

    def _area_people(self, areas: np.ndarray[Any, np.dtype[np.int64]]) -> list[Holder]:
        return [h for hit in areas for h in self.by_area.get(self.areas[int(hit)][0], [])]

    def _county_people(self) -> list[Holder]:
        own = self.by_division.get(self.county + "000000", [])
        if own:
            return own
        centres = [h for hs in self.by_division.values() for h in hs if h.role == "centre_director"]
        return centres[:1]


def load_directory(session: Session, county: str, at: datetime | None = None) -> Directory:
    """Load the directory of a county as of a time.

    Raises
    ------
    StateError
        If no plan was published then.
    """
    moment = at or datetime.now(UTC)
    key = {"county": county, "at": moment}
    rows = session.execute(_GRIDS, key).all()
    if not rows:
        raise StateError(
            f"county {county} has no published plan at {moment:%Y-%m-%d %H:%M}: "
            "run onegrid plan partition and onegrid plan publish"
        )
    facts = [
        GridFacts(r.id, r.code, r.name, r.kind, r.community, r.community_name, r.households)
        for r in rows
    ]
    areas = session.execute(_AREAS, key).all()
    directory = Directory(
        county,
        moment,
        facts,
        Locator(_shapes([r.geom for r in rows]), [f.code for f in facts]),
        [(a.id, a.name, a.kind) for a in areas],
        Locator(_shapes([a.geom for a in areas]), [f"{a.id:012d}" for a in areas]),
    )
    _add_holders(session, directory, key)
    return directory


def _add_holders(session: Session, directory: Directory, key: dict[str, Any]) -> None:
    grid_codes = {grid.id: grid.code for grid in directory.grids}
    area_names = {area: name for area, name, _ in directory.areas}
    for r in session.execute(_HOLDERS, key):
        person = (r.id, r.person_id, r.name, r.role, r.holder, r.duty_phone, r.mode)
        if r.grid_id is not None:
            holder = Holder(*person, "grid", grid_codes.get(r.grid_id, ""))
            directory.by_grid.setdefault(r.grid_id, []).append(holder)
        elif r.division is not None:
            holder = Holder(*person, "division", r.division)
            directory.by_division.setdefault(r.division, []).append(holder)
        else:
            holder = Holder(*person, "service area", area_names.get(r.service_area_id, ""))
            directory.by_area.setdefault(r.service_area_id, []).append(holder)


def _shapes(wkb: list[Any]) -> Any:
    shapes = np.empty(len(wkb), dtype=object)
    shapes[:] = shapely.from_wkb([bytes(item) for item in wkb])
    return shapes
