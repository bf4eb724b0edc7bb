"""Where a place lies: grid, micro-grid, community and service areas of one generation."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from gis.shares import Share
from grids.layer import Layer
from grids.responsibility.records import AreaKey

__all__ = ["Candidate", "GridFacts", "NamedPlace", "Places", "Where", "division_keys"]

# A circle drawn with 64 segments, in metres of a projection, is inside an area to this share.
_WHOLE = 1 - 1e-6
# Degrees: a number that went through text and back.
_SAME_PLACE = 1e-7


@dataclass(frozen=True, slots=True)
class GridFacts:
    """What an answer says of a grid; `owner` is the unit that a dedicated grid answers to."""

    id: int
    code: str
    name: str
    kind: str
    community: str
    community_name: str
    households: int
    owner: str | None = None


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
class Where:
    """Where a place lies, and how that is known.

    Attributes
    ----------
    grid : GridFacts or None
        None outside every grid.
    others : tuple of str
        Codes of the other grids on whose edge the place lies, or that share its building.
    micro_grid : str or None
        Its code, where the grid has been divided.
    areas : tuple of AreaKey
        Nearest first: micro-grid, grid, service areas, community, town, county.
    by : str
        ``polygon``, or ``building`` where a building or address is known to belong to the grid.
    ambiguous : bool
        Whether the place may lie in another grid, or in none, as far as it is known.
    candidates : tuple of Candidate
        What grids an uncertain place may lie in, largest share first; empty for an exact one.
    """

    grid: GridFacts | None
    others: tuple[str, ...]
    micro_grid: str | None
    areas: tuple[AreaKey, ...]
    by: str
    reason: str
    ambiguous: bool
    candidates: tuple[Candidate, ...] = ()


class NamedPlace(NamedTuple):
    """Where an address stands (degrees, EPSG:4326), and its grid's id; 0 where none is known."""

    lon: float
    lat: float
    grid: int


@dataclass(slots=True)
class Places:
    """The areas of a county in one generation of its plan.

    Attributes
    ----------
    begins, ends : datetime, datetime or None
        When the generation holds.
    facts : dict of int to GridFacts
        By the grid's id.
    service : dict of str to Layer
        Service areas by their kind.
    buildings : Layer or None
        Buildings that are known to belong to a grid.
    building_grids : dict of int to tuple of int
        Their grids; more than one where grids share a footprint.
    address_grids : dict of str to tuple of NamedPlace
        By a text, or a number in the source that is no address's text: all addresses that are
        called so, where one of them is known to belong to a grid.
    addresses : str
        Mark of the addresses (`book_version`) that `address_grids` was last looked up in.
    """

    county: str
    begins: datetime
    ends: datetime | None
    grids: Layer
    facts: dict[int, GridFacts]
    micro_grids: Layer
    service: dict[str, Layer]
    buildings: Layer | None = None
    building_grids: dict[int, tuple[int, ...]] = field(default_factory=dict)
    address_grids: dict[str, tuple[NamedPlace, ...]] = field(default_factory=dict)
    addresses: str = ""

    def where(
        self, lon: float, lat: float, *, radius_m: float = 0.0, address: str | None = None
    ) -> Where:
        """Where a place lies (degrees, EPSG:4326), known to a radius.

        The grid is that of the address or building where membership is known, else the one at
        the place; what else it may be is said, never chosen.

        Raises
        ------
        GeometryError
            If the radius is negative or a number is not finite.
        """
        candidates = self._candidates(lon, lat, radius_m) if radius_m else ()
        unsure = bool(radius_m) and not (len(candidates) == 1 and candidates[0].share > _WHOLE)
        hits = self.grids.at(lon, lat)
        member = self._membership(lon, lat, address, hits)
        if member is not None:
            found, reason = member
            by, unsure = "building", len(found) > 1
        else:
            found, by, reason = hits, "polygon", "inside the grid"
            if len(hits) > 1:
                reason, unsure = "on the shared edge of grids: the smallest code", True
        service = self._service(lon, lat)
        if not found:
            reason = "outside every grid of the county"
            if self.grids.locator.find(lat, lon) >= 0:
                reason += "; lon and lat look swapped"
            areas = (*service, ("county", self.county))
            return Where(None, (), None, areas, by, reason, bool(candidates), candidates)
        grid = self.facts[found[0]]
        others = tuple(self.facts[one].code for one in found[1:])
        micro = self._micro_grid(grid.code, lon, lat)
        return Where(
            grid,
            others,
            micro,
            self.keys(grid, micro, service),
            by,
            reason,
            unsure,
            candidates,
        )

    def grid_of_code(self, code: str) -> GridFacts | None:
        """The grid of a code; None where the plan has none."""
        return next((grid for grid in self.facts.values() if grid.code == code), None)

    def keys(
        self, grid: GridFacts, micro: str | None, service: tuple[AreaKey, ...]
    ) -> tuple[AreaKey, ...]:
        """The areas of a place, nearest first."""
        own: AreaKey = ("grid", grid.code)
        divisions = division_keys(grid.community)
        if micro is None:
            return (own, *service, *divisions)
        return (("micro_grid", micro), own, *service, *divisions)

    def _service(self, lon: float, lat: float) -> tuple[AreaKey, ...]:
        return tuple(
            ("service_area", str(one))
            for layer in self.service.values()
            for one in layer.at(lon, lat)
        )

    def _micro_grid(self, grid: str, lon: float, lat: float) -> str | None:
        """Code of the grid's micro-grid at a place.

        Cuts lie on a lattice of a millimetre: between them and the grid's edge there can be a
        hair that is in none.
        """
        if not self.micro_grids.ids:
            return None
        locator = self.micro_grids.locator
        codes = (locator.codes[hit] for hit in locator.candidates(lon, lat))
        return next((code for code in codes if code.startswith(grid)), None)

    def _membership(
        self, lon: float, lat: float, address: str | None, hits: list[int]
    ) -> tuple[list[int], str] | None:
        """Grids that the address, else the building at the place, is known to belong to."""
        if address is not None and (known := self._of_address(address, lon, lat, hits)):
            if len(known) == 1:
                return known, "the address is known to belong to the grid"
            return known, "addresses of this name at this place belong to different grids"
        if self.buildings is None:
            return None
        for building in self.buildings.at(lon, lat):
            grids = self.building_grids[building]
            if len(grids) == 1:
                return list(grids), "the building is known to belong to the grid"
            # The place is inside one of the grids that share the building, or else in none.
            inside = [one for one in hits if one in grids] or sorted(
                grids, key=lambda one: self.facts[one].code
            )
            rest = [one for one in grids if one != inside[0]]
            return [inside[0], *rest], "grids share the building: its address says which"
        return None

    def _of_address(self, address: str, lon: float, lat: float, hits: list[int]) -> list[int]:
        """Grids that an address is known to belong to, by code; none where that is not known.

        Several addresses may be called the same: then it is the one that stands at the place, or
        the several; one that belongs to no grid by name is in those at the place (`hits`).
        """
        called = self.address_grids.get(address.strip(), ())
        if len({one.grid for one in called}) > 1:
            called = tuple(
                one for one in called if max(abs(one.lon - lon), abs(one.lat - lat)) <= _SAME_PLACE
            )
        known = {one.grid for one in called}
        if not any(known):
            return []
        found = (known - {0}) | ({*hits} if 0 in known else set())
        return sorted(found, key=lambda one: self.facts[one].code)

    def shares(self, shape: Any) -> tuple[Candidate, ...]:
        """How much of a point, line or polygon (EPSG:4326) lies in which grid, largest first.

        Raises
        ------
        GeometryError
            If the shape is empty or not valid; says why.
        """
        shares, ids = self.grids.shares
        return self._named(shares.of_shape(shape), ids)

    def is_near(self, lon: float, lat: float, radius_m: float) -> bool:
        """Whether some grid lies within so many metres of a place (EPSG:4326)."""
        return bool(self._candidates(lon, lat, radius_m))

    def _candidates(self, lon: float, lat: float, radius_m: float) -> tuple[Candidate, ...]:
        shares, ids = self.grids.shares
        return self._named(shares.of_place(lon, lat, radius_m), ids)

    def _named(self, found: list[Share], ids: list[int]) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(self.facts[ids[one.area]].code, one.share, one.distance_m, one.edge_m)
            for one in found
        )


def division_keys(community: str) -> tuple[AreaKey, ...]:
    """Community, town and county of a community's code, nearest first.

    Examples
    --------
    >>> division_keys("150502001003")
    (('community', '150502001003'), ('town', '150502001000'), ('county', '150502'))
    """
    return (
        ("community", community),
        ("town", community[:9] + "000"),
        ("county", community[:6]),
    )
