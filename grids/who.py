"""Who: given a place and a time, the grid and everyone responsible, and why.

A directory is loaded once for a time and answers in process. Nobody found on a grid climbs
to the community and the county (属地兜底): the answer is never nobody while anyone is held.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import StateError
from data.store import shapes_from_wkb
from gis.locator import Locator
from gis.shares import Shares

__all__ = ["Candidate", "Directory", "GridFacts", "Holder", "WhoAnswer", "load_directory"]

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
_MICRO_GRIDS = text(
    "SELECT micro_grid.code, ST_AsBinary(micro_grid.geom) AS geom FROM micro_grid "
    "JOIN grid ON grid.id = micro_grid.grid_id WHERE grid.county = :county "
    "AND grid.valid @> CAST(:at AS timestamptz) ORDER BY micro_grid.code"
)
_AREAS = text(
    "SELECT id, name, kind, ST_AsBinary(geom) AS geom FROM service_area "
    "WHERE county = :county ORDER BY id"
)

# A circle drawn with 64 segments, in metres of a projection, is inside an area to this share.
_WHOLE = 1 - 1e-6


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
class Candidate:
    """A grid that an uncertain place may lie in.

    Attributes
    ----------
    share : float
        Part of the circle of uncertainty inside it.
    distance_m, edge_m : float
        From the stated place to the grid (0 inside), and to its edge.
    """

    code: str
    share: float
    distance_m: float
    edge_m: float


@dataclass(frozen=True, slots=True)
class WhoAnswer:
    """The answer for one place.

    Attributes
    ----------
    grid : GridFacts or None
        None outside every grid.
    on_boundary : tuple of str
        Codes of the other grids on whose edge the place lies.
    people : tuple of Holder
    reason : str
    micro_grid : str or None
        Its code, where the grid has been divided.
    ambiguous : bool
        Whether the place may lie in another grid, or in none, as far as it is known.
    candidates : tuple of Candidate
        What grids an uncertain place may lie in, largest share first; empty for an exact one.
    """

    grid: GridFacts | None
    on_boundary: tuple[str, ...]
    people: tuple[Holder, ...]
    reason: str
    micro_grid: str | None = None
    ambiguous: bool = False
    candidates: tuple[Candidate, ...] = ()

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
    micro_locator: Locator
    shares: Shares
    by_grid: dict[int, list[Holder]] = field(default_factory=dict)
    by_division: dict[str, list[Holder]] = field(default_factory=dict)
    by_area: dict[int, list[Holder]] = field(default_factory=dict)

    def answer(self, lon: float, lat: float, *, radius_m: float = 0.0) -> WhoAnswer:
        """Answer for one place (degrees, EPSG:4326), known to a radius.

        The grid is the one at the place itself; what else it may be is said, never chosen.

        Raises
        ------
        GeometryError
            If the radius is negative or a number is not finite.
        """
        hits = self.grid_locator.candidates(lon, lat)
        areas = self.area_locator.candidates(lon, lat)
        near = self.shares.of_place(lon, lat, radius_m) if radius_m else []
        candidates = tuple(
            Candidate(self.grids[one.area].code, one.share, one.distance_m, one.edge_m)
            for one in near
        )
        unsure = bool(radius_m) and not (len(near) == 1 and near[0].share > _WHOLE)
        if not hits.size:
            people = self._area_people(areas) + self._county_people()
            reason = "outside every grid of the county"
            if self.grid_locator.find(lat, lon) >= 0:
                reason += "; lon and lat look swapped"
            return WhoAnswer(
                None,
                (),
                tuple(people),
                reason,
                ambiguous=bool(candidates),
                candidates=candidates,
            )
        grid = self.grids[int(hits[0])]
        others = tuple(self.grids[int(hit)].code for hit in hits[1:])
        reason = "on the shared edge of grids: the smallest code" if others else "inside the grid"
        return WhoAnswer(
            grid,
            others,
            tuple(self.people_of(grid, areas)),
            reason,
            self._micro_grid(grid, lon, lat),
            unsure or bool(others),
            candidates,
        )

    def _micro_grid(self, grid: GridFacts, lon: float, lat: float) -> str | None:
        """Code of the grid's micro-grid at a place.

        Cuts lie on a lattice of a millimetre: between them and the grid's edge there can be a
        hair that is in none.
        """
        found = self.micro_locator.candidates(lon, lat)
        codes = (str(self.micro_locator.codes[hit]) for hit in found)
        return next((code for code in codes if code.startswith(grid.code)), None)

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
    micro = session.execute(_MICRO_GRIDS, key).all()
    shapes = shapes_from_wkb([r.geom for r in rows])
    directory = Directory(
        county,
        moment,
        facts,
        Locator(shapes, [f.code for f in facts]),
        [(a.id, a.name, a.kind) for a in areas],
        Locator(shapes_from_wkb([a.geom for a in areas]), [f"{a.id:012d}" for a in areas]),
        Locator(shapes_from_wkb([m.geom for m in micro]), [m.code for m in micro]),
        Shares(shapes, [f.code for f in facts]),
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
