"""The ground of one community as edits see it: its blocks, buildings and streets; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.apportion import largest_remainder
from gis.coverage import check_coverage
from gis.crs import LocalProjection
from gis.slicing import slice_coverage, stitch
from grids.blocks import SLIVER_M2
from grids.borders import BorderLines, Borders, draw_borders, with_ferries
from grids.redraw.errors import EditRefusedError
from grids.rules import PEOPLE_PER_HOUSEHOLD, Rules, SizeRange

__all__ = ["CommunityBlocks", "CommunityGround", "Dwellings", "GridHolder"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Geometries = NDArray[np.object_]

# A building lies in two blocks where each has at least this part of it: walls drawn a little
# over a street do not count.
_STRADDLES = 0.05
# A sliver is also small beside its block: half of a small empty block is a piece like others.
_SLIVER_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Dwellings:
    """Buildings of a community, metres: ids, footprints and households (0 where none live)."""

    ids: Int
    footprints: Geometries
    households: Int

    @classmethod
    def none(cls) -> "Dwellings":
        """No building is known."""
        return cls(np.zeros(0, np.int64), np.empty(0, dtype=object), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class GridHolder:
    """The gridworker of a published grid, and the households that they have elsewhere."""

    person_id: int
    name: str
    elsewhere: int = 0


@dataclass(frozen=True)
class CommunityGround:
    """What no edit changes.

    Attributes
    ----------
    code, name : str
    urban : bool
    local : LocalProjection
        The metres that lengths and areas are taken in.
    rules : Rules
    lines : BorderLines
        What borders may follow, metres.
    holders : mapping of str to GridHolder
        Code of a published grid → its gridworker.
    codes : frozenset of str
        Every code that a grid of the community ever had, retired ones too.
    """

    code: str
    name: str
    urban: bool
    local: LocalProjection
    rules: Rules = field(default_factory=Rules)
    buildings: Dwellings = field(default_factory=Dwellings.none)
    lines: BorderLines | None = None
    holders: Mapping[str, GridHolder] = field(default_factory=dict)
    codes: frozenset[str] = frozenset()

    @property
    def size(self) -> SizeRange:
        """The size that an ordinary grid is to have."""
        return self.rules.urban if self.urban else self.rules.rural

    def size_of(self, households: float) -> float:
        """Households or people, as the rules count."""
        return households * (PEOPLE_PER_HOUSEHOLD if self.rules.measure == "people" else 1.0)

    def state_of(self, kind: str, households: float) -> str:
        """``dedicated``, or its size against the range: ``under``, ``within`` or ``over``."""
        size = self.size_of(households)
        if kind == "dedicated":
            return "dedicated"
        if size < self.size.least:
            return "under"
        return "over" if size > self.size.most else "within"

    @cached_property
    def building_points(self) -> Geometries:
        """A point inside each building, metres."""
        points: Geometries = shapely.point_on_surface(self.buildings.footprints)
        return points


@dataclass(frozen=True)
class CommunityBlocks:
    """The blocks of a community, a coverage.

    Attributes
    ----------
    keys : tuple of str, length n
        Number of the held block; a piece of it adds ``/1``, ``/2`` from west to east.
    polygons : ndarray of shapely polygons, shape (n,), EPSG:4326
    households, zone, estate : ndarray of int64, shape (n,)
        Zone and estate are -1 for none.
    """

    ground: CommunityGround
    keys: tuple[str, ...]
    polygons: Geometries
    households: Int
    zone: Int
    estate: Int

    @cached_property
    def position(self) -> dict[str, int]:
        """Key → position."""
        return {key: index for index, key in enumerate(self.keys)}

    @cached_property
    def polygons_m(self) -> Geometries:
        """The polygons in metres."""
        return self.ground.local.forward(self.polygons)

    @cached_property
    def middle(self) -> Float:
        """A point inside each block, metres, shape (n, 2)."""
        points: Float = shapely.get_coordinates(shapely.point_on_surface(self.polygons_m))
        return points

    @cached_property
    def borders(self) -> Borders:
        """Which blocks touch; empty ground that lies apart is joined to the nearest."""
        alone = np.zeros(len(self.keys), np.int64)
        drawn = draw_borders(self.polygons_m, self.ground.lines)
        return with_ferries(drawn, self.polygons_m, alone, self.households)

    @cached_property
    def straddling(self) -> tuple[Int, Int]:
        """Buildings that lie in several blocks: pairs of building and block."""
        footprints = self.ground.buildings.footprints
        tree = shapely.STRtree(self.polygons_m)
        building, block = tree.query(footprints, "intersects")
        several = np.bincount(building, minlength=len(footprints))[building] > 1
        building, block = building[several], block[several]
        whole = shapely.area(footprints[building])
        part = shapely.area(shapely.intersection(footprints[building], self.polygons_m[block]))
        held = part >= _STRADDLES * whole
        building, block = building[held], block[held]
        two = np.bincount(building, minlength=len(footprints))[building] > 1
        return building[two].astype(np.int64), block[two].astype(np.int64)

    def find(self, keys: tuple[str, ...]) -> Int:
        """Positions of blocks.

        Raises
        ------
        EditRefusedError
            If one is not there: it was cut, or is another community's.
        """
        if unknown := [key for key in keys if key not in self.position]:
            raise EditRefusedError(
                "unknown",
                f"block {unknown[0]} is not in {self.ground.name}: it was cut since, or it "
                "belongs to another community",
            )
        return np.array(sorted({self.position[key] for key in keys}), np.int64)

    def sliced(self, line: Any, chosen: NDArray[np.bool_]) -> "CommunityBlocks":
        """Slice blocks along a line (EPSG:4326); each one's households are dealt to its pieces.

        An empty thin piece stays with its neighbour. The same where nothing is sliced.

        Raises
        ------
        GeometryError
            If the line cannot be used.
        """
        done = slice_coverage(self.polygons, line, chosen, self._slivers)
        if not done.pieces:
            return self
        keys: list[str] = []
        shapes: list[Any] = []
        source: list[int] = []
        households: list[int] = []
        for position, key in enumerate(self.keys):
            pieces = done.pieces.get(position)
            if pieces is None:
                keys.append(key)
                shapes.append(done.refined.get(position, self.polygons[position]))
                households.append(int(self.households[position]))
                source.append(position)
                continue
            keys += [f"{key}/{number}" for number in range(1, len(pieces) + 1)]
            shapes += list(pieces)
            households += self._dealt(position, pieces).tolist()
            source += [position] * len(pieces)
        polygons = np.empty(len(shapes), dtype=object)
        polygons[:] = shapes
        made = CommunityBlocks(
            self.ground,
            tuple(keys),
            polygons,
            np.array(households, np.int64),
            self.zone[source],
            self.estate[source],
        )
        if faults := check_coverage(made.polygons):
            raise EditRefusedError(
                "coverage",
                f"the cut leaves block {made.keys[faults[0].piece]} without a clean edge: "
                "draw the line a little aside",
                faults[0].place,
            )
        return made

    def without(self, chosen: Int) -> "CommunityBlocks":
        """The blocks but for some."""
        return self.taken(np.setdiff1d(np.arange(len(self.keys)), chosen))

    def with_blocks_of(self, other: "CommunityBlocks", chosen: Int) -> "CommunityBlocks":
        """The blocks and some of another community's, stitched together.

        Where one side of the boundary was sliced, the other lacks the points of the cut.
        """
        more = other.taken(chosen)
        host = stitch(self.polygons, shapely.get_coordinates(more.polygons))
        guests = stitch(more.polygons, shapely.get_coordinates(self.polygons))
        return CommunityBlocks(
            self.ground,
            self.keys + more.keys,
            np.concatenate([host, guests]),
            np.concatenate([self.households, more.households]),
            np.concatenate([self.zone, more.zone]),
            np.concatenate([self.estate, np.full(len(more.keys), -1, np.int64)]),
        )

    def taken(self, positions: Int) -> "CommunityBlocks":
        """Some of the blocks."""
        return CommunityBlocks(
            self.ground,
            tuple(self.keys[i] for i in positions.tolist()),
            self.polygons[positions],
            self.households[positions],
            self.zone[positions],
            self.estate[positions],
        )

    def _slivers(self, pieces: Geometries) -> NDArray[np.bool_]:
        metres = self.ground.local.forward(pieces)
        area = shapely.area(metres)
        small = (area < SLIVER_M2) & (area < _SLIVER_SHARE * area.sum())
        return np.asarray(small & (self._weights(metres) == 0), bool)

    def _dealt(self, position: int, pieces: Geometries) -> Int:
        """Households of a block for each of its pieces: by its buildings, else by area."""
        metres = self.ground.local.forward(pieces)
        weights = self._weights(metres)
        by = weights if weights.any() else shapely.area(metres)
        return largest_remainder(int(self.households[position]), by)

    def _weights(self, metres: Geometries) -> Float:
        """Households of the buildings in each piece."""
        tree = shapely.STRtree(self.ground.building_points)
        piece, building = tree.query(metres, "contains")
        weights: Float = np.zeros(len(metres))
        np.add.at(weights, piece, self.ground.buildings.households[building])
        return weights
